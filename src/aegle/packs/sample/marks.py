"""Text that remembers its labels while it is written: gold spans exact by construction.

A label is wrapped around the characters that it is about, in private-use characters that no text
of the sample holds; `settle` takes them out and says where they stood. Labels survive whatever
happens around them: templates, JSON, CSV, copied paragraphs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_OPEN: Final = "\ue000"
_SEP: Final = "\ue001"
_CLOSE: Final = "\ue002"
_TOKEN: Final = re.compile(f"{_OPEN}([^{_SEP}]*){_SEP}|{_CLOSE}")


def _mark(label: str, text: str) -> str:
    return f"{_OPEN}{label}{_SEP}{text}{_CLOSE}"


def identifier(kind: str, text: str) -> str:
    """``text`` labelled as an identifier of a Safe Harbor class."""
    return _mark(f"i|{kind}", text)


def entity(kind: str, text: str, *, concept: str = "", assertion: str = "present") -> str:
    """``text`` labelled as an entity; ``concept`` is ``system:code`` or empty."""
    return _mark(f"e|{kind}|{concept}|{assertion}", text)


def related(kind: str, head: str, tail: str, text: str) -> str:
    """``text`` that states a relation: the first entity of type ``head`` in it to the first of
    type ``tail`` that is another one.
    """
    return _mark(f"r|{kind}|{head}|{tail}", text)


def evidence(key: str, text: str) -> str:
    """``text`` that proves the fact ``key`` (``infusion|4471233``); it may hold no identifier."""
    return _mark(f"v|{key}", text)


@dataclass(frozen=True, slots=True)
class Mark:
    """A label at characters [start, end) of settled text."""

    start: int
    end: int
    label: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """Text without its marks, and the marks sorted by place."""

    text: str
    marks: tuple[Mark, ...] = field(default=())

    def of(self, letter: str) -> list[Mark]:
        """The marks of one sort: ``i``, ``e``, ``r`` or ``v``."""
        return [mark for mark in self.marks if mark.label[0] == letter]


def settle(marked: str) -> Settled:
    """Take the marks out of a text.

    Raises:
        ValueError: a mark is opened and not closed, or the other way round.
    """
    parts: list[str] = []
    marks: list[Mark] = []
    open_marks: list[tuple[int, str]] = []
    length = at = 0
    for token in _TOKEN.finditer(marked):
        parts.append(marked[at : token.start()])
        length += token.start() - at
        at = token.end()
        if token.group(1) is not None:
            open_marks.append((length, token.group(1)))
            continue
        if not open_marks:
            raise ValueError("a mark is closed that was never opened")
        start, label = open_marks.pop()
        if start < length:
            marks.append(Mark(start, length, tuple(label.split("|"))))
    if open_marks:
        raise ValueError(f"{len(open_marks)} marks are opened and never closed")
    parts.append(marked[at:])
    return Settled("".join(parts), tuple(sorted(marks, key=lambda m: (m.start, -m.end, m.label))))


def plain(marked: str) -> str:
    """The text alone."""
    return settle(marked).text
