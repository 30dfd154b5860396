"""What small data does to a model, said with intervals: gaps, learning curves, forgetting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from aegle.core.records import Measure
from aegle.metrics.stats import Paired, mean, paired

OVERFIT: Final = 0.1
"""A gap whose whole interval lies above it is called overfitting; of a score in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Gap:
    """How much better a model is on what it has seen.

    Attributes:
        train, dev: mean scores.
        gap: train less dev; the two samples are independent, and so are their resamplings.
        overfits: whether all of the interval lies above what is allowed.
    """

    train: Measure
    dev: Measure
    gap: Measure
    overfits: bool


def gap(
    train: Sequence[float],
    dev: Sequence[float],
    *,
    train_groups: Sequence[str] | None = None,
    dev_groups: Sequence[str] | None = None,
    allowed: float = OVERFIT,
    seed: int = 0,
) -> Gap:
    """The gap between scores of training and dev examples, resampled by group.

    Raises:
        ValueError: no scores of one of the two, or not one group a score.
    """
    first = mean(train, groups=train_groups, seed=seed)
    second = mean(dev, groups=dev_groups, seed=seed + 1)
    apart = np.subtract(_means(train, train_groups, seed), _means(dev, dev_groups, seed + 1))
    value = first.value - second.value
    low, high = (float(one) for one in np.percentile(apart, [2.5, 97.5]))
    told = Measure(value, min(low, value), max(high, value), min(first.n, second.n))
    return Gap(first, second, told, told.low > allowed)


def _means(values: Sequence[float], groups: Sequence[str] | None, seed: int) -> list[float]:
    """Means of resampled groups."""
    names = list(groups) if groups is not None else [str(n) for n in range(len(values))]
    _, places = np.unique(np.asarray(names, dtype=str), return_inverse=True)
    sums = np.bincount(places, weights=np.asarray(values, float))
    counts = np.bincount(places)
    drawn = np.random.default_rng(seed).integers(0, len(sums), size=(2000, len(sums)))
    found: list[float] = (sums[drawn].sum(1) / counts[drawn].sum(1)).tolist()
    return found


@dataclass(frozen=True, slots=True)
class Curve:
    """Scores by how much was learned from.

    Attributes:
        sizes: numbers of training examples, ascending.
        scores: a measure at each, over seeds.
        still_rising: whether the last step up is beyond chance, so that more labels would help.
    """

    sizes: tuple[int, ...]
    scores: tuple[Measure, ...]
    still_rising: bool

    def needed(self, share: float) -> int | None:
        """The least size from which on the mean is at least ``share`` of the last; None: never.

        Raises:
            ValueError: ``share`` is not in (0, 1].
        """
        if not 0 < share <= 1:
            raise ValueError(f"a share lies in (0, 1], got {share}")
        goal = share * self.scores[-1].value
        reached = None
        for size, score in zip(reversed(self.sizes), reversed(self.scores), strict=True):
            if score.value < goal:
                break
            reached = size
        return reached


def learning_curve(
    score: Callable[[int, int], float], sizes: Sequence[int], *, seeds: Sequence[int]
) -> Curve:
    """Train and score at growing sizes with several seeds.

    Args:
        score: (number of examples, seed) -> score of a model that learned from so many.
        sizes: ascending, at least two.
        seeds: at least two; the last two sizes are compared seed by seed.

    Raises:
        ValueError: too few sizes or seeds, or sizes out of order.
    """
    if len(sizes) < 2 or list(sizes) != sorted(set(sizes)) or len(set(seeds)) < 2:
        raise ValueError("a curve needs two ascending sizes and two seeds at least")
    told = [[score(size, seed) for seed in seeds] for size in sizes]
    last = paired(told[-1], told[-2])
    measures = tuple(mean(one) for one in told)
    return Curve(tuple(sizes), measures, last.difference.low > 0)


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What learning something new cost of what was known.

    Attributes:
        tasks: task -> after less before, on the same examples.
        forgotten: tasks whose loss is beyond what is allowed and beyond chance.
        unsure: tasks that may have lost more than that: the interval reaches below.
    """

    tasks: Mapping[str, Paired]
    forgotten: tuple[str, ...]
    unsure: tuple[str, ...]

    @property
    def passes(self) -> bool:
        """Whether no task may have lost more than is allowed."""
        return not self.forgotten and not self.unsure


def forgetting(
    before: Mapping[str, Sequence[float]],
    after: Mapping[str, Sequence[float]],
    *,
    allowed: float = 0.02,
    groups: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
) -> Forgetting:
    """Compare scores of old tasks before and after, example by example.

    A task passes when the lower end of the interval is above ``-allowed``; it is forgotten when the
    upper end is below. Between the two, more examples are needed: that is no pass.

    Raises:
        ValueError: other tasks or other numbers of examples after than before.
    """
    if set(before) != set(after) or not before:
        raise ValueError(f"the same tasks are needed: {sorted(before)} and {sorted(after)}")
    if allowed < 0:
        raise ValueError(f"what is allowed is 0 or more, got {allowed}")
    told = {
        name: paired(after[name], before[name], groups=(groups or {}).get(name), seed=seed)
        for name in before
    }
    lost = tuple(name for name, one in told.items() if one.difference.high < -allowed)
    unsure = tuple(
        name for name, one in told.items() if one.difference.low < -allowed and name not in lost
    )
    return Forgetting(told, lost, unsure)
