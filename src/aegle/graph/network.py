"""A graph in memory as sparse matrices: who leads to whom, how strongly, by which relation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-untyped]  # its stubs are a package of their own

from aegle.core.records import Edge, Node
from aegle.graph.build import CHUNK, MENTIONS

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]

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

    def __init__(self, nodes: Sequence[Node], edges: Sequence[Edge]) -> None:
        ordered = sorted(nodes, key=lambda node: node.key)
        self.nodes = ordered
        self.keys = [node.key for node in ordered]
        self.index = {key: i for i, key in enumerate(self.keys)}
        self.is_chunk = np.fromiter((n.type == CHUNK for n in ordered), bool, len(ordered))
        heads, tails, kinds, forth, back = self._columns(edges)
        self._label(heads, tails, kinds, np.maximum(forth, back))
        raw = self._matrix(heads, tails, forth, back)
        self.ways = raw
        fact = ~(self.is_chunk[heads] | self.is_chunk[tails])
        self.facts = self._matrix(heads[fact], tails[fact], forth[fact], back[fact])
        self.degree = np.diff(raw.tocsc().indptr).astype(np.float64)
        self.steps = self._steps(raw)
        self.backward = self.steps.T.tocsr()
        self.dead = np.flatnonzero(np.diff(self.steps.indptr) == 0)

    def _columns(
        self, edges: Sequence[Edge]
    ) -> tuple[Indices, Indices, NDArray[np.int32], Floats, Floats]:
        index, count = self.index, len(edges)
        kinds: dict[str, int] = {}
        heads = np.fromiter((index[edge.head] for edge in edges), np.int64, count)
        tails = np.fromiter((index[edge.tail] for edge in edges), np.int64, count)
        codes = np.fromiter(
            (kinds.setdefault(edge.type, len(kinds)) for edge in edges), np.int32, count
        )
        back = np.fromiter((STRENGTH[e.assertion] * e.score for e in edges), np.float64, count)
        forth = back.copy()
        denied = np.fromiter(
            (e.type == MENTIONS and e.assertion == "negated" for e in edges), bool, count
        )
        # A mention runs chunk -> entity, so "back" is the way from the entity to the chunk.
        back[denied] = NEGATED_MENTION
        self.kinds = tuple(kinds)
        return heads, tails, codes, forth, back

    def _matrix(self, heads: Indices, tails: Indices, forth: Floats, back: Floats) -> Any:
        n = len(self.keys)
        rows, columns = np.concatenate([heads, tails]), np.concatenate([tails, heads])
        weights = np.concatenate([forth, back])
        keep = (weights > 0) & (rows != columns)
        matrix = sparse.coo_matrix(
            (weights[keep], (rows[keep], columns[keep])), shape=(n, n)
        ).tocsr()
        # The tenth witness of a fact adds less than the second.
        matrix.data = np.log1p(matrix.data)
        return matrix

    def _steps(self, raw: Any) -> Any:
        tempered = sparse.diags(np.maximum(self.degree, 1.0) ** -HUB)
        matrix = (tempered @ raw @ tempered).tocsr()
        total = np.asarray(matrix.sum(axis=1)).ravel()
        scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
        # Single precision halves what each round of a walk reads, which is what it waits for.
        return (sparse.diags(scale) @ matrix).tocsr().astype(np.float32)

    def _label(
        self, heads: Indices, tails: Indices, kinds: NDArray[np.int32], weights: Floats
    ) -> None:
        """For each pair, the relation that has the most weight behind it."""
        pairs = heads * len(self.keys) + tails
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

    def near(self, seeds: Iterable[int], *, within: int, by: Any = None) -> Indices:
        """Steps from the nearest seed to each node (-1: further than ``within``)."""
        ways = self.ways if by is None else by
        distance = np.full(len(self.keys), -1, np.int64)
        frontier = np.fromiter(seeds, np.int64)
        distance[frontier] = 0
        for step in range(1, within + 1):
            reached = np.zeros(len(self.keys), bool)
            reached[_columns_of(ways, frontier)] = True
            frontier = np.flatnonzero(reached & (distance < 0))
            if not len(frontier):
                break
            distance[frontier] = step
        return distance


def _columns_of(matrix: Any, rows: Indices) -> Indices:
    """Every column that has an entry in any of some rows of a CSR matrix."""
    starts, ends = matrix.indptr[rows], matrix.indptr[rows + 1]
    counts = ends - starts
    if not counts.sum():
        return np.empty(0, np.int64)
    # Positions of all the rows' entries in one array, without a Python loop over rows.
    offsets = np.repeat(ends - np.cumsum(counts), counts)
    return np.asarray(matrix.indices[offsets + np.arange(counts.sum())], np.int64)
