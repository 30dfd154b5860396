"""Facts of one document: what its source states, terms, patterns and tags, merged."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from aegle.core.pack import Cue, Pattern, Rule
from aegle.core.records import Document, Entity, Facts, Span, content_id
from aegle.facts.assertion import Context, decide
from aegle.facts.heads import Head, heads_of
from aegle.facts.keys import (
    SUBSTANCES,
    choice_of,
    key_of_shape,
    known_key,
    shape_key,
    substance_key,
)
from aegle.facts.lexicon import Lexicon
from aegle.facts.link import align, mention_key, normal_name
from aegle.facts.made import LEXICON, PATTERN, SOURCE
from aegle.facts.merge import Candidate, without_overlap
from aegle.facts.pairs import paired
from aegle.facts.relate import relate
from aegle.facts.tag import Told, tagged
from aegle.facts.words import Words, words
from aegle.lm.segment import sentences

ASSERTABLE: Final = frozenset(
    """condition symptom medication allergy procedure immunization lab vulnerability weakness
    attack_pattern technique tactic malware tool threat_group campaign""".split()
)
"""Types that a text can deny or doubt. An address or a device that is named is there."""

_HEADED: Final = frozenset({"condition", "symptom"})
"""Types whose names also name other things, with a noun after them: a clinic, a test, a vaccine."""

_SURE: Final = 0.5
"""A term that scores less counts only in company: near a surer entity of the same lexicon."""
_COMPANY: Final = 200


def extract(
    doc: Document,
    *,
    lexicons: Sequence[Lexicon],
    patterns: Sequence[Pattern],
    cues: Sequence[Cue],
    rules: Sequence[Rule],
    told: Told | None = None,
) -> Facts:
    """What a document says: entities with exact spans, and relations between them.

    What the source states stands as it is; what disagrees with it gives way. Of overlapping terms,
    patterns and tags one stays (`merge`). The same document gives the same ids.

    Args:
        doc: the document; every entity's text is ``doc.text[start:end]``.
        lexicons: names to find; an earlier lexicon wins a tie.
        patterns: shapes to find.
        cues: what changes an assertion, for entities that can be denied or doubted.
        rules: what relates entities of a sentence, or an entity and the document's subject.
        told: what a tagger says of the document's text, if there is one.
    """
    split = words(doc.text)
    parts = sentences(doc.text)
    context = _context(tuple(cues))
    stated = [_stated(doc, i, lexicons, patterns) for i in range(len(doc.mentions))]
    seen = tagged(doc, split, told, lexicons) if told else ()
    offered = (*_named(split, lexicons), *_shaped(doc.text, patterns), *seen)
    found = without_overlap(offered, stated)
    found, doubts = _headed(split, found, context, lexicons)
    said = context.assertions(split, parts, [Span(one.start, one.end) for one in found])
    judged = _judged(told, found)
    by_position = [
        _entity(doc, one, mention.assertion, mention.time)
        for one, mention in zip(stated, doc.mentions, strict=True)
    ]
    entities = {entity.id: entity for entity in by_position}
    for one, by_cues, doubt in zip(found, said, doubts, strict=True):
        entity = _entity(doc, one, _assertion(one, by_cues | doubt, judged), "")
        entities.setdefault(entity.id, entity)
    ordered = sorted(entities.values(), key=lambda entity: (entity.start, entity.end, entity.id))
    return relate(
        doc,
        tuple(ordered),
        linked=by_position,
        sentences=parts,
        headings=[start for start, _ in context.sections(doc.text)],
        rules=rules,
        told=paired(doc, split, ordered, told, parts) if told else (),
    )


def _assertion(
    one: Candidate, said: frozenset[str], judged: Mapping[tuple[int, int], Mapping[str, float]]
) -> str:
    return decide(said, judged.get((one.start, one.end))) if one.type in ASSERTABLE else "present"


def _judged(
    told: Told | None, found: Sequence[Candidate]
) -> dict[tuple[int, int], Mapping[str, float]]:
    """The probabilities of assertions, where a domain asks its head about the type."""
    judged: dict[tuple[int, int], Mapping[str, float]] = {}
    if told is None:
        return judged
    for tags in told.tags:
        head = told.heads.get(tags.assertion)
        asked = [(one.start, one.end) for one in found if one.type in tags.asserted]
        if head and asked:
            for place, row in zip(asked, told.reading.spans(tags.assertion, asked), strict=True):
                judged[place] = dict(zip(head.labels, row.tolist(), strict=True))
    return judged


def _headed(
    split: Words, found: Sequence[Candidate], context: Context, lexicons: Sequence[Lexicon]
) -> tuple[list[Candidate], list[frozenset[str]]]:
    """The candidates as the nouns after them make them, and what those nouns say of each."""
    heads = heads_of(split, context.heads, [Span(one.start, one.end) for one in found])
    turned: list[Candidate] = []
    doubts: list[frozenset[str]] = []
    for one, head in zip(found, heads, strict=True):
        if head is None or one.type not in _HEADED:
            turned.append(one)
            doubts.append(frozenset())
            continue
        turned.append(_turned(split.text, one, head, lexicons) if head.cue.type else one)
        doubts.append(frozenset({head.cue.assertion} - {""}))
    return turned, doubts


def _turned(text: str, one: Candidate, head: Head, lexicons: Sequence[Lexicon]) -> Candidate:
    """What a name and its head are together; a shared head counts where the lexicons know it."""
    type = head.cue.type
    name = text[one.start : one.end]
    known = known_key(type, f"{name} {type}", lexicons)
    if head.shared and not known:
        return one
    key = known or f"{type}:{normal_name(text[one.start : head.end])}"
    return replace(one, end=head.end, type=type, key=key, concepts=())


@lru_cache(maxsize=8)
def _context(cues: tuple[Cue, ...]) -> Context:
    return Context(cues)


def _entity(doc: Document, one: Candidate, assertion: str, time: str) -> Entity:
    return Entity(
        id=content_id(doc.id, str(one.start), str(one.end), one.type, one.key),
        document_id=doc.id,
        start=one.start,
        end=one.end,
        text=doc.text.cut(one.start, one.end),
        type=one.type,
        key=one.key,
        assertion=assertion,
        concepts=one.concepts,
        score=one.score,
        time=time or doc.time,
        extractor=one.extractor,
    )


def _stated(
    doc: Document, position: int, lexicons: Sequence[Lexicon], patterns: Sequence[Pattern]
) -> Candidate:
    mention = doc.mentions[position]
    text = doc.text[mention.start : mention.end]
    concepts = align(mention, text, lexicons)
    key = mention_key(mention, concepts, text)
    if mention.type in SUBSTANCES:
        key = substance_key(text, lexicons) or key
    elif not concepts and mention.ref is None:
        key = (
            known_key(mention.type, text, lexicons)
            or shape_key(mention.type, text, patterns)
            or key
        )
    return Candidate(mention.start, mention.end, mention.type, key, concepts, 1.0, SOURCE)


def _named(split: Words, lexicons: Iterable[Lexicon]) -> Iterator[Candidate]:
    for lexicon in lexicons:
        found = []
        for match in lexicon.find_in(split):
            choice = choice_of(lexicon, split.text[match.start : match.end])
            found.append(
                Candidate(
                    match.start,
                    match.end,
                    choice.type,
                    choice.key,
                    choice.concepts,
                    choice.score,
                    LEXICON,
                )
            )
        sure = [one.start for one in found if one.score >= _SURE]
        for one in found:
            if one.score >= _SURE or _in_company(one, sure):
                yield one


def _in_company(one: Candidate, sure: Sequence[int]) -> bool:
    at = bisect_left(sure, one.start - _COMPANY)
    return at < len(sure) and sure[at] <= one.end + _COMPANY


def _shaped(text: str, patterns: Iterable[Pattern]) -> Iterator[Candidate]:
    for pattern in patterns:
        has_value = "value" in pattern.regex.groupindex
        for match in pattern.regex.finditer(text):
            group: int | str = "value" if has_value and match["value"] else 0
            start, end = match.span(group)
            if start >= end or (pattern.check and not pattern.check(match)):
                continue
            key, concepts = key_of_shape(pattern, match, text[start:end])
            yield Candidate(start, end, pattern.type, key, concepts, pattern.score, PATTERN)
