"""Merging: of candidates that overlap, which stays; what the source states stands."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from aegle.core.records import Concept
from aegle.facts.made import LEXICON, PATTERN

FIRM: Final = 0.75
"""A tagger's span that is less probable does not push aside a shorter name that is known."""

_CONTAINERS: Final = frozenset({"event", "encounter", "rule", "detection"})
"""Types whose mentions span whole records, with other entities inside."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Characters [start, end) that may be an entity."""

    start: int
    end: int
    type: str
    key: str
    concepts: tuple[Concept, ...]
    score: float
    extractor: str

    @property
    def known(self) -> bool:
        """Whether a terminology or a shape vouches for it, and not a model."""
        return self.extractor in (LEXICON, PATTERN)


def without_overlap(offered: Iterable[Candidate], stated: Sequence[Candidate]) -> list[Candidate]:
    """The candidates that stand beside what is stated, in order of their start.

    The longest stays; of equal length what is known before what a model found, then the surest. A
    shape is exact, so a model's span gives way to every shape that it touches; and a span that the
    model is not sure of gives way to every known name.
    """
    kept = _Line()
    fixed = sorted(stated, key=lambda one: one.start)
    firm = [one for one in fixed if one.type not in _CONTAINERS]
    firm_starts = [one.start for one in firm]
    reach = max((one.end - one.start for one in firm), default=0)
    every = sorted(
        offered, key=lambda one: (one.start - one.end, not one.known, -one.score, one.start)
    )
    shapes = _Line()
    for one in every:
        if one.extractor == PATTERN:
            shapes.add(one)
    late: list[Candidate] = []
    for one in every:
        near = firm[bisect_left(firm_starts, one.start - reach) : bisect_left(firm_starts, one.end)]
        if any(_gives_way(one, other) for other in near):
            continue
        if one.known or (one.score >= FIRM and shapes.free(one)):
            kept.add(one)
        elif shapes.free(one):
            late.append(one)
    for one in late:
        kept.add(one)
    return kept.candidates


class _Line:
    """Candidates in order of their start, none overlapping another."""

    def __init__(self) -> None:
        self.candidates: list[Candidate] = []
        self._starts: list[int] = []

    def free(self, one: Candidate) -> bool:
        """Whether nothing stands on a candidate's characters."""
        at = bisect_right(self._starts, one.start)
        if at and self.candidates[at - 1].end > one.start:
            return False
        return at == len(self.candidates) or self.candidates[at].start >= one.end

    def add(self, one: Candidate) -> None:
        """Put a candidate in its place if it is free."""
        if self.free(one):
            at = bisect_right(self._starts, one.start)
            self._starts.insert(at, one.start)
            self.candidates.insert(at, one)


def _gives_way(one: Candidate, stated: Candidate) -> bool:
    """A found candidate yields to a stated one, unless it is a shape of another type inside it."""
    if stated.end <= one.start or one.end <= stated.start:
        return False
    inside = stated.start <= one.start and one.end <= stated.end
    smaller = one.end - one.start < stated.end - stated.start
    return not (inside and smaller and one.extractor == PATTERN and one.type != stated.type)
