"""What follows from a de-identified document: chunks, facts, index, names, tokens and graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aegle.core.ports import Index, Vectors
from aegle.core.records import Chunk, Document, Facts, Stored
from aegle.corpus.chunk import chunk
from aegle.corpus.meaning import meaning
from aegle.facts.extract import extract
from aegle.facts.tag import Told
from aegle.flows import naming, tokens
from aegle.flows.domains import tags_of
from aegle.flows.kit import Kit
from aegle.graph.build import build

if TYPE_CHECKING:
    from aegle.lm.tagger import Tagger

_TOGETHER: Final = 100_000
"""Characters that the tagger reads at a time: enough to fill its batches, and not the memory."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A tagger beside the kit's own, and its version."""

    tagger: Tagger
    version: str


def derive(kit: Kit, documents: Sequence[Document]) -> list[Stored]:
    """Documents with their chunks and facts; the tagger reads them together."""
    return [
        Stored(
            document,
            chunk(
                document,
                budget=kit.settings.chunks.budget,
                overlap=kit.settings.chunks.overlap,
                count=kit.encoder.count,
            ),
            facts,
        )
        for document, facts in zip(documents, facts_of_all(kit, documents), strict=True)
    ]


def facts_of_all(
    kit: Kit, documents: Sequence[Document], by: Reader | None = None
) -> Iterator[Facts]:
    """The facts of each document, by the packs of its domain and the tagger, or another's."""
    for group in _together(documents):
        for document, told in zip(group, _told(kit, group, by), strict=True):
            yield facts_of(kit, document, told)


def facts_of(kit: Kit, document: Document, told: Told | None = None) -> Facts:
    """The facts of one de-identified document, by the packs of its domain."""
    domain = _domain(kit, document)
    return extract(
        document,
        lexicons=kit.lexicons[domain],
        patterns=kit.patterns[domain],
        cues=kit.cues[domain],
        rules=kit.rules[domain],
        told=told,
    )


def _domain(kit: Kit, document: Document) -> str:
    return document.domain if document.domain in kit.packs else "general"


def _together(documents: Sequence[Document]) -> Iterator[list[Document]]:
    group: list[Document] = []
    characters = 0
    for document in documents:
        group.append(document)
        characters += len(document.text)
        if characters >= _TOGETHER:
            yield group
            group, characters = [], 0
    if group:
        yield group


def _told(kit: Kit, documents: Sequence[Document], by: Reader | None) -> list[Told | None]:
    """What the tagger says of documents; None of those whose source states what they name."""
    tagger, made_by = (kit.tagger, kit.tagger_version) if by is None else (by.tagger, by.version)
    if tagger is None:
        return [None] * len(documents)
    tags = [
        tuple(
            one
            for one in tags_of(kit, document)
            if any(document.kind in labels.kinds for labels in one.sets.values())
        )
        for document in documents
    ]
    asked = [document for document, one in zip(documents, tags, strict=True) if one]
    wanted = {name for one in tags for some in one for name in some.sets}
    tasks = [name for name in tagger.heads if name in wanted]
    if not asked or not tasks:
        return [None] * len(documents)
    readings = iter(tagger.read([document.text for document in asked], tasks=tasks))
    return [
        Told(
            next(readings),
            one,
            made_by,
            tagger.classifiers,
            kit.thresholds,
            kit.linkers[_domain(kit, document)],
        )
        if one
        else None
        for document, one in zip(documents, tags, strict=True)
    ]


def index_stored(kit: Kit, batch: Sequence[Stored]) -> None:
    """Put documents into index, name and token book and graph; again changes nothing."""
    chunks, vectors = _embedded(kit, batch)
    kit.graph_changed()  # before the first write: what breaks off must not leave an old graph
    if chunks:
        kit.index.add(chunks, vectors)
        naming.note(kit, chunks, vectors)
        tokens.note(kit, chunks)
    draw(kit, batch)


def embed_stored(kit: Kit, index: Index, batch: Sequence[Stored]) -> None:
    """Put documents into an index alone."""
    chunks, vectors = _embedded(kit, batch)
    if chunks:
        index.add(chunks, vectors)


def _embedded(kit: Kit, batch: Sequence[Stored]) -> tuple[list[Chunk], Vectors]:
    chunks = [chunk for stored in batch for chunk in stored.chunks]
    texts = [meaning(chunk) for chunk in chunks]
    place = {text: n for n, text in enumerate(dict.fromkeys(texts))}
    vectors = kit.encoder.embed(list(place))
    return chunks, vectors[[place[text] for text in texts]]


def draw(kit: Kit, batch: Sequence[Stored]) -> None:
    """Put documents into the graph alone."""
    nodes, edges = build(batch)
    kit.graph_changed()
    kit.graph.add(nodes, edges)
