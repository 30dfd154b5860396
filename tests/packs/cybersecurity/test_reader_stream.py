"""Records too long, too deep or no objects are named; what stands behind them is read."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.packs.cybersecurity.readers import scan, stream
from aegle.packs.cybersecurity.readers.stream import LINE_LIMIT, Problems, objects

LOW = 1 << 20
HUGE = "x" * LOW
FORMS = {
    "a line": lambda huge: '{"a": 1}\n' + huge + '\n{"a": 2}\n',
    "the first line": lambda huge: huge + '\n{"a": 1}\n{"a": 2}\n',
    "an array": lambda huge: f'[{{"a": 1}}, {huge}, {{"a": 2}}]',
    "a bundle": lambda huge: f'{{"type": "x", "objects": [{{"a": 1}}, {huge}, {{"a": 2}}]}}',
}


@pytest.fixture
def low_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds for 16 MiB holds for one, and is sooner tried."""
    monkeypatch.setattr(scan, "RECORD_LIMIT", LOW)
    monkeypatch.setattr(stream, "LINE_LIMIT", LOW)


class Pieces(io.RawIOBase):
    """A stream made while it is read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int = -1) -> bytes:
        return next(self._pieces, b"")


def read(text: str) -> tuple[list[Any], str]:
    """The objects, and what was said of the rest."""
    problems = Problems(Origin("x"))
    found = [value for _, value in objects(io.BytesIO(text.encode()), problems)]
    try:
        problems.check()
    except InputError as error:
        return found, str(error)
    return found, ""


@pytest.mark.usefixtures("low_limit")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "huge",
    [
        json.dumps({"b": HUGE}),
        json.dumps({"b": ['"}]\\' * (LOW // 5), "c"]}),
        json.dumps({"b": [1] * (LOW // 2)}),
    ],
    ids=["string", "escapes", "list"],
)
def test_a_record_over_the_limit_costs_only_itself(form: str, huge: str) -> None:
    found, said = read(FORMS[form](huge))
    assert ["b" in one or one for one in found] == [{"a": 1}, {"a": 2}]
    assert "longer than 16 MiB" in said
    assert len(said) < 100


def test_a_record_of_more_than_16_mib_is_too_long() -> None:
    huge = json.dumps({"b": "x" * LINE_LIMIT})
    for form in ("the first line", "an array"):
        found, said = read(FORMS[form](huge))
        assert ["b" in one or one for one in found] == [{"a": 1}, {"a": 2}]
        assert "1 records are longer than 16 MiB" in said


@pytest.mark.usefixtures("low_limit")
def test_a_huge_member_beside_the_records_costs_nothing() -> None:
    text = json.dumps({"type": "x", "note": HUGE, "objects": [{"a": 1}], "more": HUGE})
    assert read(text) == ([{"a": 1}], "")


def test_a_record_nested_too_deep_costs_only_itself() -> None:
    deep = '{"b":' * 600 + "1" + "}" * 600
    found, said = read(f'[{{"a": 1}}, {deep}, {{"a": 2}}]')
    assert found == [{"a": 1}, {"a": 2}]
    assert "nested deeper than 500 (at 2)" in said


@pytest.mark.parametrize("other", ['["x", {"c": 1}]', '"x"'])
def test_what_is_no_object_in_an_array_is_named(other: str) -> None:
    found, said = read(f'[{{"a": 1}}, {other}, {{"a": 2}}]')
    assert found == [{"a": 1}, {"a": 2}]
    assert "no JSON objects (at 2)" in said


def test_an_object_whose_list_holds_no_objects_is_a_record() -> None:
    value = {"name": "n", "items": ["a", "b"], "tags": [1]}
    assert read(json.dumps(value, indent=1)) == ([value], "")


@pytest.mark.parametrize("start", [b'{"a": "', b'[{"a": "', b'["', b'{"a": 1}\n{"a": "'])
def test_a_line_of_any_length_is_not_held(start: bytes) -> None:
    def pieces() -> Iterator[bytes]:
        yield start
        for _ in range(300):
            yield b'x\\"y' * (1 << 16)
        yield b'"}]' if start.startswith(b"[") else b'"}'

    problems = Problems(Origin("x"))
    tracemalloc.start()
    for _ in objects(Pieces(pieces()), problems):  # type: ignore[arg-type]
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    with pytest.raises(InputError):
        problems.check()
    assert peak < 6 * LINE_LIMIT
