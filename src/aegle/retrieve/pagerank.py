"""Personalised PageRank on a sparse matrix."""

from __future__ import annotations

from typing import Final

import numpy as np

from aegle.core.sparse import Floats, Matrix, sums

MOST_ROUNDS: Final = 1000


def pagerank(weights: Matrix, seeds: Floats, *, damping: float, tolerance: float = 1e-6) -> Floats:
    """Where walks are that start again at the seeds with chance ``1 - damping`` at each step.

    Args:
        weights: how strongly row leads to column, >= 0; a step takes an edge by its share of the
            row. A walk starts again where no edge leads on.
        seeds: (nodes,), >= 0: where walks start; scaled to sum to 1.
        damping: chance in [0, 1) to walk on.
        tolerance: most that the answer may be off, summed over all nodes.

    Returns:
        (nodes,), sums to 1; all 0 when no seed is above 0.

    Raises:
        ValueError: damping is out of range, or a weight or seed is negative or no number.

    References:
        Haveliwala (2002), Topic-sensitive PageRank; for passages Gutierrez et al. (2024),
        HippoRAG, and (2025), From RAG to memory (HippoRAG 2).
    """
    if not 0 <= damping < 1:
        raise ValueError(f"damping is in [0, 1), got {damping}")
    if not (weights.values >= 0).all() or not (seeds >= 0).all():
        raise ValueError("weights and seeds are numbers of at least 0")
    size, rows = len(seeds), weights.rows
    total = sums(rows, weights.values, size)
    dead = total == 0
    chances = weights.values / total[rows]
    if not seeds.sum() > 0:
        return np.zeros(size)
    start = seeds / seeds.sum()
    mass = start
    for _ in range(MOST_ROUNDS):
        moved = sums(weights.columns, chances * mass[rows], size)
        after = damping * (moved + mass[dead].sum() * start) + (1 - damping) * start
        change = np.abs(after - mass).sum()
        mass = after
        # What is left to move shrinks by the damping each round: a geometric series.
        if change * damping <= tolerance * (1 - damping):
            break
    return np.asarray(mass / mass.sum())
