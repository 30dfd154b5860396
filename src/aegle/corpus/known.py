"""Finds identifiers whose values are known: from fields of the source, or from its other lines."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any, Final

import ahocorasick  # type: ignore[import-not-found]  # a bare extension module, untyped

from aegle.core.pack import Found
from aegle.corpus.surrogates import TITLES
from aegle.corpus.vault import natural

_PART: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*\d{0,4}")

# How a match must be written: in any case; with a capital; or exactly so.
_ANY, _CAPITAL, _EXACT = range(3)


@cache
def _common() -> frozenset[str]:
    """Names that are words as well (will, may, brown)."""
    data = (files(__package__) / "data" / "words.txt.gz").read_bytes()
    return frozenset(gzip.decompress(data).decode().split())


def is_common(word: str) -> bool:
    """Whether a name is a word as well."""
    return word.casefold() in _common()


class Known:
    """Values to be found wherever they stand as words of their own, in any case.

    A name is found by its parts too: parts of at least three letters in any case, those that are
    words as well, or shorter, only with a capital letter.
    """

    def __init__(self) -> None:
        self._values: dict[str, list[tuple[str, str, int]]] = {}

    def add(self, kind: str, value: str, *, sure: bool = True) -> None:
        """Look for a value of a class; ``sure`` when a field of the source says what it is."""
        value = value.strip()
        letters = sum(char.isalnum() for char in value)
        if letters < 2:
            return
        if kind == "name":
            self._add_name(value, sure)
        elif kind == "place":
            for part in (value, *re.split(r"[,\n^|;]", value)):
                if len(part.strip()) > 3:
                    common = part.strip().casefold() in _common()
                    self._put(kind, part.strip(), _CAPITAL if common else _ANY)
        elif letters > 2:
            self._put(kind, value, _ANY)

    def _add_name(self, value: str, sure: bool) -> None:
        spoken = natural(value)
        words = [
            word
            for word in _PART.findall(spoken)
            if word.casefold() not in TITLES and len(word) > 1
        ]
        for whole in {value, spoken} if len(words) > 1 else ():
            self._put("name", whole, _ANY)
        if len(words) > 1:
            self._put("name", f"{words[-1]}, {' '.join(words[:-1])}", _ANY)
        for word in words:
            common = word.casefold() in _common()
            # A name that only a recogniser saw is no reason to replace a word elsewhere.
            if len(word) > 2 and (sure or not common):
                self._put("name", word, _CAPITAL if common else _ANY)
            elif sure and word[0].isupper():
                self._put("name", word, _EXACT)

    def _put(self, kind: str, value: str, how: int) -> None:
        at = self._values.setdefault(value.lower(), [])
        if (kind, value, how) not in at:
            at.append((kind, value, how))

    def finder(self) -> Finder:
        """What finds the values added so far."""
        return Finder(self._values)


class Finder:
    """An Aho-Corasick automaton over known values: one pass, whatever their number."""

    def __init__(self, values: dict[str, list[tuple[str, str, int]]]) -> None:
        self._automaton: Any = None
        if values:
            self._automaton = ahocorasick.Automaton()
            for key, entries in values.items():
                self._automaton.add_word(key, (len(key), entries))
            self._automaton.make_automaton()

    def __call__(self, text: str) -> Iterator[Found]:
        """The known values in a text, at word edges."""
        if self._automaton is None or not text:
            return
        for last, (length, entries) in self._automaton.iter(_lower(text)):
            start, end = last - length + 1, last + 1
            if (start and text[start - 1].isalnum() and text[start].isalnum()) or (
                end < len(text) and text[end].isalnum() and text[last].isalnum()
            ):
                continue
            there = text[start:end]
            for kind, value, how in entries:
                if how == _ANY or there == value or (how == _CAPITAL and there[0].isupper()):
                    yield Found(start, end, kind, 1.0)
                    break


def _lower(text: str) -> str:
    """Lower case of the same length: two capital letters of Turkish become two characters each."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def parts(found: Iterable[Found], text: str) -> Iterator[str]:
    """The names that recognisers were sure of, to be looked for in the rest of the document."""
    for one in found:
        if one.kind == "name" and one.score >= 0.8:
            yield text[one.start : one.end]
