"""Risk and coverage against their definitions, and what must hold for any answers."""

from __future__ import annotations

import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.metrics.selective import Point, aurc, risk_coverage, selective_accuracy

ANSWERS = st.lists(
    st.tuples(st.sampled_from([0.1, 0.4, 0.9]), st.integers(0, 1)), min_size=1, max_size=6
)
Answers = list[tuple[float, float]]


def parts(answers: Answers) -> tuple[list[float], list[float]]:
    return [one[0] for one in answers], [float(one[1]) for one in answers]


def area_of_order(losses: list[float]) -> float:
    return statistics.fmean(statistics.fmean(losses[:n]) for n in range(1, len(losses) + 1))


def area_over_orders(answers: Answers) -> float:
    """The mean area over all orders that confidences allow."""
    areas = [
        area_of_order([float(loss) for _, loss in order])
        for order in itertools.permutations(answers)
        if all(one[0] >= after[0] for one, after in itertools.pairwise(order))
    ]
    return statistics.fmean(areas)


@given(ANSWERS)
def test_the_area_is_the_mean_over_orders_of_equals(answers: Answers) -> None:
    assert aurc(*parts(answers)) == pytest.approx(area_over_orders(answers))


@given(ANSWERS)
def test_points_by_counting(answers: Answers) -> None:
    points = risk_coverage(*parts(answers))
    bars = sorted({one[0] for one in answers}, reverse=True)
    for bar, point in zip(bars, points, strict=True):
        given_ = [float(loss) for sure, loss in answers if sure >= bar]
        want = Point(len(given_) / len(answers), statistics.fmean(given_), bar)
        assert tuple(point) == pytest.approx(tuple(want))


@given(ANSWERS, st.randoms())
def test_order_and_scale_of_confidence_do_not_matter(answers: Answers, random) -> None:
    mixed = random.sample(answers, len(answers))
    scaled = [(10 * sure - 3, loss) for sure, loss in mixed]
    assert aurc(*parts(scaled)) == pytest.approx(aurc(*parts(answers)))


@given(ANSWERS)
def test_all_of_them_have_the_accuracy_of_all(answers: Answers) -> None:
    sure, losses = parts(answers)
    whole = selective_accuracy(sure, losses, coverage=1)
    assert whole == pytest.approx(1 - statistics.fmean(losses))
    assert 0 <= aurc(sure, losses) <= 1


def test_by_hand() -> None:
    sure, losses = [0.9, 0.8, 0.7, 0.6], [0, 0, 1, 0]
    assert [tuple(one) for one in risk_coverage(sure, losses)] == [
        (0.25, 0, 0.9),
        (0.5, 0, 0.8),
        (0.75, pytest.approx(1 / 3), 0.7),
        (1, 0.25, 0.6),
    ]
    assert aurc(sure, losses) == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)
    assert selective_accuracy(sure, losses, coverage=0.5) == 1
    assert selective_accuracy(sure, losses, coverage=0.6) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("sure", "losses"), [([], []), ([1], [0, 1]), ([1], [2]), ([float("nan")], [0]), ([1], [-1])]
)
def test_nonsense_is_refused(sure: list[float], losses: list[float]) -> None:
    for measure in (aurc, risk_coverage):
        with pytest.raises(ValueError, match="loss"):
            measure(sure, losses)


def test_no_coverage_has_no_accuracy() -> None:
    with pytest.raises(ValueError, match="coverage"):
        selective_accuracy([1], [0], coverage=0)
