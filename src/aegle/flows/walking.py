"""Walks over what chunks name, where the form of a question asks for one.

Walks see what the question may see (`flows.scope`), and no chart of a patient whom it does not
name: that two charts bear one name tells nothing, as the names in charts are surrogates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from aegle.core.ports import Found, Vectors
from aegle.core.records import Chunk, Hit
from aegle.flows.kit import Kit
from aegle.flows.naming import PATIENT, Passages
from aegle.flows.scope import OPEN_DOMAINS, Scoped
from aegle.retrieve import hops, marks
from aegle.retrieve.hops import Sources
from aegle.retrieve.names import Key
from aegle.retrieve.passages import Flags, PassageGraph
from aegle.retrieve.plan import Plan
from aegle.retrieve.search import explain

_WALKED: Final = "graph: names: "

_BRIDGES: Final = 10
"""Passages among the first that may be told as the way to another."""


@dataclass(slots=True)
class Once:
    """An encoder and an index that are asked the same thing once."""

    kit: Kit
    index: Scoped
    _vectors: dict[str, Vectors]
    _found: dict[tuple[Any, ...], list[Found]]

    @classmethod
    def of(cls, kit: Kit, groups: Sequence[str]) -> Once:
        """What a question about these groups is searched with."""
        return cls(kit, Scoped(kit, groups), {}, {})

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of texts."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if fresh:
            self._vectors |= zip(fresh, self.kit.ahead.embed(fresh), strict=True)
        return np.stack([self._vectors[text] for text in texts])

    def search_dense(
        self, vector: Vectors, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The nearest chunks, best first."""
        if where:
            return self.index.search_dense(vector, k=k, where=where)
        key = ("dense", vector.tobytes(), k)
        if key not in self._found:
            self._found[key] = self.index.search_dense(vector, k=k)
        return self._found[key]

    def search_text(
        self, query: str, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The best chunks by BM25, best first."""
        if where:
            return self.index.search_text(query, k=k, where=where)
        key = ("text", query, k)
        if key not in self._found:
            self._found[key] = self.index.search_text(query, k=k)
        return self._found[key]


def walked(
    kit: Kit, question: str, hits: Sequence[Hit], once: Once, *, groups: Sequence[str]
) -> list[Hit]:
    """Hits, with what a walk over names meets in front where the question's form asks for one.

    Args:
        question: de-identified; what is searched for.
        hits: of the other searchers, best first.
        once: what found them.
        groups: whom the question names.

    Returns:
        at most as many as were found before and as many by the walk; each with how it was found.
    """
    known = kit.passages
    if known is None or not len(known.graph):
        return list(hits)
    seen = _seen(known, groups)
    made = hops.planned(
        question, known.graph, seen=seen, domain_of=lambda key: known.domain_of(key, seen=seen)
    )
    if not made.walks:
        return list(hits)
    sources = Sources(once.embed, once, known.graph, known.cosines, seen)
    met, _ = hops.follow(
        made, question, sources, pool=kit.settings.retrieve.pool, k=max(len(hits), 1)
    )
    chunks = {one.id: one for one in kit.corpus.chunks([item for item, _ in met])}
    met = [one for one in met if one[0] in chunks]
    ways = _ways(known.graph, made, [chunks[item] for item, _ in met])
    former = {hit.chunk_id: hit.via for hit in hits}
    front = [
        Hit(item, chunks[item].document_id, score, (*former.get(item, ()), ways[item]))
        for item, score in met
    ]
    return [*front, *_behind(front, hits)]


def led(hits: Sequence[Hit]) -> bool:
    """Whether a walk put these hits in their order."""
    return bool(hits) and any(way.startswith(_WALKED) for way in hits[0].via)


def _seen(known: Passages, groups: Sequence[str]) -> Flags:
    """Which passages a question that names these groups may be led to and over."""
    patients = [group for group in groups if group.startswith(PATIENT)]
    if not patients:
        return ~known.charts
    seen = known.of_domains(OPEN_DOMAINS) & ~known.charts
    seen[known.of_groups(patients)] = True
    return seen


def _behind(front: Sequence[Hit], hits: Sequence[Hit]) -> list[Hit]:
    """The hits that no walk met, with scores that fit behind those of the walk."""
    met = {hit.chunk_id for hit in front}
    rest = [hit for hit in hits if hit.chunk_id not in met]
    if not front or not rest or rest[0].score <= 0:
        return rest
    scale = front[-1].score / rest[0].score
    return [replace(hit, score=hit.score * scale) for hit in rest]


def _ways(graph: PassageGraph, made: Plan, chunks: Sequence[Chunk]) -> dict[str, str]:
    """How each chunk that a walk met hangs together with what the question names."""
    places = graph.places([one.id for one in chunks])
    names = {one.id: set(graph.marks_at(n).tolist()) for one, n in zip(chunks, places, strict=True)}
    asked = {marks.mark(one.key): one.key for one in made.names}
    bridges = [one for one in chunks[:_BRIDGES] if names[one.id] & asked.keys()]
    read: dict[str, dict[int, Key]] = {}
    told: dict[str, str] = {}
    for chunk in chunks:
        told[chunk.id] = f"{_WALKED}near the first hits"
        own = names[chunk.id] & asked.keys()
        bridge = next((one for one in bridges if names[one.id] & names[chunk.id]), None)
        if own:
            told[chunk.id] = _way(_words(asked[min(own)]), chunk.id)
        elif bridge:
            if bridge.id not in read:
                read[bridge.id] = marks.keys_in(bridge.title, bridge.text)
            shared = [read[bridge.id].get(n, ()) for n in names[bridge.id] & names[chunk.id]]
            by = max(shared, key=lambda key: (graph.specificity(key), key))
            first = asked[min(names[bridge.id] & asked.keys())]
            told[chunk.id] = _way(_words(first), bridge.id, _words(by), chunk.id)
    return told


def _words(key: Key) -> str:
    return " ".join(key)


def _way(*steps: str) -> str:
    path = [steps[0]]
    for number, step in enumerate(steps[1:]):
        path += ["^names" if number % 2 == 0 else "names", step]
    return f"{_WALKED}{explain(tuple(path))}"
