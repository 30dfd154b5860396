"""Pruning with healing: cuts of `aegle.compress`, training of `aegle.train` (extra train)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aegle.compress import encoders, prune
from aegle.compress.feeds import feeds
from aegle.compress.method import Made
from aegle.compress.source import open_source
from aegle.core.plugins import load
from aegle.core.ports import Progress

STEPS: Final = 200
LR: Final = 1e-4
_FEEDS: Final = 2048
_SETTINGS: Final = ("layers", "heads", "inner", "then", "steps", "lr", "seed")


def healed(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """As `aegle.compress.encoders.pruned`, then trained on the texts for ``steps`` at ``lr``.

    Raises:
        InputError: a setting that isn't known, or a model or texts that can't be taken.
        MissingExtraError: torch is not installed.
    """
    encoders.check("prune-heal", settings, _SETTINGS)
    model = open_source(source)
    given = feeds(model, texts, most=_FEEDS)
    small, about = prune.chain(model, settings, given[: encoders.MOST_TEXTS], progress=progress)
    steps, lr = int(settings.get("steps", STEPS)), float(settings.get("lr", LR))
    weights = load("aegle.train.heal:heal")(
        model.weights,
        small.weights,
        shapes=(model.shape, small.shape),
        task=load("aegle.train.heal:Task")(model.kind, model.pooling, model.tasks),
        feeds=given,
        steps=steps,
        lr=lr,
        seed=int(settings.get("seed", 0)),
        progress=progress,
    )
    told = {**about, "steps": steps, "lr": lr}
    return encoders.then("prune-heal", small.changed(weights), out, settings, told, texts)
