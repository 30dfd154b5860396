"""The first hits of a search, read again together with the question, and put in a better order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from aegle.core.ports import Scores
from aegle.core.records import Hit

Read = TypeVar("Read")
"""What is read of a hit: its text, or the chunk."""


def rerank(
    question: str,
    hits: Sequence[Hit],
    texts: Mapping[str, Read],
    score: Callable[[str, Sequence[Read]], Scores],
    *,
    top: int,
    weight: float = 1.0,
) -> list[Hit]:
    """The hits with the first ``top`` of them in the order of a reranker and of the search.

    Args:
        hits: best first.
        texts: chunk id -> what is read; a hit without one stays behind those that were read.
        score: of a question and what is read, as `aegle.core.ports.Reranker.score`.
        top: how many are read; the others keep their places.
        weight: the reranker's vote in [0, 1]; 1: it replaces the search's order, 0: it changes
            nothing.

    Returns:
        The same hits. The scores stay at their places, so that they still fall; ``via`` says which
        place the reranker gave (``rerank#1``).
    """
    read = [hit for hit in hits[:top] if hit.chunk_id in texts]
    if not read or not weight:
        return list(hits)
    scores_N = score(question, [texts[hit.chunk_id] for hit in read])
    marks = _places(scores_N)
    votes = weight * spread(scores_N) + (1 - weight) * spread(np.array([h.score for h in read]))
    # What stood before the other wins a tie.
    order = np.argsort(-votes, kind="stable")
    moved = [replace(read[i], via=(*read[i].via, f"rerank#{marks[i]}")) for i in order]
    moved += [hit for hit in hits[:top] if hit.chunk_id not in texts]
    held = [hit.score for hit in hits[:top]]
    kept = [replace(hit, score=score) for hit, score in zip(moved, held, strict=True)]
    return [*kept, *hits[top:]]


def spread(scores: Sequence[float] | Scores) -> Scores:
    """Scores on [0, 1], the worst 0 and the best 1; all 0 when they are equal.

    References:
        Bruch, Gai & Ingber (2023), An analysis of fusion functions for hybrid retrieval.
    """
    values_N = np.asarray(scores, np.float64)
    least, most = (values_N.min(), values_N.max()) if len(values_N) else (0.0, 0.0)
    width = most - least
    return np.asarray((values_N - least) / width if width > 0 else 0 * values_N, np.float32)


def _places(scores_N: Scores) -> list[int]:
    places = np.empty(len(scores_N), int)
    places[np.argsort(-scores_N, kind="stable")] = np.arange(1, len(scores_N) + 1)
    return [int(place) for place in places]
