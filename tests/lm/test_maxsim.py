"""MaxSim is ColBERT's formula, divided by the question's length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.lm.token_vectors import maxsim


def units(rng, num, width=20):
    vectors = rng.normal(size=(num, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def literal(question, passage):
    """The sum of maxima, one product at a time."""
    total = 0.0
    for asked in question:
        best = -2.0
        for told in passage:
            best = max(best, sum(float(a) * float(b) for a, b in zip(asked, told, strict=True)))
        total += best
    return total / len(question)


@settings(max_examples=50)
@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 99))
def test_maxsim_is_the_formula(num_asked, num_told, seed):
    rng = np.random.default_rng(seed)
    question, passage = units(rng, num_asked), units(rng, num_told)
    assert maxsim(question, passage) == pytest.approx(literal(question, passage), abs=1e-5)
    assert maxsim(question, np.concatenate([passage, question])) == pytest.approx(1, abs=1e-5)
    assert maxsim(question, passage[:0]) == maxsim(passage[:0], question) == -1
