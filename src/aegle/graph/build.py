"""Facts to nodes and edges with evidence: entities, relations, chunks that mention them."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from aegle.core.records import Chunk, Edge, Entity, Node, Stored
from aegle.core.text import SafeText

MENTIONS: Final = "mentions"
CHUNK: Final = "chunk"
ABOUT: Final = "about"
"""The extractor of edges that say only which patient, host or incident a chunk belongs to."""


def group_key(group: str) -> str:
    """The node of a document's group: ``patient/ab12`` and ``patient:ab12`` are ``patient:ab12``.

    It is the key that a mention of that patient has; the two meet in one node.
    """
    kind, mark, rest = group.replace("/", ":", 1).partition(":")
    return f"{kind}:{rest}" if mark else f"group:{kind}"


def build(stored: Sequence[Stored]) -> tuple[list[Node], list[Edge]]:
    """What a batch of documents says, as a graph; the same whatever the order of the batch.

    Every node that comes back is touched by an edge. A relation keeps its assertion, and so does a
    mention: ``denies fever`` is an edge from the chunk to fever, negated.

    Returns:
        nodes by key, and edges by document, place and ends.
    """
    entities = [entity for item in stored for entity in item.facts.entities]
    nodes = {node.key: node for node in _name(entities)}
    edges: set[Edge] = set()
    for item in stored:
        said = [*_relations(item), *_mentions(item), *_about(item)]
        for chunk in item.chunks:
            nodes[chunk.id] = Node(chunk.id, CHUNK, SafeText("", by="graph"))
        if item.document.group:
            key = group_key(item.document.group)
            kind = key.partition(":")[0]
            nodes.setdefault(key, Node(key, kind, SafeText(key, by="graph")))
        edges.update(said)
    touched = {edge.head for edge in edges} | {edge.tail for edge in edges}
    ordered = sorted(
        edges, key=lambda e: (e.document_id, e.start, e.end, e.type, e.head, e.tail, e.assertion)
    )
    return [nodes[key] for key in sorted(touched)], ordered


def _name(entities: Iterable[Entity]) -> list[Node]:
    """One node for each key, named by its concept, else by how most texts say it."""
    by_key: dict[str, list[Entity]] = defaultdict(list)
    for entity in entities:
        by_key[entity.key].append(entity)
    return [
        Node(key, _most(entity.type for entity in said), SafeText(_best(said), by="graph"))
        for key, said in by_key.items()
    ]


def _best(said: Sequence[Entity]) -> str:
    concepts = [e.concepts[0].name for e in said if e.concepts and e.concepts[0].name]
    return _most(concepts or [" ".join(e.text.split()) for e in said])


def _most(values: Iterable[str]) -> str:
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], len(value), value))


def _relations(item: Stored) -> list[Edge]:
    key = {entity.id: entity.key for entity in item.facts.entities}
    return [
        Edge(
            *(key[relation.head], key[relation.tail], relation.type, relation.document_id),
            *(relation.start, relation.end, relation.assertion, relation.score),
            *(relation.time, relation.extractor),
        )
        for relation in item.facts.relations
    ]


def _mentions(item: Stored) -> list[Edge]:
    chunks = sorted(item.chunks, key=lambda chunk: (chunk.start, chunk.end))
    longest = max((chunk.end - chunk.start for chunk in chunks), default=0)
    starts = [chunk.start for chunk in chunks]
    edges = []
    for entity in item.facts.entities:
        first = bisect_left(starts, entity.start - longest)
        last = bisect_left(starts, entity.end)
        for chunk in chunks[first:last]:
            if chunk.end > entity.start:
                edges.append(_mention(chunk, entity))
    return edges


def _mention(chunk: Chunk, entity: Entity) -> Edge:
    return Edge(
        *(chunk.id, entity.key, MENTIONS, entity.document_id, entity.start, entity.end),
        *(entity.assertion, entity.score, entity.time, entity.extractor),
    )


def _about(item: Stored) -> list[Edge]:
    """Each chunk of a patient's document speaks of that patient, though it may not say the name."""
    if not item.document.group:
        return []
    key = group_key(item.document.group)
    return [
        Edge(
            *(chunk.id, key, MENTIONS, item.document.id, chunk.start, chunk.end),
            time=item.document.time,
            extractor=ABOUT,
        )
        for chunk in item.chunks
    ]
