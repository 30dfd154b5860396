"""A trained network as a folder that serves without torch: ONNX, tokenizer, card, weights."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.artifacts import describe, write_bytes, write_json, write_manifest
from aegle.lm.bert import Shape
from aegle.lm.spans import Floats
from aegle.lm.tag_graph import build_tagger
from aegle.lm.tagger import CARD, GRAPH, Head
from aegle.metrics.extraction import Scores
from aegle.train.batches import TagData
from aegle.train.network import Network
from aegle.train.recipe import Recipe

VERSION: Final = 1


def export(
    net: Network,
    recipe: Recipe,
    *,
    base: Path,
    data: Mapping[str, TagData],
    heads: Mapping[str, Head],
    dev: Mapping[str, Scores],
    target: Path,
    int8: bool = True,
    made_from: tuple[str, ...] = (),
    dropped: Mapping[str, int] | None = None,
) -> None:
    """Write ``model.onnx``, ``tokenizer.json``, ``card.json`` and a manifest with lineage.

    Args:
        net: the network, its best weights loaded.
        recipe: what it was trained by.
        base: folder of the packaged encoder.
        data: task -> training data, for the special tokens.
        heads: task -> labels and calibration.
        dev: task -> dev scores, for the card.
        target: the folder.
        int8: quantise the encoder.
        made_from: hashes of the training data.
        dropped: corpus -> training examples left out because a held-out text holds them.

    Raises:
        InputError: the base is no BERT, whose graph alone is known.
    """
    shape = Shape.read(base / "config.json")
    weights = {name: value.detach().cpu().numpy() for name, value in net.state_dict().items()}
    model = build_tagger(shape, weights, tasks=list(heads), int8=int8)
    target.mkdir(parents=True, exist_ok=True)
    write_bytes(target / GRAPH, model.SerializeToString())
    shutil.copyfile(base / "tokenizer.json", target / "tokenizer.json")
    ends = next(iter(data.values())).ends
    write_json(target / CARD, card(recipe, heads=heads, dev=dev, ends=ends))
    files = [
        replace(describe(target / name, made_from=made_from), path=name)
        for name in (GRAPH, "tokenizer.json", CARD)
    ]
    about = {"recipe": recipe.model_dump(mode="json"), "dropped": dict(dropped or {})}
    write_manifest(target / "manifest.json", files, **about)


def card(
    recipe: Recipe,
    *,
    heads: Mapping[str, Head],
    dev: Mapping[str, Scores],
    ends: tuple[int, int, int],
) -> dict[str, Any]:
    """What a tagger is, was trained on, and scored on dev; `aegle.lm.tagger` reads it."""
    return {
        "name": recipe.name,
        "version": f"{recipe.name}/{VERSION}",
        "base": recipe.base,
        "max_pieces": recipe.max_pieces,
        "overlap": recipe.overlap,
        "special_ids": list(ends),
        "heads": {name: asdict(head) for name, head in heads.items()},
        "data": [
            {
                "task": corpus.task,
                "source": corpus.train,
                "licence": corpus.licence,
                "safe_because": corpus.safe_because,
            }
            for corpus in recipe.corpora
        ],
        "dev_f1": {name: asdict(one.f1) for name, one in dev.items()},
    }


def temperature(logits: Sequence[Floats], tags: Sequence[NDArray[np.int64]]) -> float:
    """The divisor of a head's logits that makes dev tags likeliest, Guo et al. (2017).

    Golden-section search of the mean negative log likelihood, which is convex in 1 / temperature;
    between 0.25 and 8.
    """
    rows_NT = np.concatenate([one for one in logits if len(one)]).astype(np.float64)
    tags_N = np.concatenate([one for one in tags if len(one)])

    def loss(inverse: float) -> float:
        scaled = rows_NT * inverse
        most = scaled.max(1)
        total = most + np.log(np.exp(scaled - most[:, None]).sum(1))
        return float((total - scaled[np.arange(len(tags_N)), tags_N]).mean())

    low, high = 1 / 8, 4.0
    ratio = (5**0.5 - 1) / 2
    for _ in range(40):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) <= loss(right):
            high = right
        else:
            low = left
    return 2 / (low + high)
