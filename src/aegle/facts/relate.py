"""Relations: what the source links, rules find, the subject is tied to and a model tells.

A document about one patient or host (its ``group``) seldom names them in each sentence. So a rule
whose head or tail is the subject's type also ties the subject to what the document says of it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from aegle.core.pack import Rule
from aegle.core.records import Document, Entity, Facts, Relation, Span, content_id
from aegle.facts.assertion import strongest
from aegle.facts.made import RULE, SOURCE, SUBJECT
from aegle.facts.pairs import Pair

_OF_SUBJECT: Final = frozenset({"present", "historical", "possible"})
"""What is denied, of the family, or only supposed is not said of the subject."""
_PATIENT: Final = "patient"
_SUBJECTS: Final = (_PATIENT, "host")
_NOTE: Final = "note"
_NEAR: Final = 10
"""How many entities further a rule looks: in a list of names each pairs with few others."""
_NAMED: Final = re.compile(
    r"\b(?i:patient(?: name)?|name)[ \t]*:[ \t]*"
    r"(?P<name>[A-Z][\w'’-]*(?:,?[ \t]+[A-Z][\w'’.-]*){0,3})"
    r"|(?P<word>\b(?i:patient|pt|client)\b)"
)
_POSSIBLE_FACTOR: Final = 0.6


@dataclass(slots=True)
class _Found:
    """Relations found so far; the first that ties two entities one way stands."""

    doc: Document
    relations: list[Relation] = field(default_factory=list)
    pairs: set[tuple[str, str]] = field(default_factory=set)

    def add(
        self, type: str, head: Entity, tail: Entity, span: Span, score: float, extractor: str,
        time: str = "",
    ) -> None:  # fmt: skip
        if head.key == tail.key or (head.id, tail.id) in self.pairs:
            return
        self.pairs.add((head.id, tail.id))
        assertion = strongest((head.assertion, tail.assertion))
        self.relations.append(
            Relation(
                id=content_id(self.doc.id, head.id, tail.id, type),
                document_id=self.doc.id,
                head=head.id,
                tail=tail.id,
                type=type,
                start=span.start,
                end=span.end,
                assertion=assertion,
                score=score * (_POSSIBLE_FACTOR if assertion == "possible" else 1.0),
                time=time or tail.time or head.time,
                extractor=extractor,
            )
        )


def relate(
    doc: Document,
    entities: tuple[Entity, ...],
    *,
    linked: Sequence[Entity],
    sentences: Sequence[Span],
    headings: Sequence[int],
    rules: Sequence[Rule],
    told: Sequence[Pair] = (),
) -> Facts:
    """The facts of a document: its entities, its subject if it has one, and their relations.

    Args:
        doc: the document.
        entities: what it names, in order of their start.
        linked: the entities of ``doc.mentions``, by position, which ``doc.links`` name.
        sentences: its sentences in order.
        headings: where its headings start, in order; a rule may ask for the heading.
        rules: what relates which types.
        told: what a model relates; a pair of which source or rules say something stands as it is.
    """
    found = _Found(doc)
    for link in doc.links:
        head, tail = linked[link.head], linked[link.tail]
        span = Span(min(head.start, tail.start), max(head.end, tail.end))
        found.add(link.type, head, tail, span, 1.0, SOURCE, link.time)
    pairs: dict[tuple[str, str], list[Rule]] = {}
    for rule in rules:
        pairs.setdefault((rule.head, rule.tail), []).append(rule)
    for sentence, inside in _by_sentence(entities, sentences):
        _relate_pairs(found, inside, sentence, pairs)
    subject = _subject(doc, entities)
    if subject is not None:
        if all(entity.id != subject.id for entity in entities):
            entities = tuple(sorted((*entities, subject), key=lambda one: (one.start, one.end)))
        _relate_subject(found, subject, entities, sentences, headings, pairs)
    _relate_told(found, told, entities)
    return Facts(entities, tuple(found.relations))


def _by_sentence(
    entities: Sequence[Entity], sentences: Sequence[Span]
) -> Iterator[tuple[Span, Sequence[Entity]]]:
    starts = [entity.start for entity in entities]
    for sentence in sentences:
        inside = entities[bisect_left(starts, sentence.start) : bisect_left(starts, sentence.end)]
        if len(inside) > 1:
            yield sentence, inside


def _relate_pairs(
    found: _Found,
    inside: Sequence[Entity],
    sentence: Span,
    pairs: dict[tuple[str, str], list[Rule]],
) -> None:
    text = found.doc.text
    for i, left in enumerate(inside):
        for right in inside[i + 1 : i + 1 + _NEAR]:
            if left.end > right.start:
                continue
            between = text[left.end : right.start]
            for head, tail, forward in ((left, right, True), (right, left, False)):
                for rule in pairs.get((head.type, tail.type), ()):
                    if not rule.both_orders and forward == rule.reverse:
                        continue
                    if len(between) > rule.gap:
                        continue
                    if rule.between is None or rule.between.search(between):
                        found.add(rule.type, head, tail, sentence, rule.score, RULE)
                        break


def _relate_told(found: _Found, told: Sequence[Pair], entities: Sequence[Entity]) -> None:
    key = {entity.id: entity.key for entity in entities}
    tied = {frozenset((key[head], key[tail])) for head, tail in found.pairs}
    for one in told:
        if frozenset((one.head.key, one.tail.key)) not in tied:
            found.add(one.type, one.head, one.tail, one.span, one.score, one.extractor)


def _subject(doc: Document, entities: Sequence[Entity]) -> Entity | None:
    """The patient or host that the document is about, at the words that name it best.

    A note without a group is about the one patient that its source states.
    """
    type, _, name = doc.group.partition(":")
    if not name and doc.kind == _NOTE:
        stated = [one for one in entities if one.type == _PATIENT and one.extractor == SOURCE]
        return stated[0] if len({one.key for one in stated}) == 1 else None
    if type not in _SUBJECTS or not name or not doc.text.strip():
        return None
    for entity in entities:
        if entity.key == doc.group:
            return entity
    span = _place(doc, type, name)
    return Entity(
        id=content_id(doc.id, str(span.start), str(span.end), type, doc.group),
        document_id=doc.id,
        start=span.start,
        end=span.end,
        text=doc.text.cut(span.start, span.end),
        type=type,
        key=doc.group,
        score=0.9,
        time=doc.time,
        extractor=SUBJECT,
    )


def _place(doc: Document, type: str, name: str) -> Span:
    if type == "host":
        found = re.search(re.escape(name), doc.text, re.IGNORECASE)
        if found:
            return Span(*found.span())
    else:
        word = None
        for found in _NAMED.finditer(doc.text):
            if found["name"]:
                return Span(*found.span("name"))
            word = word or found
        if word:
            return Span(*word.span())
    first = re.search(r"\S+", doc.text)
    assert first is not None  # the caller knows that the text is not blank
    return Span(*first.span())


def _relate_subject(
    found: _Found,
    subject: Entity,
    entities: Iterable[Entity],
    sentences: Sequence[Span],
    headings: Sequence[int],
    pairs: dict[tuple[str, str], list[Rule]],
) -> None:
    starts = [sentence.start for sentence in sentences]
    for entity in entities:
        if entity.assertion not in _OF_SUBJECT or entity.id == subject.id:
            continue
        sentence = sentences[max(bisect_right(starts, entity.start) - 1, 0)]
        for head, tail in ((subject, entity), (entity, subject)):
            for rule in pairs.get((head.type, tail.type), ()):
                if rule.reverse:
                    continue  # it reads what stands between the two, and the subject is unnamed
                lead = _lead(found.doc.text, sentence, headings, entity)
                if rule.between is None or rule.between.search(lead):
                    span = Span(min(sentence.start, entity.start), max(sentence.end, entity.end))
                    found.add(rule.type, head, tail, span, rule.score, SUBJECT)
                    break


def _lead(text: str, sentence: Span, headings: Sequence[int], entity: Entity) -> str:
    """What leads to an entity: the heading it stands under, and its sentence up to it."""
    at = bisect_right(headings, entity.start) - 1
    heading = ""
    if at >= 0:
        line_end = text.find("\n", headings[at], headings[at] + 60)
        heading = text[headings[at] : line_end if line_end >= 0 else headings[at] + 40]
        heading = heading.split(":", 1)[0] + ": "
    return heading + text[max(sentence.start, entity.start - 200) : entity.end]
