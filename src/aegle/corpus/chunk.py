"""Cuts documents into chunks that fit a budget, at the edges that their type has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from aegle.core.records import Chunk, Document, content_id
from aegle.lm.segment import sentences

_LINES: Final = re.compile(r"[^\n]+")
_PARAGRAPH: Final = re.compile(r"\n[ \t]*\n")
_BLANK: Final = re.compile(r"\s")
_REACH: Final = 200
"""Characters in which a blank is looked for where a unit has to be cut."""

_WIDEST: Final = 16
"""Characters of a token at most. Prose has four to five; for an encoder a word of a hundred letters
is one unknown token, and a chunk of such words would be of any length."""

_BY_LINE: Final = frozenset({"log", "event", "table"})

# A heading of a note (``Plan:``, ``PAST MEDICAL HISTORY``) or of a page (``## Plan``, numbered).
_NOTE_HEADING: Final = re.compile(
    r"^(?:#{1,6} \S[^\n]*|[ \t]{0,4}[A-Z][A-Za-z/&,()' -]{1,60}:[ \t]*$"
    r"|[ \t]{0,4}[A-Z][A-Z/&,()' -]{2,60}:?[ \t]*$|[ \t]{0,4}[A-Z][A-Z/& -]{2,40}:(?=[ \t]))",
    re.MULTILINE,
)
_PAGE_HEADING: Final = re.compile(
    r"^(?:#{1,6} \S[^\n]*|\d{1,2}(?:\.\d{1,2}){0,3}\.? [A-Z][^\n.]{2,80}$"
    r"|[A-Z][A-Z0-9/&,()' -]{3,80}$)",
    re.MULTILINE,
)

Unit = tuple[int, int, int]
"""Start, end and size of a piece that stays together."""


def chunk(
    doc: Document, *, budget: int, overlap: int, count: Callable[[str], int]
) -> tuple[Chunk, ...]:
    """Split a document at its sections, then sentences or lines, into chunks that fit.

    Args:
        budget: most that ``count`` may say of a chunk, >= 1; it also has at most `_WIDEST`
            characters for each.
        overlap: how much of the chunk before is repeated, less than ``budget``. It does not cross
            a section.
        count: the size of a text, such as its tokens; called about once for each sentence and
            chunk.

    Raises:
        ValueError: ``budget`` or ``overlap`` is out of range.
    """
    if not 0 <= overlap < budget:
        raise ValueError(f"chunks need 0 <= overlap < budget, got {overlap} and {budget}")
    made = []
    for start, end in _sections(doc):
        units = [
            piece
            for unit in _units(doc, start, end)
            for piece in _fitting(doc.text, *unit, budget, count)
        ]
        for first, last in _packed(doc.text, units, budget, overlap, count):
            text = doc.text.cut(first, last)
            id_ = content_id(doc.id, str(first), str(last))
            made.append(
                Chunk(
                    *(id_, doc.id, first, last, text, doc.title),
                    *(doc.kind, doc.domain, doc.group, doc.time),
                )
            )
    return tuple(made)


def _sections(doc: Document) -> Iterator[tuple[int, int]]:
    if doc.kind in _BY_LINE:
        yield 0, len(doc.text)
        return
    heading = _NOTE_HEADING if doc.kind in ("note", "ccda", "fhir", "hl7v2") else _PAGE_HEADING
    edges = [0]
    for match in heading.finditer(doc.text):
        # Headings in a row, or one with nothing under it, stay with what follows.
        if doc.text[edges[-1] : match.start()].strip() and not heading.fullmatch(
            doc.text[edges[-1] : match.start()].strip()
        ):
            edges.append(match.start())
    edges.append(len(doc.text))
    for start, end in pairwise(edges):
        if doc.text[start:end].strip():
            yield start, end


def _units(doc: Document, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Lines or sentences of [start, end), without the blanks around them."""
    text = doc.text[start:end]
    spans: Iterable[tuple[int, int]]
    if doc.kind in _BY_LINE:
        spans = ((m.start(), m.end()) for m in _LINES.finditer(text))
    else:
        spans = _filled(text, [(span.start, span.end) for span in sentences(text)])
    for a, b in spans:
        piece = text[a:b]
        if stripped := piece.strip():
            at = start + a + len(piece) - len(piece.lstrip())
            yield at, at + len(stripped)


def _filled(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The spans, and what lies between them, so that no character is lost."""
    at = 0
    for start, end in spans:
        if text[at:start].strip():
            yield at, start
        yield start, end
        at = end
    if text[at:].strip():
        yield at, len(text)


def _fitting(
    text: str, start: int, end: int, budget: int, count: Callable[[str], int]
) -> Iterator[Unit]:
    """The unit, or pieces of it that fit, cut at blanks where there are some.

    It is cut into as many pieces as its size calls for, so that a text is counted about twice,
    however long a unit it is.
    """
    waiting = [(start, end)]
    while waiting:
        start, end = waiting.pop()
        length = end - start
        # What is wider than any budget allows isn't worth counting.
        size = -(-length // _WIDEST) if length > budget * _WIDEST else count(text[start:end])
        if size <= budget or length == 1:
            yield start, end, size
            continue
        # A tenth more than needed: tokens are not spread evenly.
        parts = max(2, -(-size * 11 // (budget * 10)))
        edges, pieces = [start], []
        for number in range(1, min(parts, length)):
            cut = _edge(text, start + length * number // parts, reach=length // parts // 2)
            if edges[-1] < cut < end:
                edges.append(cut)
        for first, last in pairwise((*edges, end)):
            piece = text[first:last]
            if stripped := piece.strip():
                first += len(piece) - len(piece.lstrip())
                pieces.append((first, first + len(stripped)))
        waiting.extend(reversed(pieces))


def _edge(text: str, at: int, *, reach: int) -> int:
    """The blank nearest to ``at`` that is in reach, else ``at``."""
    reach = min(reach, _REACH)
    after = _BLANK.search(text, at, at + reach)
    before = max(text.rfind(sign, at - reach, at) for sign in " \n\t")
    if after and (before < 0 or after.start() - at <= at - before):
        return after.start()
    return before if before >= 0 else at


def _packed(
    text: str, units: Sequence[Unit], budget: int, overlap: int, count: Callable[[str], int]
) -> Iterator[tuple[int, int]]:
    """Runs of units that fit. Sizes of parts only nearly add up, so the whole is counted, too."""
    first, room = 0, budget * _WIDEST
    while first < len(units):
        last, total = first, units[first][2]
        while (
            last + 1 < len(units)
            and total + units[last + 1][2] <= budget
            and units[last + 1][1] - units[first][0] <= room
        ):
            last += 1
            total += units[last][2]
        while last > first and count(text[units[first][0] : units[last][1]]) > budget:
            last -= 1
        yield units[first][0], units[last][1]
        following = last + 1
        back, repeated = following, 0
        # The next chunk must reach further than this one, so at least its own unit has to fit.
        while (
            following < len(units)
            and back - 1 > first
            and repeated + units[back - 1][2] <= min(overlap, budget - units[following][2])
        ):
            back -= 1
            repeated += units[back][2]
        first = back
        if (
            back < following
            and following < len(units)
            and (
                units[following][1] - units[back][0] > room
                or count(text[units[back][0] : units[following][1]]) > budget
            )
        ):
            first = following
