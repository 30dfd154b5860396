"""Figures with 95% intervals by bootstrap over independent units; two systems on the same units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.records import Measure

ROUNDS: Final = 2000


def mean(
    values: Sequence[float],
    *,
    groups: Sequence[str] | None = None,
    weights: Sequence[float] | None = None,
    seed: int = 0,
) -> Measure:
    """The mean of some values with a percentile bootstrap interval.

    Args:
        values: one a question, document, ...; a truth value counts 0 or 1.
        groups: which patient, host or template each value is from; whole groups are resampled,
            since values of one group are not independent. None: each value is a group.
        weights: how often each counts, above 0 (the tokens of a text, say); None: once.
        seed: of the resampling.

    Raises:
        ValueError: no values, or not one group, or one weight above 0, a value.

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
    counts = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float)
    if counts.shape != places.shape or not (counts > 0).all():
        raise ValueError(f"{len(values)} values need as many weights, all above 0")
    sums_G = np.bincount(places, weights=np.asarray(values, dtype=float) * counts)
    counts_G = np.bincount(places, weights=counts)
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


def bootstrap(
    statistic: Callable[[NDArray[np.intp]], float], groups: Sequence[str], *, seed: int = 0
) -> Measure:
    """Any figure of some rows with a percentile bootstrap interval over whole groups of them.

    Args:
        statistic: from the places of rows, some more than once, to the figure.
        groups: the patient, host or template of each row.
        seed: of the resampling.

    Raises:
        ValueError: no rows.
    """
    if not groups:
        raise ValueError("a figure needs at least one row")
    places: dict[str, list[int]] = {}
    for place, name in enumerate(groups):
        places.setdefault(name, []).append(place)
    rows = [np.array(own, np.intp) for own in places.values()]
    rng = np.random.default_rng(seed)
    value = float(statistic(np.arange(len(groups))))
    drawn = [
        statistic(np.concatenate([rows[n] for n in rng.integers(0, len(rows), len(rows))]))
        for _ in range(ROUNDS)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Measure(value, min(value, float(low)), max(value, float(high)), len(rows))


@dataclass(frozen=True, slots=True)
class Paired:
    """What one system has over another on the same units.

    Attributes:
        difference: of the means, above 0 when the first is higher.
        p: how often chance alone makes a difference as large, either way.
        higher, lower: so many values are.
    """

    difference: Measure
    p: float
    higher: int
    lower: int


def paired(
    new: Sequence[float],
    old: Sequence[float],
    *,
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> Paired:
    """Compare two systems value by value, with an interval and a randomisation test over groups.

    Args:
        new, old: a value for each question, in the same order.
        groups: as in `mean`; the systems change places in whole groups.
        seed: of both resamplings.

    Raises:
        ValueError: no values, not as many of both, or not one group a value.

    References:
        Smucker, Allan & Carterette (2007), A Comparison of Statistical Significance Tests for
        Information Retrieval Evaluation.
    """
    if len(new) != len(old):
        raise ValueError(f"a pair needs two values, got {len(new)} and {len(old)} in all")
    gain_N = np.asarray(new, float) - np.asarray(old, float)
    difference = mean(gain_N.tolist(), groups=groups, seed=seed)
    names = groups if groups is not None else [str(n) for n in range(len(gain_N))]
    _, places = np.unique(np.asarray(names, dtype=str), return_inverse=True)
    sums_G = np.bincount(places, weights=gain_N)
    signs_RG = np.random.default_rng(seed).choice((-1.0, 1.0), size=(ROUNDS, len(sums_G)))
    # Sums of the same numbers in another order differ in their last bits.
    as_large = np.abs(signs_RG @ sums_G) >= abs(sums_G.sum()) - 1e-9
    # The order that was observed is one of the orders: no p is 0.
    p = (1 + int(as_large.sum())) / (1 + ROUNDS)
    return Paired(difference, p, int((gain_N > 0).sum()), int((gain_N < 0).sum()))
