"""A logistic regression of a few features, and the band of its probabilities that decides nothing.

Letters: N rows, F features.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS: Final = 50
_ENOUGH: Final = 30
"""Rows that a share is judged on."""


class Fitted(NamedTuple):
    """Weights by feature and a bias, for features as they are given."""

    weights: dict[str, float]
    bias: float


def logistic(
    rows: Sequence[Mapping[str, float]], wanted: Sequence[bool], *, ridge: float = 1.0
) -> Fitted:
    """The weights that make what is wanted likeliest, by Newton's method.

    Args:
        rows: feature -> value; of each row the same features.
        wanted: a truth value a row.
        ridge: how much the squared weight of a standardised feature counts against it.

    Raises:
        ValueError: no rows, not as many truth values, or all of them the same.

    References:
        Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, 4.4.1 and 3.4.1.
    """
    if not rows or len(rows) != len(wanted) or len(set(wanted)) != 2:
        raise ValueError("a regression needs rows, a truth value each, and both of the values")
    names = list(rows[0])
    x_NF = np.array([[row[name] for name in names] for row in rows])
    y_N = np.array(wanted, float)
    mean_F, spread_F = x_NF.mean(0), x_NF.std(0)
    spread_F[spread_F < 1e-9] = 1.0
    z_NF = np.concatenate([(x_NF - mean_F) / spread_F, np.ones((len(rows), 1))], 1)
    held_F = np.append(np.full(len(names), ridge), 0.0)
    weight_F = np.zeros(len(names) + 1)
    for _ in range(_STEPS):
        p_N = 1 / (1 + np.exp(-np.clip(z_NF @ weight_F, -30, 30)))
        slope_F = z_NF.T @ (y_N - p_N) - held_F * weight_F
        curve_FF = (z_NF * (p_N * (1 - p_N))[:, None]).T @ z_NF + np.diag(held_F + 1e-9)
        step_F = np.linalg.solve(curve_FF, slope_F)
        weight_F += step_F
        if np.abs(step_F).max() < 1e-8:
            break
    real_F = weight_F[:-1] / spread_F
    weights = {name: float(one) for name, one in zip(names, real_F, strict=True)}
    return Fitted(weights, float(weight_F[-1] - real_F @ mean_F))


def signed(
    rows: Sequence[Mapping[str, float]],
    wanted: Sequence[bool],
    *,
    favours: Collection[str],
    ridge: float = 1.0,
) -> Fitted:
    """`logistic` in which a feature counts as it is meant, or not at all.

    Features that go together share their weight in ways that a sample does not settle: one that a
    rule holds against a claim must not count for it. What has the wrong sign is left out, the
    heaviest first, and the rest is fitted again.

    Args:
        favours: features of a weight >= 0; all others have one <= 0.
    """
    names = list(rows[0]) if rows else []
    spread = {name: float(np.std([row[name] for row in rows])) for name in names}
    while True:
        fitted = logistic(
            [{name: row[name] for name in names} for row in rows], wanted, ridge=ridge
        )
        wrong = {
            name: abs(one) * spread[name]
            for name, one in fitted.weights.items()
            if one and (one < 0) == (name in favours)
        }
        if not wrong:
            return fitted
        names.remove(max(wrong, key=wrong.__getitem__))


def band(sure: Sequence[float], wanted: Sequence[bool], *, precision: float) -> tuple[float, float]:
    """(low, high): from ``high`` on so many are true, and below ``low`` so many are false.

    The narrowest such band about one half; 0 or 1 where no share of the rows is so sure.

    Args:
        sure: probabilities.
        wanted: a truth value each.
        precision: in (0.5, 1).
    """
    sure_N, true_N = np.array(sure, float), np.array(wanted, bool)
    high = _bound(sure_N, true_N, precision)
    low = round(1 - _bound(1 - sure_N, ~true_N, precision), 2)
    return min(low, high), high


def _bound(sure_N: Floats, true_N: NDArray[np.bool_], precision: float) -> float:
    """The least probability of at least one half from which on so many are true."""
    for bound in np.arange(0.5, 1.0, 0.01):
        above_N = sure_N >= bound
        if above_N.sum() >= min(_ENOUGH, len(sure_N)) and true_N[above_N].mean() >= precision:
            return float(round(bound, 2))
    return 1.0
