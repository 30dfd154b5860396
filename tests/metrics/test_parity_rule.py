"""What is kept of labels, and calibration error, against references of their own."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.metrics import parity
from aegle.metrics.calibration import BINS, calibration_error
from aegle.metrics.parity import LOST, NOT_SHOWN, PASSES, kept_by_label
from aegle.metrics.stats import ROUNDS


def f1(rows: list[tuple[float, float, float]]) -> float:
    gold, found, right = (sum(one) for one in zip(*rows, strict=True))
    return 2 * right / (gold + found) if gold + found else 0.0


def test_the_interval_is_that_of_drawing_both_together() -> None:
    """Group by group in plain Python, with other random numbers: the same but for chance."""
    rng = np.random.default_rng(3)
    gold = rng.integers(0, 5, 80)
    old = np.stack([gold, gold, rng.binomial(gold, 0.9)], 1).astype(float)[:, None]
    new = np.stack([gold, gold, rng.binomial(old[:, 0, 2].astype(int), 0.93)], 1)[:, None] * 1.0
    (kept,) = kept_by_label(new, old)
    draw, ratios = random.Random(11), []
    for _ in range(ROUNDS):
        some = draw.choices(range(80), k=80)
        was = f1([tuple(old[g, 0]) for g in some])
        ratios.append(f1([tuple(new[g, 0]) for g in some]) / was)
    ratios.sort()
    assert kept.kept.value == pytest.approx(f1(list(new[:, 0])) / f1(list(old[:, 0])))
    assert kept.kept.low == pytest.approx(ratios[round(0.025 * ROUNDS)], abs=0.008)
    assert kept.kept.high == pytest.approx(ratios[round(0.975 * ROUNDS)], abs=0.008)
    assert (kept.gold, kept.groups) == (gold.sum(), (gold > 0).sum())
    # Drawn apart the interval would be wider by far.
    assert kept.kept.high - kept.kept.low < 0.1


def same(items: int, groups: int, right: float = 1.0) -> np.ndarray:
    out = np.zeros((groups, 1, 3))
    out[:, 0, :2] = items / groups
    out[:, 0, 2] = right * items / groups
    return out


@pytest.mark.parametrize(
    ("items", "groups", "was", "now", "verdict"),
    [
        (40, 10, 1.0, 1.0, PASSES),
        (20, 10, 1.0, 1.0, NOT_SHOWN),  # nothing was lost, but 20 items can't tell
        (40, 5, 1.0, 1.0, NOT_SHOWN),
        (40, 10, 0.5, 0.4, LOST),
        (20, 5, 0.5, 0.4, LOST),  # few items, but the value is what it is
        (40, 10, 0.0, 0.0, NOT_SHOWN),
        (0, 10, 0.0, 0.0, NOT_SHOWN),
    ],
)
def test_verdicts(items: int, groups: int, was: float, now: float, verdict: str) -> None:
    (kept,) = kept_by_label(same(items, groups, now), same(items, groups, was))
    assert kept.verdict()[0] == verdict


def test_a_wide_interval_shows_nothing() -> None:
    """All is lost in one of 25 groups: 96% is kept, but it might as well be 88%."""
    old, new = same(100, 25), same(100, 25)
    new[0, 0, 2] = 0
    (kept,) = kept_by_label(new, old)
    assert kept.kept.value == pytest.approx(0.96)
    assert kept.kept.low < 0.9
    assert kept.verdict()[0] == NOT_SHOWN


def test_critical_labels_of_several_sets() -> None:
    labels = ["clinical.drug", "biology.drug", "clinical.sign"]
    old = np.concatenate([same(40, 10)] * 3, 1)
    new = old.copy()
    new[:, 1, 2] = 0
    stages = {"original": old, "served": new}
    assert parity.judged(stages, labels, ["clinical.drug", "sign"], 0.95) == []
    (why,) = parity.judged(stages, labels, ["drug"], 0.95)
    assert why.startswith("served: biology.drug is lost: keeps 0.0%")
    assert parity.judged(stages, labels, ["dose"], 0.95) == [
        "dose is critical and was not measured"
    ]
    assert parity.judged(stages, labels, [], 0.95) == ["no label is critical"]


def test_impossible_counts_are_refused() -> None:
    good = same(40, 10)
    for change in ((0, -1.0), (2, 9.0), (1, math.nan)):
        bad = good.copy()
        bad[0, 0, change[0]] = change[1]
        with pytest.raises(ValueError, match=r"counts|right|gold"):
            kept_by_label(bad, good)
    with pytest.raises(ValueError, match="other documents"):
        kept_by_label(same(50, 10), good)


def test_counts_go_through_json() -> None:
    counts = np.concatenate([same(40, 10), same(5, 10, 0.5)], 1)
    counts[3] = 0
    told = parity.sparse(counts, ["a", "b"])
    assert [row[0] for row in told["a"]] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert (parity.spread(told, 10) == counts).all()
    with pytest.raises(ValueError, match="twice"):
        parity.spread({"a": [[1, 1, 1, 1], [1, 1, 1, 1]]}, 10)
    with pytest.raises(ValueError, match="none"):
        parity.spread({"a": [[-1, 1, 1, 1]]}, 10)


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.booleans(), st.sampled_from("abcde")),
        min_size=1,
        max_size=60,
    )
)
def test_calibration_error_bin_by_bin(rows: list[tuple[float, bool, str]]) -> None:
    total = 0.0
    for number in range(BINS):
        inside = [
            (sure, right) for sure, right, _ in rows if number == min(int(sure * BINS), BINS - 1)
        ]
        if inside:
            sure = sum(one for one, _ in inside) / len(inside)
            right = sum(one for _, one in inside) / len(inside)
            total += len(inside) / len(rows) * abs(right - sure)
    sure, right, groups = zip(*rows, strict=True)
    found = calibration_error(sure, right, groups)
    assert found.value == pytest.approx(total, abs=1e-9)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.n == len(set(groups))


def test_calibration_of_the_sure_and_wrong() -> None:
    assert calibration_error([1.0] * 4, [False] * 4, list("abcd")).value == 1
    assert calibration_error([0.5] * 4, [True, False] * 2, list("abcd")).value == 0
    with pytest.raises(ValueError, match="lies in"):
        calibration_error([1.2], [True], ["a"])
