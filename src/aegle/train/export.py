"""A trained network as a folder that serves without torch: ONNX, tokenizer, card, weights."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from safetensors.numpy import save

from aegle.core.artifacts import describe, write_bytes, write_json, write_manifest
from aegle.lm.bert import Shape
from aegle.lm.heads import Classifier
from aegle.lm.tag_graph import build_tagger
from aegle.lm.tagger import CARD, GRAPH, HEADS, Head
from aegle.metrics.extraction import Scores
from aegle.train.batches import TagData
from aegle.train.former import data_rows
from aegle.train.network import Network
from aegle.train.recipe import Recipe

VERSION: Final = 1


def export(
    net: Network,
    recipe: Recipe,
    *,
    base: Path,
    data: Mapping[str, TagData],
    told: Mapping[str, Head | Classifier],
    scored: Mapping[str, Mapping[str, Scores]],
    target: Path,
    int8: bool = True,
    made_from: tuple[str, ...] = (),
    dropped: Mapping[str, int] | None = None,
    origins: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write ``model.onnx``, ``heads.safetensors``, ``tokenizer.json``, ``card.json``, a manifest.

    Args:
        net, recipe, base: the network, what it was trained by, the packaged encoder's folder.
        data: task -> training data, for the special tokens.
        told: task -> labels and calibration of each head.
        scored: part (dev, test) -> task -> scores, for the card.
        target: the folder.
        int8: quantise the encoder.
        made_from: hashes of the training data.
        origins: `Former.origin` of the runs that it was begun with or taught by.
        dropped: corpus -> training examples left out because a held-out text holds them.

    Raises:
        InputError: the base is no BERT, whose graph alone is known.
    """
    shape = Shape.read(base / "config.json")
    weights = {name: value.detach().cpu().numpy() for name, value in net.state_dict().items()}
    # A card's keys are sorted; the columns of the graph must stand in the same order.
    heads = {name: one for name, one in sorted(told.items()) if isinstance(one, Head)}
    model = build_tagger(shape, weights, tasks=list(heads), int8=int8)
    target.mkdir(parents=True, exist_ok=True)
    write_bytes(target / GRAPH, model.SerializeToString())
    parts = tuple(f"classifiers.{name}." for name in told)
    small = {name: value for name, value in weights.items() if name.startswith(parts)}
    write_bytes(target / HEADS, save(small))
    shutil.copyfile(base / "tokenizer.json", target / "tokenizer.json")
    ends = next(iter(data.values())).ends
    said = card(recipe, told=told, scored=scored, ends=ends, origins=origins)
    write_json(target / CARD, said)
    files = [
        replace(describe(target / name, made_from=made_from), path=name)
        for name in (GRAPH, HEADS, "tokenizer.json", CARD)
    ]
    about = {"recipe": recipe.model_dump(mode="json"), "dropped": dict(dropped or {})}
    write_manifest(target / "manifest.json", files, **about)


def card(
    recipe: Recipe,
    *,
    told: Mapping[str, Head | Classifier],
    scored: Mapping[str, Mapping[str, Scores]],
    ends: tuple[int, int, int],
    origins: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """What a tagger is, was trained on, and scored before it was quantised; `aegle.lm.tagger` reads
    it. Scores are micro F1 with 95% intervals by document."""
    return {
        "name": recipe.name,
        "version": f"{recipe.name}/{VERSION}",
        "base": recipe.base,
        "max_pieces": recipe.max_pieces,
        "overlap": recipe.overlap,
        "special_ids": list(ends),
        "heads": {name: asdict(one) for name, one in told.items() if isinstance(one, Head)},
        "classifiers": {
            name: asdict(one) for name, one in told.items() if isinstance(one, Classifier)
        },
        "data": data_rows(recipe),
        "origins": list(origins),
        **{f"{part}_f1": some for part, some in plain(scored).items()},
    }


def plain(scored: Mapping[str, Mapping[str, Scores]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Part -> head -> F1 as a Measure's fields."""
    return {
        part: {name: asdict(one.f1) for name, one in some.items()} for part, some in scored.items()
    }
