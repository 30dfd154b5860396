"""The knowledge lane as verbs: ask, search, graph, document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from aegle.answer import rag
from aegle.core.errors import NotFoundError, UsageError
from aegle.core.records import Answer, Document, Edge, Facts, Hit, Node
from aegle.core.text import SafeText
from aegle.corpus import asked
from aegle.flows import asking, expanding, finding, verifying
from aegle.flows.kit import Kit

MODES: Final = ("dense", "text", "hybrid", "graph")


def safe_question(kit: Kit, question: str) -> tuple[SafeText, list[str]]:
    """A question with the identifiers that the workspace knows replaced by their surrogates.

    Returns:
        The question as the corpus would say it, and the groups (patients) that it names.

    Raises:
        UsageError: the question is empty or longer than 2,000 characters.
        SharedNameError: it names somebody by a name that several patients bear.
    """
    text = " ".join(question.split())
    if not text or len(text) > 2000:
        raise UsageError(f"a question has 1 to 2000 characters, got {len(text)}")
    safe, groups = asked.resolve(text, vault=kit.vault, lookup=kit.ledger.lookup)
    return SafeText(safe, by="question/1"), list(groups)


def seeds(kit: Kit, text: str) -> list[str]:
    """Keys of the graph's nodes that a de-identified text names, by patterns and by name."""
    return [one.key for one in asking.named_in(kit, SafeText(text, by="question/1"))]


def search(kit: Kit, question: str, *, k: int = 0, mode: str = "graph") -> dict[str, Any]:
    """Chunks that speak of a question, with why each was found."""
    if mode not in MODES:
        raise UsageError(f"mode is one of {', '.join(MODES)}; got {mode!r}")
    with kit.lock:
        safe, groups = safe_question(kit, question)
        wanted = asking.understand(kit, question, safe, groups, mode=mode)
        added = expanding.added_to(kit, wanted, mode=mode)
        most = k or kit.settings.retrieve.k
        hits = finding.hits(kit, wanted, k=most, mode=mode, added=added)
        chunks = {one.id: one for one in kit.corpus.chunks([hit.chunk_id for hit in hits])}
    return {
        "question": str(safe),
        "added": [{"of": one.of, "names": list(one.names)} for one in added],
        "hits": [
            {**_hit(hit), **_shown(chunks[hit.chunk_id])} for hit in hits if hit.chunk_id in chunks
        ],
    }


def _shown(chunk: Any) -> dict[str, Any]:
    return {
        "start": chunk.start,
        "end": chunk.end,
        "text": str(chunk.text),
        "title": str(chunk.title),
        "kind": chunk.kind,
        "group": chunk.group,
        "time": chunk.time,
    }


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "chunk_id": hit.chunk_id,
        "document_id": hit.document_id,
        "score": round(hit.score, 6),
        "via": list(hit.via),
    }


def ask(kit: Kit, question: str, *, generate: bool | None = None, k: int = 0) -> dict[str, Any]:
    """An answer whose every claim cites characters of stored documents, or a refusal.

    A question whose names fit several patients is refused, as picking one would be a guess.
    """
    try:
        return _answered(kit, question, generate=generate, k=k)
    except asked.SharedNameError as error:
        return {
            "question": error.question,
            "answer": "",
            "claims": [],
            "refusal": str(error),
            "hits": [],
        }


def _answered(kit: Kit, question: str, *, generate: bool | None, k: int) -> dict[str, Any]:
    wanted = kit.settings.answers
    use_generator = wanted.generate if generate is None else generate
    with kit.lock:
        safe, groups = safe_question(kit, question)
        understood = asking.understand(kit, question, safe, groups)
        found: Answer = rag.answer(
            safe,
            understood.asked,
            finding.find(kit, understood, k=k or kit.settings.retrieve.k),
            embed=kit.encoder.embed,
            generate=_writer(kit) if use_generator else None,
            verify=verifying.verify(kit.verifier if use_generator else None),
            max_claims=wanted.max_claims,
            min_support=wanted.min_support,
        )
    return {
        "question": str(safe),
        "answer": found.text,
        "claims": [
            {"text": str(claim.text), "citations": [asdict(one) for one in claim.citations]}
            for claim in found.claims
        ],
        "refusal": found.refusal or None,
        "hits": [_hit(hit) for hit in found.hits],
    }


def _writer(kit: Kit) -> rag.Generate:
    def write(messages: Sequence[Mapping[str, str]]) -> str:
        return kit.generator.generate(
            messages, max_tokens=kit.settings.answers.max_tokens, seed=kit.settings.seed
        )

    return write


def facts_json(facts: Facts, *, first: int = 0, document: int = 0) -> dict[str, Any]:
    """Facts as JSON: a relation's head and tail are positions in the list of entities."""
    place = {entity.id: first + n for n, entity in enumerate(facts.entities)}
    return {
        "entities": [
            {
                "start": one.start,
                "end": one.end,
                "text": str(one.text),
                "type": one.type,
                "assertion": one.assertion,
                "concepts": [asdict(concept) for concept in one.concepts],
                "score": round(one.score, 4),
                "key": one.key,
                "extractor": one.extractor,
                "document": document,
            }
            for one in facts.entities
        ],
        "relations": [
            {
                "head": place[one.head],
                "tail": place[one.tail],
                "type": one.type,
                "score": round(one.score, 4),
                "start": one.start,
                "end": one.end,
                "assertion": one.assertion,
                "document": document,
            }
            for one in facts.relations
            if one.head in place and one.tail in place
        ],
    }


def graph(kit: Kit, entity: str, *, hops: int = 1, limit: int = 60, to: str = "") -> dict[str, Any]:
    """The neighbourhood of an entity, or the shortest explanation from it ``to`` another.

    Raises:
        NotFoundError: no node has this name or key.
    """
    with kit.lock:
        start = node_of(kit, entity)
        if to:
            nodes, edges = kit.walker.path(start.key, node_of(kit, to).key)
        else:
            nodes, edges = kit.walker.k_hop([start.key], hops=hops, limit=limit)
    return {
        "entity": asdict(start),
        "nodes": [asdict(node) for node in nodes],
        "edges": [asdict(edge) for edge in edges],
    }


def node_of(kit: Kit, entity: str) -> Node:
    """The node that a person means by a name or key; real identifiers lead to their patient.

    Raises:
        NotFoundError: there is none.
    """
    exact = kit.graph.nodes([entity])
    if exact:
        return exact[0]
    safe, groups = safe_question(kit, entity)
    for group in groups:
        if found := kit.graph.nodes([group]):
            return found[0]
    matches = kit.graph.match(safe, limit=1)
    if not matches:
        raise NotFoundError(f"the graph has no entity of this name ({len(entity)} characters)")
    return matches[0]


def document(kit: Kit, document_id: str) -> dict[str, Any]:
    """A stored, de-identified document with its entities.

    Raises:
        NotFoundError: no document has this id.
    """
    with kit.lock:
        found = next(iter(kit.corpus.scan([document_id])), None)
    if found is None:
        raise NotFoundError(f"no document has this id ({len(document_id)} characters)")
    one: Document = found.document
    return {
        "id": one.id,
        "kind": one.kind,
        "domain": one.domain,
        "title": str(one.title),
        "text": str(one.text),
        "group": one.group,
        "time": one.time,
        "redactions": len([edit for edit in one.edits if edit.kind != "clean"]),
        **facts_json(found.facts),
    }


def evidence(kit: Kit, edges: Sequence[Edge]) -> list[str]:
    """The words that state each edge, from its document; empty where the document is gone."""
    documents = {one.id: one for one in kit.corpus.get([edge.document_id for edge in edges])}
    return [
        str(documents[edge.document_id].text[edge.start : edge.end])
        if edge.document_id in documents
        else ""
        for edge in edges
    ]
