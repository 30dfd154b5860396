"""What kind of question it is, in which parts it is searched, and whether the graph is walked."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from aegle.lm.terms import STOP_WORDS, terms
from aegle.retrieve.names import Name

Route = Literal["identifier", "single", "multi-hop", "comparison", "aggregate", "cross-domain"]

WALKED: Final = frozenset({"multi-hop", "comparison", "cross-domain"})
"""Routes that walk the graph. One fact about one thing stands where words and meaning find it."""

_IDENTIFIER: Final = re.compile(
    r"\b(?=[\w.:\-]*\d{3})(?:[A-Za-z]{1,10}[-_:.]?(?:\d[\w.:\-]*\d{2}|\d{3,}[\w.:\-]*)|\d{6,})\b"
)
"""``CVE-2021-44228``, ``T1059.001``, ``MRN0012345``, ``12345678``; a year is none."""

_MOST_BESIDE: Final = 3
"""Words that a question for an identifier has beside it; with more it asks for something else."""

_AGGREGATE: Final = re.compile(
    r"\b(?:how many|how much|number of|count|list|all|every|average|total|most|fewest|least)\b",
    re.IGNORECASE,
)
_COMPARES: Final = re.compile(
    r"\b(?:both|same|older|younger|earlier|later|longer|shorter|larger|smaller|bigger|higher|lower|"
    r"first|last|more|less|than|compare\w*|differ\w*|versus|vs|share|or)\b",
    re.IGNORECASE,
)
_ASKS: Final = re.compile(
    r"^\W*(?:in|on|at|of|to|for|from|by|with)?\s*"
    r"(?:who|whom|whose|what|which|when|where|why|how|is|are|was|were|do|does|did|has|have|can)\b",
    re.IGNORECASE,
)
_CLAUSE: Final = re.compile(
    r"(?<=\w)[,\s]+(?:that|which|who|whom|whose|where|when|containing|named after|located|"
    r"produced|founded|born|written|directed|performed|owned|part)\b",
    re.IGNORECASE,
)
_MASK: Final = "\x00"
_POSSESSED: Final = re.compile(rf"{_MASK}\s*['’]?[sS]?['’]?[sS]?\s+[a-z]")
_OWNED: Final = re.compile(rf"{_MASK}['’][sS]?\s+([a-z][\w\-]*)")
_OF: Final = re.compile(r"\b(?:of|by|in|from|for)\b", re.IGNORECASE)
_INNER: Final = re.compile(rf"\bthe\s+(?:[a-z][\w\-]*\s+){{1,4}}{_MASK}|{_MASK}['’][sS]?\s+[a-z]\S*")
_BETWEEN: Final = re.compile(r"\s*(?:,|\bor\b|\band\b|\bthan\b|\bversus\b|\bvs\.?)\s*")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a question is searched.

    Attributes:
        route: what kind of question it is.
        names: what it names that the corpus knows.
        asked: the question without these names: what is to be found out of them.
        parts: searches that together make up the question; the question itself when it is one.
        walks: whether the graph is walked.
    """

    route: Route
    names: tuple[Name, ...]
    asked: str
    parts: tuple[str, ...]
    walks: bool


def plan(question: str, named: Sequence[Name], *, domains: Collection[str] = ()) -> Plan:
    """Route a question by its form, take it apart, and say whether the graph is to be walked.

    Args:
        question: as it is asked.
        named: what of it the corpus knows, in order and none inside another.
        domains: of what it names; two make it cross-domain.
    """
    names = tuple(named)
    route = _route(question, names, domains)
    asked = _without(question, names)
    parts = (question,)
    if route == "comparison":
        parts = _sides(question, names)
    elif route == "multi-hop":
        parts = _hops(question, names)
    return Plan(route, names, asked, parts, bool(names) and route in WALKED)


def _route(question: str, names: Sequence[Name], domains: Collection[str]) -> Route:
    if _IDENTIFIER.search(question):
        beside = [word for word in terms(_IDENTIFIER.sub(" ", question)) if word not in STOP_WORDS]
        if len(beside) <= _MOST_BESIDE:
            return "identifier"
    if len(set(domains)) > 1:
        return "cross-domain"
    masked = _masked(question, names)
    if len(names) > 1 and _COMPARES.search(masked) and _BETWEEN.search(masked):
        return "comparison"
    if _hop_count(masked) > 1:
        return "multi-hop"
    return "aggregate" if _AGGREGATE.search(masked) else "single"


def _masked(question: str, names: Sequence[Name]) -> str:
    for one in reversed(names):
        question = f"{question[: one.start]}{_MASK}{question[one.end :]}"
    return question


def _hop_count(masked: str) -> int:
    """How many relations lie between what is named and what is asked for, by the form alone."""
    if not _ASKS.search(masked):
        return 0
    steps = len(_CLAUSE.findall(masked)) + len(_OWNED.findall(masked))
    return steps + len(_OF.findall(masked)) - (1 if re.search(r"(?i)\b(?:place|date|year|name|kind|type|number|part|city|country) of\b", masked) else 0) + (1 if re.search(rf"(?i)\bthe [\w\s\-]*{_MASK}.*\b(?:born|die|died|from|located|study|work|founded|die)\b", masked) else 0)


def _without(question: str, names: Sequence[Name]) -> str:
    masked = _masked(question, names)
    bare = re.sub(rf"{_MASK}(?:['’][sS]\b)?", " ", masked)
    return re.sub(r"\s+", " ", bare).strip() or question


def _sides(question: str, names: Sequence[Name]) -> tuple[str, ...]:
    """The question of each thing that is compared."""
    asked = _without(question, names)
    return tuple(f"{asked} {question[one.start : one.end]}" for one in names)


def _hops(question: str, names: Sequence[Name]) -> tuple[str, ...]:
    """The question, and what it asks first: ``the director of film X``, ``X's father``."""
    masked = _masked(question, names)
    inner = _INNER.search(masked)
    if inner is None or not names:
        return (question,)
    before = masked[: inner.start()].count(_MASK)
    one = names[before]
    text = question[one.start : one.end]
    return (question, inner.group().replace(_MASK, text))
