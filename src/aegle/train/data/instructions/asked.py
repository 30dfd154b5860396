"""What a question asks for, as far as its words tell: whether two wordings can ask the same.

By rules, on the side of no: a wording that is refused costs an example its variety, one that asks
for something else teaches a wrong answer. Similarity of vectors doesn't tell them apart: see
docs/decisions/0092-examples-rewards-review.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from aegle.lm.opposites import opposites_of

_SAME: Final = tuple(
    frozenset(row.split())
    for row in """who whom practitioner clinician doctor physician nurse person
        when date day time
        where ward unit place location located
        dose dosage amount much
        given ordered administered prescribed
        medication medications medicine medicines drug drugs order orders ordered prescribed
        allergy allergies allergic
        condition conditions diagnosis diagnoses illness disease problem problems
        host server machine computer
        device equipment
        vulnerability vulnerabilities cve flaw
        weakness cwe
        address ip
        who vendor manufacturer company maker
        makes made make
        controls controlled control controlling operates
        attached connected
        care cares responsible cared
        reaction reacts react happens
        vaccine vaccines immunization immunizations vaccinated
        procedure procedures operation
        domain name
        who account user
        malware virus
        result value reading level
        uses used use
        runs run running
        parent started launched spawned
        wrote written write
        exploit exploits exploited
        affect affects affected""".splitlines()
)
"""Words that stand for one another in questions of ours; forms of one word share a row."""

_EMPTY: Final = frozenset(
    """a an the of for in on at to by with from as is are was were be been being do does did has
    have had can could will would may might which what it its this that these those there and
    or according record records recorded listed list lists documented noted stated reported
    chart file said say says tell me please currently exactly patient case any some also know
    known measured found belong belongs get gets got""".split()
)
"""Words that don't say what is asked for."""

_HEADS: Final = frozenset(("file", "record", "patient"))
"""Of these those that may be asked for."""

_QUESTION: Final = re.compile(
    r"\b(how (?:many|much|often|long|old|far|soon)|who|whom|whose|when|where|why|how|which|what)\b"
)
_BE: Final = r"(?:is|are|was|were|been|being)"
_PASSIVE: Final = re.compile(rf"\b{_BE}\b(?:[^?]*?)\b\w+(?:ed|en|wn|de)\b")
_WORD: Final = re.compile(r"[a-z]+")
_HEAD_ENDS: Final = frozenset(
    """is are was were do does did has have had can could will would may might should of for in
    on at to by with from that""".split()
)


def kind(question: str, names: Sequence[str]) -> frozenset[str]:
    """What is asked for: the words behind ``which`` or ``what``, else what asks; with those that
    may stand for them."""
    text = _without(question, names)
    match = _QUESTION.search(text)
    if match is None:
        return frozenset(("whether",))
    asks = match[1]
    if asks.startswith("how "):
        asks = asks.removeprefix("how ")
        return _meant(asks) | {"amount" if asks in ("many", "much") else asks}
    if asks not in ("which", "what"):
        return _meant(asks)
    head: list[str] = []
    words = _WORD.findall(text[match.end() :])
    for place, word in enumerate(words):
        if word in _HEAD_ENDS:
            # "What is the dose of", "what was the dose": the first noun behind.
            if not head:
                rest = [one for one in words[place:] if one not in _EMPTY or one in _HEADS]
                head = rest[:1]
            break
        if word not in ("the", "a", "an", "own"):
            head.append(word)
    # A verb may follow at once ("which host controls"): no harm, it has to stand in both.
    return frozenset().union(*(_meant(one) for one in head)) if head else frozenset(("a name",))


def asks_the_same(question: str, other: str, names: Sequence[str]) -> bool:
    """Whether another wording can ask for the same thing about the same names.

    It asks for the same kind of thing; each of its words stands in the question, stands for one of
    it or says nothing; none is the opposite of one; who does it to whom is not turned round.
    """
    kinds = kind(question, names), kind(other, names)
    if not kinds[0] & kinds[1]:
        return False
    mine, theirs = (_words(one, names) for one in (question, other))
    if any(opposites_of(word) & set(theirs) - set(mine) for word in mine):
        return False
    return (
        all(_stands(word, mine) for word in theirs)
        and all(_stands(word, theirs) for word in mine)
        and not _turned(question, other, names)
    )


def _without(question: str, names: Sequence[str]) -> str:
    """A question in lower case, its names taken out."""
    for name in sorted(names, key=len, reverse=True):
        question = question.replace(name, " ")
    return question.lower()


def _words(question: str, names: Sequence[str]) -> list[str]:
    """The words that say what is asked for, in order; of ``how much`` what asks."""
    text = _without(question, names)
    words = [one for one in _WORD.findall(text) if one not in _EMPTY and one != "how"]
    return [one for one in words if len(one) > 1]


def _meant(word: str) -> frozenset[str]:
    """A word with those that may stand for it."""
    rows = [row for row in _SAME if word in row or stem(word) in row]
    return frozenset((word, stem(word))).union(*rows)


def stem(word: str) -> str:
    """A word without the commonest endings, so that forms of it are one."""
    for ending in ("ies", "ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


def _stands(word: str, others: Sequence[str]) -> bool:
    """Whether a word, or one that stands for it, is among others."""
    mine = _meant(word)
    return any(stem(one) == stem(word) or one in mine for one in others)


def _turned(question: str, other: str, names: Sequence[str]) -> bool:
    """Whether a name that stood before a word stands behind it, and the voice is the same."""
    voices = [bool(_PASSIVE.search(one.lower())) for one in (question, other)]
    if voices[0] != voices[1]:
        return False
    return any(
        (side is not None and again is not None and side != again)
        for name in names
        for word in {stem(one) for one in _words(question, names)}
        for side, again in [(_before(question, name, word), _before(other, name, word))]
    )


def _before(question: str, name: str, word: str) -> bool | None:
    """Whether a word stands before a name; None: it isn't there."""
    place = question.find(name)
    for match in re.finditer(r"[A-Za-z]+", question):
        inside = place <= match.start() < place + len(name)
        if not inside and stem(match.group().lower()) == word:
            return match.start() < place
    return None
