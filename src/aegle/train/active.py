"""Active learning: which unlabelled texts to have labelled next. numpy alone.

Letters: N texts of the pool, K classes, M members of a committee, C width of a vector, L labelled.

References:
    Settles (2009), Active Learning Literature Survey.
    Sener & Savarese (2018), Active Learning for Convolutional Neural Networks: A Core-Set Approach.
    Ash et al. (2020), Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds.
    McCallum & Nigam (1998), Employing EM and Pool-Based Active Learning for Text Classification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_SUM: Final = 1e-6
"""Rows of probabilities may miss 1 by so much: what was computed in half precision may do more, and
is to be normalised by whoever did."""


def _checked(probabilities: ArrayLike, dims: int) -> Floats:
    told = np.asarray(probabilities, float)
    if told.ndim != dims or not told.shape[-1]:
        raise ValueError(f"probabilities with {dims} axes are needed, got shape {told.shape}")
    sums = told.sum(-1)
    if told.size and (not np.isfinite(told).all() or told.min() < 0 or abs(sums - 1).max() > _SUM):
        raise ValueError("probabilities are 0 or more and sum to 1 in each row")
    return told


def _entropies(told: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(told > 0, -told * np.log(told), 0.0)
    total: Floats = parts.sum(-1)
    return total


def entropy(probabilities_NK: ArrayLike) -> Floats:
    """(N,) entropy in nats, in [0, log K]; the higher, the less sure.

    Raises:
        ValueError: rows that are no probabilities.
    """
    return _entropies(_checked(probabilities_NK, 2))


def margin(probabilities_NK: ArrayLike) -> Floats:
    """(N,) one less the gap between the two likeliest classes, in [0, 1]; 0 with one class.

    Raises:
        ValueError: rows that are no probabilities.
    """
    told = _checked(probabilities_NK, 2)
    if told.shape[1] < 2:
        return np.zeros(len(told))
    two = np.partition(told, -2, axis=1)[:, -2:]
    gap: Floats = 1 - (two[:, 1] - two[:, 0])
    return gap


def least_confidence(probabilities_NK: ArrayLike) -> Floats:
    """(N,) one less the probability of the likeliest class, in [0, 1 - 1/K].

    Raises:
        ValueError: rows that are no probabilities.
    """
    told = _checked(probabilities_NK, 2)
    left: Floats = 1 - told.max(1)
    return left


def vote_entropy(votes_MN: ArrayLike, *, classes: int) -> Floats:
    """(N,) entropy of a committee's votes in nats, in [0, log min(M, K)].

    Args:
        votes_MN: the class that each member chose, 0 to ``classes - 1``.
        classes: K.

    Raises:
        ValueError: no member, or a vote for no class.

    References:
        Dagan & Engelson (1995), Committee-Based Sampling for Training Probabilistic Classifiers.
    """
    votes = np.asarray(votes_MN)
    if votes.ndim != 2 or not len(votes):
        raise ValueError(f"votes are (members, texts), got shape {votes.shape}")
    if votes.size and not (votes.min() >= 0 and votes.max() < classes):
        raise ValueError(f"votes lie in [0, {classes}), got {votes.min()} to {votes.max()}")
    shares: Floats = np.stack([(votes == one).mean(0) for one in range(classes)], axis=-1)
    return _entropies(shares)


def mean_divergence(probabilities_MNK: ArrayLike) -> Floats:
    """(N,) mean KL divergence of each member from the committee's mean in nats, >= 0.

    Raises:
        ValueError: rows that are no probabilities.
    """
    told = _checked(probabilities_MNK, 3)
    apart = _entropies(told.mean(0)) - _entropies(told).mean(0)
    divergence: Floats = np.maximum(apart, 0.0)  # rounding may take it below
    return divergence


def _vectors(vectors: ArrayLike, name: str) -> Floats:
    told = np.asarray(vectors, float)
    if told.ndim != 2 or not np.isfinite(told).all():
        raise ValueError(f"{name} are finite vectors (texts, width), got shape {told.shape}")
    return told


def _squares(pool: Floats, one: Floats) -> Floats:
    gaps: Floats = ((pool - one) ** 2).sum(1)
    return gaps


def k_centres(
    pool_NC: ArrayLike, *, k: int, labelled_LC: ArrayLike | None = None, first: int = 0
) -> list[int]:
    """Places of ``k`` texts so that every text is near one: the farthest is taken, again and again.

    Its radius is at most twice the best one's. Equal distances go to the lower place.

    Args:
        pool_NC: vectors.
        k: how many, at most N.
        labelled_LC: vectors that count as taken already.
        first: what is taken first when nothing is labelled.

    Raises:
        ValueError: ``k`` or ``first`` is out of range, or the widths differ.

    References:
        Gonzalez (1985), Clustering to minimize the maximum intercluster distance.
    """
    pool = _vectors(pool_NC, "the pool")
    if not 0 <= k <= len(pool):
        raise ValueError(f"0 to {len(pool)} can be chosen, got {k}")
    if not k:
        return []
    chosen: list[int] = []
    nearest: Floats = np.full(len(pool), np.inf)
    taken = _vectors(labelled_LC, "what is labelled") if labelled_LC is not None else pool[:0]
    if taken.shape[1] != pool.shape[1]:
        raise ValueError(f"vectors of one width are needed: {pool.shape[1]}, {taken.shape[1]}")
    for one in taken:
        nearest = np.minimum(nearest, _squares(pool, one))
    if not len(taken):
        if not 0 <= first < len(pool):
            raise ValueError(f"first is a place of the pool, got {first} of {len(pool)}")
        chosen.append(first)
        nearest = _squares(pool, pool[first])
    while len(chosen) < k:
        nearest[chosen] = -1.0  # equal texts are not taken twice
        place = int(nearest.argmax())
        chosen.append(place)
        nearest = np.minimum(nearest, _squares(pool, pool[place]))
    return chosen


def radius(pool_NC: ArrayLike, centres: list[int]) -> float:
    """The largest distance from a text to its nearest centre.

    Raises:
        ValueError: no centre.
    """
    pool = _vectors(pool_NC, "the pool")
    if not centres:
        raise ValueError("a radius needs at least one centre")
    nearest = np.min([_squares(pool, pool[one]) for one in centres], axis=0)
    return float(np.sqrt(nearest.max(initial=0.0)))


def badge(
    probabilities_NK: ArrayLike, vectors_NC: ArrayLike, *, k: int, rng: np.random.Generator
) -> list[int]:
    """Places of ``k`` texts that are unsure and unlike: k-means++ over gradients of the last layer.

    A gradient is (p - one of the likeliest class) x vector. Its inner products are those of the two
    factors, so that the K x C numbers of none are ever held.

    Raises:
        ValueError: no probabilities, not one vector a row, or ``k`` out of range.
    """
    told = _checked(probabilities_NK, 2)
    pool = _vectors(vectors_NC, "the texts")
    if len(pool) != len(told) or not 0 <= k <= len(pool):
        raise ValueError(f"{len(told)} rows, {len(pool)} vectors and 0 to as many of them: {k}")
    error = told.copy()
    error[np.arange(len(told)), told.argmax(1)] -= 1
    norms = (error**2).sum(1) * (pool**2).sum(1)
    nearest = norms.copy()  # the first one is drawn by how large its gradient is
    chosen: list[int] = []
    while len(chosen) < k:
        nearest[chosen] = 0.0
        total = nearest.sum()
        left = np.setdiff1d(np.arange(len(pool)), chosen)
        place = int(rng.choice(left) if total <= 0 else rng.choice(len(pool), p=nearest / total))
        chosen.append(place)
        inner = (error @ error[place]) * (pool @ pool[place])
        gaps = np.maximum(norms + norms[place] - 2 * inner, 0.0)
        nearest = gaps if len(chosen) == 1 else np.minimum(nearest, gaps)
    return chosen


UNCERTAINTIES: Final[Mapping[str, Callable[[ArrayLike], Floats]]] = {
    "entropy": entropy,
    "margin": margin,
    "least_confidence": least_confidence,
}
STRATEGIES: Final = (*UNCERTAINTIES, "k_centres", "badge", "mixed", "random")


def choose(
    strategy: str,
    probabilities_NK: ArrayLike,
    vectors_NC: ArrayLike,
    *,
    k: int,
    rng: np.random.Generator,
    labelled_LC: ArrayLike | None = None,
) -> list[int]:
    """Places of the ``k`` texts to label next, the most wanted first.

    ``mixed`` takes the five times ``k`` with the smallest margins and of these ``k`` centres.

    Raises:
        ValueError: no such strategy; see the functions of this module for the rest.
    """
    pool = _vectors(vectors_NC, "the texts")
    if not 0 <= k <= len(pool):
        raise ValueError(f"0 to {len(pool)} can be chosen, got {k}")
    if strategy in UNCERTAINTIES:
        unsure = UNCERTAINTIES[strategy](probabilities_NK)
        return [int(one) for one in np.argsort(-unsure, kind="stable")[:k]]
    if strategy == "k_centres":
        first = int(rng.integers(len(pool))) if k else 0
        return k_centres(pool, k=k, labelled_LC=labelled_LC, first=first)
    if strategy == "badge":
        return badge(probabilities_NK, pool, k=k, rng=rng)
    if strategy == "mixed":
        near = np.argsort(-margin(probabilities_NK), kind="stable")[: 5 * k]
        return [int(near[one]) for one in k_centres(pool[near], k=k, labelled_LC=labelled_LC)]
    if strategy == "random":
        return [int(one) for one in rng.choice(len(pool), k, replace=False)]
    raise ValueError(f"a strategy is one of {', '.join(STRATEGIES)}; got {strategy!r}")
