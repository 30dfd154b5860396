"""Hits that do not say one thing twice: maximal marginal relevance, and near-copies left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aegle.core.errors import UsageError
from aegle.core.ports import Scores, Vectors


def mmr(relevance_N: Scores, vectors_NC: Vectors, *, k: int, diversity: float) -> list[int]:
    """The places of ``k`` items, each the best by relevance and by what it adds to those before.

    An item is worth ``(1 - diversity) relevance - diversity max cosine`` to those chosen.

    Args:
        relevance_N: on the scale of cosines.
        vectors_NC: unit vectors.
        k: how many at most.
        diversity: in [0, 1]; 0 is the order of relevance, ties by place.

    Raises:
        UsageError: ``diversity`` is no share.

    References:
        Carbonell & Goldstein (1998), The use of MMR, diversity-based reranking for reordering
        documents and producing summaries (their lambda is ``1 - diversity``).
    """
    if not 0 <= diversity <= 1:
        raise UsageError(f"diversity is from 0 to 1, got {diversity}")
    relevance_N = np.asarray(relevance_N, np.float64)
    left = np.ones(len(relevance_N), bool)
    nearest_N = np.zeros(len(relevance_N))
    chosen: list[int] = []
    while len(chosen) < k and left.any():
        worth_N = (1 - diversity) * relevance_N - diversity * nearest_N
        # The first is the most relevant, however much the others differ.
        best = int(np.argmax(np.where(left, worth_N if chosen else relevance_N, -np.inf)))
        cosines_N = vectors_NC @ vectors_NC[best]
        nearest_N = np.maximum(nearest_N, cosines_N) if chosen else cosines_N
        left[best] = False
        chosen.append(best)
    return chosen


def distinct(vectors_NC: Vectors, groups: Sequence[str], *, threshold: float = 0.98) -> list[int]:
    """The places of items that are no near-copy of an earlier one of their group.

    Two patients' notes from one template say two things, so copies are looked for in a group only.

    Args:
        vectors_NC: unit vectors, best item first.
        groups: patient, host or incident of each.
        threshold: the cosine from which two are copies.
    """
    kept: list[int] = []
    for place, group in enumerate(groups):
        twins = [other for other in kept if groups[other] == group]
        if not twins or float((vectors_NC[twins] @ vectors_NC[place]).max()) < threshold:
            kept.append(place)
    return kept
