"""How well each candidate sentence answers what was asked: by words, then by meaning."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from aegle.answer.candidates import Candidate
from aegle.answer.concepts import concept, stem
from aegle.answer.days import days
from aegle.answer.question import Asked, Need
from aegle.core.ports import Vectors

Embed = Callable[[Sequence[str]], Vectors]

_BY_LINE: Final = frozenset({"log", "event", "table"})
_LONGEST: Final = 160
"""Characters of a sentence that are embedded."""

_MOST_EMBEDDED: Final = 5
"""Sentences that are compared by meaning where no word has told. The encoder is what a question
waits for."""

_ALLERGY: Final = concept(stem("allergy")).words
_LENGTH: Final = re.compile(
    r"\d ?(?:-|to )?\d*\s?(?:s|sec|seconds?|m|min|minutes?|h|hrs?|hours?|d|days?|weeks?|wks?|"
    r"months?|mos?|years?|yrs?|y/o)\b",
    re.IGNORECASE,
)
_WITHHELD: Final = re.compile(
    r"\b(?:hold|held|holding|stop(?:ped)?|discontinued?|avoid|no longer|not on|off|"
    r"ppx|prophyla\w+)\b",
    re.IGNORECASE,
)
"""Words by which a chart names a drug that is not given, or what a drug shall prevent."""

_STATUS: Final = re.compile(
    r"\bstatus: (?:(?P<over>fixed|resolved|closed|inactive|mitigated|retired|cancelled)|"
    r"open|active|unresolved|new)\b",
    re.IGNORECASE,
)
_DOING: Final = re.compile(
    r"\b(?:do|advice|actions?|steps|instructions?|response|procedures?|mitigations?|remediation)\b",
    re.IGNORECASE,
)
"""Headings of what is to be done."""

_LOOSE: Final = 0.5
"""Share of the question's words that a sentence must hold where no phrase tells what is asked."""

_ALIKE: Final = 0.12
"""Sentences so near the best in support say as much; of where someone is, the latest counts."""

_MEANT: Final = 0.65
"""A sentence this near in meaning may answer though it uses none of the words asked for."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Whom or what the answer is about: nodes with their names, and words of the way there."""

    names: Mapping[str, str] = field(default_factory=dict)
    order: Mapping[str, int] = field(default_factory=dict)
    """Key -> place, best first; targets that are equally good share a place."""
    named: frozenset[str] = frozenset()
    """Keys that the question itself names; they are no answer to it."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with its support for the question, in [0, 1]."""

    candidate: Candidate
    support: float
    focused: bool
    about: bool
    target: str
    fit: bool = True
    """Whether it may answer at all: no heading, of the day and with the number that was asked."""


def holds(need: Need, one: Candidate, own: Collection[str] = ()) -> bool:
    """Whether a sentence has a word of a need, its node, or an entity of its type.

    Args:
        own: keys that the question names; an entity of theirs is not what is asked for.
    """
    if (need.words <= one.words) if need.whole else (need.words & one.words):
        return True
    return any(
        mark.key in need.keys or (need.bare and mark.type in need.types and mark.key not in own)
        for mark in one.marks
    )


def answers(need: Need, one: Candidate, own: Collection[str], *, typed: bool = False) -> bool:
    """Whether a sentence has what is asked for: a bare type needs an entity of that type.

    Where no sentence has one (not ``typed``), a word for the type may do.
    """
    if not need.bare:
        return holds(need, one, own)
    if typed or any(mark.type in need.types for mark in one.marks):
        return any(mark.type in need.types and mark.key not in own for mark in one.marks)
    return bool(need.words & one.words) and not own


def about(one: Candidate, targets: Targets) -> list[str]:
    """The targets that a sentence is about, best first.

    It names them, is of their chart, or stands in a text whose title or own words name them; a
    line of a log or a row of a table speaks for itself.
    """
    found, around = [], []
    folded = one.text.casefold()
    marked = {mark.key for mark in one.marks}
    told = "" if one.chunk.kind in _BY_LINE else f"{one.chunk.title} {one.chunk.text}".casefold()
    for key in targets.order:
        name = targets.names.get(key, "")
        if one.chunk.group == key or key in marked or _alone(name, folded):
            found.append(key)
        elif _alone(name, told):
            around.append(key)
    return found or around


def _alone(name: str, text: str) -> bool:
    """Whether a folded name stands in a folded text, not as a part of a longer one."""
    if not name or name not in text:
        return False
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


def weigh(needs: Sequence[Need], found: Sequence[Candidate]) -> list[float]:
    """How much each need tells: what few sentences hold is worth more (smoothed idf)."""
    counts = Counter(n for one in found for n, need in enumerate(needs) if holds(need, one))
    total = len(found) + 1
    return [math.log(1 + total / (1 + counts[n])) for n in range(len(needs))]


def by_meaning(
    asked: Asked, best: Sequence[Scored], embed: Embed, targets: Targets
) -> Sequence[Scored]:
    """Sentences that `by_words` weighed, those that words can't tell apart by nearness in meaning.

    Where no sentence has the words asked for, one that is near in meaning may do.
    """
    near = _undecided(best)
    if not near:
        return best
    texts = [_masked(one.candidate, targets, asked.terms) for one in near]
    vectors = embed([_without(asked.text, asked.terms), *texts])
    cosines = np.clip(vectors[1:] @ vectors[0], 0.0, 1.0)
    scored = [_finer(one, float(c)) for one, c in zip(near, cosines, strict=True)]
    scored += [one for one in best if one not in near]
    return sorted(scored, key=lambda s: (-s.support, s.candidate.rank, s.candidate.start))


def by_words(asked: Asked, found: Sequence[Candidate], targets: Targets) -> list[Scored]:
    """Candidates with the support that words, entities and targets give, best first."""
    needs = [*asked.focus, *asked.links]
    weights = weigh(needs, found)
    seen = {mark.type for one in found for mark in one.marks if mark.key not in targets.named}
    typed = bool(asked.focus_types & seen)
    rough = [_rough(asked, one, needs, weights, targets, typed) for one in found]
    ranked = sorted(rough, key=lambda s: (-s.support, s.candidate.rank, s.candidate.start))
    return _latest_first(ranked) if "ward" in asked.focus_types and not asked.past else ranked


def _latest_first(ranked: Sequence[Scored]) -> list[Scored]:
    """Who was moved is where the last record says: of what answers alike, the latest leads."""
    best = ranked[0].support if ranked else 0.0
    alike = [s for s in ranked if s.focused and s.about and s.support >= best - _ALIKE]
    alike.sort(key=lambda s: s.candidate.chunk.time, reverse=True)
    lead = [replace(one, support=best) for one in alike[:1]]
    return [*lead, *(one for one in ranked if one not in alike[:1])]


def _undecided(best: Sequence[Scored]) -> list[Scored]:
    """Which sentences may answer by meaning alone; none where words have told already."""
    if not best or (best[0].focused and best[0].about):
        return []
    return [one for one in best if one.fit and one.about][:_MOST_EMBEDDED]


def _rough(
    asked: Asked,
    one: Candidate,
    needs: Sequence[Need],
    weights: Sequence[float],
    targets: Targets,
    typed: bool,
) -> Scored:
    own = targets.named
    held = frozenset(n for n, need in enumerate(needs) if holds(need, one, own))
    close = frozenset(n for n, need in enumerate(needs) if need.words & one.near) - held
    total = sum(weights) or 1.0
    half = 1.0 if asked.form.advice else 0.5
    share = (sum(weights[n] for n in held) + half * sum(weights[n] for n in close)) / total
    ids = sum(name in one.text.casefold() for name in asked.anchors) / max(1, len(asked.anchors))
    fit = _fits(asked, one)
    full = fit and _full(asked, one, share, ids, own, typed)
    met = about(one, targets)
    place = targets.order[met[0]] if met else 0
    depth = 0.06 / (1 + place) + 0.02 * min(2, len(met) - 1) if met else 0.0
    right = bool(met) or (not targets.order and (not asked.anchors or ids > 0))
    support = 0.36 * full + 0.2 * right + depth + 0.2 * share + 0.04 * ids + 0.04 / (1 + one.rank)
    support *= _worth(asked, one)
    return Scored(one, support, full, right, met[0] if met else "", fit)


def _fits(asked: Asked, one: Candidate) -> bool:
    """Whether a sentence is of the sort that can answer, whatever it says."""
    form = asked.form
    return not (
        one.is_heading
        or (form.advice and one.chunk.kind in _BY_LINE)
        or (asked.days and not _on_day(asked, one))
        or (asked.number and not any(char.isdigit() for char in one.text))
        or (form.lasts and not _LENGTH.search(one.text))
        or (asked.listing and not one.chunk.group.startswith("patient:"))
    )


def _full(
    asked: Asked, one: Candidate, share: float, ids: float, own: Collection[str], typed: bool
) -> bool:
    """Whether a sentence that fits has what is asked for."""
    if asked.form.event:
        return bool(asked.days) or one.chunk.kind in _BY_LINE
    if asked.loose:
        # Two names that stand together tell something; a log is full of one alone.
        bar = 0.0 if len(asked.anchors) > 1 else _LOOSE / 2
        return share >= (bar if ids == 1 else _LOOSE)
    if asked.listing:
        return ids == int(bool(asked.anchors)) and _of_a_patient(asked, one)
    return all(answers(need, one, own, typed=typed) for need in asked.focus)


def _of_a_patient(asked: Asked, one: Candidate) -> bool:
    """Whether a chart says what patients were asked for; that someone is a patient says nothing."""
    named = [need for need in asked.links if need.keys or need.bare]
    allergy = any(mark.type == "allergy" for mark in one.marks) and not _ALLERGY & asked.words
    withheld = _WITHHELD.search(one.text) is not None and not _WITHHELD.search(asked.text)
    stated = all(states(need, one) for need in named or asked.links)
    return stated and not allergy and not withheld


def states(need: Need, one: Candidate) -> bool:
    """Whether a sentence says that it is so, and not only that it might be, or is not."""
    marks = [mark for mark in one.marks if mark.key in need.keys]
    return any(mark.sure for mark in marks) if marks else holds(need, one)


def state_of(one: Candidate) -> str:
    """``over`` or ``open``, where a sentence gives the state of something; else empty."""
    found = _STATUS.search(one.text) if "tatus: " in one.text else None
    return "" if found is None else "over" if found["over"] else "open"


def _on_day(asked: Asked, one: Candidate) -> bool:
    """Whether a sentence is of a day that is asked about; it says so itself, or its text does."""
    said = days(one.text) or days(one.chunk.time)
    return any(day.meets(wanted) for day in said for wanted in asked.days)


def _worth(asked: Asked, one: Candidate) -> float:
    """Less than 1 for what is over, unless the question is about just that, and for no advice."""
    if asked.form.advice:
        return 1.0 if _DOING.search(one.heading) else 0.95
    return 0.9 if state_of(one) == "over" and not asked.past else 1.0


def _finer(rough: Scored, cosine: float) -> Scored:
    """The support with the nearness in meaning; it may stand for the words asked for."""
    meant = not rough.focused and cosine >= _MEANT
    support = min(1.0, rough.support + 0.12 * cosine + (0.25 if meant else 0.0))
    return replace(rough, support=support, focused=rough.focused or meant)


def _masked(one: Candidate, targets: Targets, terms: Sequence[str]) -> str:
    """A sentence without the names of those it is about, which say nothing of what is asked."""
    text = one.text[:_LONGEST]
    return _without(text, [*targets.names.values(), *terms]) or text


def _without(text: str, names: Sequence[str]) -> str:
    for name in names:
        text = re.sub(re.escape(name), " ", text, flags=re.IGNORECASE) if name else text
    return " ".join(text.split())
