"""Assertion: is what is named present, negated, possible, historical, family, hypothetical?

The ConText algorithm over the cues of a pack: a cue governs the words after it, before it, or on
both sides, as far as it reaches, until the sentence ends or a ``stop`` cue stands in the way. A
``pseudo`` cue shadows the cues inside it. A cue of direction ``section`` is a heading: what stands
under it has its assertion unless a cue of its own sentence says otherwise. Where a model gives
probabilities, cues and model decide together.

References:
    Chapman et al. (2001), A simple algorithm for identifying negated findings and diseases.
    Harkema et al. (2009), ConText: an algorithm for determining negation, experiencer, and
    temporal status from clinical reports.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aegle.core.pack import Cue
from aegle.core.records import Span
from aegle.facts.words import Phrases, Words, phrase_key

ORDER: Final = ("negated", "family", "hypothetical", "possible", "historical", "present")
"""Which assertion stands when several hold: what is denied or of someone else is not the patient's
problem, however old or sure it is."""

_HEADING: Final = re.compile(
    r"^[ \t]*(?:\#+[ \t]*)?(?P<name>[A-Za-z][A-Za-z0-9 /&'()-]{1,50}?)[ \t]*(?P<mark>:|\n|$)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Words [start, end) that a cue governs, and the words [cue_start, cue_end) of the cue."""

    assertion: str
    start: int
    end: int
    cue_start: int
    cue_end: int


class Context:
    """The cues of some packs, ready to be read for in texts."""

    def __init__(self, cues: Iterable[Cue]) -> None:
        phrases: dict[str, list[Cue]] = {}
        heads: dict[str, Cue] = {}
        self._sections: dict[str, str] = {}
        for cue in cues:
            if cue.direction == "section":
                self._sections[phrase_key(cue.phrase)] = cue.assertion
            elif cue.direction == "head":
                heads[phrase_key(cue.phrase)] = cue
            else:
                phrases.setdefault(phrase_key(cue.phrase), []).append(cue)
        self._phrases = Phrases(phrases)
        self.heads: Phrases[Cue] = Phrases(heads)

    def assertions(
        self, split: Words, sentences: Sequence[Span], spans: Sequence[Span]
    ) -> list[frozenset[str]]:
        """All that the cues say of each span; an empty set where they say nothing.

        Args:
            split: the text's words.
            sentences: its sentences in order; a cue governs nothing outside its own.
            spans: what is asked about, in any order.
        """
        found = self._cues(split)
        positions = [i for i, _, _ in found]
        starts = [sentence.start for sentence in sentences]
        scopes: dict[int, list[Scope]] = {}
        sections = self.sections(split.text)
        heads = [start for start, _ in sections]
        said: list[frozenset[str]] = []
        for span in spans:
            at = max(bisect_right(starts, span.start) - 1, 0)
            if at not in scopes and sentences:
                first = bisect_left(split.starts, sentences[at].start)
                last = bisect_left(split.starts, sentences[at].end)
                inside = found[bisect_left(positions, first) : bisect_left(positions, last)]
                scopes[at] = _scopes(split, inside, first, last)
            of_span = _governing(split, scopes.get(at, []), span)
            if not of_span and heads and heads[0] <= span.start:
                section = sections[bisect_right(heads, span.start) - 1][1]
                of_span = {section} if section not in ("", "present") else set()
            said.append(frozenset(of_span))
        return said

    def sections(self, text: str) -> list[tuple[int, str]]:
        """Where each heading starts and the assertion under it (empty: none), in order."""
        found = []
        for match in _HEADING.finditer(text):
            name, known = match["name"], self._sections.get(phrase_key(match["name"]))
            alone = match["mark"] != ":" or match.end() >= len(text) or text[match.end()] == "\n"
            if known is not None:
                found.append((match.start(), known))
            elif (name.isupper() and len(name) > 5) or (alone and match["mark"] == ":"):
                found.append((match.start(), ""))
        return found

    def _cues(self, split: Words) -> list[tuple[int, int, list[Cue]]]:
        """The cues of a text: first word, number of words, and what they are; longest first."""
        found = []
        free = 0
        for i in self._phrases.starts(split.keys):
            if i >= free:
                for n, cues in self._phrases.at(split.keys, i):
                    found.append((i, n, cues))
                    free = i + n
                    break
        return found


def strongest(said: Iterable[str]) -> str:
    """The one assertion that stands when several were said; ``present`` for none."""
    among = set(said)
    return next((assertion for assertion in ORDER if assertion in among), "present")


@dataclass(frozen=True, slots=True)
class Weights:
    """How much a model and the cues count beside each other.

    Attributes:
        head: multiplies the model's log probability.
        cue: added to each assertion that the cues say.
        silence: added to ``present`` where the cues say nothing.
    """

    head: float = 1.0
    cue: float = 2.0
    silence: float = 0.5


_RARE: Final = frozenset({"family", "hypothetical", "possible"})
"""What annotated sentences hardly have: where the cues say it, no model contradicts."""
_LEAST: Final = 1e-4
"""A probability of 0 would forbid what a cue says plainly."""


def decide(
    said: Iterable[str],
    probabilities: Mapping[str, float] | None = None,
    weights: Weights = Weights(),
) -> str:
    """The one assertion that stands: the highest log-linear score of model and cues.

    Args:
        said: what the cues say; empty where they are silent.
        probabilities: assertion -> probability by the model; None where there is none, and then
            the strongest of what was said stands. Of an assertion that the model doesn't know the
            cues alone decide.
        weights: fitted on development texts.
    """
    among = set(said)
    if not probabilities or strongest(among) in _RARE:
        return strongest(among)
    most = max(probabilities.values())
    score = {}
    for one in ORDER:
        if one not in probabilities and one not in among:
            continue
        score[one] = weights.head * math.log(max(probabilities.get(one, most), _LEAST))
        score[one] += weights.cue if one in among else 0.0
        score[one] += weights.silence if one == "present" and not among else 0.0
    return max(score, key=lambda one: score[one])  # of equal scores the first in ORDER


def _scopes(
    split: Words, found: Sequence[tuple[int, int, list[Cue]]], first: int, last: int
) -> list[Scope]:
    scopes = []
    stops = [(i, n) for i, n, cues in found if any(cue.direction == "stop" for cue in cues)]
    for i, n, cues in found:
        for cue in cues:
            if cue.direction in ("forward", "both"):
                end = min([start for start, _ in stops if start >= i + n], default=last)
                end = _reach(split, i + n, end, cue.reach)
                scopes.append(Scope(cue.assertion, i + n, end, i, i + n))
            if cue.direction in ("backward", "both"):
                start = max([at + size for at, size in stops if at + size <= i], default=first)
                start = _reach_back(split, i, start, cue.reach)
                scopes.append(Scope(cue.assertion, start, i, i, i + n))
    return scopes


def _reach(split: Words, start: int, end: int, reach: int) -> int:
    """The word after ``reach`` words from ``start``, not past ``end``; signs do not count."""
    at = start
    while at < end and reach:
        reach -= split.keys[at][0].isalnum()
        at += 1
    return at


def _reach_back(split: Words, end: int, start: int, reach: int) -> int:
    at = end
    while at > start and reach:
        at -= 1
        reach -= split.keys[at][0].isalnum()
    return at


def _governing(split: Words, scopes: Iterable[Scope], span: Span) -> set[str]:
    first = bisect_left(split.starts, span.start)
    last = max(bisect_left(split.starts, span.end) - 1, first)
    said = set()
    for scope in scopes:
        forward = scope.start >= scope.cue_end
        word = first if forward else last
        # "no acute" + "acute distress": a cue that runs into the span governs it too.
        runs_in = forward and scope.cue_start < first < scope.cue_end
        if runs_in or scope.start <= word < scope.end:
            said.add(scope.assertion)
    return said
