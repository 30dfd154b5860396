"""Abbreviations: what a document defines itself, and what an inventory of senses adds.

Schwartz and Hearst's rule: the short form stands in brackets behind the long one (or the other way
round), and its letters are found in the long form from the right, the first at a word's start.

References:
    Schwartz & Hearst (2003), A simple algorithm for identifying abbreviation definitions in
    biomedical text.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aegle.facts.candidates import Embed

_BRACKETS: Final = re.compile(r"[(\[]([^()\[\]\n]{2,120})[)\]]")
_EDGE: Final = re.compile(r"[.;:!?()\[\]\n]")
_SHORT: Final = re.compile(r"[^\W_][\w/&.+-]{0,9}")
_FORM: Final = re.compile(r"[^\W_](?:[\w/&.+-]*\w)?")
_AFTER: Final = re.compile(r"[;,]")
_REACH: Final = 160
"""Characters before a bracket in which the long form is looked for."""
_WINDOW: Final = 200
"""Characters on either side of a short form that tell which sense it has."""
_PLACES: Final = 4
"""Places of a short form in a text that are looked at."""
_SPREAD: Final = 0.1
"""The difference of two cosines that outweighs shares of 1 to e; flat from 0.08 to 0.2."""
_RARE: Final = 0.01
"""The share that a sense is given on top, so that none is out of the question."""
_SURE: Final = 0.6
"""The probability that a sense needs. docs/decisions/0042-linking.md has the figures."""
_LONGEST_TITLE: Final = 3
"""Letters of a short form that may be written like a name: ``Hgb``, but ``Cold`` is a word."""


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
    """Long forms of short ones from an inventory, chosen by what stands around them in a text."""

    def __init__(
        self,
        inventory: Mapping[str, Mapping[str, float] | Sequence[str]],
        *,
        embed: Embed | None = None,
    ) -> None:
        """Short form -> its long forms with the share that each has, or the commonest first.

        The short form's case is ignored. ``embed`` gives unit vectors of texts; without it the
        commonest sense is taken.
        """
        self._inventory = {short.casefold(): _ranked(long) for short, long in inventory.items()}
        self._embed = embed
        self._vectors: dict[str, NDArray[np.float32]] = {}

    def read(self, text: str, start: int, end: int) -> dict[str, str]:
        """Short form -> long form for those in ``text[start:end]`` that the inventory knows."""
        return self.read_all(text, [(start, end)])

    def read_all(
        self, text: str, places: Iterable[tuple[int, int]], *, but: Container[str] = ()
    ) -> dict[str, str]:
        """Short form -> long form for those that stand in some places of a text.

        In one text a short form means one thing: what is around its first places decides. A sense
        counts by its share and by how near it is to that in meaning; where none is sure enough, the
        short form stays what it is.

        Args:
            text: the whole text.
            places: characters [start, end) in which short forms are looked for.
            but: short forms that need no sense.
        """
        found: dict[str, list[tuple[int, int]]] = {}
        for start, end in places:
            for match in _FORM.finditer(text, start, end):
                if match.group() not in but:
                    found.setdefault(match.group(), []).append(match.span())
        chosen = ((short, self._choose(text, short, spans)) for short, spans in found.items())
        return {short: long for short, long in chosen if long}

    def _choose(self, text: str, short: str, spans: Sequence[tuple[int, int]]) -> str:
        key = self._key(short)
        if not key:
            return ""
        senses, logs_S = self._inventory[key]
        if self._embed is None or len(senses) == 1:
            return senses[0]
        around = [text[max(0, start - _WINDOW) : end + _WINDOW] for start, end in spans[:_PLACES]]
        if key not in self._vectors:
            self._vectors[key] = self._embed(senses)
        nearness_S = (self._vectors[key] @ self._embed(around).T).mean(axis=1)
        scores_S = logs_S + nearness_S / _SPREAD
        odds_S = np.exp(scores_S - scores_S.max())
        best = int(np.argmax(odds_S))
        return senses[best] if odds_S[best] >= _SURE * odds_S.sum() else ""

    def _key(self, short: str) -> str:
        """The inventory's form of a short form, empty when it has none or it may be a plain word.

        A short form is written with a capital, a longer one with one that no sentence gives it.
        """
        if short.islower() or (len(short) > _LONGEST_TITLE and short[1:].islower()):
            return ""
        forms = (short, short[:-1]) if short.endswith("s") and short[:-1].isupper() else (short,)
        return next((one.casefold() for one in forms if one.casefold() in self._inventory), "")


def _ranked(
    long: Mapping[str, float] | Sequence[str],
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """S senses, the commonest first, and the logarithms of their shares."""
    shares = long if isinstance(long, Mapping) else dict.fromkeys(long, 1.0)
    senses = tuple(sorted(shares, key=lambda one: -shares[one]))
    shares_S = np.array([shares[one] for one in senses], np.float64)
    return senses, np.log(shares_S / max(float(shares_S.sum()), _RARE) + _RARE)


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
