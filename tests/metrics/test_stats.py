"""Intervals agree with scipy's and respect groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference

from aegle.metrics.stats import mean, percentile


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
