"""From a question to hits by a plan: words and meaning, and walks from one passage to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from aegle.core.ports import Vectors
from aegle.core.sparse import Floats, Indices
from aegle.retrieve.blend import WEIGHTS, WORDS_FIRST, Scored, blend
from aegle.retrieve.names import Key
from aegle.retrieve.passages import Flags, PassageGraph
from aegle.retrieve.plan import Plan, plan
from aegle.retrieve.search import Searches

_POOL: Final = 100
_STARTS: Final = 20
"""Hits from which walks start beside the entities."""

_FROM_HITS: Final = 0.1
"""Together they count a tenth of the entities, in the order of HippoRAG 2 (0.05 a passage)."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a search looks into.

    Attributes:
        embed: texts -> unit vectors.
        index: searched by meaning and by words.
        graph: passages and what they name.
        cosines: a unit vector, places in ``graph.ids`` -> cosines of these passages.
        seen: (passages,): which of the graph's may be met and walked through; None for all.
    """

    embed: Callable[[Sequence[str]], Vectors]
    index: Searches
    graph: PassageGraph
    cosines: Callable[[Vectors, Indices], Floats]
    seen: Flags | None = None


def hybrid(
    question: str, vector: Vectors, index: Searches, *, pool: int = _POOL, words_first: bool = False
) -> Scored:
    """Passages by meaning and words together, best first."""
    found = {
        "dense": index.search_dense(vector, k=pool),
        "text": index.search_text(question, k=pool),
    }
    return blend(found, WORDS_FIRST if words_first else WEIGHTS)


def find(
    question: str,
    sources: Sources,
    *,
    k: int,
    domain_of: Callable[[Key], str] = lambda key: "",
) -> tuple[Plan, Scored]:
    """The ``k`` passages that most likely answer a question, best first, and the plan behind it.

    Where the plan says so, walks lead from what the question names and from the first hits over
    what passages name to further passages; among those that name one entity, to the ones that are
    about what the question asks of it. All other questions get the hits of words and meaning.

    Args:
        question: what to look for.
        sources: what is searched.
        k: how many at most.
        domain_of: name -> the one domain that has it; "" where several or none do.

    Returns:
        the plan, and (id, score); scores of walks and of hybrid searches are not comparable.
    """
    made = planned(question, sources.graph, seen=sources.seen, domain_of=domain_of)
    if not made.walks:
        first = made.route == "identifier"
        (vector,) = sources.embed([question])
        return made, hybrid(question, vector, sources.index, words_first=first)[:k]
    walked, hits = follow(made, question, sources)
    met = {item for item, _ in walked}
    last = walked[-1][1] if walked else 1.0
    rest = [(item, last * score) for item, score in hits if item not in met]
    return made, [*walked, *rest][:k]


def planned(
    question: str,
    graph: PassageGraph,
    *,
    seen: Flags | None = None,
    domain_of: Callable[[Key], str] = lambda key: "",
) -> Plan:
    """The plan of a question by what it names of the passages that may be ``seen``."""
    named = graph.link(question, seen=seen)
    domains = {domain_of(one.key) for one in named} - {""}
    return plan(
        question,
        named,
        is_subject=lambda name: graph.is_title(name, seen=seen),
        domains=domains,
    )


def follow(
    made: Plan, question: str, sources: Sources, *, pool: int = _POOL, k: int = _POOL
) -> tuple[Scored, Scored]:
    """What walks meet, best first, at most ``k``, and the hits that some of them started from."""
    # The question first: who asked for its vector before need not make it again.
    (vector,) = sources.embed([question])
    (asked,) = sources.embed([made.asked])
    hits = hybrid(question, vector, sources.index, pool=pool)
    walked = sources.graph.walk(
        [one.key for one in made.names],
        _starts(_with_parts(hits, made, question, sources.index)),
        focus=lambda places: sources.cosines(asked, places),
        seen=sources.seen,
        k=k,
    )
    return walked, hits


def _starts(hits: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Weights of the first hits by how far they stand above the one after them."""
    first = hits[:_STARTS]
    floor = hits[_STARTS][1] if len(hits) > _STARTS else 0.0
    above = np.array([score - floor for _, score in first])
    total = above.sum()
    if not total > 0:
        return {}
    shares = _FROM_HITS * above / total
    return {item: float(share) for (item, _), share in zip(first, shares, strict=True)}


def _with_parts(hits: Scored, made: Plan, question: str, index: Searches) -> Scored:
    """Hits with those that the words of a part alone find: no side of a comparison is left out."""
    best = dict(hits)
    for part in made.parts:
        if part != question:
            for item, score in blend({"text": index.search_text(part, k=_STARTS)}, WEIGHTS):
                best[item] = max(score, best.get(item, 0.0))
    return sorted(best.items(), key=lambda one: (-one[1], one[0]))
