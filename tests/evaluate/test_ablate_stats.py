"""Fronts against brute force, Holm against its definition, Student against SciPy, paired draws."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.evaluate import ablate_stats as stats

numbers = st.integers(-4, 4).map(float)
points = st.lists(st.tuples(numbers, numbers), max_size=12)


@given(points)
def test_the_front_is_what_no_other_point_beats(some: list[tuple[float, float]]) -> None:
    def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
        return one[0] >= other[0] and one[1] <= other[1] and one != other

    wanted = [not any(beats(other, one) for other in some) for one in some]
    assert stats.pareto(some) == wanted


@given(st.lists(st.floats(0, 1), max_size=10))
def test_holm_is_its_formula_and_never_below_p(ps: list[float]) -> None:
    found = stats.holm(ps)
    order = sorted(range(len(ps)), key=lambda n: ps[n])
    for rank, place in enumerate(order):
        steps = [min(1.0, (len(ps) - j) * ps[order[j]]) for j in range(rank + 1)]
        assert found[place] == pytest.approx(max(steps))
        assert found[place] >= ps[place]


def test_holm_on_a_known_example() -> None:
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        stats.holm([1.1])


@pytest.mark.parametrize("freedom", [1, 2, 4, 29])
def test_student_is_scipys(freedom: int) -> None:
    t = pytest.importorskip("scipy.stats", reason="SciPy is of the extra 'train'").t
    assert stats.student(freedom) == pytest.approx(t.ppf(0.975, freedom), rel=1e-5)
    for value in (0.0, 0.7, 3.0):
        assert stats.beyond(value, freedom) == pytest.approx(2 * t.sf(value, freedom), abs=1e-6)


def test_differences_by_seed_are_scipys_paired_t_test() -> None:
    ttest = pytest.importorskip("scipy.stats", reason="SciPy is of the extra 'train'").ttest_rel
    new, old = [0.81, 0.79, 0.84, 0.80], [0.78, 0.79, 0.80, 0.77]
    found = stats.difference_of_seeds(new, old)
    assert found is not None
    wanted = ttest(new, old)
    interval = wanted.confidence_interval(0.95)
    assert found.p == pytest.approx(wanted.pvalue, abs=1e-6)
    assert (found.size.low, found.size.high) == pytest.approx((interval.low, interval.high))
    assert stats.difference_of_seeds([1.0], [2.0]) is None


def made(seed: int, shift: float, groups: int = 40, of: str = "g") -> stats.Scored:
    """Losses of groups that vary much between groups, little between arms."""
    rng = random.Random(5)
    noise = random.Random(seed)
    sums = {}
    for number in range(groups):
        tokens, level = rng.randint(5, 60), rng.gauss(2, 0.5)
        sums[f"{of}{number}"] = (tokens * (level + shift + noise.gauss(0, 0.01)), float(tokens))
    return {"loss": sums}


def test_the_same_groups_are_drawn_alike_so_that_differences_are_paired() -> None:
    new, old = [made(1, -0.05)], [made(2, 0.0)]
    paired = stats.difference(new, old)
    apart = stats.difference([made(1, -0.05, of="other")], old)
    assert stats.paired_groups(new, old)
    assert not stats.paired_groups([made(1, 0.0, of="other")], old)
    width = [one.size.high - one.size.low for one in (paired, apart)]
    assert width[0] < width[1] / 10
    assert (paired.p < 0.01, apart.p > 0.2) == (True, True)


def test_nineteen_of_twenty_intervals_hold_the_truth_about() -> None:
    held = 0
    for number in range(100):
        pair = [made(1000 + number, -0.05)], [made(5000 + number, 0.0)]
        size = stats.difference(*pair, rounds=300).size
        held += size.low < -0.05 < size.high
    assert 85 <= held < 100


def test_a_paired_difference_is_the_bootstrap_of_the_plain_one() -> None:
    """Drawn group by group by another hand, with other numbers: the interval is the same."""
    new, old = made(1, -0.01, 30), made(2, 0.0, 30)
    rng = np.random.default_rng(9)
    keys = sorted(new["loss"])
    gains = []
    for _ in range(4000):
        some = [keys[n] for n in rng.integers(0, len(keys), len(keys))]
        below = sum(new["loss"][key][1] for key in some)
        gains.append(sum(new["loss"][k][0] - old["loss"][k][0] for k in some) / below)
    found = stats.difference([new], [old]).size
    wanted = np.percentile(gains, [2.5, 97.5])
    room = (wanted[1] - wanted[0]) * 0.08
    assert (found.low, found.high) == pytest.approx(tuple(wanted), abs=room)


def test_seeds_that_differ_widen_the_interval() -> None:
    steady = [made(seed, 0.0) for seed in range(3)]
    jumpy = [made(seed, shift) for seed, shift in enumerate((-0.6, 0.0, 0.6))]
    spread = [float(np.std(stats.drawn(one))) for one in (steady, jumpy)]
    assert spread[1] > 2 * spread[0]
    assert np.array_equal(stats.drawn(jumpy), stats.drawn(jumpy))


@given(st.integers(0, 3))
def test_an_arm_is_no_better_than_itself(seed: int) -> None:
    arm = [made(seed, 0.0, 8), made(seed + 1, 0.0, 8)]
    found = stats.difference(arm, arm)
    assert (found.size.value, found.size.low, found.size.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_figures_are_averaged_and_groups_without_anything_count_nothing() -> None:
    scored: Any = {"a": {"x": (1, 2), "y": (0, 0)}, "b": {"x": (1, 1)}}
    assert stats.value_of(scored) == 0.75
    assert stats.ratio({"y": (0, 0)}) == 0.0
    assert not math.isnan(float(stats.drawn([scored]).sum()))
    with pytest.raises(ValueError, match="same figures"):
        stats.drawn([scored, {"a": scored["a"]}])


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_few_groups_are_no_proof(count: int) -> None:
    """However clear the difference is in each: the sign test knows no more."""
    groups = [f"g{number}" for number in range(count)]
    old, new = ([{"loss": dict.fromkeys(groups, (value, 1.0))}] for value in (2.0, 1.0))
    assert stats.difference(new, old).p == pytest.approx(2.0 ** (1 - count))
