"""Hits in a better order, and further evidence for the generator, where the settings ask for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, wraps
from typing import Any

import numpy as np

from aegle.answer.rag import Evidence
from aegle.core.records import Hit
from aegle.flows import tokens
from aegle.flows.kit import Kit
from aegle.retrieve.budget import compress
from aegle.retrieve.diverse import distinct, mmr
from aegle.retrieve.rerank import rerank, spread


def reranked(kit: Kit, question: str, hits: Sequence[Hit]) -> list[Hit]:
    """Hits in the order of the reranker and of the search, then without repetition.

    Args:
        question: de-identified.
        hits: best first, only what this question may see: a reranker may be another machine.

    Raises:
        BackendError: the reranker did not answer as it should.
        WorkspaceError: token vectors that are kept are damaged.
    """
    wanted = kit.settings.retrieve
    ordered = list(hits)
    if kit.reranker is None and not wanted.diversity:
        return ordered
    first = kit.corpus.chunks([hit.chunk_id for hit in ordered[: wanted.rerank_top]])
    if kit.reranker is not None:
        ordered = rerank(
            question,
            ordered,
            {one.id: one for one in first},
            partial(tokens.scores, kit, kit.reranker),
            top=wanted.rerank_top,
            weight=wanted.rerank_weight,
        )
    if not wanted.diversity or not first:
        return ordered
    texts = {one.id: tokens.passage(one) for one in first}
    groups = {one.id: one.group for one in first}
    return _diverse(kit, ordered, texts, groups, wanted.diversity)


def _diverse(
    kit: Kit, hits: list[Hit], texts: dict[str, Any], groups: dict[str, str], diversity: float
) -> list[Hit]:
    """The hits whose texts are at hand by what they add, without near-copies; then the others."""
    known = [hit for hit in hits if hit.chunk_id in texts]
    vectors_NC = kit.encoder.embed([texts[hit.chunk_id] for hit in known])
    kept = distinct(vectors_NC, [groups[hit.chunk_id] for hit in known])
    relevance = spread([known[place].score for place in kept])
    order = mmr(relevance, vectors_NC[kept], k=len(kept), diversity=diversity)
    moved = [known[kept[place]] for place in order]
    held = [known[place].score for place in kept]
    fitted = [replace(hit, score=score) for hit, score in zip(moved, held, strict=True)]
    return [*fitted, *(hit for hit in hits if hit.chunk_id not in texts)]


def with_context(find: Callable[..., Evidence]) -> Callable[..., Evidence]:
    """What finds evidence, made to add ``retrieve.context_tokens`` of it for the generator."""

    @wraps(find)
    def found(kit: Kit, question: Any, **how: Any) -> Evidence:
        evidence = find(kit, question, **how)
        budget = kit.settings.retrieve.context_tokens
        if not budget:
            return evidence
        places = {hit.chunk_id: place for place, hit in enumerate(evidence.hits)}
        chunks = sorted(
            (one for one in evidence.chunks if one.id in places), key=lambda one: places[one.id]
        )
        asked_C = kit.encoder.embed([question.query])[0]

        def relevance(sentences: Sequence[str]) -> Sequence[float]:
            cosines = kit.encoder.embed(sentences) @ asked_C
            return [float(one) for one in np.maximum(cosines, 0)]

        kept = compress(chunks, budget=budget, count=kit.encoder.count, relevance=relevance)
        return replace(evidence, context=[piece.citation for piece in kept])

    return found
