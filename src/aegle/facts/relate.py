"""What ties entities: the source's own links, rules over near ones, and the patient of a chart."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from aegle.core.pack import Rule
from aegle.core.records import Document, Entity, Facts, Relation, Span, content_id
from aegle.core.text import SafeText
from aegle.facts.pieces import RULE, SOURCE

OF_PATIENT: Final = {
    "condition": "has_condition",
    "symptom": "has_symptom",
    "medication": "takes",
    "allergy": "allergic_to",
    "procedure": "had_procedure",
    "immunization": "had_immunization",
    "lab": "has_result",
    "vital": "has_vital",
    "device": "uses_device",
    "ward": "stays_in",
}
"""What a chart that names a thing says of its patient."""

_SAID: Final = ("present", "historical", "possible")
"""Assertions under which a chart ties a thing to its patient; the others deny it, or tie it to
somebody else, or to an if."""

_NAMED: Final = re.compile(
    r"^[ \t]*(?:patient(?:[ \t]+name)?|name|pt)[ \t]*:[ \t]*(?P<name>[^\n|;]{2,60}?)"
    r"(?=[ \t]{2,}|[ \t]*[|;(\n]|[ \t]+(?:MRN|DOB|Age|Sex|ID)\b|$)",
    re.IGNORECASE | re.MULTILINE,
)
_PATIENT: Final = re.compile(r"\b(?:patient|pt)\b", re.IGNORECASE)
_ALLERGY: Final = re.compile(r"allerg|intoleran|NKDA", re.IGNORECASE)
_HEADING: Final = re.compile(r"^[ \t#]*([A-Za-z][A-Za-z /&-]{2,40}?)[ \t]*(?::|$)", re.MULTILINE)
_WINDOW: Final = 6
"""Of the entities after a head, this many are tried as its tail; sentences seldom have more."""


def relate(
    doc: Document,
    entities: Sequence[Entity],
    places: Mapping[int, int],
    spans: Sequence[Span],
    rules: Sequence[Rule],
) -> Facts:
    """Facts of a document from its entities.

    Args:
        entities: in the order of the text.
        places: place of a mention in ``doc.mentions`` -> place of its entity.
        spans: the document's sentences.
    """
    relations: dict[str, Relation] = {}
    every = list(entities)
    for relation in _linked(doc, entities, places):
        relations.setdefault(relation.id, relation)
    if doc.group.startswith("patient:"):
        patient, added = _patient(doc, entities)
        every = [patient, *every] if added else every
        linked = {(r.head, r.tail) for r in relations.values()}
        for relation in _of_patient(doc, patient, entities, spans):
            if (relation.head, relation.tail) not in linked:
                relations.setdefault(relation.id, relation)
    for relation in _by_rules(doc, entities, spans, rules):
        relations.setdefault(relation.id, relation)
    every.sort(key=lambda e: (e.start, e.end, e.type, e.id))
    return Facts(tuple(every), tuple(relations.values()))


def _relation(
    doc: Document, head: Entity, tail: Entity, type: str, span: Span, score: float, by: str
) -> Relation:
    worst = head.assertion if head.assertion != "present" else tail.assertion
    return Relation(
        id=content_id("relation", doc.id, head.id, tail.id, type),
        document_id=doc.id,
        head=head.id,
        tail=tail.id,
        type=type,
        start=span.start,
        end=span.end,
        assertion=worst,
        score=score,
        time=tail.time or head.time or doc.time,
        extractor=by,
    )


def _linked(
    doc: Document, entities: Sequence[Entity], places: Mapping[int, int]
) -> Iterator[Relation]:
    for link in doc.links:
        if link.head not in places or link.tail not in places or link.head == link.tail:
            continue
        head, tail = entities[places[link.head]], entities[places[link.tail]]
        low, high = sorted((head, tail), key=lambda e: (e.start, e.end))
        # The words that state it: from one to the other when near, else the line of the tail.
        near = high.end - low.start <= 400
        span = Span(low.start, max(high.end, low.end)) if near else _line(doc.text, tail)
        yield _relation(doc, head, tail, link.type, span, 1.0, SOURCE)


def _line(text: str, entity: Entity) -> Span:
    start = text.rfind("\n", 0, entity.start) + 1
    end = text.find("\n", entity.end)
    return Span(start, len(text) if end < 0 else end)


def _patient(doc: Document, entities: Sequence[Entity]) -> tuple[Entity, bool]:
    """The entity of the chart's patient, and whether it had to be added."""
    for entity in entities:
        if entity.key == doc.group:
            return entity, False
    named = _NAMED.search(doc.text)
    word = _PATIENT.search(doc.text)
    if named:
        start, end = named.span("name")
    elif word:
        start, end = word.span()
    else:
        first = re.search(r"\S[^\n]*", doc.text)
        start, end = first.span() if first else (0, len(doc.text))
    made = Entity(
        id=content_id("entity", doc.id, str(start), str(end), "patient", doc.group),
        document_id=doc.id,
        start=start,
        end=end,
        text=SafeText.cut(doc.text, start, end),
        type="patient",
        key=doc.group,
        time=doc.time,
        extractor=RULE,
    )
    return made, True


def _of_patient(
    doc: Document, patient: Entity, entities: Sequence[Entity], spans: Sequence[Span]
) -> Iterator[Relation]:
    headings = [(m.start(), m.group(1)) for m in _HEADING.finditer(doc.text)]
    for entity in entities:
        type = OF_PATIENT.get(entity.type)
        if type is None or entity.assertion not in _SAID:
            continue
        span = _sentence_of(spans, entity)
        if type == "takes" and _in_allergies(doc.text, entity, span, headings):
            type = "allergic_to"
        yield _relation(doc, patient, entity, type, span, 0.8 * entity.score, RULE)


def _in_allergies(
    text: str, entity: Entity, span: Span, headings: Sequence[tuple[int, str]]
) -> bool:
    if _ALLERGY.search(text, span.start, entity.start):
        return True
    at = bisect_right(headings, entity.start, key=lambda heading: heading[0]) - 1
    return at >= 0 and bool(_ALLERGY.search(headings[at][1]))


def _sentence_of(spans: Sequence[Span], entity: Entity) -> Span:
    at = bisect_right(spans, entity.start, key=lambda span: span.start) - 1
    if at < 0:
        return Span(entity.start, entity.end)
    return Span(spans[at].start, max(spans[at].end, entity.end))


def _by_rules(
    doc: Document, entities: Sequence[Entity], spans: Sequence[Span], rules: Sequence[Rule]
) -> Iterator[Relation]:
    by_pair: dict[tuple[str, str], list[Rule]] = defaultdict(list)
    for rule in rules:
        by_pair[rule.head, rule.tail].append(rule)
    ordered = sorted(entities, key=lambda e: (e.start, e.end))
    sentence = {entity.id: _sentence_of(spans, entity) for entity in ordered}
    for place, first in enumerate(ordered):
        for second in ordered[place + 1 : place + 1 + _WINDOW]:
            if second.start < first.end or first.key == second.key:
                continue
            between = doc.text[first.end : second.start]
            same = sentence[first.id].start == sentence[second.id].start
            span = Span(sentence[first.id].start, sentence[second.id].end)
            for head, tail in ((first, second), (second, first)):
                for rule in by_pair.get((head.type, tail.type), ()):
                    swapped = head is second
                    if _applies(rule, between, same, swapped):
                        yield _relation(doc, head, tail, rule.type, span, rule.score, RULE)


def _applies(rule: Rule, between: str, same_sentence: bool, swapped: bool) -> bool:
    if (swapped and not rule.both_orders) or len(between) > rule.gap:
        return False
    if rule.same_sentence and not same_sentence:
        return False
    return rule.between is None or rule.between.search(between) is not None
