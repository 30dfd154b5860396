"""A question's vector is begun beforehand, computed once, and its errors reach who asks for it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from aegle.core.errors import BackendError
from aegle.core.ports import Vectors
from aegle.flows.ahead import Ahead


class Encoder:
    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.free = threading.Event()

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(tuple(texts))
        if not self.free.wait(5):
            raise BackendError("nobody went on")
        return np.array([[len(text), 0.0] for text in texts], np.float32)


def test_begins_without_waiting_and_computes_once() -> None:
    encoder = Encoder()
    ahead = Ahead(encoder.embed)
    ahead.begin("what pump")
    ahead.begin("what pump")  # both return while the encoder still works
    encoder.free.set()
    assert ahead.embed(["what pump"]).tolist() == [[9.0, 0.0]]
    assert encoder.calls == [("what pump",)]
    ahead.close()


def test_what_was_not_begun_is_computed_when_asked_for() -> None:
    encoder = Encoder()
    encoder.free.set()
    ahead = Ahead(encoder.embed)
    ahead.begin("one")
    assert ahead.embed(["one", "three"]).tolist() == [[3.0, 0.0], [5.0, 0.0]]
    assert ahead.embed(["other"]).tolist() == [[5.0, 0.0]]
    ahead.close()


def test_an_error_reaches_who_asks() -> None:
    def broken(texts: Sequence[str]) -> Vectors:
        raise BackendError("the encoder failed")

    ahead = Ahead(broken)
    ahead.begin("what pump")
    with pytest.raises(BackendError, match="the encoder failed"):
        ahead.embed(["what pump"])
    ahead.close()


def test_an_error_that_nobody_asked_for_is_not_told_to_the_next() -> None:
    faults = [BackendError("the disk hiccups")]

    def recovering(texts: Sequence[str]) -> Vectors:
        if faults:
            raise faults.pop()
        return np.ones((len(texts), 2), np.float32)

    ahead = Ahead(recovering)
    ahead.begin("what pump")
    while faults:
        pass
    ahead.begin("other")  # waits for the thread, so that the former is done
    ahead.embed(["other"])
    ahead.begin("what pump")
    assert ahead.embed(["what pump"]).tolist() == [[1.0, 1.0]]
    ahead.close()


def test_what_was_given_up_is_not_waited_for() -> None:
    encoder = Encoder()
    ahead = Ahead(encoder.embed)
    for text in ("one", "two", "three"):
        ahead.begin(text)
    encoder.free.set()
    ahead.embed(["three"])
    assert ("two",) not in encoder.calls, "it waited in line, and was taken out"
    ahead.close()


def test_closed_it_says_so() -> None:
    ahead = Ahead(Encoder().embed)
    ahead.close()
    with pytest.raises(BackendError, match="closed"):
        ahead.begin("what pump")
