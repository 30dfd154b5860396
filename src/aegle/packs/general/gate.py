"""Runs a regular expression only where it can match: at a cue's first word, or at a hint.

Trying every expression at every character costs a second a megabyte; nearly all of a text holds
neither a cue nor a number. The cues of all gates are found together, in one pass over a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final

import ahocorasick  # type: ignore[import-not-found]  # a bare extension module, untyped

_GATES: Final[list[tuple[str, ...]]] = []
"""The cues of every gate there is, by the gate's number."""


class _Plain(dict[int, int]):
    """Characters in lower case, and a blank for whatever is no letter or digit; one for one."""

    def __missing__(self, code: int) -> int:
        low = chr(code).lower()
        self[code] = (ord(low) if len(low) == 1 else code) if low.isalnum() else 32
        return self[code]


_PLAIN: Final = _Plain()


class Gate:
    """Matches of a regular expression whose every alternative starts with one of some words."""

    def __init__(self, regex: re.Pattern[str], cues: str) -> None:
        self._regex = regex
        self._number = len(_GATES)
        _GATES.append(tuple(cues.split()))

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """The matches, in order of the cues' ends; they may overlap."""
        for start in _places(text, len(_GATES)).get(self._number, ()):
            if match := self._regex.match(text, start):
                yield match


@cache
def _automaton(gates: int) -> Any:
    """Finds the cues of all gates at the starts of words."""
    wanted: dict[str, list[int]] = {}
    for number, cues in enumerate(_GATES[:gates]):
        for cue in cues:
            wanted.setdefault(" " + cue.translate(_PLAIN), []).append(number)
    automaton = ahocorasick.Automaton()
    for key, numbers in wanted.items():
        automaton.add_word(key, (len(key), tuple(numbers)))
    automaton.make_automaton()
    return automaton


@lru_cache(maxsize=1)
def _places(text: str, gates: int) -> Mapping[int, Sequence[int]]:
    """Gate -> where one of its cues starts; kept for the other recognisers of the same text."""
    places: dict[int, dict[int, None]] = {}
    for last, (length, numbers) in _automaton(gates).iter(" " + text.translate(_PLAIN)):
        for number in numbers:
            # The key starts with a blank, and so does what is searched.
            places.setdefault(number, {})[last - length + 1] = None
    return {number: tuple(starts) for number, starts in places.items()}


def hinted(regex: re.Pattern[str], hint: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Matches of an expression that start where a cheaper one does; they do not overlap.

    A hint starts with a set of characters, which the engine looks for fast, and looks ahead
    without taking more than the first number.
    """
    done = 0
    for place in hint.finditer(text):
        if place.start() >= done and (match := regex.match(text, place.start())):
            done = match.end()
            yield match


def ending(
    regex: re.Pattern[str], hint: re.Pattern[str], text: str, *, reach: int = 160, tail: int = 48
) -> Iterator[re.Match[str]]:
    """Matches of an expression near the places where its end is known to stand.

    It is tried from ``reach`` characters before a hint to ``tail`` characters after it.
    """
    done = 0
    for place in hint.finditer(text):
        start = max(done, place.start() - reach)
        for match in regex.finditer(text, start, place.end() + tail):
            if match.end() >= place.start():
                done = max(done, match.end())
                yield match
