"""A question to hits: by words and meaning, by facts, and by walks where its form asks for one."""

from __future__ import annotations

from collections.abc import Sequence

from aegle.core.records import Hit
from aegle.flows.asking import Question
from aegle.flows.expanding import ways
from aegle.flows.kit import Kit
from aegle.flows.reranking import reranked
from aegle.flows.walking import Once, walked
from aegle.retrieve.blend import WEIGHTS, WORDS_FIRST
from aegle.retrieve.expand import Added
from aegle.retrieve.plan import plan
from aegle.retrieve.search import search as retrieve


def searched(
    kit: Kit, question: Question, *, k: int, mode: str, added: Sequence[Added]
) -> list[Hit]:
    """The hits of words, meaning and graph, best first; more than ``k`` where facts sort again.

    Args:
        question: what is asked.
        k: how many are wanted.
        mode: dense, text, hybrid or graph.
        added: the other names that are searched for.
    """
    wanted = kit.settings.retrieve
    graph = mode == "graph" and wanted.graph
    keys = [*question.groups, *(one.key for one in question.named)]
    once = Once.of(kit, question.groups)
    by = ways(kit, question, once, embed=once.embed, added=added, mode=mode)
    hits = retrieve(
        question.query,
        embed=by.embed,
        index=by.index,
        chunks=kit.corpus.chunks,
        link=(lambda text: keys) if graph else None,
        expand=kit.walker.expand if graph else None,
        k=max(k * 4, 20) if question.groups or graph else k,
        pool=wanted.pool,
        rrf_k=wanted.rrf_k,
        hops=wanted.hops,
        searchers=("dense", "text") if mode in ("hybrid", "graph") else (mode,),
        weights=WORDS_FIRST if plan(question.query, ()).route == "identifier" else WEIGHTS,
    )
    # Where facts lead on from what is named, their chain leads (`_chained`).
    if graph and not any(kit.walker.ties(key) for key in keys):
        hits = walked(kit, question.query, hits, once, groups=question.groups)
    return reranked(kit, question.query, allowed(kit, hits, question.groups))


def allowed(kit: Kit, hits: Sequence[Hit], groups: Sequence[str]) -> list[Hit]:
    """Without the charts of patients that a question about one patient did not name."""
    patients = {group for group in groups if group.startswith("patient:")}
    if not patients:
        return list(hits)
    group_of = {one.id: one.group for one in kit.corpus.chunks([hit.chunk_id for hit in hits])}
    return [
        hit
        for hit in hits
        if not group_of.get(hit.chunk_id, "").startswith("patient:")
        or group_of[hit.chunk_id] in patients
    ]
