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
from aegle.packs.cybersecurity.readers.scan import (
    NO_OBJECT,
    RECORD_LIMIT,
    Element,
    Scanner,
    holds,
)

LINE_LIMIT: Final = RECORD_LIMIT
"""The longest line that is read, in bytes."""

_BLOCK: Final = 1 << 18
_SHOWN: Final = 5
_BOMS: Final = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


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
        if head.startswith(b"[") or b"\n" in head or len(head) > LINE_LIMIT:
            break
    first = head.split(b"\n", 1)[0].rstrip()
    by_line = head.startswith(b"{") and len(first) <= LINE_LIMIT and first.endswith(b"}")
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
        holder = next((k for k in value if holds(k) and _is_list(value[k])), None)
        if holder is None:
            yield number, value
        else:
            yield from enumerate(value[holder], 1)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _by_scan(source: Iterator[bytes], problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for number, (text, why) in enumerate(_elements(map(decoder.decode, source)), 1):
        value = None if why else parse(text)
        if isinstance(value, dict):
            yield number, value
        else:
            problems.note(why or NO_OBJECT, number)


def _elements(pieces: Iterator[str]) -> Iterator[Element]:
    scanner = Scanner()
    for piece in pieces:
        yield from scanner.feed(piece)
    yield from scanner.finish()
