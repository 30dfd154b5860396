"""How much of one model's score another keeps on the same documents, with paired intervals.

Every score here is a function of counts that add up over documents, so that a bootstrap only adds
them up again. Letters: N documents, G groups, R rounds, L labels, K counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.records import Measure
from aegle.metrics.stats import ROUNDS

Counts = NDArray[np.float64]
"""(N, L, K): of labels gold, found and right; of values their sum and number (L = 1)."""
Statistic = Callable[[Counts], NDArray[np.float64]]
"""(R, L, K) -> (R,)."""


def micro_f1(counts_RL3: Counts) -> NDArray[np.float64]:
    """F1 of all labels together; of one class a text that is accuracy."""
    gold_R, found_R, right_R = counts_RL3.sum(1).T
    out: NDArray[np.float64] = 2 * right_R / np.maximum(gold_R + found_R, 1)
    return out


def by_label_f1(counts_RL3: Counts) -> NDArray[np.float64]:
    """(R, L): F1 of each label; 0 where there is none and none was found."""
    gold_RL, found_RL, right_RL = np.moveaxis(counts_RL3, 2, 0)
    out: NDArray[np.float64] = 2 * right_RL / np.maximum(gold_RL + found_RL, 1)
    return out


def macro_f1(counts_RL3: Counts) -> NDArray[np.float64]:
    """The mean F1 of the labels that are there or were found."""
    there_RL = counts_RL3[:, :, :2].sum(2) > 0
    sums_R = by_label_f1(counts_RL3).sum(1)
    out: NDArray[np.float64] = sums_R / np.maximum(there_RL.sum(1), 1)
    return out


def average(counts_RL2: Counts) -> NDArray[np.float64]:
    """The mean of values."""
    sums_R, numbers_R = counts_RL2.sum(1).T
    out: NDArray[np.float64] = sums_R / np.maximum(numbers_R, 1)
    return out


def perplexity(counts_RL2: Counts) -> NDArray[np.float64]:
    """exp of the nats a token, of sums of both."""
    out: NDArray[np.float64] = np.exp(average(counts_RL2))
    return out


STATISTICS: Final[Mapping[str, Statistic]] = {
    "f1": micro_f1,
    "accuracy": micro_f1,
    "macro-f1": macro_f1,
    "agreement": average,
    "ndcg": average,
    "perplexity": perplexity,
    "next-token": average,
    "choice": average,
}

LOWER: Final = frozenset({"perplexity"})
"""Scores of which less is better: what is kept of them is old over new."""


def grouped(counts_NLK: Counts, groups: Sequence[str]) -> Counts:
    """(G, L, K): the sums over each group, in the order in which groups first come.

    Raises:
        ValueError: not one group a document, or none.
    """
    if not len(groups) or len(groups) != len(counts_NLK):
        raise ValueError(f"{len(counts_NLK)} documents need as many groups, got {len(groups)}")
    order = {name: place for place, name in enumerate(dict.fromkeys(groups))}
    out = np.zeros((len(order), *counts_NLK.shape[1:]))
    np.add.at(out, [order[name] for name in groups], counts_NLK)
    return out


def measured(
    counts_NLK: Counts, groups: Sequence[str], statistic: Statistic, *, seed: int = 0
) -> Measure:
    """A score with a 95% percentile bootstrap interval over groups."""
    sums_GLK = grouped(counts_NLK, groups)
    value = float(statistic(sums_GLK.sum(0)[None])[0])
    return _interval(value, statistic(_drawn(sums_GLK, seed)), len(sums_GLK))


def retained(
    new_NLK: Counts,
    old_NLK: Counts,
    groups: Sequence[str],
    statistic: Statistic,
    *,
    lower: bool = False,
    seed: int = 0,
) -> Measure:
    """The new score over the old one, with an interval by resampling the groups of both together.

    Where both are 0 all is kept: 1. ``lower``: less is better, and it is the old one over the new.

    Raises:
        ValueError: the two are not of the same documents.
    """
    if new_NLK.shape != old_NLK.shape:
        raise ValueError(f"counts of other documents: {new_NLK.shape} and {old_NLK.shape}")
    if lower:
        new_NLK, old_NLK = old_NLK, new_NLK
    new_GLK, old_GLK = grouped(new_NLK, groups), grouped(old_NLK, groups)
    value = _ratio(statistic(new_GLK.sum(0)[None]), statistic(old_GLK.sum(0)[None]))
    rounds = _ratio(statistic(_drawn(new_GLK, seed)), statistic(_drawn(old_GLK, seed)))
    return _interval(float(value[0]), rounds, len(new_GLK))


def failing(
    new_NL3: Counts, old_NL3: Counts, labels: Sequence[str], *, keep: float = 0.95
) -> dict[str, dict[str, Any]]:
    """Labels whose F1 falls under ``keep`` of what it was, with both and how many there are."""
    new_L, old_L = by_label_f1(new_NL3.sum(0)[None])[0], by_label_f1(old_NL3.sum(0)[None])[0]
    gold_L = old_NL3.sum(0)[:, 0]
    return {
        name: {"was": float(old), "is": float(new), "gold": int(gold)}
        for name, new, old, gold in zip(labels, new_L, old_L, gold_L, strict=True)
        if gold and new < keep * old
    }


def _ratio(new: NDArray[np.float64], old: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(old > 0, new / np.where(old > 0, old, 1), np.where(new > 0, np.inf, 1.0))


def _drawn(sums_GLK: Counts, seed: int) -> Counts:
    """(R, L, K): each round's sums over groups drawn with replacement; the same for one seed."""
    count = len(sums_GLK)
    drawn_RG = np.random.default_rng(seed).integers(0, count, size=(ROUNDS, count))
    often_RG = np.stack([np.bincount(row, minlength=count) for row in drawn_RG])
    return np.tensordot(often_RG.astype(np.float64), sums_GLK, axes=1)


def _interval(value: float, rounds: NDArray[np.float64], count: int) -> Measure:
    low, high = np.percentile(rounds[np.isfinite(rounds)], [2.5, 97.5])
    return Measure(value, min(value, float(low)), max(value, float(high)), count)
