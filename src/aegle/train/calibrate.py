"""Calibration on dev: temperatures that make scores probabilities, and what decides for none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aegle.lm.heads import Classifier
from aegle.lm.spans import Floats
from aegle.lm.tagger import Head
from aegle.train.batches import TagData
from aegle.train.network import Network
from aegle.train.predict import (
    class_logits,
    pair_logits,
    pair_scores,
    tag_scores,
    word_logits,
)
from aegle.train.recipe import Recipe

_BIASES: Final = np.arange(-3, 3.01, 0.25)
_SHIFTS: Final = (0.0, 0.25, -0.25, 0.5, -0.5, 0.75, -0.75, 1.0, -1.0, 1.25, 1.5, 1.75, 2.0)
"""Of equal F1 the smallest shift is taken."""
_ENOUGH: Final = 200
"""Entities that dev must hold for a shift to be more than chance."""


def calibrate(
    net: Network,
    recipe: Recipe,
    train: Mapping[str, TagData],
    dev: Mapping[str, TagData],
    *,
    size: int,
) -> dict[str, Head | Classifier]:
    """Served task -> its labels with a temperature and a bias fitted on dev, if there is dev."""
    told: dict[str, Head | Classifier] = {}
    for task, data in train.items():
        if data.kind == "plain" or not recipe.tasks[task].serve:
            continue
        labels, some = recipe.tasks[task].labels, dev.get(task)
        if data.kind == "tags":
            told[task] = Head(labels, *_of_tags(net, some, size))
        else:
            told[task] = Classifier(data.kind, labels, temperature=_of_classes(net, some, size))
        if data.pairs:
            warm, bias = _of_pairs(net, some, size)
            related = recipe.tasks[data.pairs].labels
            told[data.pairs] = Classifier("pair", related, labels, warm, bias)
    return told


def _of_tags(net: Network, dev: TagData | None, size: int) -> tuple[float, float]:
    """(temperature, what is added to "no entity") by the likelihood and the F1 of dev."""
    if dev is None:
        return 1.0, 0.0
    return of_tags(word_logits(net, dev, size=size)[dev.task], dev)


def of_tags(logits: Sequence[Floats], dev: TagData) -> tuple[float, float]:
    """(temperature, what is added to "no entity") of logits (W, T) of dev's texts."""
    warm = temperature(logits, dev.tags)
    if sum(len(one.labels) for one in dev.examples) < _ENOUGH:
        return warm, 0.0
    scaled = [rows / np.float32(warm) for rows in logits]
    return warm, float(max(_SHIFTS, key=lambda b: tag_scores(scaled, dev, bias=b).f1.value))


def _of_classes(net: Network, dev: TagData | None, size: int) -> float:
    told = class_logits(net, dev, size=size) if dev is not None else []
    if not told:
        return 1.0
    return temperature([np.stack([one[3] for one in told])], [np.array([one[2] for one in told])])


def _of_pairs(net: Network, dev: TagData | None, size: int) -> tuple[float, float]:
    """(temperature, what is added to "none") by the likelihood and the F1 of dev."""
    told = pair_logits(net, dev, size=size) if dev is not None else []
    if dev is None or not told:
        return 1.0, 0.0
    warm = temperature([np.stack([one[3] for one in told])], [np.array([one[2] for one in told])])
    scaled = [(text, number, kind, row / np.float32(warm)) for text, number, kind, row in told]
    best = max(_BIASES, key=lambda bias: pair_scores(scaled, dev, bias=float(bias)).f1.value)
    return warm, float(best)


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
