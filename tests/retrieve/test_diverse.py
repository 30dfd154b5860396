"""Maximal marginal relevance against its definition; near-copies of one group only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import UsageError
from aegle.retrieve.diverse import distinct, mmr


def units(rng, num, width=6):
    vectors = rng.normal(size=(num, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def literal(relevance, vectors, k, diversity):
    """Carbonell & Goldstein's argmax, word for word, one pair at a time."""
    rest, chosen = list(range(len(relevance))), []
    while rest and len(chosen) < k:

        def worth(place):
            if not chosen:
                return relevance[place]
            near = max(float(vectors[place] @ vectors[other]) for other in chosen)
            return (1 - diversity) * relevance[place] - diversity * near

        best = max(rest, key=lambda place: (worth(place), -place))
        rest.remove(best)
        chosen.append(best)
    return chosen


@given(st.integers(0, 12), st.integers(0, 14), st.floats(0, 1), st.integers(0, 99))
def test_it_is_the_definition(num, k, diversity, seed):
    rng = np.random.default_rng(seed)
    vectors, relevance = units(rng, num), rng.random(num)
    found = mmr(relevance, vectors, k=k, diversity=diversity)
    assert found == literal(relevance, vectors.astype(np.float64), k, diversity)
    assert len(found) == min(k, num) == len(set(found))


@given(st.integers(1, 12), st.integers(0, 99))
def test_without_diversity_it_is_the_order_of_relevance(num, seed):
    rng = np.random.default_rng(seed)
    relevance = rng.random(num)
    found = mmr(relevance, units(rng, num), k=num, diversity=0)
    assert found == list(np.argsort(-relevance, kind="stable"))


def test_a_copy_comes_last():
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert mmr([1.0, 0.9, 0.5], vectors, k=3, diversity=0.5) == [0, 2, 1]
    with pytest.raises(UsageError, match="from 0 to 1, got 2"):
        mmr([1.0], vectors[:1], k=1, diversity=2)


def test_copies_are_left_out_in_their_group_only():
    vectors = np.array([[1, 0], [1, 0], [0.6, 0.8], [1, 0], [0.6, 0.8]], np.float32)
    groups = ["patient:a", "patient:a", "patient:a", "patient:b", "patient:b"]
    assert distinct(vectors, groups) == [0, 2, 3, 4]
    assert distinct(vectors, groups, threshold=0.5) == [0, 3]
    assert distinct(vectors[:0], []) == []
