"""Abbreviations: what a document defines itself, and what an inventory of senses adds.

Schwartz and Hearst's rule: the short form stands in brackets behind the long one (or the other way
round), and its letters are found in the long form from the right, the first at a word's start.

References:
    Schwartz & Hearst (2003), A simple algorithm for identifying abbreviation definitions in
    biomedical text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from aegle.facts.candidates import Embed

_BRACKETS: Final = re.compile(r"[(\[]([^()\[\]\n]{2,120})[)\]]")
_EDGE: Final = re.compile(r"[.;:!?()\[\]\n]")
_SHORT: Final = re.compile(r"[^\W_][\w/&.+-]{0,9}")
_FORM: Final = re.compile(r"[^\W_](?:[\w/&.+-]*\w)?")
_AFTER: Final = re.compile(r"[;,]")
_REACH: Final = 160
"""Characters before a bracket in which the long form is looked for."""
_WINDOW: Final = 200
"""Characters around a mention that tell which sense it has."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A short form, its long form, and the characters [start, end) of the long form."""

    short: str
    long: str
    start: int
    end: int


def definitions(text: str) -> list[Definition]:
    """The abbreviations that a text defines, in order: ``heart failure (HF)``, or the reverse."""
    return [found for match in _BRACKETS.finditer(text) if (found := _defined(text, match))]


def long_forms(text: str) -> dict[str, str]:
    """Short form -> long form as a text first defines it; a plural short form is known too."""
    known: dict[str, str] = {}
    for found in definitions(text):
        known.setdefault(found.short, found.long)
        if found.short.endswith("s") and found.short[:-1].isupper():
            known.setdefault(found.short[:-1], found.long)
        elif found.short.isupper():
            known.setdefault(found.short + "s", found.long)
    return known


def expand(name: str, known: Mapping[str, str]) -> str:
    """A name with the short forms in it written out: ``acute HF`` -> ``acute heart failure``."""
    if not known:
        return name
    return _FORM.sub(lambda match: known.get(match.group(), match.group()), name)


class Senses:
    """Long forms of short ones from an inventory, chosen by what stands around the mention."""

    def __init__(self, inventory: Mapping[str, Sequence[str]]) -> None:
        """Short form -> its long forms, the commonest first. The short form's case is ignored."""
        self._inventory = {short.casefold(): tuple(long) for short, long in inventory.items()}

    def read(
        self, text: str, start: int, end: int, *, embed: Embed | None = None
    ) -> dict[str, str]:
        """Short form -> long form for those in ``text[start:end]`` that the inventory knows.

        An encoder chooses the sense that is nearest to the text around; without one, or for a short
        form with a single sense, the commonest is taken. Small words are left alone: a short form
        is written with a capital.
        """
        known: dict[str, str] = {}
        around = text[max(0, start - _WINDOW) : end + _WINDOW]
        for match in _FORM.finditer(text, start, end):
            short = match.group()
            senses = self._inventory.get(short.casefold(), ())
            if not senses or short.islower():
                continue
            known[short] = senses[0]
            if embed is not None and len(senses) > 1:
                vectors = embed([around, *senses])
                known[short] = senses[int(np.argmax(vectors[1:] @ vectors[0]))]
        return known


def _defined(text: str, match: re.Match[str]) -> Definition | None:
    inner = _AFTER.split(match[1])[0].strip()
    before = _before(text, match.start())
    if _is_short(inner):
        long_at = _long_start(inner, before)
        if long_at is None:
            return None
        start = match.start() - len(before) + long_at
        return Definition(
            inner, before[long_at:].rstrip(), start, start + len(before[long_at:].rstrip())
        )
    short = before.rsplit(maxsplit=1)[-1:] or [""]
    if _is_short(short[0]) and short[0].isupper() and _long_start(short[0], inner) == 0:
        start = match.start(1) + match[1].index(inner)
        return Definition(short[0], inner, start, start + len(inner))
    return None


def _before(text: str, end: int) -> str:
    """What stands before ``end`` in its sentence, up to ``end`` itself."""
    piece = text[max(0, end - _REACH) : end]
    edges = [edge.end() for edge in _EDGE.finditer(piece)]
    return piece[edges[-1] :] if edges else piece


def _is_short(text: str) -> bool:
    """Whether a piece can be a short form: 2 to 10 characters, a letter, no sentence."""
    return (
        2 <= len(text) <= 10
        and _SHORT.fullmatch(text) is not None
        and any(char.isalpha() for char in text)
        and any(char.isupper() for char in text)
    )


def _long_start(short: str, before: str) -> int | None:
    """Where the shortest long form of ``short`` begins that ends with ``before``, if any does."""
    letters = [char for char in short.casefold().removesuffix("s") if char.isalnum()]
    folded = before.casefold()
    if len(folded) != len(before):
        return None
    at = len(folded)
    for n in range(len(letters) - 1, -1, -1):
        at -= 1
        while at >= 0 and (
            folded[at] != letters[n] or (n == 0 and at > 0 and folded[at - 1].isalnum())
        ):
            at -= 1
        if at < 0:
            return None
    long = before[at:].strip()
    num_words = len(long.split())
    fits = num_words <= min(len(letters) + 5, len(letters) * 2) and len(long) > len(short)
    holds = short.casefold() in (word.casefold() for word in long.split())
    return at if fits and not holds else None
