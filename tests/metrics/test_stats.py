"""Intervals agree with scipy's and respect groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference

from aegle.metrics.stats import bootstrap, mean, paired, percentile


def test_the_interval_agrees_with_scipy() -> None:
    values = list(np.random.default_rng(1).binomial(1, 0.7, 200))
    ours = mean(values)
    theirs = reference.bootstrap((values,), np.mean, method="percentile", rng=2).confidence_interval
    assert ours.value == pytest.approx(np.mean(values))
    assert ours.low == pytest.approx(theirs.low, abs=0.01)
    assert ours.high == pytest.approx(theirs.high, abs=0.01)


def test_values_of_one_group_count_as_one_unit() -> None:
    values = [1.0] * 50 + [0.0] * 50
    alone = mean(values)
    grouped = mean(values, groups=["a"] * 50 + ["b"] * 50)
    assert grouped.n == 2
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(max_examples=30)
def test_order_does_not_move_the_value_and_the_interval_holds_it(values: list[float]) -> None:
    found = mean(values)
    assert found.value == pytest.approx(mean(values[::-1]).value)
    assert found.low <= found.value <= found.high
    middle = percentile(values, 50)
    assert middle.value == pytest.approx(np.median(values))


def test_nothing_has_no_mean() -> None:
    with pytest.raises(ValueError, match="at least one"):
        mean([])
    with pytest.raises(ValueError, match="as many groups"):
        mean([1.0], groups=[])
    with pytest.raises(ValueError, match="at least one"):
        percentile([], 50)


def test_a_bootstrap_of_the_mean_is_the_mean() -> None:
    rng = np.random.default_rng(3)
    values, groups = rng.random(60), [f"g{n}" for n in rng.integers(0, 20, 60)]
    ours = bootstrap(lambda places: float(values[places].mean()), groups, seed=1)
    theirs = mean(values.tolist(), groups=groups, seed=2)
    assert (ours.value, ours.n) == (pytest.approx(theirs.value), theirs.n)
    assert ours.low == pytest.approx(theirs.low, abs=0.015)
    assert ours.high == pytest.approx(theirs.high, abs=0.015)


def test_a_pair_agrees_with_scipys_permutation_test() -> None:
    rng = np.random.default_rng(4)
    old = rng.random(25)
    new = old + rng.normal(0.08, 0.2, 25)
    got = paired(new.tolist(), old.tolist())
    theirs = reference.permutation_test(
        (new, old),
        lambda a, b, axis: (a - b).mean(axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=20_000,
        rng=5,
    )
    assert got.difference.value == pytest.approx(float((new - old).mean()))
    assert got.p == pytest.approx(theirs.pvalue, abs=0.03)
    assert (got.higher, got.lower) == (int((new > old).sum()), int((new < old).sum()))


def test_equal_systems_have_no_gain_and_groups_change_places_together() -> None:
    same = paired([0.5, 1.0], [0.5, 1.0])
    assert (same.difference.value, same.p, same.higher, same.lower) == (0, 1, 0, 0)
    values = [1.0] * 20
    assert paired(values, [0.0] * 20).p < 0.01
    assert paired(values, [0.0] * 20, groups=["a"] * 20).p == 1
    with pytest.raises(ValueError, match="two values"):
        paired([1.0], [])
    with pytest.raises(ValueError, match="at least one row"):
        bootstrap(lambda places: 0.0, [])


def test_weights_count_as_that_many_values() -> None:
    values, weights, groups = [0.2, 0.9, 0.4], [3, 1, 2], ["a", "a", "b"]
    spread = [one for one, count in zip(values, weights, strict=True) for _ in range(count)]
    names = [one for one, count in zip(groups, weights, strict=True) for _ in range(count)]
    weighted, plain = mean(values, groups=groups, weights=weights), mean(spread, groups=names)
    assert weighted.value == pytest.approx(plain.value)
    assert (weighted.low, weighted.high) == pytest.approx((plain.low, plain.high))
    with pytest.raises(ValueError, match="weights"):
        mean(values, weights=[1, 0, 1])
