"""Reranking moves the first hits, keeps falling scores and says why."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.records import Hit
from aegle.core.text import SafeText
from aegle.retrieve.rerank import rerank, spread

SCORES = st.lists(st.floats(-50, 50, width=32), max_size=12)


def hits_of(num):
    return [Hit(f"c{n}", f"d{n}", 1 / (60 + n), (f"dense#{n + 1}",)) for n in range(num)]


def texts_of(hits):
    return {hit.chunk_id: SafeText(f"text of {hit.chunk_id}", by="test") for hit in hits}


def by(scores):
    return lambda question, passages: np.array(scores[: len(passages)], np.float32)


@given(SCORES, st.integers(1, 14), st.floats(0, 1))
def test_the_same_hits_with_falling_scores(scores, top, weight):
    hits = hits_of(len(scores))
    found = rerank("q", hits, texts_of(hits), by(scores), top=top, weight=weight)
    assert {hit.chunk_id for hit in found} == {hit.chunk_id for hit in hits}
    assert [hit.score for hit in found] == [hit.score for hit in hits]
    assert found[top:] == hits[top:]
    assert all(hit.via[0].startswith("dense#") for hit in found)


@given(SCORES)
def test_alone_it_decides_and_without_a_vote_nothing_moves(scores):
    hits = hits_of(len(scores))
    texts = texts_of(hits)
    alone = rerank("q", hits, texts, by(scores), top=99)
    order = np.argsort(-spread(np.array(scores, np.float32)), kind="stable")
    assert [hit.chunk_id for hit in alone] == [f"c{n}" for n in order]
    assert rerank("q", hits, texts, by(scores), top=99, weight=0) == hits


def test_via_says_the_rerankers_place_and_half_a_vote_is_half():
    hits = hits_of(3)
    texts = texts_of(hits)
    found = rerank("q", hits, texts, by([0.0, 1.0, 0.9]), top=3, weight=0.7)
    assert [(hit.chunk_id, hit.via[-1]) for hit in found] == [
        ("c1", "rerank#1"),
        ("c2", "rerank#2"),
        ("c0", "rerank#3"),
    ]
    found = rerank("q", hits, texts, by([0.0, 1.0, 0.9]), top=3, weight=0.3)
    assert [hit.chunk_id for hit in found] == ["c0", "c1", "c2"]


def test_what_has_no_text_stands_behind_what_was_read():
    hits = hits_of(4)
    texts = texts_of(hits[1:])
    found = rerank("q", hits, texts, by([0.0, 2.0, 1.0]), top=3)
    assert [hit.chunk_id for hit in found] == ["c2", "c1", "c0", "c3"]
    assert rerank("q", [], {}, by([]), top=3) == []


def test_spread():
    np.testing.assert_allclose(spread([2.0, 4.0, 3.0]), [0, 1, 0.5])
    np.testing.assert_allclose(spread([2.0, 2.0]), [0, 0])
    assert spread([]).shape == (0,)
