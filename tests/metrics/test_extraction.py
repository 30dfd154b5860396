"""Exact matches are counted as CoNLL counts them, and intervals are over documents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.metrics.extraction import by_label, scores

ITEM = st.tuples(st.integers(0, 5), st.integers(6, 9), st.sampled_from("ab"))
TEXTS = st.lists(st.tuples(st.sets(ITEM), st.sets(ITEM), st.sampled_from("xyz")), min_size=1)


@given(TEXTS)
def test_equal_to_counting_by_hand(texts: list[tuple[set, set, str]]) -> None:
    gold, found, groups = ([one[i] for one in texts] for i in range(3))
    got = scores(gold, found, groups=groups)
    right = sum(len(a & b) for a, b, _ in texts)
    there, here = sum(map(len, gold)), sum(map(len, found))
    assert (got.gold, got.found, got.right) == (there, here, right)
    assert got.precision.value == pytest.approx(right / here if here else 0)
    assert got.recall.value == pytest.approx(right / there if there else 0)
    assert got.f1.value == pytest.approx(2 * right / (there + here) if there + here else 0)
    assert got.f1.n == len(set(groups))


def test_a_repeated_item_counts_once() -> None:
    got = scores([[(0, 1, "a")]], [[(0, 1, "a"), (0, 1, "a")]], groups=["d"])
    assert (got.f1.value, got.f1.low, got.f1.high) == (1.0, 1.0, 1.0)


def test_whole_documents_are_resampled() -> None:
    gold = [[(i, i + 1, "a")] for i in range(40)]
    found = [one if i < 20 else [] for i, one in enumerate(gold)]
    alone = scores(gold, found, groups=[str(i) for i in range(40)]).recall
    paired = scores(gold, found, groups=["x" if i < 20 else "y" for i in range(40)]).recall
    assert paired.high - paired.low > alone.high - alone.low


def test_labels_stand_apart() -> None:
    got = by_label([[(0, 1, "a"), (2, 3, "b")]], [[(0, 1, "a"), (2, 3, "a")]], groups=["d"])
    assert (got["a"].precision.value, got["a"].recall.value) == (0.5, 1.0)
    assert got["b"].recall.value == 0.0


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="as many"):
        scores([[]], [], groups=["d"])
