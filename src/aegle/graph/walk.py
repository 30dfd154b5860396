"""Walks on the graph: personalised PageRank, neighbourhoods, and the shortest explanation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.errors import NotFoundError
from aegle.core.ports import GraphStore
from aegle.core.records import Edge, Node
from aegle.core.sparse import Indices, Matrix
from aegle.graph.build import MENTIONS
from aegle.graph.names import NameIndex
from aegle.graph.network import Network
from aegle.lm.terms import phrase

Tie = tuple[Edge, str, str]
"""An edge, the key at its other end, and the type of that node."""

Path = tuple[str, ...]
"""``(key, relation, key, ...)``; a relation read against its direction is written ``^relation``."""

DAMPING: Final = 0.6
"""Chance to walk on rather than start again; half the mass within two steps of the seeds.

Low, as in HippoRAG (Gutierrez et al. 2024, 0.5): an answer lies near the question's entities.
"""

_TOLERANCE: Final = 1e-6
_ROUGHLY: Final = 1e-4
"""Enough to put chunks in order; it saves a third of the rounds."""

_MOST_ROUNDS: Final = 100
_LONGEST_PATH: Final = 12


def _surest(edges: Iterable[Edge]) -> list[Edge]:
    """The facts among edges, each once, with the witness that is surest, then first."""
    best: dict[tuple[str, str, str], Edge] = {}
    for edge in edges:
        if edge.type == MENTIONS or edge.assertion == "negated":
            continue
        known = best.get((edge.head, edge.type, edge.tail))
        if known is None or (-edge.score, edge.time, edge.document_id, edge.start) < (
            *(-known.score, known.time, known.document_id, known.start),
        ):
            best[(edge.head, edge.type, edge.tail)] = edge
    return list(best.values())


class Walker:
    """A store's graph in memory as it was at the last `refresh`; safe to share between threads."""

    def __init__(self, store: GraphStore) -> None:
        self._store = store
        self.refresh()

    def refresh(self) -> None:
        """Read the store again."""
        self._network = Network(self._store.whole())
        self._ties: dict[str, list[Tie]] = {}
        self.__dict__.pop("names", None)

    @cached_property
    def names(self) -> NameIndex:
        """Nodes by name, for `retrieve.link`."""
        return NameIndex(self._network.nodes)

    @property
    def nodes(self) -> Sequence[Node]:
        """Every node, by key."""
        return self._network.nodes

    def node(self, key: str) -> Node | None:
        """The node of a key; None when there is none."""
        place = self._network.index.get(key)
        return None if place is None else self._network.nodes[place]

    def same(self, key: str) -> tuple[str, ...]:
        """A node with all others of its type and name: sources may code one thing differently."""
        node = self.node(key)
        if node is None:
            return ()
        twins = {key} | set(self.names.find(phrase(node.name)))
        own = [
            twin
            for twin in sorted(twins)
            if (found := self.node(twin)) is not None and found.type == node.type
        ]
        return tuple(own)

    def ties(self, key: str) -> list[Tie]:
        """The facts that touch a node or one of its name, with the key and type at the other end.

        One edge, the surest, for each relation and other end; nothing negated, no mentions.
        """
        if key not in self._ties:
            self._ties[key] = self._find_ties(key)
        return self._ties[key]

    def _find_ties(self, key: str) -> list[Tie]:
        found: dict[tuple[str, str], Tie] = {}
        for own in self.same(key):
            for edge in _surest(self._store.edges([own])):
                other = edge.tail if edge.head == own else edge.head
                known = found.get((edge.type, other))
                if known is None or edge.score > known[0].score:
                    node = self._network.nodes[self._network.index[other]]
                    found[(edge.type, other)] = (edge, other, node.type)
        return sorted(found.values(), key=lambda tie: (-tie[0].score, tie[1], tie[0].type))

    def rank(self, keys: Sequence[str], *, damping: float = DAMPING) -> dict[str, float]:
        """Personalised PageRank of every node that a walk from ``keys`` reaches; sums to 1.

        Seeds count the more the rarer they are; unknown keys are left out, no known key gives {}.

        References:
            Haveliwala (2002), Topic-sensitive PageRank.
        """
        network = self._network
        seeds = self._seeds(keys)
        if not len(seeds):
            return {}
        mass = self._walk(seeds, damping)
        return {network.keys[i]: float(mass[i]) for i in np.flatnonzero(mass)}

    def _seeds(self, keys: Sequence[str]) -> Indices:
        known = {self._network.index[key] for key in keys if key in self._network.index}
        return np.array(sorted(known), np.int64)

    def _walk(
        self, seeds: Indices, damping: float, tolerance: float = _TOLERANCE
    ) -> NDArray[np.float32]:
        network = self._network
        start = np.zeros(len(network.keys), np.float32)
        start[seeds] = 1.0 / np.log(2.0 + network.degree[seeds])
        start /= start.sum()
        mass = start
        for _ in range(_MOST_ROUNDS):
            lost = mass[network.dead].sum()
            after = damping * (network.backward.times(mass) + lost * start) + (1 - damping) * start
            change = np.abs(after - mass).sum()
            mass = after
            if change < tolerance:
                break
        return mass

    def expand(self, keys: Sequence[str], *, hops: int, k: int) -> list[tuple[str, float, Path]]:
        """The ``k`` chunks that a walk from ``keys`` meets most, with a path from a seed to each.

        Args:
            keys: the question's nodes; unknown ones are left out.
            hops: how many other entities may lie between a seed and a chunk. A hop is a relation,
                or a chunk that mentions both.
            k: how many chunks at most.

        Returns:
            (chunk id, PageRank, path), best first, ties by id.
        """
        network = self._network
        seeds = self._seeds(keys)
        if not len(seeds) or k < 1:
            return []
        mass = self._walk(seeds, DAMPING, _ROUGHLY)
        distance = network.near(seeds, within=2 * hops + 1)
        found = np.flatnonzero(network.is_chunk & (distance >= 0) & (mass > 0))
        best = found[np.lexsort((found, -mass[found]))][:k]
        return [
            (network.keys[i], float(mass[i]), self._trace(int(i), distance, network.backward, mass))
            for i in best
        ]

    def _trace(self, end: int, distance: Indices, into: Matrix, worth: NDArray[Any]) -> Path:
        """Back from ``end`` to a seed by a shortest way, at each step by the worthiest node."""
        network = self._network
        keys = [network.keys[end]]
        while distance[end] > 0:
            before = into.columns[into.starts[end] : into.starts[end + 1]]
            before = before[distance[before] == distance[end] - 1]
            best = int(before[np.lexsort((before, -worth[before]))[0]])
            keys += [network.relation(best, end), network.keys[best]]
            end = best
        return tuple(reversed(keys))

    def k_hop(
        self, keys: Sequence[str], hops: int, limit: int, *, chunks: bool = False
    ) -> tuple[list[Node], list[Edge]]:
        """The nodes within ``hops`` steps of ``keys``, nearest and closest first, and their edges.

        Args:
            keys: nodes to start from; they come first.
            hops: how many relations away, 0 for the nodes themselves.
            limit: how many nodes at most.
            chunks: walk through chunks and return them, too.

        Raises:
            NotFoundError: the graph has none of the keys.
        """
        network = self._network
        seeds = self._seeds(keys)
        if not len(seeds):
            raise NotFoundError(f"none of the {len(keys)} nodes asked for is in the graph")
        by = network.ways if chunks else network.facts
        distance = network.near(seeds, within=hops, by=by)
        mass = self._walk(seeds, DAMPING)
        near = np.flatnonzero(distance >= 0)
        chosen = near[np.lexsort((near, -mass[near], distance[near]))][:limit]
        nodes = [network.nodes[i] for i in chosen]
        held = {node.key for node in nodes}
        edges = self._store.edges([node.key for node in nodes])
        return nodes, [edge for edge in edges if edge.head in held and edge.tail in held]

    def trail(self, a: str, b: str) -> Path:
        """The shortest explanation of how ``a`` leads to ``b``; () when nothing ties them.

        By relations alone where they suffice, else through chunks that mention both ends; never by
        what was negated; among equally short ways by the nodes that fewest others touch.
        """
        network = self._network
        if a not in network.index or b not in network.index:
            return ()
        start, end = network.index[a], network.index[b]
        for ways in (network.facts, network.ways):
            distance = network.near([start], within=_LONGEST_PATH, by=ways)
            if distance[end] >= 0:
                return self._trace(end, distance, ways.turned(), -network.degree)
        return ()

    def path(self, a: str, b: str) -> tuple[list[Node], list[Edge]]:
        """The nodes of the `trail` from ``a`` to ``b`` in order, and the edges it rests on.

        Between two nodes every edge of the trail's relation is given: each is evidence.
        """
        trail = self.trail(a, b)
        nodes = [self._network.nodes[self._network.index[key]] for key in trail[::2]]
        ties = {
            (tail, relation[1:], head) if relation.startswith("^") else (head, relation, tail)
            for head, relation, tail in zip(trail[::2], trail[1::2], trail[2::2], strict=False)
        }
        edges = self._store.edges([node.key for node in nodes]) if ties else []
        walked = [
            edge
            for edge in edges
            if (edge.head, edge.type, edge.tail) in ties and edge.assertion != "negated"
        ]
        return nodes, walked
