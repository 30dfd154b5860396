"""The regression is the one that a general optimiser finds, and a band keeps what it states."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from aegle.train.weigh import band, logistic, signed


def test_weights_are_the_likeliest() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3)) * [1, 5, 0.2] + [0, 2, -1]
    y = rng.random(300) < 1 / (1 + np.exp(-(0.8 * x[:, 0] - 0.3 * x[:, 1] + 0.4)))
    fitted = logistic([dict(zip("abc", row, strict=True)) for row in x], y.tolist(), ridge=0.5)
    spread = x.std(0)

    def loss(w: np.ndarray) -> float:
        z = x @ w[:3] + w[3]
        return float(np.sum(np.logaddexp(0, z) - y * z) + 0.25 * np.sum((w[:3] * spread) ** 2))

    best = minimize(loss, np.zeros(4), tol=1e-10).x
    assert [*fitted.weights.values(), fitted.bias] == pytest.approx(best, abs=1e-3)


def test_a_feature_that_never_varies_counts_nothing() -> None:
    fitted = logistic([{"a": v, "b": 1.0} for v in (0, 1, 2, 3)], [False, True, False, True])
    assert fitted.weights["b"] == 0


def test_a_feature_counts_as_it_is_meant_or_not_at_all() -> None:
    rng = np.random.default_rng(1)
    good = rng.normal(size=200)
    wanted = (good + rng.normal(size=200) > 0).tolist()
    rows = [{"good": one, "bad": one + 0.1 * rng.normal()} for one in good]
    fitted = signed(rows, wanted, favours={"good"})
    assert fitted == logistic([{"good": row["good"]} for row in rows], wanted)
    assert signed(rows, wanted, favours={"good", "bad"}).weights["good"] >= 0


def test_one_value_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="both"):
        logistic([{"a": 1.0}], [True])


@given(st.integers(0, 2**31), st.sampled_from([0.7, 0.9]))
def test_a_band_keeps_its_precision(seed: int, precision: float) -> None:
    rng = np.random.default_rng(seed)
    sure = rng.random(200)
    wanted = rng.random(200) < sure
    low, high = band(sure.tolist(), wanted.tolist(), precision=precision)
    assert 0 <= low <= 0.5 <= high <= 1
    if high < 1:
        assert wanted[sure >= high].mean() >= precision
    if low > 0:
        # 1 - p is rounded another way than p: no row lies within 1e-9 of the bound here.
        assert (~wanted)[sure <= low].mean() >= precision
