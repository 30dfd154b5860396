"""Events carry numbers, labels and safe text; never a plain string."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from aegle.core import observe
from aegle.core.errors import PrivacyError
from aegle.core.text import SafeText


@pytest.fixture
def events() -> Iterator[list[dict[str, Any]]]:
    found: list[dict[str, Any]] = []
    observe.configure(found.append, level="debug")
    yield found
    observe.configure(observe.to_people)


def test_a_plain_string_is_refused_even_below_the_threshold(events: list[Any]) -> None:
    observe.configure(events.append, level="error")
    with pytest.raises(PrivacyError, match="'patient' of event 'read'"):
        observe.event("read", level="debug", patient="Maria Lopez")  # type: ignore[arg-type]
    assert events == []


def test_events_and_spans_carry_what_they_may(events: list[Any]) -> None:
    observe.event("read", documents=3, whole=True, text=SafeText("ok", by="t"))
    with observe.span("index", chunks=2):
        pass
    with pytest.raises(KeyError), observe.span("fails"):
        raise KeyError("Maria Lopez")
    assert [one["event"] for one in events] == ["read", "index", "fails"]
    assert events[1]["seconds"] >= 0
    assert events[2]["error"] == "KeyError"
    assert "Maria" not in json.dumps(events)


def test_people_and_machines_read_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    observe.configure(observe.to_people, observe.to_json, level="info")
    observe.event("read", documents=3, seconds=0.25)
    observe.event("hidden", level="debug")
    lines = capsys.readouterr().err.splitlines()
    observe.configure(observe.to_people)
    assert lines[0] == "info: read documents=3 seconds=0.250"
    assert json.loads(lines[1])["documents"] == 3
    assert len(lines) == 2
