"""A graph in memory as sparse matrices: who leads to whom, how strongly, by which relation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from aegle.core.ports import Whole
from aegle.core.sparse import Floats, Indices, Matrix, sums
from aegle.graph.build import CHUNK, MENTIONS

STRENGTH: Final = {
    "present": 1.0,
    "historical": 0.8,
    "possible": 0.5,
    "family": 0.25,
    "hypothetical": 0.25,
    "negated": 0.0,
}
"""How far a walk trusts a relation. What was negated is no fact and leads nowhere."""

NEGATED_MENTION: Final = 0.5
"""A chunk that denies fever answers a question on fever, so a walk may end there; it must not go
on from there to fever, as if the chunk's other facts had anything to do with it."""

HUB: Final = 0.5
"""Power of the degree that tempers each end of an edge; 0 lets hubs swamp, 1 hides them."""


class Network:
    """Nodes 0..n-1 in the order of their keys, and matrices over them.

    Attributes:
        steps: probability of a step, row to column; a row sums to 1, or to 0 at a dead end.
        backward: ``steps`` turned round, to push mass along it.
        dead: nodes from which no step leads.
        facts: who is tied to whom by a fact between entities, symmetric pattern.
        ways: who leads to whom by any step, the pattern of ``steps``.
    """

    def __init__(self, graph: Whole) -> None:
        self.nodes = graph.nodes
        self.keys = [node.key for node in graph.nodes]
        self.index = {key: i for i, key in enumerate(self.keys)}
        self.is_chunk = np.fromiter((n.type == CHUNK for n in graph.nodes), bool, len(self.keys))
        forth, back = _weights(graph)
        self._label(graph, np.maximum(forth, back))
        self.ways = self._matrix(graph, forth, back)
        fact = ~(self.is_chunk[graph.heads] | self.is_chunk[graph.tails])
        self.facts = self._matrix(graph, forth * fact, back * fact)
        self.degree = np.bincount(self.ways.columns, minlength=len(self.keys)).astype(np.float64)
        self.steps = self._steps(self.ways)
        self.backward = self.steps.turned()
        self.dead = np.flatnonzero(np.diff(self.steps.starts) == 0)

    def _matrix(self, graph: Whole, forth: Floats, back: Floats) -> Matrix:
        rows = np.concatenate([graph.heads, graph.tails])
        columns = np.concatenate([graph.tails, graph.heads])
        weights = np.concatenate([forth, back])
        keep = (weights > 0) & (rows != columns)
        matrix = Matrix.of(len(self.keys), rows[keep], columns[keep], weights[keep])
        # The tenth witness of a fact adds less than the second.
        return matrix.with_values(np.log1p(matrix.values))

    def _steps(self, raw: Matrix) -> Matrix:
        size, rows = len(self.keys), raw.rows
        tempered = np.maximum(self.degree, 1.0) ** -HUB
        values = tempered[rows] * raw.values * tempered[raw.columns]
        total = sums(rows, values, size)
        scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
        # Single precision halves what each round of a walk reads, which is what it waits for.
        return raw.with_values((scale[rows] * values).astype(np.float32))

    def _label(self, graph: Whole, weights: Floats) -> None:
        """For each pair, the relation that has the most weight behind it."""
        self.kinds = sorted({kind for kind, _ in graph.kinds})
        codes = np.array([self.kinds.index(kind) for kind, _ in graph.kinds], np.int64)
        kinds = codes[graph.kind]
        pairs = graph.heads * len(self.keys) + graph.tails
        order = np.lexsort((kinds, -weights, pairs))
        self._pairs, first = np.unique(pairs[order], return_index=True)
        self._pair_kind = kinds[order][first]
        self._pair_weight = weights[order][first]

    def relation(self, a: int, b: int) -> str:
        """The relation from ``a`` to ``b``; ``^type`` when it is said from ``b`` to ``a``."""
        forth, back = self._pair(a, b), self._pair(b, a)
        if back[1] > forth[1]:
            return f"^{back[0]}"
        return forth[0]

    def _pair(self, a: int, b: int) -> tuple[str, float]:
        code = a * len(self.keys) + b
        at = int(np.searchsorted(self._pairs, code))
        if at == len(self._pairs) or self._pairs[at] != code:
            return "", 0.0
        return self.kinds[self._pair_kind[at]], float(self._pair_weight[at])

    def near(self, seeds: Iterable[int], *, within: int, by: Matrix | None = None) -> Indices:
        """Steps from the nearest seed to each node (-1: further than ``within``)."""
        ways = by or self.ways
        distance = np.full(len(self.keys), -1, np.int64)
        frontier = np.fromiter(seeds, np.int64)
        distance[frontier] = 0
        for step in range(1, within + 1):
            reached = np.zeros(len(self.keys), bool)
            reached[ways.columns_of(frontier)] = True
            frontier = np.flatnonzero(reached & (distance < 0))
            if not len(frontier):
                break
            distance[frontier] = step
        return distance


def _weights(graph: Whole) -> tuple[Floats, Floats]:
    """How far a walk trusts each edge along its direction, and against it."""
    strength = np.array([STRENGTH[assertion] for _, assertion in graph.kinds], np.float64)
    denied = np.array([one == (MENTIONS, "negated") for one in graph.kinds], bool)[graph.kind]
    forth = strength[graph.kind] * graph.scores
    # A mention runs chunk -> entity, so "back" is the way from the entity to the chunk.
    return forth, np.where(denied, NEGATED_MENTION, forth)
