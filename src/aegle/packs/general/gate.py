"""Runs a regular expression only where it can match: at a cue's first word, or at a digit.

Trying every expression at every character costs a second a megabyte; nearly all of a text holds
neither a cue nor a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import ahocorasick  # type: ignore[import-not-found]  # a bare extension module, untyped

_DIGITS: Final = re.compile(r"[0-9]+")


class Gate:
    """Matches of a regular expression whose every alternative starts with one of some words."""

    def __init__(self, regex: re.Pattern[str], cues: str) -> None:
        self._regex = regex
        self._automaton = ahocorasick.Automaton()
        for cue in cues.split():
            self._automaton.add_word(cue, len(cue))
        self._automaton.make_automaton()

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """The matches, in order of the cues' ends; they may overlap."""
        lower = text.lower()
        if len(lower) != len(text):  # a letter whose lower case is two characters
            yield from self._regex.finditer(text)
            return
        tried = -1
        for last, length in self._automaton.iter(lower):
            start = last - length + 1
            if start != tried and not (start and lower[start - 1].isalnum()):
                tried = start
                if match := self._regex.match(text, start):
                    yield match


def at_digits(regex: re.Pattern[str], text: str, *, before: str = "") -> Iterator[re.Match[str]]:
    """Matches that start at a number, or at one of the characters ``before`` in front of it."""
    done = 0
    for digits in _DIGITS.finditer(text):
        start = digits.start()
        while start > done and text[start - 1] in before:
            start -= 1
        for at in {start: None, digits.start(): None}:
            if at >= done and (match := regex.match(text, at)):
                done = match.end()
                yield match
                break
