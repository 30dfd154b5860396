"""One HL7 v2 message, parsed by python-hl7, read without trust: what is absent is empty.

Escapes are decoded here: the library's own ``unescape`` writes the field into the log when it
meets a bad one, and repeats a formatting command as often as a message asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import hl7  # type: ignore[import-untyped]  # the package ships no types

from aegle.packs.healthcare.readers.builder import plain, squeeze

_BREAKS: Final = ("br", "sp", "ce")
_MAX_SPACES: Final = 40


class UnreadableError(Exception):
    """A message that can't be parsed; the text is the reason, without content."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment: its name, and its fields as their repetitions (none empty) of components."""

    name: str
    fields: tuple[tuple[tuple[tuple[str, ...], ...], ...], ...]

    def repeats(self, field: int) -> tuple[tuple[tuple[str, ...], ...], ...]:
        """The repetitions of a field, each a tuple of components of subcomponents."""
        return self.fields[field] if field < len(self.fields) else ()

    def get(self, field: int, component: int = 1, repeat: int = 0) -> str:
        """The first subcomponent of a component, counted from 1; empty when absent."""
        found = self.repeats(field)
        if repeat >= len(found) or component > len(found[repeat]):
            return ""
        return squeeze(next(iter(found[repeat][component - 1]), ""))

    def text(self, field: int) -> str:
        """All repetitions of a text field, line breaks kept."""
        lines = (
            " ".join(sub for part in one for sub in part if sub) for one in self.repeats(field)
        )
        return plain("\n".join(line for line in lines if line.strip())).strip()


@dataclass(frozen=True, slots=True)
class Message:
    """A message as its segments in order."""

    segments: tuple[Segment, ...]

    def all(self, name: str) -> Iterator[Segment]:
        """The segments of a name."""
        return (one for one in self.segments if one.name == name)

    def first(self, name: str, field: int, component: int = 1) -> str:
        """A component of the first segment of a name; empty when absent."""
        segment = next(self.all(name), None)
        return segment.get(field, component) if segment else ""

    @property
    def kind(self) -> str:
        """``ADT^A01``; empty when the header doesn't say."""
        parts = (self.first("MSH", 9), self.first("MSH", 9, 2))
        return "^".join(part for part in parts if re.fullmatch(r"[A-Za-z0-9_]{1,10}", part))

    @property
    def group(self) -> str:
        """``patient/ID`` by PID-3 (else PID-2, PID-4); of several ids the medical record number."""
        pid = next(self.all("PID"), None)
        if pid is None:
            return ""
        for field in (3, 2, 4):
            ids = [
                (pid.get(field, 1, n), pid.get(field, 5, n)) for n in range(len(pid.repeats(field)))
            ]
            ids = [one for one in ids if one[0] and one[1] != "SS"]
            ids.sort(key=lambda one: one[1] not in ("MR", "MRN"))
            if ids:
                return f"patient/{ids[0][0]}"
        return ""


def parse_message(raw: str) -> Message:
    """Parse a message whose segments end with carriage returns.

    Raises:
        UnreadableError: it does not begin with a usable MSH segment.
    """
    if raw[:3] != "MSH":
        raise UnreadableError("no MSH segment at its beginning")
    separator = raw[3:4]
    end = raw.find(separator, 4) if separator else -1
    marks = raw[3:end] if end > 0 else ""
    if not separator or separator.isalnum() or len(marks) < 2 or len(set(marks)) != len(marks):
        raise UnreadableError("MSH-1 and MSH-2 name no usable separators")
    if any(mark.isalnum() or mark.isspace() for mark in marks):
        raise UnreadableError("MSH-1 and MSH-2 name letters as separators")
    if "\rZZZ|too long" in raw:
        raise UnreadableError("longer than 16 million characters")
    try:
        parsed = hl7.parse(raw)
    except (hl7.HL7Exception, ValueError, IndexError, KeyError, RecursionError) as error:
        raise UnreadableError(f"not HL7 v2 ({type(error).__name__})") from error
    escapes = _Escapes(marks)
    return Message(tuple(_segment(one, escapes) for one in parsed if one))


class _Escapes:
    """Decodes escape sequences by a message's own separators."""

    def __init__(self, marks: str) -> None:
        defaults = "|^~\\&"
        chars = marks[:5] + defaults[len(marks[:5]) :]
        self._mark = chars[3]
        self._letters = dict(zip("FSRET", chars, strict=True))
        mark = re.escape(self._mark)
        self._pattern = re.compile(f"{mark}([^{mark}\r\n]{{0,40}}){mark}")

    def decode(self, text: str) -> str:
        """The text meant; a sequence that means nothing here (a font, a charset) is left out."""
        return self._pattern.sub(self._one, text) if self._mark in text else text

    def _one(self, match: re.Match[str]) -> str:
        body = match[1]
        if body in self._letters:
            return self._letters[body]
        if body[:1] == "X":
            try:
                return bytes.fromhex(body[1:]).decode("utf-8", "replace")
            except ValueError:
                return ""
        if body[:1] == ".":
            if body[1:3] in _BREAKS:
                return "\n"
            count = re.sub(r"\D", "", body)
            return (
                " " * min(int(count or 1), _MAX_SPACES) if body[1:3] in ("in", "ti", "sk") else ""
            )
        if body in ("H", "N") or re.match(r"[CMZ]", body):
            return ""
        return match[0]  # a lone escape character in text, as in a path


def _segment(parsed: Any, escapes: _Escapes) -> Segment:
    # Index 0 is the name, so that field n is at index n; the library counts MSH-1 so, too.
    return Segment(str(parsed[0])[:3], ((), *(_field(one, escapes) for one in parsed[1:])))


def _field(field: Any, escapes: _Escapes) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """Repetitions of components of subcomponents, at whatever depth the library stopped."""
    if isinstance(field, str):
        return (((escapes.decode(field),),),) if field else ()
    found = (_repetition(one, escapes) for one in field)
    return tuple(one for one in found if any(any(sub) for sub in one))


def _repetition(repetition: Any, escapes: _Escapes) -> tuple[tuple[str, ...], ...]:
    if isinstance(repetition, str):
        return ((escapes.decode(repetition),),)
    return tuple(
        (escapes.decode(one),)
        if isinstance(one, str)
        else tuple(escapes.decode(str(sub)) for sub in one)
        for one in repetition
    )
