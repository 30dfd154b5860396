"""What a run of a causal model leaves: the adapter or model, its tokenizer, a card, a manifest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from aegle.core.artifacts import describe, write_json, write_manifest
from aegle.train.causal import adapters
from aegle.train.causal.recipe import Common

CARD: Final = "card.json"
_KEPT: Final = (".safetensors", ".json", ".txt")


def keep(
    recipe: Common,
    model: Any,
    tokenizer: Any,
    folder: Path,
    metrics: Mapping[str, Any],
    about: Mapping[str, Any],
) -> None:
    """Write ``folder/model`` and, if the recipe says so, ``folder/merged``. The model is used up
    when it is merged.

    Args:
        recipe: what was done.
        model: what was trained.
        tokenizer: of the base.
        folder: of the run.
        metrics: dev figures, for the card.
        about: how it was done, for the card.
    """
    said = card(recipe, metrics, about)
    target = folder / "model"
    shutil.rmtree(target, ignore_errors=True)  # of a run that was killed while it wrote
    adapters.save(model, recipe.adapter, target)
    _close(target, tokenizer, said)
    if recipe.merge:
        shutil.rmtree(folder / "merged", ignore_errors=True)
        merged = adapters.merge(model, recipe.adapter)
        merged.save_pretrained(folder / "merged")
        _close(folder / "merged", tokenizer, {**said, "merged": True})


def card(recipe: Common, metrics: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """What a model is, what it learned from under which licences, and how it scored on dev."""
    data: Any = getattr(recipe, "data", ())
    rows = [
        {name: getattr(one, name) for name in ("train", "dev", "licence", "safe_because")}
        for one in data
    ]
    return {
        "name": recipe.name,
        "kind": getattr(recipe, "kind", ""),
        "base": recipe.base,
        "adapter": recipe.adapter.model_dump(mode="json"),
        "data": rows,
        "seed": recipe.seed,
        "how": dict(about),
        "metrics": json.loads(json.dumps(metrics)),
    }


def _close(target: Path, tokenizer: Any, said: Mapping[str, Any]) -> None:
    """Tokenizer, card and manifest into a folder of weights."""
    tokenizer.save_pretrained(target)
    write_json(target / CARD, said)
    files = [path for path in sorted(target.iterdir()) if path.suffix in _KEPT]
    artifacts = [replace(describe(path), path=path.name) for path in files]
    write_manifest(target / "manifest.json", artifacts, base=said["base"], name=said["name"])
