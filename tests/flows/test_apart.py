"""A function in a process of its own: results, errors, a stop, a kill, nobody waiting any more."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing import Pipe
from typing import Any

import pytest

from aegle.core.errors import BackendError, InputError, StoppedError
from aegle.flows.apart import _Link, apart


def add(one: int, other: int, **told: Any) -> int:
    told["progress"]("train", 1, 2)
    told["figures"]("loss/train", 0.5, 1)
    print("not a result")  # noqa: T201 - what a library prints must not reach stdout
    return one + other


def refuse(**told: Any) -> None:
    raise InputError("line 3 is no JSON")


def break_down(**told: Any) -> None:
    raise ZeroDivisionError("a text of somebody's")


def die(**told: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def work(**told: Any) -> None:
    for step in range(3000):
        time.sleep(0.01)
        if told["stop"]():
            raise StoppedError(f"stopped at step {step}")


def test_results_and_what_is_told_come_back(capfd: pytest.CaptureFixture[str]) -> None:
    heard: list[Any] = []
    found = apart("test_apart:add", {"one": 2, "other": 3}, tell=lambda *some: heard.append(some))
    assert found == 5
    assert heard == [("progress", ("train", 1, 2)), ("figures", ("loss/train", 0.5, 1))]
    assert capfd.readouterr().out == ""


def test_errors_are_those_that_were_raised() -> None:
    with pytest.raises(InputError, match="line 3 is no JSON"):
        apart("test_apart:refuse", {})
    with pytest.raises(
        BackendError, match=r"unforeseen ZeroDivisionError at test_apart\.py"
    ) as told:
        apart("test_apart:break_down", {})
    assert "somebody" not in str(told.value)


def test_a_process_that_is_killed_is_told_of() -> None:
    with pytest.raises(BackendError, match="memory"):
        apart("test_apart:die", {})


def test_it_stops_when_asked_and_when_nobody_waits() -> None:
    with pytest.raises(StoppedError, match="stopped at step") as told:
        apart("test_apart:work", {}, stop=lambda: True)
    assert told.value.resumes
    mine, theirs = Pipe()
    link = _Link(theirs)
    assert not link.stop()
    mine.close()
    assert link.stop()
    link.tell("figures", ("loss", 1.0, 1))
