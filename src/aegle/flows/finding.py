"""From a question to what speaks of it: hits, chains of facts, and whom the answer is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final

from aegle.answer.candidates import Candidate, candidates
from aegle.answer.concepts import is_kind
from aegle.answer.evidence import Scored, Targets, by_words, holds
from aegle.answer.question import Asked
from aegle.answer.rag import Evidence
from aegle.core.records import Citation, Edge, Hit, Stored
from aegle.flows import reading
from aegle.flows.asking import Question
from aegle.flows.expanding import added_to
from aegle.flows.kit import Kit
from aegle.flows.reranking import with_context
from aegle.flows.scope import Scoped
from aegle.flows.searching import allowed, by_facts, searched
from aegle.flows.walking import led
from aegle.retrieve.chain import Reached, reach
from aegle.retrieve.expand import Added
from aegle.retrieve.plan import asks
from aegle.retrieve.search import explain

_MOST_TARGETS: Final = 8
"""Nodes that are searched for on their own; more would be a guess."""

_A_TARGET: Final = 5
"""Chunks that one of them gives."""

_TELLING: Final = tuple("table fhir hl7v2 ccda note page report mail cve stix sigma".split())
"""Kinds of documents that say how things are, not what happened one moment."""

_MOST_READ: Final = 30
"""Chunks whose sentences are weighed."""

_SAFE: Final = 3
"""Hits that stay before the sentences that answer by their words, where no fact leads."""

_BRIDGED: Final = 0.5
"""Share of a question's words that a sentence must hold to lead to what the question means."""


@dataclass(slots=True)
class _Way:
    """How a chain got somewhere: the nodes, and sentences that a bridge was built of."""

    reached: list[Reached] = field(default_factory=list)
    bridges: dict[str, Citation] = field(default_factory=dict)

    @property
    def leads(self) -> bool:
        """Whether it got anywhere."""
        return bool(self.bridges) or any(one.steps for one in self.reached)


@with_context
def find(
    kit: Kit,
    question: Question,
    *,
    k: int,
    mode: str = "graph",
    added: Sequence[Added] | None = None,
) -> Evidence:
    """What speaks of a question, best first.

    In mode ``graph``, the chain of facts that leads from what the question names to what it is
    about comes first, and the answer must be about its end. ``added`` are the other names that are
    searched for; None asks `expanding.added_to`.
    """
    if added is None:
        added = added_to(kit, question, mode=mode)
    first = searched(kit, question, k=k, mode=mode, added=added)
    if mode != "graph" or not (kit.settings.retrieve.graph and by_facts(question)):
        return _evidence(kit, question, first[:k])
    way = _way(kit, question, first)
    return _chained(kit, question, way, _targets(kit, question, way), first, k=k)


def hits(
    kit: Kit, question: Question, *, k: int, mode: str = "graph", added: Sequence[Added]
) -> Sequence[Hit]:
    """The hits that `find` tells, without the sentences that only an answer needs."""
    first = searched(kit, question, k=k, mode=mode, added=added)
    if mode != "graph" or not (kit.settings.retrieve.graph and by_facts(question)):
        return first[:k]
    way = _way(kit, question, first)
    targets = _targets(kit, question, way)
    if not (targets or way.leads or _may_tell(question, first)):
        return first[:k]
    return _chained(kit, question, way, targets, first, k=k).hits


def _evidence(kit: Kit, question: Question, hits: Sequence[Hit]) -> Evidence:
    chunks = kit.corpus.chunks([hit.chunk_id for hit in hits])
    ids = [chunk.document_id for chunk in chunks]
    marks = reading.marks(reading.stored(kit, ids), ids)
    found = by_words(
        question.asked, candidates(chunks, marks, said=question.asked.words), Targets()
    )
    return Evidence(hits, chunks, found)


def _way(kit: Kit, question: Question, hits: Sequence[Hit]) -> _Way:
    """The nodes that the question is about, reached over facts, and over a sentence if need be."""
    asked = question.asked
    own = [*question.groups, *sorted(asked.subjects)]
    seeds = own or [one.key for one in question.named]
    way = _Way(_reach(kit, question, seeds))
    best = max((one.types for one in way.reached), key=len, default=frozenset())
    missing = asked.types - asked.focus_types - best
    if missing:
        first = _evidence(kit, question, hits)
        bridge = _bridge(asked, [one.candidate for one in first.scored], missing, seeds)
        if bridge:
            cited = _cite(bridge)
            keys = [m.key for m in bridge.marks if m.type in missing and m.key not in seeds]
            way.bridges = dict.fromkeys(keys, cited)
            further = _reach(kit, question, keys)
            way.reached = [*further, *(one for one in way.reached if not further)]
    return way


def _reach(kit: Kit, question: Question, seeds: Sequence[str]) -> list[Reached]:
    nodes = [node for key in dict.fromkeys(seeds) if (node := kit.walker.node(key))]
    patients = {group for group in question.groups if group.startswith("patient:")}
    return reach(
        [(node.key, node.type) for node in nodes],
        ties=kit.walker.ties,
        types=question.asked.types,
        allowed=lambda key: (
            not is_kind(key.partition(":")[2])
            and (not patients or not key.startswith("patient:") or key in patients)
        ),
    )


def _bridge(
    asked: Asked, found: Sequence[Candidate], types: frozenset[str], seeds: Sequence[str]
) -> Candidate | None:
    """The sentence that says most of what a question says about something that it doesn't name."""
    needs = [need for need in asked.links if not need.bare]
    best: tuple[float, Candidate] | None = None
    for one in found:
        if not any(mark.type in types and mark.key not in seeds for mark in one.marks):
            continue
        said = [holds(need, one) for need in needs]
        named = [name in one.text.casefold() for name in asked.anchors]
        share = (sum(said) + sum(named)) / max(1, len(said) + len(named))
        if share >= _BRIDGED and (best is None or share > best[0]):
            best = (share, one)
    return best[1] if best else None


def _cite(one: Candidate) -> Citation:
    text = one.chunk.text.cut(one.start - one.chunk.start, one.end - one.chunk.start)
    return Citation(one.chunk.document_id, one.start, one.end, text)


def _targets(kit: Kit, question: Question, way: _Way) -> list[Reached]:
    """What the answer has to be about: what was reached furthest and is not itself asked for."""
    own = {*question.groups, *question.asked.subjects}
    if not (own or way.leads):
        return []
    kinds = question.asked.focus_types
    useful = [one for one in way.reached if one.type not in kinds or not one.steps]
    fit = {one.key: _fit(one, question) for one in useful}
    useful.sort(key=lambda one: (-len(one.types), -fit[one.key]))
    return useful[:_MOST_TARGETS]


def _fit(one: Reached, question: Question) -> int:
    """How many words of the question stand in the names on the way (``pump``, not the monitor)."""
    keys = " ".join([one.key, *(f"{edge.head} {edge.tail}" for edge in one.steps)]).casefold()
    return sum(word in keys for word in set(question.asked.text.casefold().split()) if word[3:])


def _chained(
    kit: Kit,
    question: Question,
    way: _Way,
    targets: Sequence[Reached],
    hits: Sequence[Hit],
    *,
    k: int,
) -> Evidence:
    edges = {one.key: one.steps for one in targets}
    ends = [one.steps[-1] for one in way.reached if one.steps and one.steps not in edges.values()]
    chain = _focused(kit, question, targets, bridged=bool(way.bridges))
    facts = [*(edge for steps in edges.values() for edge in steps), *ends[:_MOST_TARGETS]]
    stored = reading.stored(
        kit,
        [*(e.document_id for e in facts), *(bridge.document_id for bridge in way.bridges.values())],
    )
    leading = _leading(targets, way, edges, stored)
    few = _MOST_TARGETS if question.asked.listing else 3
    tail = [hit for edge in ends[:few] if (hit := _edge_hit(edge, stored))]
    merged = {hit.chunk_id: hit for hit in reversed([*leading, *tail, *hits])}
    order = dict.fromkeys(
        hit.chunk_id for hit in [*leading, *chain[:1], *hits[:k], *tail, *chain, *hits]
    )
    merged |= {hit.chunk_id: hit for hit in chain if hit.chunk_id not in merged}
    ranked = allowed(kit, [merged[item] for item in order], question.groups)
    chunks = {chunk.id: chunk for chunk in kit.corpus.chunks([hit.chunk_id for hit in ranked])}
    kept = [hit for hit in ranked if hit.chunk_id in chunks]
    near = [chunks[hit.chunk_id] for hit in kept[:_MOST_READ]]
    stored |= reading.stored(kit, [c.document_id for c in near if c.document_id not in stored])
    found = candidates(
        near, reading.marks(stored, (c.document_id for c in near)), said=question.asked.words
    )
    aim = _aim(kit, question, targets)
    scored = by_words(question.asked, found, aim)
    # Where no fact leads, words and meaning or a walk have the first places.
    safe = 0 if targets else _SAFE
    telling = _telling(scored, kept) if targets or _may_tell(question, hits) else []
    raised = [*kept[:safe], *telling, *kept[safe:]]
    top = list({hit.chunk_id: hit for hit in raised}.values())
    people = reading.people(scored, stored) if question.asked.listing else {}
    return Evidence(top[:k], near, scored, aim, _steps(targets, way, stored), people)


def _may_tell(question: Question, hits: Sequence[Hit]) -> bool:
    """Whether a sentence may tell what no fact leads to: it was asked, and no walk has led."""
    return asks(question.query) and not led(hits)


def _telling(scored: Sequence[Scored], hits: Sequence[Hit]) -> list[Hit]:
    """The hits with the sentences that answer best by their words, of two documents at most."""
    by_id = {hit.chunk_id: hit for hit in hits}
    best = {
        one.candidate.chunk.document_id: by_id[one.candidate.chunk.id]
        for one in reversed(scored[:_MOST_READ])
        if one.focused and one.about
    }
    return list(reversed(best.values()))[:2]


def _aim(kit: Kit, question: Question, targets: Sequence[Reached]) -> Targets:
    names: dict[str, str] = {}
    order: dict[str, int] = {}
    ranks: dict[tuple[int, int], int] = {}
    for one in targets:
        ranks.setdefault((len(one.types), _fit(one, question)), len(ranks))
        place = ranks[(len(one.types), _fit(one, question))]
        for key in kit.walker.same(one.key) or (one.key,):
            node = kit.walker.node(key)
            order[key] = place
            names[key] = str(node.name).casefold() if node and one.type != "patient" else ""
    named = frozenset(
        twin for key in question.asked.subjects for twin in (key, *kit.walker.same(key))
    )
    return Targets(names, order, named)


def _focused(
    kit: Kit, question: Question, targets: Sequence[Reached], *, bridged: bool
) -> list[Hit]:
    """Chunks about each target that hold what is asked for, the best of each first.

    They are searched by all that is said, and by what is asked alone among the documents that are
    no logs: what a log repeats of a host must not hide the one row with its system.
    """
    asked, index = question.asked, Scoped(kit, question.groups)
    query = asked.focus_query if bridged else asked.query
    found: list[list[str]] = []
    via: dict[str, str] = {}
    for one in targets:
        node = kit.walker.node(one.key)
        chart = one.type == "patient" or node is None
        name = "" if chart or node is None else f"{node.name} "
        where: dict[str, Sequence[str]] = {"group": (one.key,)} if chart else {}
        tries = [(query, where)]
        if asked.focus_query and not chart:
            tries.append((asked.focus_query, {"kind": _TELLING}))
        rankings = [
            [item for item, _ in index.search_text(name + words, k=_A_TARGET, where=scope)]
            for words, scope in tries
        ]
        found.append(_in_turn(rankings))
        via |= {item: f"graph: {one.key}" for item in found[-1] if item not in via}
    chunks = kit.corpus.chunks(_in_turn(found))
    return [Hit(chunk.id, chunk.document_id, 1.0, (via[chunk.id],)) for chunk in chunks]


def _in_turn(rankings: Sequence[Sequence[str]]) -> list[str]:
    """The first of each, then the second of each; none twice."""
    return list(dict.fromkeys(item for row in zip_longest(*rankings) for item in row if item))


def _leading(
    targets: Sequence[Reached],
    way: _Way,
    edges: Mapping[str, Sequence[Edge]],
    stored: Mapping[str, Stored],
) -> list[Hit]:
    """The hits that lead to the best target."""
    if not targets:
        return []
    steps = [hit for edge in edges[targets[0].key] if (hit := _edge_hit(edge, stored))]
    bridges = [
        Hit(chunk.id, chunk.document_id, 1.0, ("graph: bridge",))
        for cited in dict.fromkeys(way.bridges.values())
        for chunk in reading.chunks_at(stored, cited.document_id, cited.start)[:1]
    ]
    return [*bridges, *steps]


def _edge_hit(edge: Edge, stored: Mapping[str, Stored]) -> Hit | None:
    chunks = reading.chunks_at(stored, edge.document_id, edge.start)
    path = explain((edge.head, edge.type, edge.tail))
    return Hit(chunks[0].id, edge.document_id, edge.score, (f"graph: {path}",)) if chunks else None


def _steps(
    targets: Sequence[Reached], way: _Way, stored: Mapping[str, Stored]
) -> dict[str, list[Citation]]:
    found: dict[str, list[Citation]] = {}
    for one in targets:
        cited = []
        for edge in one.steps:
            held = stored.get(edge.document_id)
            if held and edge.start < edge.end:
                text = held.document.text.cut(edge.start, edge.end)
                cited.append(Citation(edge.document_id, edge.start, edge.end, text))
        seeds = {one.key} | {end for edge in one.steps for end in (edge.head, edge.tail)}
        bridge = next((way.bridges[key] for key in sorted(seeds) if key in way.bridges), None)
        found[one.key] = [*([bridge] if bridge else []), *cited]
    return found
