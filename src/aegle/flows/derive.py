"""What follows from a de-identified document: its chunks and facts, index and graph."""

from __future__ import annotations

from collections.abc import Sequence

from aegle.core.records import Document, Facts, Stored
from aegle.corpus.chunk import chunk
from aegle.corpus.meaning import meaning
from aegle.facts.extract import extract
from aegle.flows.kit import Kit
from aegle.graph.build import build


def derive(kit: Kit, document: Document) -> Stored:
    """A document with its chunks and facts."""
    chunks = chunk(
        document,
        budget=kit.settings.chunks.budget,
        overlap=kit.settings.chunks.overlap,
        count=kit.encoder.count,
    )
    return Stored(document, chunks, facts_of(kit, document))


def facts_of(kit: Kit, document: Document) -> Facts:
    """The facts of one de-identified document, by the packs of its domain."""
    domain = document.domain if document.domain in kit.packs else "general"
    return extract(
        document,
        lexicons=kit.lexicons[domain],
        patterns=kit.patterns[domain],
        cues=kit.cues[domain],
        rules=kit.rules[domain],
    )


def index_stored(kit: Kit, batch: Sequence[Stored]) -> None:
    """Put documents into the index and the graph; doing it again changes nothing."""
    chunks = [chunk for stored in batch for chunk in stored.chunks]
    if chunks:
        texts = [meaning(chunk) for chunk in chunks]
        place = {text: n for n, text in enumerate(dict.fromkeys(texts))}
        vectors = kit.encoder.embed(list(place))
        kit.index.add(chunks, vectors[[place[text] for text in texts]])
    nodes, edges = build(batch)
    kit.graph.add(nodes, edges)
    kit.graph_changed()
