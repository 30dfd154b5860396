"""The imagined passage only moves a vector; a generator that dawdles is left."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import BackendError
from aegle.core.text import SafeText
from aegle.retrieve.hyde import imagined, messages, write

QUESTION = SafeText("Does aspirin prevent stroke?", by="test")
LONG = "Aspirin prevents some kinds of stroke."


def embed(texts):
    """Unit vectors that depend on the text alone."""
    rows = [np.random.default_rng(abs(hash(text)) % 2**32).normal(size=8) for text in texts]
    return np.array([row / np.linalg.norm(row) for row in rows], np.float32)


def streams(pieces, *, wait_s=0.0, told=None):
    def stream(messages, *, max_tokens, seed=0):
        if told is not None:
            told.append((messages, max_tokens, seed))
        for piece in pieces:
            time.sleep(wait_s)
            yield piece

    return stream


@given(st.lists(st.text(max_size=5), max_size=6))
def test_the_pieces_are_the_passage(pieces):
    assert write(QUESTION, streams(pieces), max_tokens=8, limit_s=5) == "".join(pieces)


def test_only_the_question_and_the_limits_are_told():
    told = []
    write(QUESTION, streams(["a"], told=told), max_tokens=7, limit_s=5, seed=3)
    assert told == [(messages(QUESTION), 7, 3)]
    assert str(QUESTION) in messages(QUESTION)[-1]["content"]


def test_a_slow_generator_is_left_with_what_it_has_written():
    left = threading.Event()

    def stream(messages, *, max_tokens, seed=0):
        try:
            yield "first "
            while True:
                time.sleep(0.02)
                yield "more "
        finally:
            left.set()

    start = time.monotonic()
    passage = write(QUESTION, stream, max_tokens=8, limit_s=0.15)
    assert time.monotonic() - start < 2
    assert passage.startswith("first ")
    assert left.wait(2)


def test_a_silent_generator_gives_nothing_in_time():
    silent = threading.Event()

    def stream(messages, *, max_tokens, seed=0):
        silent.wait(5)
        yield "too late"

    assert write(QUESTION, stream, max_tokens=8, limit_s=0.05) == ""
    silent.set()


def test_its_failure_is_told():
    def stream(messages, *, max_tokens, seed=0):
        yield "a "
        raise BackendError("no answer")

    with pytest.raises(BackendError, match="no answer"):
        write(QUESTION, stream, max_tokens=8, limit_s=5)


def test_any_failure_is_told_at_once_by_its_type():
    def stream(messages, *, max_tokens, seed=0):
        yield "a "
        raise ZeroDivisionError("of the question")

    start = time.monotonic()
    with pytest.raises(BackendError, match="ZeroDivisionError") as raised:
        write(QUESTION, stream, max_tokens=8, limit_s=5)
    assert "question" not in str(raised.value)
    assert time.monotonic() - start < 2
    assert write(QUESTION, streams(["b"]), max_tokens=8, limit_s=5) == "b"


def test_a_silent_generator_keeps_one_thread():
    silent = threading.Event()
    asked = []

    def stream(messages, *, max_tokens, seed=0):
        asked.append(1)
        silent.wait(10)
        yield "too late"

    for _ in range(4):
        start = time.monotonic()
        assert write(QUESTION, stream, max_tokens=8, limit_s=0.05) == ""
        assert time.monotonic() - start < 2
    assert len(asked) == 1
    assert sum(one.name == "aegle-hyde" for one in threading.enumerate()) == 1
    silent.set()
    assert write(QUESTION, streams(["b"]), max_tokens=8, limit_s=5) == "b"


@given(st.lists(st.text("ab ", max_size=30), max_size=3))
def test_a_unit_vector_between_question_and_passages(passages):
    found = imagined(QUESTION, passages, embed)
    kept = [one for one in passages if len(one.split()) >= 5]
    expected = embed([QUESTION, *kept]).mean(axis=0)
    assert found.shape == (8,)
    assert found == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_without_a_passage_it_is_the_question():
    for passages in ([], [""], ["too short"]):
        assert imagined(QUESTION, passages, embed) == pytest.approx(embed([QUESTION])[0], abs=1e-6)


def test_opposite_vectors_leave_the_question():
    def opposite(texts):
        return np.array([[1, 0], [-1, 0]], np.float32)[: len(texts)]

    assert imagined(QUESTION, [LONG], opposite) == pytest.approx([1, 0])
