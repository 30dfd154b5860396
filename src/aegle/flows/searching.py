"""A question to hits: by words and meaning, by facts, and by walks where its form asks for one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from aegle.core.records import Hit
from aegle.flows.asking import Question
from aegle.flows.expanding import ways
from aegle.flows.kit import Kit
from aegle.flows.reranking import reranked
from aegle.flows.walking import Once, walked
from aegle.retrieve.blend import WEIGHTS, WORDS_FIRST
from aegle.retrieve.expand import Added
from aegle.retrieve.plan import asks, plan
from aegle.retrieve.search import search as retrieve

_KEY_WORDS: Final = 6
"""What has more words, and asks for nothing, is a claim."""

_DEMANDS: Final = re.compile(
    r"\W*(?:please\s+)?(?:list|show|name|tell|give|find|describe|summari[sz]e|explain|count|compare|"
    r"identify|report|get|look|search)\b",
    re.IGNORECASE,
)


def by_facts(question: Question) -> bool:
    """Whether facts may lead: not to what a whole claim is about.

    A claim is looked up by its words and meaning: what is near its names is not what it claims. A
    question, a demand, a few key words, an identifier or a patient is what facts know of.
    """
    query = question.query
    return (
        bool(question.groups)
        or len(query.split()) <= _KEY_WORDS
        or asks(query)
        or _DEMANDS.match(query) is not None
        or plan(query, ()).route == "identifier"
    )


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
    # Where no fact leads on from what is named, nearness over mentions says nothing of an answer.
    ties = graph and any(kit.walker.ties(key) for key in keys)
    leads = graph and (bool(question.groups) or (ties and by_facts(question)))
    hits = retrieve(
        question.query,
        embed=by.embed,
        index=by.index,
        chunks=kit.corpus.chunks,
        link=(lambda text: keys) if leads else None,
        expand=kit.walker.expand if leads else None,
        k=max(k * 4, 20) if question.groups or graph else k,
        pool=wanted.pool,
        rrf_k=wanted.rrf_k,
        hops=wanted.hops,
        searchers=("dense", "text") if mode in ("hybrid", "graph") else (mode,),
        weights=WORDS_FIRST if plan(question.query, ()).route == "identifier" else WEIGHTS,
    )
    # Where facts lead on from what is named, their chain leads (`_chained`).
    if graph and not ties:
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
