"""What one passage names, as numbers: hashes of names, and of phrases that may be titles.

They depend on the passage alone, so that each can be kept with its chunk and goes with it. What
only all passages together tell is found out when they are put together (`passages`): which phrases
are the title of some document, and which lone capitals are names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aegle.lm.terms import STOP_WORDS
from aegle.retrieve.names import JOINS, MARKS, Key, Word, names_in, title_keys, words

VERSION: Final = MARKS

NAME: Final = np.dtype([("mark", "<i8"), ("count", "<u2"), ("how", "u1")])
"""A name that a passage has, how often, and `UNSURE`, `SURE` or `ABOUT`."""

PHRASE: Final = np.dtype([("mark", "<i8"), ("at", "<u2"), ("words", "u1"), ("own", "?")])
"""Words ``at`` to ``at + words`` of a passage; ``own``: they are one of its names, too."""

UNSURE: Final = 0
"""A lone word whose capital may be that of a sentence."""
SURE: Final = 1
ABOUT: Final = 2
"""The passage is about it: its title says so."""

_MOST_RAISED: Final = 8
_MOST_PLAIN: Final = 3
"""Words of a phrase of capitals, and of one without; five instead of three made three edges more in
12,756 (decision 0076)."""

_MOST: Final = (1 << 16) - 1
_ENDS: Final = re.compile(r"[.!?;:]\s|[\n()\[\]]")
_SHORT: Final = 3
"""A full stop after at most so many letters marks an abbreviation."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a passage names: rows of `NAME` and of `PHRASE`, in an order of no meaning."""

    names: NDArray[Any]
    phrases: NDArray[Any]


NOTHING: Final = Named(np.zeros(0, NAME), np.zeros(0, PHRASE))


def mark(key: Key) -> int:
    """A name as a number of 64 bits: two of a million names share one in 37 million corpora."""
    text = " ".join(key).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little", signed=True)


def marks_of(keys: Iterable[Key]) -> NDArray[np.int64]:
    """The marks of some names, in their order."""
    return np.fromiter(map(mark, keys), np.int64)


def read(title: str, text: str) -> Named:
    """What a passage names, and which of its phrases may be titles of other documents."""
    known = words(text)
    found = names_in(text, known)
    about = title_keys(title)
    counts = Counter(one.key for one in found)
    sure = {one.key for one in found if one.sure}
    rows = [(mark(key), 1, ABOUT) for key in about]
    rows += [
        (mark(key), min(count, _MOST), SURE if key in sure else UNSURE)
        for key, count in counts.items()
        if key not in about
    ]
    spans = {(one.start, one.end) for one in found}
    phrases = [
        (
            mark(tuple(word.form for word in known[first:last])),
            first,
            last - first,
            (known[first].start, known[last - 1].end) in spans,
        )
        for first, last in _phrases(text, known[:_MOST])
    ]
    return Named(np.array(rows, NAME), np.array(phrases, PHRASE))


def keys_in(title: str, text: str) -> dict[int, Key]:
    """The names of a passage by their marks, to be shown."""
    known = words(text)
    keys = [*title_keys(title), *(one.key for one in names_in(text, known))]
    keys += [tuple(w.form for w in known[a:b]) for a, b in _phrases(text, known)]
    return {mark(key): key for key in keys}


def _phrases(text: str, read: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """Where phrases stand that may be titles: [first, last) of the words.

    Any stretch of capitalised words and codes, with ``of`` and the like inside, and any two or
    three words in a row (one may be ``of``); they begin and end with a word that tells something.
    """
    telling = [word.form not in STOP_WORDS for word in read]
    named = [word.raised or word.code or word.form.isdigit() for word in read]
    for first, is_telling in enumerate(telling):
        if not is_telling:
            continue
        raised, plain = named[first], True
        if raised:
            yield first, first + 1
        for at in range(first + 1, min(first + _MOST_RAISED, len(read))):
            if _parted(text, read[at - 1], read[at]):
                break
            raised = raised and (named[at] or read[at].form in JOINS)
            size = at - first + 1
            linked = telling[at] or (size == 2 and read[at].form == "of")
            plain = plain and size <= _MOST_PLAIN and linked
            if not raised and not plain:
                break
            if telling[at]:
                yield first, at + 1


def _parted(text: str, one: Word, after: Word) -> bool:
    gap = text[one.end : after.start]
    if gap == ". ":
        return one.end - one.start > _SHORT
    return len(gap) > _SHORT or bool(_ENDS.search(gap))
