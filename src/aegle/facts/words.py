"""Words of a text with exact offsets, and phrases found among them: what lexicon and cues share.

A word's key ignores case, plural ``s`` and possessive ``'s``; hyphens and white space part words
and are no word; any other sign is a word of its own, and so is a blank line or a new list item, so
that no phrase is found across them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Generic, TypeVar

_WORD: Final = re.compile(
    r"\n[ \t]*(?:[\n*•]|-[ \t]|\d{1,2}[.)][ \t])"  # a blank line or the next item of a list
    r"|['’]s\b"
    r"|[^\W_]+"
    r"|[^\s\w\-‐‑–—'’]|_"
)
_KEEP_S: Final = ("ss", "us", "is")
_DROP_ES: Final = ("sses", "xes", "ches", "shes")
_BREAK: Final = "\n"

T = TypeVar("T")


@lru_cache(maxsize=1 << 16)
def word_key(word: str) -> str:
    """What makes two words equal: ``Fractures`` -> ``fracture``; empty for a possessive ``'s``."""
    if word[0] == "\n":
        return _BREAK
    if word[0] in "'’":
        return ""
    key = word.casefold()
    if len(key) <= 3 or not key.endswith("s") or key.endswith(_KEEP_S):
        return key
    if key.endswith("ies") and len(key) > 4:
        return key[:-3] + "y"
    return key[:-2] if key.endswith(_DROP_ES) else key[:-1]


@dataclass(frozen=True, slots=True)
class Words:
    """The words of ``text`` in order: their keys, and where each starts and ends."""

    text: str
    keys: list[str]
    starts: list[int]
    ends: list[int]

    def __len__(self) -> int:
        return len(self.keys)


def words(text: str) -> Words:
    """Split a text into words, in one pass."""
    keys: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _WORD.finditer(text):
        key = word_key(match.group())
        if key:
            keys.append(key)
            starts.append(match.start())
            ends.append(match.end())
    return Words(text, keys, starts, ends)


@lru_cache(maxsize=1 << 14)
def phrase_key(phrase: str) -> str:
    """The key of a phrase: equal for phrases that are found in the same places."""
    return " ".join(words(phrase).keys)


def _set_bits(bits: int) -> list[int]:
    """The numbers of the bits that are set, the highest first."""
    return [n for n in range(bits.bit_length() - 1, -1, -1) if bits >> n & 1]


class Phrases(Generic[T]):
    """Phrase keys with a value each, looked up at every word of a text, longest first."""

    __slots__ = ("_lengths", "_values")

    def __init__(self, values: Mapping[str, T]) -> None:
        self._values = values
        # One bit a length: a set for each of 30,000 first words takes as long to build as to load.
        bits: dict[str, int] = {}
        for key in values:
            first = key.partition(" ")[0]
            bits[first] = bits.get(first, 0) | 1 << key.count(" ") + 1
        known = {some: _set_bits(some) for some in set(bits.values())}
        self._lengths = {first: known[some] for first, some in bits.items()}

    def at(self, keys: list[str], i: int) -> Iterator[tuple[int, T]]:
        """The phrases that start at word ``i``: (number of words, value), longest first."""
        lengths = self._lengths.get(keys[i])
        if lengths is None:
            return
        left = len(keys) - i
        for n in lengths:
            if n <= left:
                value = self._values.get(" ".join(keys[i : i + n]) if n > 1 else keys[i])
                if value is not None:
                    yield n, value

    def starts(self, keys: Iterable[str]) -> Iterator[int]:
        """The positions of words that some phrase starts with."""
        lengths = self._lengths
        return (i for i, key in enumerate(keys) if key in lengths)
