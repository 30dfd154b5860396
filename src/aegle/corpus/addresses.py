"""The parts of an address that a tagger tells apart, as the one thing that is replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

PARTS: Final = frozenset(("address", "place", "zip"))
"""Labels of what an address consists of; a country alone is no identifier, in an address it is."""

_GAP: Final = re.compile(r"(?!.*\n.*\n)[\s,;()>]{0,6}(?:-\s{0,2})?\Z", re.DOTALL)
"""A blank line ends an address."""

_FURTHER: Final = re.compile(r"(?i)(?:apt|apartment|suite|ste|unit|floor|fl|box|p\.?o|room|rm)\b|#")
"""How the second line of an address begins; another street with a number is another address."""

_CORNER: Final = re.compile(r"(?i)(?:\bthe\s{1,3})?\bcorner\s{1,3}of\s{1,3}\Z")
_AND: Final = re.compile(r"(?i)\s{1,3}(?:and|&)\s{1,3}\Z")


class Seen(Protocol):
    """What stands in [start, end) of a text, and with which probability: `lm.tagger.Found`."""

    @property
    def start(self) -> int:
        """Its first character."""

    @property
    def end(self) -> int:
        """After its last character."""

    @property
    def label(self) -> str:
        """The tagger's."""

    @property
    def score(self) -> float:
        """A probability."""


def whole(text: str, seen: Sequence[Seen]) -> Iterator[tuple[int, int, float]]:
    """Start, end and probability of each address of two or more parts, or at a corner.

    Args:
        seen: in order, without overlap. A chain begins at an ``address``.
    """
    at = 0
    while at < len(seen):
        first, last = seen[at], at
        corner = first.label == "address" and _CORNER.search(
            text[max(0, first.start - 24) : first.start]
        )
        if first.label == "address":
            while last + 1 < len(seen) and _joined(text, seen[last], seen[last + 1], bool(corner)):
                last += 1
        if corner or last > at:
            start = first.start - (len(corner[0]) if corner else 0)
            yield start, seen[last].end, max(one.score for one in seen[at : last + 1])
        at = last + 1


def _joined(text: str, one: Seen, other: Seen, corner: bool) -> bool:
    """Whether nothing but white space and commas, or the `and` of a corner, lies between."""
    gap = text[one.end : other.start]
    if corner and one.label == "address" and _AND.match(gap):
        return other.label in (*PARTS, "person")
    if other.label not in PARTS or not _GAP.match(gap):
        return False
    both = _is_street(text, one) and _is_street(text, other) and gap.strip(" ")
    return not both or _FURTHER.match(text, other.start) is not None


def _is_street(text: str, one: Seen) -> bool:
    """Whether it has a name and a number of its own."""
    written = text[one.start : one.end]
    return (
        one.label == "address" and any(map(str.isdigit, written)) and any(map(str.isalpha, written))
    )
