"""Whether what was found proves what is needed: by quote, by span, or by document."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from aegle.evaluate.questions import Passage

Documents = Callable[[str], Collection[str]]
"""The document that a question names (an id, or a path) -> ids of stored documents."""

Says = Callable[[str], Collection[str]]
"""A quote -> the ways in which the documents may say it, such as with surrogates for names."""


class Shown(Protocol):
    """Characters [start, end) of a document: a chunk, or a citation."""

    @property
    def document_id(self) -> str:
        """Whose characters."""

    @property
    def start(self) -> int:
        """The first."""

    @property
    def end(self) -> int:
        """Behind the last."""

    @property
    def text(self) -> str:
        """The characters."""


def fold(text: str) -> str:
    """Case and white space folded, so that wrapping does not hide a quote."""
    return " ".join(text.casefold().split())


def as_written(text: str) -> Collection[str]:
    """A quote said in no other way."""
    return (text,)


def proves(
    shown: Shown, passage: Passage, *, documents: Documents, says: Says = as_written
) -> bool:
    """Whether a piece of a document holds a passage, or an alternative of it.

    A quote must stand in it as a whole. Of a span at least half must, as a chunk may end within it.
    Of a whole document, any piece will do.
    """
    return any(_holds(shown, one, documents, says) for one in (passage, *passage.alternatives))


def _holds(shown: Shown, one: Passage, documents: Documents, says: Says) -> bool:
    if one.document and shown.document_id not in documents(one.document):
        return False
    if one.end:
        shared = min(shown.end, one.end) - max(shown.start, one.start)
        return 2 * shared >= one.end - one.start
    text = fold(shown.text)
    return not one.text or any(fold(quote) in text for quote in says(one.text))


def ranking(
    pieces: Sequence[Shown],
    passages: Sequence[Passage],
    *,
    documents: Documents,
    says: Says = as_written,
) -> list[list[int]]:
    """For each piece, best first, the places of the passages that it proves."""
    return [
        [
            n
            for n, passage in enumerate(passages)
            if proves(piece, passage, documents=documents, says=says)
        ]
        for piece in pieces
    ]


def gains(proved: Iterable[Sequence[int]], passages: Sequence[Passage]) -> Mapping[str, float]:
    """What each place of a ranking adds, and what it lacks: place, or ``-passage``, -> gain.

    A passage counts where it is first proved. Passages that one piece proves together stand
    together in the ideal ranking, too; those that nothing proves stand alone there. Where a piece
    proves one passage at most, this is the usual nDCG.
    """
    found: dict[str, float] = {}
    seen: set[int] = set()
    for place, numbers in enumerate(proved):
        new = set(numbers) - seen
        if new:
            found[str(place)] = sum(passages[n].grade for n in new)
        seen |= new
    missing = (n for n in range(len(passages)) if n not in seen)
    return found | {f"-{n}": passages[n].grade for n in missing}
