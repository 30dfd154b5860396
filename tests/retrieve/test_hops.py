"""Hops: hybrid fusion, walks where the plan says so, and nothing changed where it does not."""

import numpy as np

from aegle.lm.terms import terms
from aegle.retrieve.hops import Sources, find, hybrid
from aegle.retrieve.passages import Passage, graph_of

PASSAGES = [
    Passage("film", "Blood Street", "Blood Street is a film directed by Leo Fong."),
    Passage("man", "Leo Fong", "Leo Fong is an actor and comes from China."),
    *(
        Passage(f"near{n}", f"Street {n}x", "The nationality of the director of a film.")
        for n in range(6)
    ),
]
QUESTION = "What nationality is the director of film Blood Street?"
VOCABULARY = sorted({word for one in PASSAGES for word in terms(f"{one.title} {one.text}")})


def embed(texts):
    vectors = np.array([[terms(text).count(word) for word in VOCABULARY] for text in texts], float)
    vectors += 1e-6
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


VECTORS = embed([f"{one.title} {one.text}" for one in PASSAGES])


class Index:
    """Exact search over PASSAGES; words by how many are shared."""

    def search_dense(self, vector, *, k, where=None):
        return self._best(VECTORS @ vector, k)

    def search_text(self, query, *, k, where=None):
        wanted = set(terms(query))
        shared = [len(wanted & set(terms(f"{one.title} {one.text}"))) for one in PASSAGES]
        return self._best(np.array(shared, float), k)

    def _best(self, scores, k):
        order = np.argsort(-scores, kind="stable")[:k]
        return [(PASSAGES[n].id, float(scores[n])) for n in order if scores[n] > 0]


SOURCES = Sources(
    embed, Index(), graph_of(PASSAGES), lambda vector, places: VECTORS[places] @ vector
)


def test_a_walk_finds_what_words_and_meaning_miss():
    made, found = find(QUESTION, SOURCES, k=2)
    flat = hybrid(QUESTION, embed([QUESTION])[0], SOURCES.index)
    assert made.walks
    assert {item for item, _ in found} == {"film", "man"}
    assert "man" not in [item for item, _ in flat[:2]]


def test_a_single_fact_gets_the_hybrid_hits_unchanged():
    question = "When was Leo Fong born?"
    made, found = find(question, SOURCES, k=5)
    assert not made.walks
    assert found == hybrid(question, embed([question])[0], SOURCES.index)[:5]


def test_hits_are_ordered_and_none_comes_twice():
    _, found = find(QUESTION, SOURCES, k=100)
    ids = [item for item, _ in found]
    assert len(ids) == len(set(ids)) == len(PASSAGES)
    assert [score for _, score in found] == sorted((s for _, s in found), reverse=True)
