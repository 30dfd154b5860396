"""How good a ranking is: nDCG, recall, all found, context precision; in [0, 1], higher better."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence


def _check(ranked: Sequence[str], k: int) -> None:
    if k < 1:
        raise ValueError(f"k counts places and is at least 1, got {k}")
    if len(set(ranked)) != len(ranked):
        raise ValueError("a ranking names each id once")


def ndcg(ranked: Sequence[str], gain: Mapping[str, float], *, k: int = 10) -> float:
    """Normalised discounted cumulative gain of one ranking, in [0, 1].

    Args:
        ranked: ids, best first; an id without a gain counts 0.
        gain: id -> graded relevance, >= 0, at least one above 0.
        k: how many places count, >= 1.

    Raises:
        ValueError: ``k < 1``, ``ranked`` repeats an id, a gain is negative, or none is positive.

    References:
        Jarvelin & Kekalainen (2002), Cumulated gain-based evaluation of IR techniques.
    """
    _check(ranked, k)
    if not gain or min(gain.values()) < 0 or max(gain.values()) == 0:
        raise ValueError("gains are at least 0, and one of them is above 0")
    best = sorted(gain.values(), reverse=True)[:k]
    return _discounted([gain.get(item, 0.0) for item in ranked[:k]]) / _discounted(best)


def _discounted(gains: Sequence[float]) -> float:
    return math.fsum(value / math.log2(place + 1) for place, value in enumerate(gains, start=1))


def recall(ranked: Sequence[str], relevant: Collection[str], *, k: int = 10) -> float:
    """The share of the relevant ids that are among the first ``k``, in [0, 1].

    Raises:
        ValueError: ``k < 1``, ``ranked`` repeats an id, or nothing is relevant.
    """
    _check(ranked, k)
    wanted = set(relevant)
    if not wanted:
        raise ValueError("recall needs at least one relevant id")
    return len(wanted.intersection(ranked[:k])) / len(wanted)


def reciprocal_rank(ranked: Sequence[str], relevant: Collection[str], *, k: int = 10) -> float:
    """One over the place of the first relevant id among the first ``k``; 0 when there is none.

    Its mean over questions is the MRR.

    Raises:
        ValueError: ``k < 1``, or ``ranked`` repeats an id.
    """
    _check(ranked, k)
    wanted = set(relevant)
    return next((1.0 / place for place, i in enumerate(ranked[:k], start=1) if i in wanted), 0.0)


def all_at(ranked: Sequence[str], relevant: Collection[str], *, k: int = 10) -> float:
    """1 when every relevant id is among the first ``k``, else 0: what an answer of many hops needs.

    Raises:
        ValueError: as `recall`.
    """
    return float(recall(ranked, relevant, k=k) == 1)


def context_precision(ranked: Sequence[str], relevant: Collection[str], *, k: int = 10) -> float:
    """How far up the relevant ids among the first ``k`` stand, as RAGAS names it; 0 for none.

    The mean of the precision at each place that a relevant id has. It does not ask what is missing:
    one relevant id, first, is 1; `recall`, RAGAS's context recall by ids, tells the rest.

    Raises:
        ValueError: ``k < 1``, or ``ranked`` repeats an id.

    References:
        Es et al. (2023), RAGAS: Automated Evaluation of Retrieval Augmented Generation; here the
        relevant ids are known instead of judged.
    """
    _check(ranked, k)
    wanted = set(relevant)
    places = [place for place, item in enumerate(ranked[:k], start=1) if item in wanted]
    if not places:
        return 0.0
    return math.fsum(met / place for met, place in enumerate(places, start=1)) / len(places)


def context_recall(ranked: Sequence[str], relevant: Collection[str], *, k: int = 10) -> float:
    """`recall` by the name that RAGAS gives it where relevant ids are known.

    Raises:
        ValueError: as `recall`.
    """
    return recall(ranked, relevant, k=k)
