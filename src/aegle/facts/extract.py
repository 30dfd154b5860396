"""A document to facts: what its source states, what lexicons and patterns find, what ties them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from aegle.core.pack import Cue, Pattern, Rule
from aegle.core.records import Document, Entity, Facts, Mention, Span, content_id
from aegle.core.text import SafeText
from aegle.facts.assertion import Context, strongest
from aegle.facts.lexicon import Lexicon, Match
from aegle.facts.link import best_term, key_of, normal_name
from aegle.facts.pieces import LEXICON, PATTERN, SOURCE, Piece, without_overlaps
from aegle.facts.relate import relate
from aegle.facts.words import Words, words
from aegle.lm.segment import sentences

COMPANY_SCORE = 0.5
"""A term under this score counts only beside a surer one in its sentence."""


@lru_cache(maxsize=16)
def _context(cues: tuple[Cue, ...]) -> Context:
    return Context(cues)


def extract(
    doc: Document,
    *,
    lexicons: Sequence[Lexicon],
    patterns: Sequence[Pattern],
    cues: Sequence[Cue],
    rules: Sequence[Rule],
) -> Facts:
    """Entities and relations of a de-identified document, each with its span, score and extractor.

    What the source itself states wins over what patterns find, and that over lexicons; of two of
    one kind the longer wins. A name that means several things gets the concept with the best
    score. Equal documents give equal facts, ids included.

    Args:
        lexicons: searched one after the other.
        patterns: regular expressions; see `Pattern`.
        cues: of assertion.
        rules: of relations between entities that stand near each other.
    """
    split = words(doc.text)
    spans = sentences(doc.text)
    pieces = [
        *(
            _from_source(doc, mention, place, lexicons)
            for place, mention in enumerate(doc.mentions)
        ),
        *_from_patterns(doc.text, patterns),
        *_from_lexicons(split, spans, lexicons),
    ]
    kept = without_overlaps(pieces)
    said = _context(tuple(cues)).assertions(split, spans, [Span(p.start, p.end) for p in kept])
    entities = [
        _entity(doc, piece, piece.assertion if piece.extractor == SOURCE else strongest(some))
        for piece, some in zip(kept, said, strict=True)
    ]
    places = {piece.mention: n for n, piece in enumerate(kept) if piece.mention is not None}
    return relate(doc, entities, places, spans, rules)


def _from_source(doc: Document, mention: Mention, place: int, lexicons: Sequence[Lexicon]) -> Piece:
    text = doc.text[mention.start : mention.end]
    ref = mention.ref.reveal() if mention.ref is not None else ""
    return Piece(
        mention.start,
        mention.end,
        mention.type,
        mention.concepts,
        key_of(mention.type, text, mention.concepts, ref, lexicons),
        1.0,
        SOURCE,
        mention.assertion,
        mention.time,
        place,
    )


def _from_patterns(text: str, patterns: Sequence[Pattern]) -> Iterator[Piece]:
    for pattern in patterns:
        for match in pattern.regex.finditer(text):
            if pattern.check is not None and not pattern.check(match):
                continue
            whole = "value" in pattern.regex.groupindex and match["value"] is not None
            start, end = match.span("value") if whole else match.span()
            if start == end:
                continue
            concept = pattern.concept(match) if pattern.concept else None
            found = text[start:end]
            name = normal_name(pattern.normal(found) if pattern.normal else found)
            key = concept.key if concept else f"{pattern.type}:{name}"
            concepts = (concept,) if concept else ()
            yield Piece(start, end, pattern.type, concepts, key, pattern.score, PATTERN)


def _from_lexicons(
    split: Words, spans: Sequence[Span], lexicons: Sequence[Lexicon]
) -> Iterator[Piece]:
    found = [match for lexicon in lexicons for match in lexicon.find_in(split)]
    sure = {_sentence(spans, m) for m in found if best_term(m.terms).score >= COMPANY_SCORE}
    for match in found:
        term = best_term(match.terms)
        if term.score < COMPANY_SCORE and _sentence(spans, match) not in sure:
            continue
        concepts = tuple(
            dict.fromkeys(t.concept for t in match.terms if t.concept and t.type == term.type)
        )
        if term.concept is not None:
            concepts = (term.concept, *(c for c in concepts if c != term.concept))
        text = split.text[match.start : match.end]
        key = concepts[0].key if concepts else f"{term.type}:{normal_name(text)}"
        yield Piece(match.start, match.end, term.type, concepts[:3], key, term.score, LEXICON)


def _sentence(spans: Sequence[Span], match: Match) -> int:
    return bisect_right(spans, match.start, key=lambda span: span.start)


def _entity(doc: Document, piece: Piece, assertion: str) -> Entity:
    parts: Iterable[object] = (doc.id, piece.start, piece.end, piece.type, piece.key)
    return Entity(
        id=content_id("entity", *map(str, parts)),
        document_id=doc.id,
        start=piece.start,
        end=piece.end,
        text=SafeText.cut(doc.text, piece.start, piece.end),
        type=piece.type,
        key=piece.key,
        assertion=assertion,
        concepts=piece.concepts,
        score=piece.score,
        time=piece.time or doc.time,
        extractor=piece.extractor,
    )
