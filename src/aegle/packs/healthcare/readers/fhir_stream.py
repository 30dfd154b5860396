"""FHIR JSON as a stream of resources: bundles of any size, bulk NDJSON, single resources."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

MAX_VALUE_CHARS: Final = 64 * 1024 * 1024
"""The longest single resource (or line) that is taken into memory."""

_DECODER: Final = json.JSONDecoder(strict=False)
_SPACE: Final = re.compile(r"[ \t\r\n\ufeff]*")
_MARK: Final = re.compile(r'["\[\]{}]')
_IN_STRING: Final = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SCALAR_END: Final = re.compile(r"[,\]}\s]")


@dataclass(frozen=True, slots=True)
class Item:
    """A JSON value with the place where it stood, or the reason why there is none."""

    where: str
    value: Any = None
    problem: str = ""
    url: str = ""


class _EndOfInputError(Exception):
    """The text ended inside a value."""


class _BrokenError(Exception):
    """The text is not JSON here; the message is the reason."""


class _Buffer:
    """The unread text; pieces are taken from the front, more is read when needed."""

    def __init__(self, chunks: Iterator[str]) -> None:
        self._chunks = chunks
        self.text = ""
        self.at = 0
        self.ended = False

    def more(self, wanted: int = 1) -> bool:
        """Read at least ``wanted`` more characters if there are; whether any came."""
        parts, size = [self.text[self.at :]], 0
        while size < wanted and not self.ended:
            piece = next(self._chunks, None)
            if piece is None:
                self.ended = True
            else:
                parts.append(piece)
                size += len(piece)
        self.text, self.at = "".join(parts), 0
        return size > 0

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            match = _SPACE.match(self.text, self.at)
            assert match is not None  # it matches nothing at all, too
            self.at = match.end()
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def value(self) -> Any:
        """Take one JSON value."""
        if not self.peek():
            raise _EndOfInputError
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if not self._may_be_cut(error):
                    raise _BrokenError(f"not JSON ({error.msg})") from error
            except (ValueError, RecursionError) as error:
                reason = "nested too deeply" if isinstance(error, RecursionError) else "bad number"
                raise _BrokenError(reason) from error
            else:
                whole = isinstance(value, (dict, list, str)) or end < len(self.text)
                if whole or not self.more():
                    self.at = end
                    return value
                continue
            held = len(self.text) - self.at
            if held > MAX_VALUE_CHARS:
                raise _BrokenError(f"a value of more than {MAX_VALUE_CHARS >> 20} MB")
            # Doubling keeps the work linear.
            if not self.more(max(1, min(held, MAX_VALUE_CHARS - held))):
                raise _EndOfInputError

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        near_end = error.pos >= len(self.text) - 12
        return near_end or error.msg.startswith("Unterminated string")

    def skip(self) -> bool:
        """Pass over a broken value by its brackets without holding it; whether its end is there."""
        if self.peek() not in ("{", "[", '"'):
            return self._find(_SCALAR_END) != ""
        depth = 0
        while mark := self._find(_MARK):
            self.at += 1
            if mark == '"' and not self._pass_string():
                return False
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(mark, 0)
            if depth <= 0:
                return True
        return False

    def _find(self, pattern: re.Pattern[str]) -> str:
        """Stand at the next match, letting go of what comes before; empty when there is none."""
        while (match := pattern.search(self.text, self.at)) is None:
            self.at = len(self.text)
            if not self.more():
                return ""
        self.at = match.start()
        return match[0]

    def _pass_string(self) -> bool:
        """Stand behind the quote that ends the string; whether it is there."""
        while True:
            inside = _IN_STRING.match(self.text, self.at)
            assert inside is not None  # it matches nothing at all, too
            self.at = inside.end()
            if self.text.startswith('"', self.at):
                self.at += 1
                return True
            if not self.more():
                return False


def resources(chunks: Iterator[str], *, lines: bool) -> Iterator[Item]:
    """Every resource of a FHIR file in order, with its place, or the problem that stands there.

    Args:
        chunks: the text of the file, in pieces.
        lines: one JSON value a line (bulk export): a broken line costs only itself.
    """
    if lines:
        yield from _lines(chunks)
        return
    buffer = _Buffer(chunks)
    number = 0
    try:
        while first := buffer.peek():
            number += 1
            if first == "{":
                yield from _object(buffer, f"value {number}")
            elif first == "[":
                buffer.at += 1
                yield from _elements(buffer, "item")
            else:
                yield Item(f"value {number}", problem="neither an object nor a list")
                return
    except _EndOfInputError:
        yield Item("end of file", problem="the JSON is cut off")
    except _BrokenError as error:
        yield Item(f"value {number}", problem=str(error))


def looks_like_lines(head: str, name: str) -> bool:
    """Whether a file holds one JSON value a line: by its suffix, or by its first two lines."""
    if name.casefold().endswith((".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")):
        return True
    first, newline, rest = head.lstrip("\ufeff \t\r\n").partition("\n")
    if not newline or not first.startswith("{"):
        return False
    try:
        value = json.loads(first, strict=False)
    except (ValueError, RecursionError):
        return first.rstrip().endswith("}") and rest.lstrip().startswith('{"')
    return isinstance(value, dict)


def _lines(chunks: Iterator[str]) -> Iterator[Item]:
    for number, line in enumerate(_split_lines(chunks), 1):
        where = f"line {number}"
        if line is None:
            yield Item(where, problem=f"a value of more than {MAX_VALUE_CHARS >> 20} MB")
            continue
        text = line.strip(" \t\r\n\ufeff")
        if not text:
            continue
        try:
            value = _DECODER.decode(text)
        except json.JSONDecodeError as error:
            yield Item(where, problem=f"not JSON ({error.msg} at column {error.colno})")
        except RecursionError:
            yield Item(where, problem="nested too deeply")
        except ValueError:
            yield Item(where, problem="bad number")
        else:
            yield from _unfold(where, value)


def _split_lines(chunks: Iterator[str]) -> Iterator[str | None]:
    """Lines by their newline; None for one that is too long, which is not kept."""
    held: list[str] = []
    size = 0
    for chunk in chunks:
        *whole, rest = chunk.split("\n")
        for line in whole:
            yield "".join([*held, line]) if size + len(line) <= MAX_VALUE_CHARS else None
            held, size = [], 0
        size += len(rest)
        if size > MAX_VALUE_CHARS:
            held = []
        else:
            held.append(rest)
    if size:
        yield "".join(held) if size <= MAX_VALUE_CHARS else None


def _unfold(where: str, value: Any) -> Iterator[Item]:
    """A value as it is, or the resources of the bundle or list that it is."""
    if isinstance(value, dict) and value.get("resourceType") == "Bundle":
        value = value.get("entry", [])
        if not isinstance(value, list):
            yield Item(where, problem="a Bundle whose entry is not a list")
            return
        for number, entry in enumerate(value, 1):
            yield from _entry(f"{where}, entry {number}", entry)
    else:
        yield Item(where, value)


def _object(buffer: _Buffer, where: str) -> Iterator[Item]:
    """One top-level object: a resource, or a bundle whose entries come out one by one.

    A broken member costs the resource; beside a bundle's entries it costs only itself.
    """
    buffer.at += 1
    members: dict[str, Any] = {}
    streamed = broken = False
    while (mark := buffer.peek()) != "}":
        if mark == ",":
            buffer.at += 1
            continue
        key = buffer.value()
        if not isinstance(key, str) or buffer.peek() != ":":
            if not buffer.peek():
                raise _EndOfInputError
            raise _BrokenError("not JSON (a name and a colon are missing)")
        buffer.at += 1
        bundle = members.get("resourceType", "Bundle") == "Bundle"
        if key == "entry" and bundle and buffer.peek() == "[":
            buffer.at += 1
            streamed = True
            yield from _elements(buffer, "entry")
        else:
            try:
                members[key] = buffer.value()
            except _BrokenError as error:
                broken = True
                yield from _passed_over(buffer, where, error)
    buffer.at += 1
    if not streamed and not broken:
        yield from _unfold("resource", members)


def _elements(buffer: _Buffer, word: str) -> Iterator[Item]:
    """The elements of a list whose bracket is passed; a broken one costs only itself."""
    number = 0
    while (mark := buffer.peek()) != "]":
        if mark == ",":
            buffer.at += 1
            continue
        if mark == "}":
            raise _BrokenError("not JSON (a list closed by a brace)")
        number += 1
        where = f"{word} {number}"
        try:
            value = buffer.value()
        except _BrokenError as error:
            yield from _passed_over(buffer, where, error)
            continue
        if word == "entry":
            yield from _entry(where, value)
        else:
            yield from _unfold(where, value)
    buffer.at += 1


def _passed_over(buffer: _Buffer, where: str, error: _BrokenError) -> Iterator[Item]:
    yield Item(where, problem=str(error))
    if not buffer.skip():
        raise _EndOfInputError from error


def _entry(where: str, entry: Any) -> Iterator[Item]:
    """The resource of a bundle's entry; a request or a response may come without one."""
    if not isinstance(entry, dict):
        yield Item(where, problem="a bundle entry that is not an object")
        return
    url = entry.get("fullUrl")
    # Some exports leave the wrapper out and put the resource where its entry should be.
    resource = entry if "resourceType" in entry else entry.get("resource")
    if resource is None:
        if not {"request", "response"} & entry.keys():
            yield Item(where, problem="a bundle entry without a resource")
        return
    if isinstance(resource, dict) and resource.get("resourceType") == "Bundle":
        yield from _unfold(where, resource)  # a batch response holds a bundle in a bundle
    else:
        yield Item(where, resource, url=url if isinstance(url, str) else "")
