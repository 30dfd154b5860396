"""Personalised PageRank on a sparse matrix of steps."""

from __future__ import annotations

from typing import Final

import numpy as np

from aegle.core.sparse import Floats, Matrix, sums

MOST_ROUNDS: Final = 200


def stepping(weights: Matrix) -> Matrix:
    """Weights of edges to chances of a step; each row sums to 1, or to 0 at a dead end.

    Raises:
        ValueError: a weight is negative or no number.
    """
    if not (weights.values >= 0).all():
        raise ValueError("weights of edges are at least 0")
    rows = weights.rows
    total = sums(rows, weights.values, len(weights.starts) - 1)
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    return weights.with_values(scale[rows] * weights.values)


class PageRank:
    """Walks that start again at the seeds of a question.

    Args:
        weights: how strongly row leads to column, >= 0; need not be symmetric.
    """

    def __init__(self, weights: Matrix) -> None:
        steps = stepping(weights)
        self._into = steps.turned()
        self._dead = np.flatnonzero(sums(steps.rows, steps.values, len(steps.starts) - 1) == 0)

    def __call__(self, seeds: Floats, *, damping: float, tolerance: float = 1e-6) -> Floats:
        """Where walks are, that with chance ``1 - damping`` start again; sums to 1.

        Args:
            seeds: (nodes,), >= 0: where they start; any sum above 0. A walk that comes to a dead
                end starts again.
            damping: chance in [0, 1) to walk on.
            tolerance: most that the answer may be off, summed over all nodes.

        Returns:
            (nodes,); all 0 when no seed is above 0.

        Raises:
            ValueError: damping is out of range.

        References:
            Haveliwala (2002), Topic-sensitive PageRank; for passages Gutierrez et al. (2024),
            HippoRAG, and (2025), From RAG to memory (HippoRAG 2).
        """
        if not 0 <= damping < 1:
            raise ValueError(f"damping is in [0, 1), got {damping}")
        total = seeds.sum()
        if total <= 0:
            return np.zeros_like(seeds)
        start = seeds / total
        mass = start
        for _ in range(MOST_ROUNDS):
            lost = mass[self._dead].sum()
            after = damping * (self._into.times(mass) + lost * start) + (1 - damping) * start
            change = np.abs(after - mass).sum()
            mass = after
            # What is left to move shrinks by the damping each round: a geometric series.
            if change * damping <= tolerance * (1 - damping):
                break
        return np.asarray(mass / mass.sum())
