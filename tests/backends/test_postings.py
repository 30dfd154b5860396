"""BM25 postings: what is left out of a search changes nothing that is found."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aegle.backends.postings import Postings

DOCUMENTS = st.lists(
    st.dictionaries(st.integers(0, 30), st.floats(0.125, 2.25, width=32), max_size=8), min_size=1
)
QUESTIONS = st.dictionaries(st.integers(0, 32), st.integers(1, 3), min_size=1, max_size=8)


def filled(documents, parts):
    postings = Postings()
    for some in np.array_split(np.arange(len(documents)), parts):
        chosen = [documents[row] for row in some]
        postings.add(
            np.array([term for each in chosen for term in each], np.uint32),
            np.array([weight for each in chosen for weight in each.values()], np.float32),
            np.array([len(each) for each in chosen], np.int64),
        )
    return postings


def scored(documents, asked):
    """The same formula, one document and term after the other."""
    scores = np.zeros(len(documents))
    for term, times in asked.items():
        num = sum(term in each for each in documents)
        idf = math.log(1 + (len(documents) - num + 0.5) / (num + 0.5))
        scores += [times * idf * each.get(term, 0.0) for each in documents]
    return scores


@given(DOCUMENTS, QUESTIONS, st.integers(1, 12), st.sampled_from([1, 3, 20]), st.randoms())
def test_the_best_are_those_of_all_scores(documents, asked, limit, parts, random):
    postings, scores = filled(documents, parts), scored(documents, asked)
    allowed = (
        np.array([random.random() < 0.7 for _ in documents]) if random.random() < 0.5 else None
    )
    if allowed is not None:
        scores[~allowed] = 0
    least = np.sort(scores)[-limit] if limit <= len(scores) else 0
    rows, found = postings.best(asked, limit, allowed)
    np.testing.assert_allclose(found, scores[rows], rtol=1e-6)
    # Sums in another order may differ in the last digit, so a tie may break there.
    sure = np.flatnonzero((scores > 0) & (scores > least * (1 + 1e-6)))
    assert set(sure.tolist()) <= set(rows.tolist())
    assert (scores[rows] >= least * (1 - 1e-6)).all()
    assert len(rows) >= min(limit, int((scores > 0).sum()))
