"""Texts as word pieces in overlapping windows, with the words that they belong to.

A *word* here is what the tokenizer splits at first: a run of letters and digits, or one
punctuation mark. Labels are decided by word, at its first piece.

Letters: W words, P pieces of a text, S pieces of a window.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

Ints = NDArray[np.int64]

CASES: Final = ("special", "lower", "title", "upper", "mixed", "number", "code", "other")
"""How a word is written: the packaged encoders are uncased, and names live by their capitals.
``code`` mixes letters and digits."""

_LONE: Final = re.compile("[\ud800-\udfff]")
"""Halves of characters, which no tokenizer takes; `aegle.corpus.clean` puts the same sign there."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text's pieces.

    Attributes:
        ids_P: token ids, without special tokens.
        first_W: where each word's first piece stands.
        spans_W2: characters of each word.
        cases_P: each piece's word's place in `CASES`.
    """

    ids_P: Ints
    first_W: Ints
    spans_W2: Ints
    cases_P: Ints


@dataclass(frozen=True, slots=True)
class Window:
    """Pieces [start, end) of a text, without special tokens."""

    text: int
    start: int
    end: int


def blocks(text: str, *, size: int) -> Iterator[tuple[int, int]]:
    """Characters [start, end) of parts of at most ``size`` that make up a text.

    Each ends after an empty line, else a line, else a space of its second half, else anywhere. A
    text of no characters is one part.
    """
    start = 0
    while len(text) - start > size:
        end = start + size
        for mark in ("\n\n", "\n", " "):
            at = text.rfind(mark, start + size // 2, end)
            if at >= 0:
                end = at + len(mark)
                break
        yield start, end
        start = end
    yield start, len(text)


def pieces(tokenizer: Tokenizer, texts: Sequence[str]) -> list[Pieces]:
    """The pieces of each text; half a character counts as one that is not known."""
    found = []
    texts = [_LONE.sub("\ufffd", text) for text in texts]
    for text, one in zip(
        texts, tokenizer.encode_batch(texts, add_special_tokens=False), strict=True
    ):
        words = np.array([-1 if w is None else w for w in one.word_ids], np.int64)
        starts = np.flatnonzero(np.diff(words, prepend=-2) != 0)
        ends = np.append(starts[1:], len(words))
        offsets = np.array(one.offsets, np.int64).reshape(-1, 2)
        if len(words):
            spans = np.stack([offsets[starts, 0], offsets[ends - 1, 1]], 1)
        else:
            spans = np.zeros((0, 2), np.int64)
        cases = np.array([case(text[a:b]) for a, b in spans], np.int64)
        repeated = np.repeat(cases, ends - starts) if len(words) else cases
        found.append(Pieces(np.array(one.ids, np.int64), starts, spans, repeated))
    return found


def case(word: str) -> int:
    """The place in `CASES` of how a word is written."""
    letters = any(map(str.isalpha, word))
    digits = any(map(str.isdigit, word))
    if letters and digits:
        name = "code"
    elif digits:
        name = "number"
    elif not letters:
        name = "other"
    elif word.islower():
        name = "lower"
    elif word.isupper():
        name = "upper" if len(word) > 1 else "title"
    else:
        name = "title" if word[0].isupper() and word[1:].islower() else "mixed"
    return CASES.index(name)


def windows(texts: Sequence[Pieces], *, size: int, overlap: int) -> Iterator[Window]:
    """Windows of at most ``size`` pieces that cover each text, cut before words.

    Neighbouring windows share at least ``overlap`` pieces where words allow it. A word longer than
    a window is cut inside.

    Args:
        texts: their pieces.
        size: most pieces, >= 2.
        overlap: fewer than ``size``.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"an overlap is at least 0 and less than the size, got {overlap}, {size}")
    for number, one in enumerate(texts):
        start, total = 0, len(one.ids_P)
        while start < total:
            end = min(start + size, total)
            if end < total:
                end = _word_before(one.first_W, end, after=start)
            yield Window(number, start, end)
            if end == total:
                break
            back = _word_before(one.first_W, max(end - overlap, start + 1), after=start)
            start = back if start < back < end else end


def _word_before(first_W: Ints, place: int, *, after: int) -> int:
    """The last word's start at or before ``place`` and after ``after``; ``place`` if none."""
    at = int(np.searchsorted(first_W, place, side="right")) - 1
    found = int(first_W[at]) if at >= 0 else 0
    return found if found > after else place


def owners(texts: Sequence[Pieces], cut: Sequence[Window]) -> list[Ints]:
    """For each window the pieces, counted within it, whose word it decides.

    Where windows overlap a word belongs to the one in which it stands farther from an edge, so
    that one text gets one decision for each word, whatever its length.
    """
    best = [np.full(len(one.ids_P), -1, np.int64) for one in texts]
    depth = [np.full(len(one.ids_P), -1, np.int64) for one in texts]
    for number, window in enumerate(cut):
        at = np.arange(window.start, window.end)
        total = len(texts[window.text].ids_P)
        left = np.where(window.start == 0, total, at - window.start)
        right = np.where(window.end == total, total, window.end - 1 - at)
        mine = np.minimum(left, right)
        better = mine > depth[window.text][at]
        best[window.text][at[better]] = number
        depth[window.text][at[better]] = mine[better]
    found = []
    for number, window in enumerate(cut):
        first = texts[window.text].first_W
        inside = first[(first >= window.start) & (first < window.end)]
        found.append(inside[best[window.text][inside] == number] - window.start)
    return found


def words_of(spans_W2: Ints, start: int, end: int) -> tuple[int, int]:
    """The words [first, after) that overlap characters [start, end); empty ones where none do."""
    first = int(np.searchsorted(spans_W2[:, 1], start, side="right"))
    after = int(np.searchsorted(spans_W2[:, 0], end, side="left"))
    return first, max(first, after)
