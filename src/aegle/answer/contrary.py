"""What a claim may never say: another amount than its evidence, one of another thing, an opposite.

These are guards, not features: whatever a model thinks of a claim, a wrong unit, two doses that
changed places, or a drug that is held where it was continued do not stand.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Final

from aegle.answer.concepts import content_words
from aegle.answer.quantities import CARRIERS, Amount, amounts, loose
from aegle.lm.opposites import SIDES
from aegle.lm.segment import sentences

_NEGATED: Final = re.compile(r"\b(?:no|not|never|without|cannot|neither|nor)\b|n['’]t\b", re.I)
_FIGURES: Final = re.compile(r"\d+(?:[.,:/]\d+)*")
_PIECE: Final = re.compile(r"\w+(?:[-.'’]\w+)*|[,;:]")
_COSTS: Final = {",": 3, ";": 4, "and": 2, "but": 3, "then": 2, "while": 3}
_GIVEN: Final = frozenset("mass volume unit tablet capsule puff drop patch spray".split())
"""What doses are measured in."""
_REACH: Final = 5
"""Words between a deed and what it is done to, marks between counted."""
_CLOSE: Final = 2
"""So far away it is done to that and nothing else."""


def misstated(sentence: str, evidence: Sequence[str]) -> list[Amount]:
    """Amounts of a sentence whose number the evidence gives another unit, or another thing.

    An amount that the evidence has in other words (``0.25 mg``, ``250 mcg``) is the same. Where the
    evidence has the number without a unit, any unit may be meant.
    """
    told = [one for text in evidence for one in amounts(text)]
    further = [one for text in evidence for one in loose(text)]
    said = amounts(sentence)
    words = {word for text in evidence for word in content_words(text)}
    figures = set(_FIGURES.findall(sentence))
    wrong = [
        one
        for one in said
        if _other(one, told, further, spoken=one.written not in figures) or _moved(one, told, words)
    ]
    if not wrong:
        wrong = [one for pair in combinations(said, 2) if _exchanged(*pair, told) for one in pair]
    return wrong


def restated(sentence: str, evidence: Sequence[str]) -> set[str]:
    """The figures of a sentence whose amounts the evidence has, however it writes them.

    ``250`` of 250 mcg where the evidence has 0.25 mg.
    """
    told = [one for text in evidence for one in (*amounts(text), *loose(text))]
    return {one.written for one in amounts(sentence) if any(one.same(other) for other in told)}


def _other(one: Amount, told: Sequence[Amount], further: Sequence[Amount], *, spoken: bool) -> bool:
    """Whether the evidence has a number with other units only, or otherwise in words.

    What is missing in figures is another rule's; ``twice`` and ``three weeks`` are none's.
    """
    every = (*told, *further)
    if one.powers is None or any(one.same(other) for other in every if other.powers):
        return False
    others = [other for other in told if other.powers is not None]
    if any(other.number == one.number and one.near in other.about for other in others):
        return True  # the 2 of "group 2" is not that of "2 weeks"
    if any(one.same(other) for other in every):
        return False
    return any(
        other.number == one.number or (spoken and other.powers == one.powers) for other in others
    )


def _moved(one: Amount, told: Sequence[Amount], words: Collection[str]) -> bool:
    """Whether the evidence gives what an amount is of another amount, and this one to others."""
    same = [other for other in told if one.same(other)]
    about = {word for other in same for word in other.about}
    if not one.near or not about or one.near in about or _year(one):
        return False
    kinds = {other.powers for other in same}
    if any(
        one.near in other.about and other.powers in kinds and not one.same(other) for other in told
    ):
        return True
    # How long something lasts may be said a sentence later; a dose stands with what is given.
    given = bool(one.powers) and any(name in _GIVEN for name, _ in one.powers or ())
    known = (given and one.near in words) or any(one.near in other.words for other in told)
    return known and not any(one.near in other.words for other in same)


@dataclass(frozen=True, slots=True)
class _Deed:
    """A word of `SIDES` in a sentence.

    Attributes:
        family: the question; ``side``: its answer.
        near: content words about it -> how far away, both ways.
        things: what it is most likely done to.
        open: whether it says nothing by itself: negated, or beside its own opposite.
    """

    family: int
    side: int
    near: Mapping[str, int]
    things: tuple[str, ...]
    open: bool


def _year(one: Amount) -> bool:
    return one.powers is None and one.number in range(1900, 2101)


def _exchanged(one: Amount, other: Amount, told: Sequence[Amount]) -> bool:
    """Whether two amounts of one kind would fit the evidence better in each other's place."""
    if one.powers != other.powers or one.same(other) or _year(one):
        return False
    at_one = {word for a in told if one.same(a) for word in a.about}
    at_other = {word for a in told if other.same(a) for word in a.about}
    as_said = len(one.about & at_one) + len(other.about & at_other)
    return as_said < len(one.about & at_other) + len(other.about & at_one)


def opposed(sentence: str, evidence: Sequence[str]) -> bool:
    """Whether the evidence says only the opposite of the same thing.

    ``Warfarin is held`` against ``Warfarin is continued``. What either negates is left to those
    who read negations.
    """
    told = [deeds for text in evidence for deeds in _deeds(text)]
    return any(_denied(deed, told) for deeds in _deeds(sentence) for deed in deeds if not deed.open)


def _denied(deed: _Deed, told: Sequence[Sequence[_Deed]]) -> bool:
    found = []
    for thing in deed.things:
        sides: set[int] = set()
        for deeds in told:
            own = [one for one in deeds if one.family == deed.family and thing in one.near]
            sides |= {side for one in own if _of(one, thing, own) for side in _said(one)}
        if sides:
            found.append(deed.side not in sides)
    return bool(found) and all(found)


def _said(deed: _Deed) -> tuple[int, ...]:
    return (0, 1) if deed.open else (deed.side,)


def _of(deed: _Deed, thing: str, others: Sequence[_Deed]) -> bool:
    """Whether a deed may be done to a thing: not when it has another and another deed has this."""
    closest = min(deed.near.values())
    taken = closest <= _CLOSE and deed.near[thing] > _CLOSE
    return not (taken and any(one.near[thing] <= _CLOSE for one in others))


@lru_cache(maxsize=512)
def _deeds(text: str) -> tuple[tuple[_Deed, ...], ...]:
    found = []
    for span in sentences(text):
        pieces = _PIECE.findall(text[span.start : span.end])
        some = [_deed(pieces, at) for at, piece in enumerate(pieces) if piece.casefold() in SIDES]
        if any(one.near for one in some):
            found.append(tuple(one for one in some if one.near))
    return tuple(found)


def _deed(pieces: Sequence[str], place: int) -> _Deed:
    family, side = SIDES[pieces[place].casefold()]
    negated = _NEGATED.search(" ".join(pieces[max(0, place - 3) : place]))
    beside = [SIDES.get(one.casefold()) for one in pieces[max(0, place - 2) : place + 3]]
    before = _reached(pieces[:place][::-1]) if family != SIDES["left"][0] else []
    behind = _reached(pieces[place + 1 :])
    near = dict(sorted(before + behind, key=lambda one: -one[1]))
    things = before[:1]
    # What stands behind it is named by the last of its words: "increased blood pressure".
    for at, one in enumerate(behind):
        if at + 1 == len(behind) or behind[at + 1][1] > one[1] + 1:
            things.append((one[0], behind[0][1]))
            break
    least = min((cost for _, cost in things), default=0)
    return _Deed(
        family,
        side,
        near,
        tuple(word for word, cost in things if cost <= min(least + 1, _REACH)),
        bool(negated) or (family, 1 - side) in beside,
    )


def _reached(pieces: Sequence[str]) -> list[tuple[str, int]]:
    """Content words and how far away they stand, the nearest first."""
    found, cost = [], 0
    for piece in pieces:
        cost += _COSTS.get(piece.casefold(), 1)
        told = content_words(piece) if piece.casefold() not in SIDES else []
        found += [(word, cost) for word in told[:1] if word not in CARRIERS]
    return found
