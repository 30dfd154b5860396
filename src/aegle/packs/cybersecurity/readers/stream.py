"""Bytes to lines and to JSON objects in bounded memory; what is unreadable is noted, not fatal."""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from aegle.core.errors import InputError
from aegle.core.pack import Origin

LINE_LIMIT: Final = 16 << 20
"""The longest line or JSON object that is read, in bytes or characters."""

_BLOCK: Final = 1 << 18
_SHOWN: Final = 5
_PROBE: Final = 1 << 20
_PIECES: Final = 32
_DEEPEST: Final = 500
_BOMS: Final = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\]]', re.DOTALL)
_HOLDERS: Final = frozenset(
    '"objects" "vulnerabilities" "Records" "records" "events" "Events" "hits" "logs" "data" '
    '"items" "value" "results" "entries" "cves"'.split()
)


class Problems:
    """What could not be read of one stream: counts and line numbers, never content."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._where: dict[str, list[int]] = {}
        self._counts: dict[str, int] = {}
        self._fatal: Exception | None = None

    def note(self, reason: str, number: int) -> None:
        """Remember that line or record ``number`` was left out for ``reason``."""
        self._counts[reason] = self._counts.get(reason, 0) + 1
        shown = self._where.setdefault(reason, [])
        if len(shown) < _SHOWN:
            shown.append(number)

    def stop(self, error: Exception) -> None:
        """Remember that the stream itself broke off."""
        self._fatal = error

    def check(self) -> None:
        """Say what was left out; called when all that could be read has been yielded.

        Raises:
            InputError: something was left out.
        """
        said = []
        for reason, count in self._counts.items():
            shown = ", ".join(map(str, self._where[reason]))
            more = ", ..." if count > _SHOWN else ""
            said.append(f"{count} {reason} (at {shown}{more})")
        if isinstance(self._fatal, InputError) and not said:
            raise self._fatal
        if self._fatal is not None:
            cause = self._fatal
            text = str(cause) if isinstance(cause, InputError) else type(cause).__name__
            said.append(f"the stream broke off: {text}")
        if said:
            raise InputError(f"{self._origin}: " + "; ".join(said)) from self._fatal


def blocks(stream: BinaryIO, problems: Problems) -> Iterator[bytes]:
    """Blocks of UTF-8 (UTF-16 with a byte order mark is recoded), until the end or a failure."""
    decoder: codecs.IncrementalDecoder | None = None
    first = True
    while True:
        try:
            block = stream.read(_BLOCK)
        except (InputError, OSError, EOFError, zlib.error) as error:
            problems.stop(error)
            return
        if first and block:
            first = False
            for mark, name in _BOMS:
                if block.startswith(mark):
                    decoder = codecs.getincrementaldecoder(name)("replace")
                    block = block[2:]
            block = block.removeprefix(codecs.BOM_UTF8)
            if not block:
                continue
        if not block:
            return
        yield decoder.decode(block).encode("utf-8", "replace") if decoder else block


def lines(stream: BinaryIO, problems: Problems) -> Iterator[tuple[int, str]]:
    """Lines with their numbers from 1, without line ends; one that is too long is left out."""
    number, rest, skipping = 0, b"", False
    for block in blocks(stream, problems):
        parts = block.split(b"\n")
        if len(parts) == 1:
            rest = b"" if skipping else rest + block
            if len(rest) > LINE_LIMIT:
                rest, skipping = b"", True
            continue
        parts[0] = rest + parts[0]
        rest = parts.pop()
        for part in parts:
            number += 1
            if skipping or len(part) > LINE_LIMIT:
                problems.note("lines longer than 16 MiB", number)
                skipping = False
            else:
                yield number, decode(part)
    if skipping:
        problems.note("lines longer than 16 MiB", number + 1)
    elif rest:
        yield number + 1, decode(rest)


def decode(line: bytes) -> str:
    """A line's text: UTF-8, else Windows-1252, so that no byte is an error."""
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace").rstrip("\r\n")


def parse(text: str) -> Any:
    """A JSON value whose strings can be stored, or None where the text is none.

    Nesting so deep that it exhausts the parser counts as none.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _storable(value) if "\\ud" in text or "\\uD" in text else value


def _storable(value: Any) -> Any:
    """The value with lone surrogates replaced; only called where an escape might be one."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


def objects(stream: BinaryIO, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    """JSON objects with their line or record number.

    Reads JSON lines, one object, an array of objects, and an object that holds such an array
    (a STIX bundle, a KEV catalogue) without holding more than one element of it.
    """
    source = blocks(stream, problems)
    head = b""
    for block in source:
        head = (head + block).lstrip()
        if head.startswith(b"[") or b"\n" in head or len(head) > _PROBE:
            break
    first = head.split(b"\n", 1)[0].rstrip()
    by_line = head.startswith(b"{") and len(first) <= _PROBE and first.endswith(b"}")
    if by_line or not head.startswith((b"{", b"[")):
        yield from _by_line(_joined(head, source), problems)
    else:
        yield from _by_scan(_joined(head, source), problems)


def _joined(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from rest


class _Feed:
    """A stream over blocks that were already begun."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source

    def read(self, _size: int = -1) -> bytes:
        return next(self._source, b"")


def _by_line(source: Iterator[bytes], problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in lines(_Feed(source), problems):  # type: ignore[arg-type]
        if not line.strip():
            continue
        value = parse(line)
        if not isinstance(value, dict):
            problems.note("lines are no JSON objects", number)
            continue
        holder = next((k for k in value if f'"{k}"' in _HOLDERS and _is_list(value[k])), None)
        if holder is None:
            yield number, value
        else:
            yield from enumerate(value[holder], 1)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _by_scan(source: Iterator[bytes], problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    scanner, number = _Scanner(), 0
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for block in source:
        for text in scanner.feed(decoder.decode(block)):
            number += 1
            value = parse(text)
            if isinstance(value, dict):
                yield number, value
            else:
                problems.note("records are no JSON objects", number)
        if scanner.failed:
            problems.note(scanner.failed, number + 1)
            return
    if scanner.unfinished:
        problems.note("records are cut off", number + 1)


class _Scanner:
    """Cuts the objects out of a JSON text that arrives in pieces, by its brackets alone.

    An element is an object inside the top array, or inside an array that the top object holds
    under a known name; a top object without such an array is an element itself.
    """

    def __init__(self) -> None:
        self.failed = ""
        self._text = ""
        self._more: list[str] = []
        self._in_string = False
        self._at = 0
        self._stack: list[str] = []
        self._start = -1
        self._inside = 0
        self._holder = False
        self._last = ""

    @property
    def unfinished(self) -> bool:
        return bool(self._stack)

    def feed(self, more: str) -> Iterator[str]:
        """The elements that end in this piece."""
        if self._in_string and '"' not in more and len(self._more) < _PIECES:
            self._more.append(more)  # the string goes on: reading it anew would be quadratic
            return
        self._text += "".join(self._more) + more
        self._more, self._in_string = [], False
        for token in _TOKEN.finditer(self._text, self._at):
            found = token.group()
            if found == '"':
                self._at, self._in_string = token.start(), True
                break
            self._at = token.end()
            if found[0] == '"':
                if len(self._stack) == 1:
                    self._last = found
            elif found in "{[":
                self._open(found, token.start())
                if self.failed:
                    return
            elif self._stack:
                yield from self._close(token.end())
        else:
            self._at = len(self._text)
        keep = self._at if self._start < 0 else self._start
        if len(self._text) - keep > LINE_LIMIT:
            self.failed = "records are longer than 16 MiB"
        self._text = self._text[keep:]
        self._at -= keep
        self._start = min(self._start, 0)

    def _open(self, bracket: str, at: int) -> None:
        depth = len(self._stack)
        if depth >= _DEEPEST:
            self.failed = "records are nested deeper than 500"
            return
        if bracket == "[" and depth == 1 and self._stack[0] == "{" and self._last in _HOLDERS:
            self._holder, self._start = True, -1
        if bracket == "{" and self._start < 0 and (depth == 0 or self._in_array(depth)):
            self._start, self._inside = at, depth
        self._stack.append(bracket)

    def _in_array(self, depth: int) -> bool:
        return self._stack[-1] == "[" and (depth == 1 or (depth == 2 and self._holder))

    def _close(self, end: int) -> Iterator[str]:
        self._stack.pop()
        depth = len(self._stack)
        if depth == 1:
            self._holder = False
        if self._start >= 0 and depth == self._inside:
            yield self._text[self._start : end]
            self._start = -1
