"""What extractors find before it becomes an entity, and which of two that overlap stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aegle.core.records import Concept

SOURCE: Final = "source/1"
PATTERN: Final = "pattern/1"
LEXICON: Final = "lexicon/1"
RULE: Final = "rule/1"

_RANK: Final = {SOURCE: 0, PATTERN: 1, LEXICON: 2}


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters [start, end) that name something; ``mention`` is its place in the document's."""

    start: int
    end: int
    type: str
    concepts: tuple[Concept, ...]
    key: str
    score: float
    extractor: str
    assertion: str = "present"
    time: str = ""
    mention: int | None = None


def without_overlaps(pieces: Iterable[Piece]) -> list[Piece]:
    """The pieces that stay, in the order of the text.

    All that the source states stays, even nested; of the others, the better kind, then the longer,
    then the surer, then the earlier.
    """
    ordered = sorted(
        pieces,
        key=lambda p: (_RANK[p.extractor], p.start - p.end, -p.score, p.start, p.type, p.key),
    )
    taken: set[int] = set()
    kept = []
    for piece in ordered:
        if piece.extractor != SOURCE and not taken.isdisjoint(range(piece.start, piece.end)):
            continue
        taken.update(range(piece.start, piece.end))
        kept.append(piece)
    return sorted(kept, key=lambda p: (p.start, p.end, p.type, p.key, p.mention or 0))
