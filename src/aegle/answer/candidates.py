"""Candidate sentences of the hits, with what they name and the heading that they stand under."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aegle.answer.concepts import content_words, is_known, stem
from aegle.core.records import Chunk, Span
from aegle.lm.segment import sentences

_PARTS: Final = re.compile(r"[A-Za-z0-9]+")
_FINDINGS: Final = frozenset({"condition", "symptom"})
_HEADING: Final = re.compile(r"#+ .+|[^\n]{1,60}:")
"""Lines that only announce what comes; they answer nothing."""

_TITLED: Final = re.compile(r"\A[A-Z][^.;:!?\n]{2,50}\n\n")
_RECORD: Final = re.compile(r"(?:[\w .-]{1,40}: [^\n;]{0,80}(?:\n|$)){2,12}")
_MOST_MARKS: Final = 60
"""Entities of a sentence that are looked at."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An entity at characters [start, end) of a document."""

    start: int
    end: int
    type: str
    key: str
    sure: bool = True
    """Whether it is said to be so: not denied, only possible, or of the family."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence of a chunk, with its characters in the document and what it names."""

    chunk: Chunk
    start: int
    end: int
    text: str
    words: frozenset[str]
    near: frozenset[str]
    rank: int
    marks: tuple[Mark, ...] = ()
    heading: str = ""
    is_heading: bool = False


def candidates(
    chunks: Sequence[Chunk],
    marks: Mapping[str, Sequence[Mark]],
    *,
    said: Collection[str] = (),
    most: int = 400,
) -> list[Candidate]:
    """The sentences of chunks, best chunk first, at most ``most``, without repeats.

    Args:
        marks: document id -> its entities, in order.
        said: the words of the question, stemmed.
    """
    found: list[Candidate] = []
    seen: set[tuple[str, str]] = set()
    for rank, chunk in enumerate(chunks):
        title = frozenset(content_words(chunk.title))
        near = title | frozenset(content_words(chunk.text[:80].split("\n", 1)[0]))
        own = marks.get(chunk.document_id, ())
        starts = [mark.start for mark in own]
        heading = ""
        for span in _spans(chunk):
            text = chunk.text[span.start : span.end].rstrip()
            is_heading = _HEADING.fullmatch(text) is not None
            if is_heading or _TITLED.match(chunk.text[span.start : span.end + 2]):
                heading = text
            key = " ".join(_PARTS.findall(text.casefold()))
            if (" " not in key and not is_known(stem(key))) or (key, chunk.group) in seen:
                continue
            seen.add((key, chunk.group))
            start = chunk.start + span.start
            end = start + len(text)
            at = bisect_left(starts, start)
            here = tuple(mark for mark in own[at : at + _MOST_MARKS] if mark.end <= end)
            words = frozenset(content_words(_heads_only(text, start, here, said)))
            around = near | frozenset(content_words(heading)) if heading else near
            found.append(
                Candidate(chunk, start, end, text, words, around, rank, here, heading, is_heading)
            )
            if len(found) == most:
                return found
    return found


def _spans(chunk: Chunk) -> Sequence[Span]:
    """The sentences of a chunk; the fields of a table's record are one."""
    if chunk.kind == "table" and _RECORD.fullmatch(chunk.text.rstrip()):
        return [Span(0, len(chunk.text.rstrip()))]
    return sentences(chunk.text)


def _heads_only(text: str, start: int, marks: Sequence[Mark], said: Collection[str]) -> str:
    """A sentence without words that only modify a finding: ``weight loss`` is no weight.

    A finding that the question names in full keeps its words.
    """
    for mark in reversed(marks):
        first, last = mark.start - start, mark.end - start
        name = text[first:last]
        if mark.type in _FINDINGS and " " in name and not set(content_words(name)) <= set(said):
            text = f"{text[:first]}{name.rsplit(' ', 1)[1]}{text[last:]}"
    return text
