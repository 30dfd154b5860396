"""Facts of one document: what its source states, its lexicon terms and its patterns, merged."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from aegle.core.pack import Cue, Pattern, Rule
from aegle.core.records import Concept, Document, Entity, Facts, Span, content_id
from aegle.facts.assertion import Context, strongest
from aegle.facts.heads import Head, heads_of
from aegle.facts.lexicon import Lexicon
from aegle.facts.link import Choice, align, choose, mention_key, normal_name
from aegle.facts.relate import relate
from aegle.facts.words import Words, words
from aegle.lm.segment import sentences

SOURCE: Final = "source/1"
LEXICON: Final = "lexicon/1"
PATTERN: Final = "pattern/1"

ASSERTABLE: Final = frozenset(
    """condition symptom medication allergy procedure immunization lab vulnerability weakness
    attack_pattern technique tactic malware tool threat_group campaign""".split()
)
"""Types that a text can deny or doubt. An address or a device that is named is there."""

_HEADED: Final = frozenset({"condition", "symptom"})
"""Types whose names also name other things, with a noun after them: a clinic, a test, a vaccine."""

_CONTAINERS: Final = frozenset({"event", "encounter", "rule", "detection"})
"""Types whose mentions span whole records, with other entities inside."""

_SUBSTANCES: Final = frozenset({"medication", "allergy"})
_LONGEST_NAME: Final = 200
"""Characters of a stated name that are searched for a substance."""

_SURE: Final = 0.5
"""A term that scores less counts only in company: near a surer entity of the same lexicon."""
_COMPANY: Final = 200


@dataclass(frozen=True, slots=True)
class _Candidate:
    start: int
    end: int
    type: str
    key: str
    concepts: tuple[Concept, ...]
    score: float
    extractor: str


def extract(
    doc: Document,
    *,
    lexicons: Sequence[Lexicon],
    patterns: Sequence[Pattern],
    cues: Sequence[Cue],
    rules: Sequence[Rule],
) -> Facts:
    """What a document says: entities with exact spans, and relations between them.

    What the source states stands as it is; a term or pattern that disagrees with it gives way. Of
    overlapping terms and patterns the longest stays. The same document gives the same ids.

    Args:
        doc: the document; every entity's text is ``doc.text[start:end]``.
        lexicons: names to find; an earlier lexicon wins a tie.
        patterns: shapes to find.
        cues: what changes an assertion, for entities that can be denied or doubted.
        rules: what relates entities of a sentence, or an entity and the document's subject.
    """
    split = words(doc.text)
    parts = sentences(doc.text)
    context = _context(tuple(cues))
    stated = [_stated(doc, i, lexicons, patterns) for i in range(len(doc.mentions))]
    offered = [*_named(split, lexicons), *_shaped(doc.text, patterns)]
    found = _without_overlap(offered, stated)
    found, doubts = _headed(split, found, context, lexicons)
    said = context.assertions(split, parts, [Span(one.start, one.end) for one in found])
    by_position = [
        _entity(doc, one, mention.assertion, mention.time)
        for one, mention in zip(stated, doc.mentions, strict=True)
    ]
    entities = {entity.id: entity for entity in by_position}
    for one, assertions, doubt in zip(found, said, doubts, strict=True):
        assertion = strongest(assertions | doubt) if one.type in ASSERTABLE else "present"
        entity = _entity(doc, one, assertion, "")
        entities.setdefault(entity.id, entity)
    ordered = sorted(entities.values(), key=lambda entity: (entity.start, entity.end, entity.id))
    return relate(
        doc,
        tuple(ordered),
        linked=by_position,
        sentences=parts,
        headings=[start for start, _ in context.sections(doc.text)],
        rules=rules,
    )


def _headed(
    split: Words, found: Sequence[_Candidate], context: Context, lexicons: Sequence[Lexicon]
) -> tuple[list[_Candidate], list[frozenset[str]]]:
    """The candidates as the nouns after them make them, and what those nouns say of each."""
    heads = heads_of(split, context.heads, [Span(one.start, one.end) for one in found])
    turned: list[_Candidate] = []
    doubts: list[frozenset[str]] = []
    for one, head in zip(found, heads, strict=True):
        if head is None or one.type not in _HEADED:
            turned.append(one)
            doubts.append(frozenset())
            continue
        turned.append(_turned(split.text, one, head, lexicons) if head.cue.type else one)
        doubts.append(frozenset({head.cue.assertion} - {""}))
    return turned, doubts


def _turned(text: str, one: _Candidate, head: Head, lexicons: Sequence[Lexicon]) -> _Candidate:
    """What a name and its head are together; a shared head counts where the lexicons know it."""
    type = head.cue.type
    name = text[one.start : one.end]
    known = _known_key(type, f"{name} {type}", lexicons)
    if head.shared and not known:
        return one
    key = known or f"{type}:{normal_name(text[one.start : head.end])}"
    return replace(one, end=head.end, type=type, key=key, concepts=())


@lru_cache(maxsize=8)
def _context(cues: tuple[Cue, ...]) -> Context:
    return Context(cues)


@lru_cache(maxsize=1 << 15)
def _choice(lexicon: Lexicon, name: str) -> Choice:
    return choose(name, lexicon.look_up(name))


def _entity(doc: Document, one: _Candidate, assertion: str, time: str) -> Entity:
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
) -> _Candidate:
    mention = doc.mentions[position]
    text = doc.text[mention.start : mention.end]
    concepts = align(mention, text, lexicons)
    key = mention_key(mention, concepts, text)
    if mention.type in _SUBSTANCES:
        key = _substance_key(text, lexicons) or key
    elif not concepts and mention.ref is None:
        key = (
            _known_key(mention.type, text, lexicons)
            or _shape_key(mention.type, text, patterns)
            or key
        )
    return _Candidate(mention.start, mention.end, mention.type, key, concepts, 1.0, SOURCE)


def _known_key(type: str, text: str, lexicons: Iterable[Lexicon]) -> str:
    """The key by which the lexicons know a name of this type, so that synonyms meet."""
    for lexicon in lexicons:
        terms = [term for term in lexicon.look_up(text) if term.type == type]
        if terms:
            return choose(text, terms).key
    return ""


def _shape_key(type: str, text: str, patterns: Iterable[Pattern]) -> str:
    """The key that a pattern of this type gives the whole name: a table's CVE is a report's."""
    for pattern in patterns:
        if pattern.type != type:
            continue
        match = pattern.regex.fullmatch(text)
        if match is not None and not (pattern.check and not pattern.check(match)):
            return _key_of_shape(pattern, match, text)[0]
    return ""


def _key_of_shape(
    pattern: Pattern, match: re.Match[str], text: str
) -> tuple[str, tuple[Concept, ...]]:
    """The key and the concepts of what a pattern matched."""
    concept = pattern.concept(match) if pattern.concept else None
    if concept is None:
        return f"{pattern.type}:{(pattern.normal or normal_name)(text)}", ()
    # A concept whose system is the type is a local name: it gives the key and is no code.
    return concept.key, () if concept.system == pattern.type else (concept,)


def _substance_key(text: str, lexicons: Iterable[Lexicon]) -> str:
    """The key of the one substance that a product's name holds, empty when none or several.

    Records code products (``lisinopril 10 MG Oral Tablet``), notes name substances, and an allergy
    and a prescription of one substance must meet at one node. The product's codes stay as concepts.
    """
    keys = set()
    for lexicon in lexicons:
        for match in lexicon.find(text[:_LONGEST_NAME]):
            choice = _choice(lexicon, text[match.start : match.end])
            if choice.type in _SUBSTANCES:
                keys.add(choice.key)
    return keys.pop() if len(keys) == 1 else ""


def _named(split: Words, lexicons: Iterable[Lexicon]) -> Iterator[_Candidate]:
    for lexicon in lexicons:
        found = []
        for match in lexicon.find_in(split):
            choice = _choice(lexicon, split.text[match.start : match.end])
            found.append(
                _Candidate(
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


def _in_company(one: _Candidate, sure: Sequence[int]) -> bool:
    at = bisect_left(sure, one.start - _COMPANY)
    return at < len(sure) and sure[at] <= one.end + _COMPANY


def _shaped(text: str, patterns: Iterable[Pattern]) -> Iterator[_Candidate]:
    for pattern in patterns:
        has_value = "value" in pattern.regex.groupindex
        for match in pattern.regex.finditer(text):
            group: int | str = "value" if has_value and match["value"] else 0
            start, end = match.span(group)
            if start >= end or (pattern.check and not pattern.check(match)):
                continue
            key, concepts = _key_of_shape(pattern, match, text[start:end])
            yield _Candidate(start, end, pattern.type, key, concepts, pattern.score, PATTERN)


def _without_overlap(
    offered: Iterable[_Candidate], stated: Sequence[_Candidate]
) -> list[_Candidate]:
    """The candidates that stand beside what is stated, longest first, in order of their start."""
    starts: list[int] = []
    kept: list[_Candidate] = []
    fixed = sorted(stated, key=lambda one: one.start)
    reach = max((one.end - one.start for one in fixed if one.type not in _CONTAINERS), default=0)
    firm = [one for one in fixed if one.type not in _CONTAINERS]
    firm_starts = [one.start for one in firm]
    ranked = sorted(offered, key=lambda one: (one.start - one.end, -one.score, one.start))
    for one in ranked:
        near = firm[bisect_left(firm_starts, one.start - reach) : bisect_left(firm_starts, one.end)]
        if any(_gives_way(one, other) for other in near):
            continue
        at = bisect_left(starts, one.start)
        if at and kept[at - 1].end > one.start:
            continue
        if at < len(kept) and kept[at].start < one.end:
            continue
        starts.insert(at, one.start)
        kept.insert(at, one)
    return kept


def _gives_way(one: _Candidate, stated: _Candidate) -> bool:
    """A found candidate yields to a stated one, unless it is a shape of another type inside it."""
    if stated.end <= one.start or one.end <= stated.start:
        return False
    inside = stated.start <= one.start and one.end <= stated.end
    smaller = one.end - one.start < stated.end - stated.start
    return not (inside and smaller and one.extractor == PATTERN and one.type != stated.type)
