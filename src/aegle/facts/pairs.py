"""Pairs: relations that a tagger's head tells of the things that a document speaks of.

The head judges things, not mentions: all that a text says of two of them, in whichever sentence.
It learned so within a few hundred words; a longer text is judged in stretches that overlap by half.
Each relation is tied to the two mentions of its stretch that stand nearest, as its evidence.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aegle.core.pack import PairSet
from aegle.core.records import Document, Entity, Span
from aegle.facts.tag import Told
from aegle.facts.words import Words

_STRETCH: Final = 350
"""Words judged at once: about the 500 pieces of a window, within which the head learned."""
_MOST: Final = 40
"""Things of a stretch that are judged, the most mentioned first: pairs grow with the square."""
_FARTHEST: Final = 1_500
"""Characters between two mentions that can still be shown as evidence of one relation."""
_NOT_SAID: Final = frozenset({"negated", "family", "hypothetical"})


@dataclass(frozen=True, slots=True)
class Pair:
    """Two mentions that a model relates; ``span`` is the text in which it does."""

    head: Entity
    tail: Entity
    type: str
    span: Span
    score: float
    extractor: str


def paired(
    doc: Document, split: Words, entities: Sequence[Entity], told: Told, sentences: Sequence[Span]
) -> list[Pair]:
    """What the domains' pair heads relate in a document.

    Of two things that several stretches relate the surest answer stands; that another stretch
    relates them not is no answer, as what ties them may stand outside of it.

    Args:
        doc: the document.
        split: its words.
        entities: what it names, in order of their start.
        told: what the tagger says of it.
        sentences: its sentences in order.
    """
    found: list[Pair] = []
    for tags in told.tags:
        wanted = tags.pairs
        if wanted is None or doc.kind not in wanted.kinds:
            continue
        head = told.heads.get(wanted.head)
        if head is None:
            continue
        kinds = {type: kind for type, kind in wanted.things.items() if kind in head.things}
        best: dict[frozenset[str], Pair] = {}
        for stretch, inside in _stretches(split, entities):
            things = _things(inside, kinds)
            if len(things) < 2:
                continue
            for pair in _judged(told, wanted, head.labels, things, sentences, stretch):
                keys = frozenset((pair.head.key, pair.tail.key))
                if keys not in best or best[keys].score < pair.score:
                    best[keys] = pair
        found += best.values()
    return found


def _stretches(
    split: Words, entities: Sequence[Entity]
) -> Iterator[tuple[tuple[int, int], Sequence[Entity]]]:
    """Characters of stretches that overlap by half, with the entities that begin in each."""
    starts = [one.start for one in entities]
    first = 0
    while True:
        after = min(first + _STRETCH, len(split))
        last = after == len(split)
        start = split.starts[first] if first else 0
        end = len(split.text) if last else split.starts[after]
        yield (start, end), entities[bisect_left(starts, start) : bisect_left(starts, end)]
        if last:
            return
        first += _STRETCH // 2


def _things(entities: Sequence[Entity], kinds: Mapping[str, str]) -> list[list[Entity]]:
    """The mentions of each thing that the head knows, the most mentioned things first."""
    by_key: dict[str, list[Entity]] = defaultdict(list)
    for one in entities:
        if one.type in kinds and one.assertion not in _NOT_SAID:
            by_key[one.key].append(one)
    return sorted(by_key.values(), key=lambda some: (-len(some), some[0].start))[:_MOST]


def _judged(
    told: Told, wanted: PairSet, labels: Sequence[str], things: Sequence[Sequence[Entity]],
    sentences: Sequence[Span], stretch: tuple[int, int],
) -> Iterator[Pair]:  # fmt: skip
    asked = [
        (wanted.things[some[0].type], [(one.start, one.end) for one in some]) for some in things
    ]
    table = told.reading.pairs(wanted.head, asked, within=stretch)
    extractor = f"{wanted.head}/{told.extractor}"
    for i, left in enumerate(things):
        for j in range(i + 1, len(things)):
            place = int(table[i, j, 1:].argmax())
            score = float(table[i, j, 1 + place])
            if score < wanted.threshold or float(table[i, j, 0]) > score:
                continue
            one, other = _nearest(left, things[j])
            span = _evidence(one, other, sentences)
            for head, tail in ((one, other), (other, one)):
                type = wanted.relations.get((labels[place], head.type, tail.type))
                if type and len(span) <= _FARTHEST:
                    yield Pair(head, tail, type, span, min(score, 1.0), extractor)
                    break


def _nearest(left: Sequence[Entity], right: Sequence[Entity]) -> tuple[Entity, Entity]:
    """The two mentions with the fewest characters between, in the order of the text.

    Each side is in order of its start.
    """
    starts = [one.start for one in right]
    best: tuple[int, int] | None = None
    near = (left[0], right[0])
    for one in left:
        at = bisect_left(starts, one.start)
        for other in right[max(at - 1, 0) : at + 1]:
            rank = (abs(one.start - other.start), one.start)
            if best is None or rank < best:
                best, near = rank, (one, other)
    return near if near[0].start <= near[1].start else (near[1], near[0])


def _evidence(one: Entity, other: Entity, sentences: Sequence[Span]) -> Span:
    """The sentences from the first mention's to the last's."""
    start, end = one.start, max(one.end, other.end)
    for sentence in sentences:
        if sentence.start < end and sentence.end > start:
            start, end = min(start, sentence.start), max(end, sentence.end)
        if sentence.start >= end:
            break
    return Span(start, end)
