"""What a run of preferences or rewards gained: dev's figures before and after; what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aegle.metrics.stats import bootstrap, paired
from aegle.train.causal import adapters
from aegle.train.causal.chat import Encoder
from aegle.train.causal.keep import keep
from aegle.train.causal.run import MODEL, Done
from aegle.train.causal.settings import ran

Figures = Mapping[str, NDArray[np.float64]]
"""Name of a figure -> its value of each dev example."""


def learned(
    recipe: Any,
    trainer: Any,
    encode: Encoder,
    measure: Callable[[], Figures],
    *,
    gain: str,
    data: Mapping[str, Any],
    resume: bool,
    gap: Callable[[], tuple[dict[str, Any], list[str]]] | None = None,
) -> Done:
    """The training itself, its figures, and what it leaves.

    Args:
        recipe: what is done.
        trainer: ready to run, with ``dev``, whose items have groups.
        encode: that made its tokens.
        measure: dev's figures as the model is.
        gain: of the figures the one whose gain is told.
        data: what was learned from, for the card.
        resume: go on from the folder's checkpoint.
        gap: between train and dev, with warnings, as `aegle.train.causal.overfit` tells it.
    """
    with adapters.begun(trainer.model, recipe.adapter):
        before = measure()
    steps = trainer.run(resume=resume)
    metrics = {**summary(trainer, before, measure(), gain), "data": dict(data)}
    if gap:
        metrics["gap"], metrics["warnings"] = gap()
    about = {"template": encode.name, **ran(trainer)}
    folder = trainer.watch.folder
    keep(recipe, trainer.model, encode.tokenizer, folder, metrics, about)
    return Done(steps, trainer.watch.tokens, metrics, trainer.model, folder / MODEL)


def summary(trainer: Any, before: Figures, after: Figures, gain: str) -> dict[str, Any]:
    """Dev's figures at the best weights, with 95% intervals by group, and what was gained."""
    groups = [one.group for one in trainer.dev]

    def of(name: str) -> Callable[[NDArray[np.intp]], float]:
        return lambda places: float(after[name][places].mean())

    gained = paired(after[gain].tolist(), before[gain].tolist(), groups=groups)
    watch = trainer.watch
    return {
        "dev": {name: asdict(bootstrap(of(name), groups)) for name in after},
        "before": {name: float(one.mean()) for name, one in before.items()},
        f"{gain}_gained": {**asdict(gained.difference), "p": gained.p},
        "best_step": int(watch.best.get("step", 0)),
        "history": watch.history,
        "trained_parameters": sum(one.numel() for one in adapters.trained(trainer.model).values()),
    }
