"""Context within a budget of tokens: whole sentences, each with the characters that it cites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.records import Chunk, Citation, Span
from aegle.core.text import SafeText
from aegle.lm.segment import sentences

_AGAIN: Final = 0.8
"""What a further sentence of a document is worth against the one before it: documents take turns
unless one is much better."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters [start, end) of a document: one sentence, and where its chunk stood."""

    document_id: str
    start: int
    end: int
    text: SafeText
    rank: int

    @property
    def citation(self) -> Citation:
        """The piece as an answer cites it."""
        return Citation(self.document_id, self.start, self.end, self.text)


def pieces(chunks: Sequence[Chunk]) -> list[Piece]:
    """The sentences of chunks, best chunk first; what overlapping chunks share stands once."""
    found: list[Piece] = []
    taken: dict[str, list[Span]] = {}
    for rank, chunk in enumerate(chunks):
        before = taken.setdefault(chunk.document_id, [])
        own = []
        for span in sentences(chunk.text):
            start, end = chunk.start + span.start, chunk.start + span.end
            if any(start < other.end and other.start < end for other in before):
                continue
            own.append(Span(start, end))
            text = chunk.text.cut(span.start, span.end)
            found.append(Piece(chunk.document_id, start, end, text, rank))
        before += own
    return found


def compress(
    chunks: Sequence[Chunk],
    *,
    budget: int,
    count: Callable[[str], int],
    relevance: Callable[[Sequence[str]], Sequence[float]],
) -> list[Piece]:
    """The sentences that say most about a question, within ``budget`` tokens together.

    The best sentence comes first; what a document has already given lowers what more of it is
    worth, so that several documents speak. The order of choice does not depend on the budget and
    ends at the first sentence that does not fit: a larger budget keeps all that a smaller one kept.

    Args:
        chunks: best first.
        budget: most tokens; 0 for nothing.
        count: tokens of a text.
        relevance: sentences -> how well each speaks of the question, in [0, 1].

    Returns:
        Whole sentences in reading order: documents as their first chunk came, then by place.
    """
    every = pieces(chunks)
    if not every or budget < 1:
        return []
    worth = np.asarray(relevance([one.text for one in every]), np.float64)
    spent = 0

    def fits(place: int) -> bool:
        nonlocal spent
        spent += count(every[place].text)
        return spent <= budget

    kept = [every[place] for place in takewhile(fits, _by_turns(every, worth))]
    first: dict[str, int] = {}
    for one in every:
        first.setdefault(one.document_id, one.rank)
    return sorted(kept, key=lambda one: (first[one.document_id], one.document_id, one.start))


def _by_turns(every: Sequence[Piece], worth: NDArray[np.float64]) -> list[int]:
    """Places in the order in which they are chosen."""
    left = np.ones(len(every), bool)
    share = np.ones(len(every))
    documents = np.array([one.document_id for one in every])
    order: list[int] = []
    for _ in every:
        best = int(np.argmax(np.where(left, worth * share, -np.inf)))
        left[best] = False
        share[documents == documents[best]] *= _AGAIN
        order.append(best)
    return order
