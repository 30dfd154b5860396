"""Precision, recall and F1 of labelled spans or relations, micro and by label, with intervals."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aegle.core.records import Measure
from aegle.metrics.stats import ROUNDS


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision, recall and F1; each Measure's n is the number of groups that were resampled."""

    precision: Measure
    recall: Measure
    f1: Measure
    gold: int
    found: int
    right: int


def scores(
    gold: Sequence[Iterable[Hashable]],
    found: Sequence[Iterable[Hashable]],
    *,
    groups: Sequence[str],
    seed: int = 0,
) -> Scores:
    """Micro-averaged scores of exact matches, with percentile bootstrap intervals over groups.

    Args:
        gold: for each text the items that are there, ``(start, end, label)`` for entities; an item
            counts once however often it is given.
        found: for each text what was found.
        groups: the document of each text: whole documents are resampled.
        seed: of the resampling.

    Raises:
        ValueError: the three are not equally long, or empty.

    References:
        Sang & De Meulder (2003), CoNLL-2003 shared task: exact match, micro F1.
    """
    if not gold or not len(gold) == len(found) == len(groups):
        raise ValueError(
            f"as many gold, found and groups are needed: {len(gold)}, {len(found)}, {len(groups)}"
        )
    order = {name: place for place, name in enumerate(dict.fromkeys(groups))}
    counts_G3 = np.zeros((len(order), 3), np.int64)
    for name, there, here in zip(groups, map(set, gold), map(set, found), strict=True):
        counts_G3[order[name]] += (len(there), len(here), len(there & here))
    return _from_counts(counts_G3, seed)


def by_label(
    gold: Sequence[Iterable[tuple[int, int, str]]],
    found: Sequence[Iterable[tuple[int, int, str]]],
    *,
    groups: Sequence[str],
    seed: int = 0,
) -> Mapping[str, Scores]:
    """`scores` of each label that occurs, sorted by name."""
    names = sorted({one[2] for text in (*gold, *found) for one in text})
    return {
        name: scores(
            [[one for one in text if one[2] == name] for text in gold],
            [[one for one in text if one[2] == name] for text in found],
            groups=groups,
            seed=seed,
        )
        for name in names
    }


def _from_counts(counts_G3: NDArray[np.int64], seed: int) -> Scores:
    num_groups = len(counts_G3)
    rng = np.random.default_rng(seed)
    drawn_RG = rng.integers(0, num_groups, size=(ROUNDS, num_groups))
    rounds_R3 = counts_G3[drawn_RG].sum(1)
    total_3 = counts_G3.sum(0)
    values, drawn = _prf(total_3[None]), _prf(rounds_R3)
    measures = []
    for value, column in zip(values[:, 0], drawn, strict=True):
        low, high = np.percentile(column, [2.5, 97.5])
        measures.append(
            Measure(float(value), min(float(value), low), max(float(value), high), num_groups)
        )
    gold, found, right = (int(number) for number in total_3)
    return Scores(measures[0], measures[1], measures[2], gold, found, right)


def _prf(counts_R3: NDArray[np.int64]) -> NDArray[np.float64]:
    """(3, R): precision, recall and F1 of (gold, found, right); 0 where undefined."""
    gold_R, found_R, right_R = counts_R3.T.astype(float)
    precision_R = right_R / np.maximum(found_R, 1)
    recall_R = right_R / np.maximum(gold_R, 1)
    f1_R = 2 * right_R / np.maximum(gold_R + found_R, 1)
    return np.stack([precision_R, recall_R, f1_R])
