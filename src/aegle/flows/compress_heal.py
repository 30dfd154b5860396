"""Pruning with healing: cuts of `aegle.compress`, training of `aegle.train` (extra train).

An encoder learns to do as the float one does, state by state; a generator learns its distribution
of every next token.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aegle.compress import encoders, finish, prune
from aegle.compress.decoders import DECODERS, MOST_TEXTS
from aegle.compress.feeds import feeds
from aegle.compress.method import Made
from aegle.compress.source import open_source
from aegle.core.artifacts import write_json
from aegle.core.errors import InputError, UsageError
from aegle.core.plugins import load
from aegle.core.ports import Progress
from aegle.lm.fetch import made_whole

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


_CUTS: Final = ("layers", "ffn", "heads")
_HEALS: Final = ("cut", "then", "epochs", "lr", "seed")


def healed_generator(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """A generator cut, then taught the original's distribution on the texts, then as GGUF.

    Args:
        source, out, texts, progress: as for `aegle.compress.method.Method`. All texts teach.
        settings: ``cut`` (layers, ffn or heads) with that cut's own; ``epochs`` (1), ``lr``
            (1e-4), ``seed``; ``then``, the type of the file (q8_0).

    Raises:
        InputError: a model or texts that can't be taken.
        UsageError: a setting that isn't known.
        MissingExtraError: torch is not installed.
    """
    cut = settings.get("cut", "ffn")
    if cut not in _CUTS:
        raise UsageError(f"no cut {cut!r}; there are: {', '.join(_CUTS)}")
    if not texts:
        raise InputError("a cut is healed by texts of the model's own domain; none was given")
    own = {name: value for name, value in settings.items() if name not in _HEALS}
    some, then = texts[:MOST_TEXTS], {"type": settings.get("then", "q8_0")}
    with made_whole(out) as into, tempfile.TemporaryDirectory(dir=into.parent) as scratch:
        small = DECODERS[cut](
            source, Path(scratch) / "cut", texts=some, settings=own, progress=progress
        )
        learned = _taught(source, small.folder, Path(scratch), texts, settings, progress)
        made = DECODERS["gguf"](learned, into, texts=some, settings=then, progress=progress)
        about = {**small.about, **made.about, "taught_by": len(texts)}
        finish.seal(source, into, method=f"{cut}-heal", about=about, texts=texts)
    return Made(out, finish.size_of(out), about)


def _taught(
    source: Path,
    small: Path,
    scratch: Path,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Path:
    """The folder of the model that learned; what it learned from is removed with the scratch."""
    rows = [json.dumps({"text": one, "group": str(n)}) for n, one in enumerate(texts)]
    (scratch / "texts.jsonl").write_text("\n".join(rows), "utf-8")
    source_of = {"train": "texts.jsonl", "share": 0.1, "licence": "the user's"}
    recipe = {
        "kind": "pretrain",
        "name": "heal",
        "base": f"path:{small}",
        "seed": int(settings.get("seed", 17)),
        "max_tokens": 512,
        "overlong": "split",
        "duplicates": "drop",
        "data": [{**source_of, "safe_because": "given to aegle compress as such"}],
        "adapter": {"method": "full"},
        "distillation": {
            "teacher": f"path:{source}",
            "kind": "logits",
            "temperature": 1.0,
            "weight": 1.0,
        },
        "optimiser": {
            "lr": float(settings.get("lr", LR)),
            "schedule": "cosine",
            "warmup": 0.05,
            "epochs": float(settings.get("epochs", 1)),
            "accumulation": 2,
        },
        "batches": {"tokens": 1024},
    }
    write_json(scratch / "recipe.yaml", recipe)  # JSON is YAML
    load("aegle.train.causal.run:run")(
        load("aegle.train.causal.recipe:read_recipe")(scratch / "recipe.yaml"),
        base=small,
        teacher=source,
        data=scratch,
        folder=scratch / "run",
        progress=lambda done, total: progress("heal", done, total),
    )
    return scratch / "run" / "model"
