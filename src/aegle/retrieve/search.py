"""From a question to hits: by meaning, by words and through the graph.

Meaning and words are blended by their scores; where the graph votes too, the three are fused by
rank. The graph is a third searcher, and only where the question names something that it knows.
Nearness in the graph says what belongs together, not what was asked; so its chunks are ordered by
walk and by meaning together. A chunk that words and meaning both miss could never win a vote of
three; the best one that the graph reached over another entity gets the fifth place when it has none
better: beyond its vote the graph costs the others one place at most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Protocol

from aegle.core.errors import UsageError
from aegle.core.ports import Found, Vectors
from aegle.core.records import Chunk, Hit
from aegle.retrieve.blend import WEIGHTS, blend

Path = tuple[str, ...]
Where = Mapping[str, Sequence[str]]

RESERVED_PLACE: Final = 5
"""The graph may claim this one place for evidence further off; the ones before it are safe."""

_BLEND_K: Final = 10
"""Constant of the fusion of walk and meaning; 10 against 60 moved recall at 5 by +.011 on MuSiQue
and -.002 on 2WikiMultihopQA (docs/decisions/0052-fusion.md)."""

_DIRECT: Final = 3
"""Length of ``(entity, mentions, chunk)``: the chunk names what the question names."""


class Searches(Protocol):
    """The half of an `aegle.core.ports.Index` that finds."""

    def search_dense(self, vector: Vectors, *, k: int, where: Where | None = None) -> list[Found]:
        """The nearest chunks, best first."""

    def search_text(self, query: str, *, k: int, where: Where | None = None) -> list[Found]:
        """The best chunks by BM25, best first."""


class Expand(Protocol):
    """From nodes to chunks: `aegle.graph.walk.Walker.expand`."""

    def __call__(
        self, keys: Sequence[str], *, hops: int, k: int
    ) -> Sequence[tuple[str, float, Path]]:
        """(chunk id, score, path from a node to the chunk), best first."""


def fuse(
    rankings: Mapping[str, Sequence[str]], *, k: int
) -> list[tuple[str, float, tuple[str, ...]]]:
    """Reciprocal rank fusion; neither the order of the searchers nor their scores matter.

    Args:
        rankings: searcher -> ids, best first, none twice.
        k: the constant; the larger, the less the first places stand out.

    Returns:
        (id, score, ("dense#3", "text#1")), best first, ties by id.

    References:
        Cormack, Clarke & Buettcher (2009), Reciprocal rank fusion outperforms Condorcet.
    """
    fused = [
        (item, math.fsum(1.0 / (k + place) for _, place in at), _told(at))
        for item, at in _places(rankings).items()
    ]
    return sorted(fused, key=lambda one: (-one[1], one[0]))


def _places(rankings: Mapping[str, Sequence[str]]) -> dict[str, list[tuple[str, int]]]:
    """Id -> which searchers found it, and at which place."""
    places: dict[str, list[tuple[str, int]]] = {}
    for name in sorted(rankings):
        for place, item in enumerate(rankings[name], start=1):
            places.setdefault(item, []).append((name, place))
    return places


def _told(places: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    return tuple(f"{name}#{place}" for name, place in places)


def search(
    question: str,
    *,
    embed: Callable[[Sequence[str]], Vectors],
    index: Searches,
    chunks: Callable[[Sequence[str]], Sequence[Chunk]],
    link: Callable[[str], Sequence[str]] | None = None,
    expand: Expand | None = None,
    k: int,
    pool: int,
    rrf_k: int,
    hops: int = 2,
    searchers: Sequence[str] = ("dense", "text"),
    weights: Mapping[str, float] = WEIGHTS,
    where: Where | None = None,
) -> list[Hit]:
    """The ``k`` chunks that most likely answer a question, best first, each with how it was found.

    Args:
        question: what to look for.
        embed: texts -> unit vectors.
        index: searched by meaning and by words.
        chunks: ids -> the chunks that exist (`CorpusStore.chunks`); others are no hits.
        link: question -> keys of graph nodes, from which ``expand`` leads to chunks.
        pool: how many each searcher gives to the fusion, whose constant is ``rrf_k``.
        hops: how far the graph is walked.
        searchers: which of ``dense`` and ``text`` vote, by ``weights`` where the graph does not.
        where: document_id, group, domain or kind -> values allowed; holds for the graph, too.

    Raises:
        UsageError: no such searcher.
    """
    if k < 1 or not question.strip():
        return []
    found, vector = _by_text(question, embed, index, searchers, pool, where)
    rankings = {name: [item for item, _ in pairs] for name, pairs in found.items()}
    keys = link(question) if link and expand else ()
    walked = expand(keys, hops=hops, k=pool) if keys and expand else ()
    paths = {item: path for item, _, path in walked}
    known = _known(chunks, list(paths), where)
    rankings["graph"] = _by_walk_and_meaning([i for i in paths if i in known], known, index, vector)
    fetch = partial(_known, chunks, where=where)
    ordered = _existing(_voted(rankings, found, weights, rrf_k), known, fetch, most=k + 1)
    far = [item for item in rankings["graph"] if len(paths[item]) > _DIRECT]
    ordered = reserve(ordered, far if k >= RESERVED_PLACE else (), place=RESERVED_PLACE)
    return [
        Hit(item, known[item].document_id, score, _via(marks, paths.get(item)))
        for item, score, marks in ordered[:k]
    ]


def _voted(
    rankings: Mapping[str, Sequence[str]],
    found: Mapping[str, Sequence[Found]],
    weights: Mapping[str, float],
    rrf_k: int,
) -> list[tuple[str, float, tuple[str, ...]]]:
    """(id, score, places), best first: by rank where the graph votes, else by the scores."""
    if rankings["graph"] or len(found) < 2:
        return fuse(rankings, k=rrf_k)
    scores = dict(blend(found, weights))
    told = [(item, scores.get(item, 0.0), _told(at)) for item, at in _places(rankings).items()]
    return sorted(told, key=lambda one: (-one[1], one[0]))


def _existing(
    ordered: Sequence[tuple[str, float, tuple[str, ...]]],
    known: dict[str, Chunk],
    fetch: Callable[[list[str]], dict[str, Chunk]],
    *,
    most: int,
) -> list[tuple[str, float, tuple[str, ...]]]:
    """The first ``most`` that exist, whose chunks are added to ``known``, and later known ones."""
    kept: list[tuple[str, float, tuple[str, ...]]] = []
    at = 0
    while at < len(ordered) and len(kept) < most:
        block = ordered[at : at + most]
        known |= fetch([item for item, _, _ in block if item not in known])
        kept += [one for one in block if one[0] in known]
        at += most
    return kept + [one for one in ordered[at:] if one[0] in known]


def _by_text(
    question: str,
    embed: Callable[[Sequence[str]], Vectors],
    index: Searches,
    searchers: Sequence[str],
    pool: int,
    where: Where | None,
) -> tuple[dict[str, list[Found]], Vectors]:
    if unknown := set(searchers) - {"dense", "text"}:
        raise UsageError(f"searchers are dense and text; got {', '.join(sorted(unknown))}")
    found = {}
    if "text" in searchers:
        found["text"] = index.search_text(question, k=pool, where=where)
    # After the words: an encoder that was told beforehand has worked meanwhile.
    vector = embed([question])[0]
    if "dense" in searchers:
        found["dense"] = index.search_dense(vector, k=pool, where=where)
    return found, vector


def _by_walk_and_meaning(
    walked: Sequence[str], known: Mapping[str, Chunk], index: Searches, vector: Vectors
) -> list[str]:
    if not walked:
        return []
    documents = sorted({known[item].document_id for item in walked})
    wanted = set(walked)
    near = index.search_dense(vector, k=2 * len(walked), where={"document_id": documents})
    meant = [item for item, _ in near if item in wanted]
    return [item for item, _, _ in fuse({"walk": walked, "near": meant}, k=_BLEND_K)]


def reserve(
    ranked: Sequence[tuple[str, float, tuple[str, ...]]], wanted: Sequence[str], *, place: int
) -> list[tuple[str, float, tuple[str, ...]]]:
    """Move the first of ``wanted`` to ``place`` (from 1), unless one stands there or before.

    What stood there moves down by one, and the score of what moved up is made to fit.
    """
    ordered = list(ranked)
    if not wanted or len(ordered) <= place or {one[0] for one in ordered[:place]} & set(wanted):
        return ordered
    at = next((i for i, one in enumerate(ordered) if one[0] == wanted[0]), None)
    if at is not None:
        item, _, found = ordered.pop(at)
        ordered.insert(place - 1, (item, ordered[place - 1][1], found))
    return ordered


def _known(
    chunks: Callable[[Sequence[str]], Sequence[Chunk]], ids: Sequence[str], where: Where | None
) -> dict[str, Chunk]:
    found = {chunk.id: chunk for chunk in chunks(list(dict.fromkeys(ids)))} if ids else {}
    if where:
        found = {
            item: chunk
            for item, chunk in found.items()
            if all(getattr(chunk, field) in values for field, values in where.items())
        }
    return found


def _via(found: tuple[str, ...], path: Path | None) -> tuple[str, ...]:
    kept = [mark for mark in found if not mark.startswith("graph#")]
    return (*kept, f"graph: {explain(path)}") if path and len(kept) < len(found) else tuple(kept)


def explain(path: Path) -> str:
    """A path in words: ``host:gw01 -controls-> device:pump <-mentions- 0a1b``."""
    words = [path[0]]
    for relation, key in zip(path[1::2], path[2::2], strict=True):
        turned = relation.startswith("^")
        words += [f"<-{relation[1:]}-" if turned else f"-{relation}->", key]
    return " ".join(words)
