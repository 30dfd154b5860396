"""What kind of question it is, in which parts it is searched, and whether the graph is walked."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
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
    r"\?\W*$|^\W*(?:(?:in|on|at|of|to|for|from|by|with)\s+)?(?:who|whom|whose|what|which|when|where|"
    r"why|how|is|are|was|were|do|does|did|has|have|had|can|could)\b",
    re.IGNORECASE,
)
"""A question; a claim or a list of key words is looked up by its words and meaning."""

_MASK: Final = "\x00"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""What no question means, and the mask is one of: read as spaces, so that names stay in place."""

_SAID_OF: Final = re.compile(
    r"\b(?:the )?(?:name|place|date|year|day|time|city|town|country|state|county|cause|kind|type|"
    r"sort) of (?=(?:birth|death|origin|the|a|an|\x00)\b)",
    re.IGNORECASE,
)
_LINK: Final = (
    r"(?:of|in|at|on|by|from|to|for|with|that|which|who|whom|whose|where|when|containing|named|"
    r"called|located|produced|founded|born|written|directed|performed|owned|published)"
)
_ROLE: Final = re.compile(
    rf"\b(?:the|an?)\s+(?:[\w\-]+\s+){{1,4}}?{_LINK}\b[^{_MASK}]*{_MASK}|"
    rf"{_MASK}\S{{0,12}}['’][sS]?\s+[a-z][\w\-]*",
)
"""What is not named but told by what it is to something named: ``the director of film X``."""

_NESTED: Final = re.compile(rf"\b{_LINK}\s+(?:the|an?)\b")
_KIN: Final = re.compile(
    r"\b(?:\w+[- ]in[- ]law|grand\w+|step\w+|uncle|aunt|cousin|nephew|niece)\b"
)
"""A relation that is two relations."""

_ASKING: Final = re.compile(r"\b(?:who|whom|whose|what|which|when|where|why|how)\b", re.IGNORECASE)
_LIGHT: Final = frozenset("name located found called named know known same come go get".split())
"""Words that ask for nothing of their own."""

_INNER: Final = re.compile(
    rf"\bthe\s+(?:[a-z][\w\-]*\s+){{1,4}}{_MASK}|{_MASK}['’][sS]?\s+[a-z]\S*"
)
_BETWEEN: Final = re.compile(rf"{_MASK}\s*\W?\s*(?:or|and|than|versus|vs)\b|,[^{_MASK}]*\bor\b")


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


def plan(
    question: str,
    named: Sequence[Name],
    *,
    is_subject: Callable[[Name], bool] = lambda name: True,
    domains: Collection[str] = (),
) -> Plan:
    """Route a question by its form, take it apart, and say whether the graph is to be walked.

    Args:
        question: as it is asked; control characters are read as spaces.
        named: what of it the corpus knows, in order and none inside another.
        is_subject: whether some document is about what a name names. A question that names no
            subject is not walked: names that are only mentioned are words like others.
        domains: of what it names; two make it cross-domain.
    """
    question = _CONTROL.sub(" ", question)
    names = tuple(named)
    route = _route(question, names, domains)
    asked = _without(question, names)
    parts: tuple[str, ...] = (question,)
    if route == "comparison":
        parts = _sides(question, names)
    elif route in WALKED:
        parts = _hops(question, names)
    walks = route in WALKED and any(is_subject(one) for one in names)
    return Plan(route, names, asked, parts, walks)


def asks(question: str) -> bool:
    """Whether it is a question, and neither a claim nor a list of key words."""
    return bool(_ASKS.search(question))


def _route(question: str, names: Sequence[Name], domains: Collection[str]) -> Route:
    if _IDENTIFIER.search(question):
        beside = [word for word in terms(_IDENTIFIER.sub(" ", question)) if word not in STOP_WORDS]
        if len(beside) <= _MOST_BESIDE:
            return "identifier"
    if len(set(domains)) > 1:
        return "cross-domain"
    if not asks(question):
        return "single"
    masked = _masked(question, names)
    if len(names) > 1 and _COMPARES.search(masked) and _BETWEEN.search(masked):
        return "comparison"
    if _is_chain(masked):
        return "multi-hop"
    return "aggregate" if _AGGREGATE.search(masked) else "single"


def _masked(question: str, names: Sequence[Name]) -> str:
    for one in reversed(names):
        question = f"{question[: one.start]}{_MASK}{question[one.end :]}"
    return question


def _is_chain(masked: str) -> bool:
    """Whether something is asked of a thing that is only told by what it is to something named."""
    if masked.count(_MASK) > 1 or _KIN.search(masked):
        return True
    plain = _SAID_OF.sub("", masked)
    role = _ROLE.search(plain)
    if role is None:
        return False
    beside = terms(_ASKING.sub(" ", plain[: role.start()] + " " + plain[role.end() :]))
    return bool(_NESTED.search(role.group())) or any(word not in _LIGHT for word in beside)


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
