"""Head nouns: what the noun right after a finding makes of it; ``diabetes clinic`` is no diabetes.

English puts the modifier first, so a finding is named in the name of a place, a test or a vaccine
without being said of anybody. Findings joined to such a name share its head: ``depression and
anxiety screening``.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aegle.core.pack import Cue
from aegle.core.records import Span
from aegle.facts.words import Phrases, Words

_ADJACENT: Final = re.compile(r"[ \t]+|-")
"""Between a name and its head; a new line begins something new."""
_JOINED: Final = re.compile(r"[ \t]*(?:and|or|&|/)[ \t]*")


@dataclass(frozen=True, slots=True)
class Head:
    """A head's cue, and where the name that it makes ends; ``shared`` with a name further on."""

    cue: Cue
    end: int
    shared: bool = False


def heads_of(split: Words, phrases: Phrases[Cue], spans: Sequence[Span]) -> list[Head | None]:
    """The head of each name, none for most.

    Args:
        split: the text's words.
        phrases: the heads there are.
        spans: the names, in order, none overlapping another.
    """
    found: list[Head | None] = []
    right: tuple[Span, Head] | None = None
    for span in reversed(spans):
        head = _after(split, phrases, span)
        if head is None and right is not None:
            between = split.text[span.end : right[0].start]
            if _JOINED.fullmatch(between):
                head = Head(right[1].cue, span.end, shared=True)
        found.append(head)
        own = head or _inside(split, phrases, span)
        right = (span, own) if own else None
    return found[::-1]


def _after(split: Words, phrases: Phrases[Cue], span: Span) -> Head | None:
    at = bisect_left(split.starts, span.end)
    if at == len(split):
        return None
    # A sign is a head where it touches the name: "pneumonia?", and not "pain ?PE".
    between = split.text[span.end : split.starts[at]]
    if between and not (split.keys[at][0].isalnum() and _ADJACENT.fullmatch(between)):
        return None
    for n, cue in phrases.at(split.keys, at):
        told = cue.assertion or cue.type
        return Head(cue, split.ends[at + n - 1]) if told else None
    return None


def _inside(split: Words, phrases: Phrases[Cue], span: Span) -> Head | None:
    """The head that a name ends in itself, as terminologies have it: ``pneumococcal vaccine``."""
    last = bisect_left(split.starts, span.end)
    for first in range(max(last - 3, 0), last):
        for n, cue in phrases.at(split.keys, first):
            if first + n == last and split.starts[first] > span.start:
                return Head(cue, span.end)
    return None
