"""Bets: supermartingales by exact enumeration, intervals against a slow reference, saved states."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.metrics.sequential import STAKES, Bets, effect, p_value

MEANS = [0.1, 0.25, 0.5, 0.75, 0.9]
inside = st.floats(0.02, 0.98)


def wealth(values: list[float], mean: float, sign: int) -> float:
    """By the definition: the mean over stakes of the product of bets, each in plain arithmetic."""
    edge = mean if sign > 0 else 1 - mean
    return sum(
        math.prod(1 + stake * sign * (value - mean) / edge for value in values) for stake in STAKES
    ) / len(STAKES)


@given(mean=inside, true=st.floats(0, 1))
@settings(max_examples=40)
def test_wealth_over_all_binary_sequences(mean: float, true: float) -> None:
    """E of the wealth, summed over every sequence of six, is at most 1 where the mean is no more.

    And Ville: wherever one stops, the chance that it was ever at 1/alpha is at most alpha.
    """
    expected, ever = [0.0] * 7, {0.5: 0.0, 0.2: 0.0}
    for sequence in itertools.product((0.0, 1.0), repeat=6):
        chance = math.prod(true if one else 1 - true for one in sequence)
        bets = Bets([mean])
        for length in range(7):
            if length:
                bets.add(sequence[length - 1])
            now = wealth(list(sequence[:length]), mean, 1)
            expected[length] += chance * now
        for alpha in ever:
            ever[alpha] += chance * (bets.above(mean) >= -math.log(alpha))
    if true <= mean:
        assert all(after <= before + 1e-12 for before, after in itertools.pairwise(expected))
        assert all(chance <= alpha + 1e-12 for alpha, chance in ever.items())
    else:
        assert expected[-1] >= 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), inside)
def test_evidence_is_the_peak_of_the_wealth(values: list[float], mean: float) -> None:
    bets = Bets([mean])
    for value in values:
        bets.add(value)
    for sign, told in ((1, bets.above(mean)), (-1, bets.below(mean))):
        peak = max(wealth(values[:n], mean, sign) for n in range(len(values) + 1))
        assert told == pytest.approx(math.log(peak), abs=1e-9)
        assert p_value(told) == pytest.approx(min(1, 1 / peak))


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=60))
def test_intervals_shrink_and_agree_with_the_tests(values: list[float]) -> None:
    bets = Bets(MEANS)
    before = (0.0, 1.0)
    for value in values:
        bets.add(value)
        low, high = bets.interval(0.1, 0.1, (0, 1))
        assert before[0] <= low <= high <= before[1]
        before = (low, high)
        if bets.above(0.5) >= -math.log(0.1) and bets.below(0.5) < -math.log(0.1):
            assert low >= 0.5


def test_an_interval_holds_the_mean_at_all_times() -> None:
    rng = np.random.default_rng(5)
    means = np.linspace(0.02, 0.98, 49)
    missed = 0
    for _ in range(120):
        bets = Bets(means.tolist())
        drawn = rng.beta(4, 2, 300)
        wrong = False
        for value in drawn:
            bets.add(value)
            low, high = bets.interval(0.05, 0.05, (0, 1))
            wrong |= not low <= 4 / 6 <= high
        missed += wrong
        assert high - low < 0.25
    assert missed <= 12, "at most a tenth is promised"


@given(
    values=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5),
    share=st.floats(0.02, 0.98),
)
def test_an_effect_is_without_bias_over_the_draw(
    values: list[tuple[float, float]], share: float
) -> None:
    """Summed over both arms of each unit, whatever its two values and the centre."""
    for with_it, without in values:
        for centre in (0.0, 0.3, 1.0):
            treated, low, high = effect(with_it, True, share, centre)
            other, *bounds = effect(without, False, share, centre)
            assert share * treated + (1 - share) * other == pytest.approx(with_it - without)
            assert [low, high] == bounds
            assert low <= min(treated, other)
            assert high >= max(treated, other)
            assert low <= -1 + 1e-9
            assert high >= 1 - 1e-9


@given(st.lists(st.floats(0, 1), max_size=20))
def test_saved_and_restored_to_the_bit(values: list[float]) -> None:
    bets = Bets(MEANS)
    for value in values:
        bets.add(value)
    again = Bets.restored(json.loads(json.dumps(bets.saved())))
    for one in (bets, again):
        one.add(0.25)
    assert again.saved() == bets.saved()


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="ascending"):
        Bets([])
    with pytest.raises(ValueError, match="ascending"):
        Bets([0.5, 0.5])
    for value, low, high in ((2, 0, 1), (math.nan, 0, 1), (0.5, 0.5, 1)):
        with pytest.raises(ValueError, match="must lie"):
            Bets([0.5]).add(value, low, high)
    with pytest.raises(ValueError, match="not among"):
        Bets([0.5]).above(0.4)
    with pytest.raises(ValueError, match="share"):
        effect(0.5, True, 1.0, 0.5)
    told = Bets([0.5]).saved()
    with pytest.raises(ValueError, match=r"reshape|buffer"):
        Bets.restored(told | {"logs": told["peaks"]})
