"""Figures with 95% intervals: means by bootstrap over independent units, latency percentiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from aegle.core.records import Measure

ROUNDS: Final = 2000


def mean(values: Sequence[float], *, groups: Sequence[str] | None = None, seed: int = 0) -> Measure:
    """The mean of some values with a percentile bootstrap interval.

    Args:
        values: one a question, document, ...; a truth value counts 0 or 1.
        groups: which patient, host or template each value is from; whole groups are resampled,
            since values of one group are not independent. None: each value is a group.
        seed: of the resampling.

    Raises:
        ValueError: no values, or not one group a value.

    References:
        Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    if not values:
        raise ValueError("a mean needs at least one value")
    names = list(groups) if groups is not None else [str(n) for n in range(len(values))]
    if len(names) != len(values):
        raise ValueError(f"{len(values)} values need as many groups, got {len(names)}")
    order = {name: place for place, name in enumerate(dict.fromkeys(names))}
    places = np.array([order[name] for name in names])
    sums_G = np.bincount(places, weights=np.asarray(values, dtype=float))
    counts_G = np.bincount(places)
    rng = np.random.default_rng(seed)
    drawn_RG = rng.integers(0, len(order), size=(ROUNDS, len(order)))
    means_R = sums_G[drawn_RG].sum(1) / counts_G[drawn_RG].sum(1)
    value = float(sums_G.sum() / counts_G.sum())
    low, high = np.percentile(means_R, [2.5, 97.5])
    return Measure(value, min(value, float(low)), max(value, float(high)), len(order))


def percentile(values: Sequence[float], q: float, *, seed: int = 0) -> Measure:
    """The ``q``-th percentile (0 to 100) of some values with a percentile bootstrap interval.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("a percentile needs at least one value")
    array = np.asarray(values, dtype=float)
    rng = np.random.default_rng(seed)
    drawn = rng.choice(array, size=(ROUNDS, len(array)))
    value = float(np.percentile(array, q))
    low, high = np.percentile(np.percentile(drawn, q, axis=1), [2.5, 97.5])
    return Measure(value, min(value, float(low)), max(value, float(high)), len(array))
