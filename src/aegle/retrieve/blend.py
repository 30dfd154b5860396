"""Meaning and words as one ranking, by their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aegle.core.ports import Found

Scored = list[tuple[str, float]]

WEIGHTS: Final = {"dense": 1.5, "text": 1.0}
"""Votes of meaning and words; chosen on the training claims of SciFact (decision 0070)."""

WORDS_FIRST: Final = {"dense": 0.1, "text": 1.0}
"""For identifiers: meaning decides only between equals."""


def blend(found: Mapping[str, Sequence[Found]], weights: Mapping[str, float]) -> Scored:
    """Rankings to one by their scores, each scaled by its best.

    What a searcher did not give counts there as its last: it is at most that.

    Args:
        found: searcher -> (id, score >= 0), best first.
        weights: searcher -> its vote.

    Returns:
        (id, score in [0, 1]), best first, ties by id.

    References:
        Bruch, Gai & Ingber (2023), An analysis of fusion functions for hybrid retrieval.
    """
    used = {name: hits for name, hits in found.items() if hits and hits[0][1] > 0}
    total = sum(weights[name] for name in used)
    floor = {name: max(hits[-1][1], 0.0) / hits[0][1] for name, hits in used.items()}
    scaled = {name: {i: max(s, 0.0) / hits[0][1] for i, s in hits} for name, hits in used.items()}
    items = {item for by_item in scaled.values() for item in by_item}
    scores = {
        item: sum(weights[n] * scaled[n].get(item, floor[n]) for n in sorted(used)) / total
        for item in items
    }
    return sorted(scores.items(), key=lambda one: (-one[1], one[0]))
