"""Ranking measures against independent definitions, and what must hold for any ranking."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.metrics.ranking import (
    all_at,
    context_precision,
    context_recall,
    ndcg,
    recall,
    reciprocal_rank,
)

IDS = list("abcdefgh")
rankings = st.lists(st.sampled_from(IDS), unique=True)
gains = st.dictionaries(st.sampled_from(IDS), st.integers(0, 3), min_size=1).filter(
    lambda gain: max(gain.values()) > 0
)
places = st.integers(1, 10)


def dcg_by_numpy(ranked, gain, k):
    values = np.zeros(k)
    for i, item in enumerate(ranked[:k]):
        values[i] = gain.get(item, 0)
    return float(values @ (1 / np.log2(np.arange(2, k + 2))))


def test_ndcg_of_a_textbook_example():
    # Jarvelin & Kekalainen's gains 3 2 3 0 1 2, the ideal order being 3 3 2 2 1 0.
    gain = dict(zip("abcdef", [3, 2, 3, 0, 1, 2], strict=True))
    assert ndcg(list("abcdef"), gain, k=6) == pytest.approx(0.9608, abs=1e-4)


@given(rankings, st.dictionaries(st.sampled_from("abcd"), st.integers(1, 3), min_size=1), places)
def test_ndcg_divides_by_the_best_of_all_orders(ranked, gain, k):
    best = max(dcg_by_numpy(order, gain, k) for order in itertools.permutations(gain))
    assert ndcg(ranked, gain, k=k) == pytest.approx(dcg_by_numpy(ranked, gain, k) / best)


@given(rankings, gains, places)
def test_bounds_and_the_ideal(ranked, gain, k):
    assert 0 <= ndcg(ranked, gain, k=k) <= 1
    ideal = sorted(gain, key=lambda item: -gain[item])
    assert ndcg(ideal, gain, k=k) == pytest.approx(1)


@given(rankings, st.sets(st.sampled_from(IDS), min_size=1), places)
def test_recall_and_reciprocal_rank_by_counting(ranked, relevant, k):
    hits = [item in relevant for item in ranked][:k]
    assert recall(ranked, relevant, k=k) == sum(hits) / len(relevant)
    expected = 1 / (hits.index(True) + 1) if any(hits) else 0
    assert reciprocal_rank(ranked, relevant, k=k) == expected


@given(rankings, st.sets(st.sampled_from(IDS), min_size=1), places)
def test_looking_further_finds_no_less(ranked, relevant, k):
    assert recall(ranked, relevant, k=k) <= recall(ranked, relevant, k=k + 1)
    assert reciprocal_rank(ranked, relevant, k=k) <= reciprocal_rank(ranked, relevant, k=k + 1)


@pytest.mark.parametrize(
    ("measure", "ranked", "truth", "k"),
    [
        (ndcg, ["a"], {"a": 1.0}, 0),
        (ndcg, ["a", "a"], {"a": 1.0}, 5),
        (ndcg, ["a"], {"a": 0.0}, 5),
        (ndcg, ["a"], {"a": 1.0, "b": -1.0}, 5),
        (recall, ["a"], set(), 5),
        (recall, ["a", "a"], {"a"}, 5),
        (reciprocal_rank, ["a"], {"a"}, 0),
    ],
)
def test_nonsense_is_refused(measure, ranked, truth, k):
    with pytest.raises(ValueError, match=r"k counts|names each|gains|recall needs"):
        measure(ranked, truth, k=k)


def ragas_average_precision(verdicts):
    """RAGAS's sum over places, with its names."""
    numerator = sum((sum(verdicts[: i + 1]) / (i + 1)) * verdicts[i] for i in range(len(verdicts)))
    return numerator / sum(verdicts) if sum(verdicts) else 0.0


@given(rankings, st.sets(st.sampled_from(IDS), min_size=1), places)
def test_context_measures_as_ragas_counts_them(ranked, relevant, k):
    verdicts = [int(item in relevant) for item in ranked[:k]]
    expected = ragas_average_precision(verdicts)
    assert context_precision(ranked, relevant, k=k) == pytest.approx(expected)
    assert context_recall(ranked, relevant, k=k) == sum(verdicts) / len(relevant)
    assert all_at(ranked, relevant, k=k) == float(relevant <= set(ranked[:k]))


def test_context_precision_by_hand():
    # relevant at places 1 and 3: (1/1 + 2/3) / 2
    assert context_precision(list("axb"), {"a", "b"}, k=3) == pytest.approx(5 / 6)
    assert context_precision(list("axb"), {"a", "b"}, k=2) == 1
