"""Walks on the graph: PageRank by a dense reference, explanations, what negation forbids."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.core.errors import NotFoundError
from aegle.core.ports import Whole
from aegle.core.records import ASSERTIONS, Edge, Node
from aegle.core.text import SafeText
from aegle.graph.network import HUB, NEGATED_MENTION, STRENGTH
from aegle.graph.walk import DAMPING, Walker


class Store:
    """A graph store of two lists."""

    def __init__(self, edges):
        self.said = list(edges)
        keys = sorted({key for edge in self.said for key in (edge.head, edge.tail)})
        self.known = [
            Node(key, "chunk" if key[0] == "#" else "thing", SafeText(key, by="testing"))
            for key in keys
        ]

    def nodes(self, keys=None):
        return [node for node in self.known if keys is None or node.key in keys]

    def whole(self):
        place = {node.key: i for i, node in enumerate(self.known)}
        kinds = sorted({(edge.type, edge.assertion) for edge in self.said})
        return Whole(
            self.known,
            np.array([place[edge.head] for edge in self.said], np.int64),
            np.array([place[edge.tail] for edge in self.said], np.int64),
            kinds,
            np.array([kinds.index((edge.type, edge.assertion)) for edge in self.said], np.int64),
            np.array([edge.score for edge in self.said], np.float64),
        )

    def edges(self, keys=None, *, limit=0):
        touching = [e for e in self.said if keys is None or {e.head, e.tail} & set(keys)]
        return touching[:limit] if limit else touching


def tie(head, tail, kind="causes", assertion="present", score=1.0):
    return Edge(head, tail, kind, "doc", 0, 1, assertion, score)


def says(chunk, *keys, assertion="present"):
    return [tie(chunk, key, "mentions", assertion) for key in keys]


ENTITIES = [f"e{i}" for i in range(6)]
CHUNKS = [f"#{i}" for i in range(5)]
scores = st.sampled_from([0.25, 1.0])
relations = st.builds(
    tie,
    *(st.sampled_from(ENTITIES), st.sampled_from(ENTITIES), st.sampled_from(["causes", "treats"])),
    *(st.sampled_from(ASSERTIONS), scores),
)
mentions = st.builds(
    tie,
    *(st.sampled_from(CHUNKS), st.sampled_from(ENTITIES), st.just("mentions")),
    *(st.sampled_from(ASSERTIONS), scores),
)
graphs = st.lists(relations | mentions, min_size=1, max_size=25).map(Store)
seeds = st.lists(st.sampled_from(ENTITIES), min_size=1, max_size=3)


def dense_steps(store):
    """The matrix of steps, entry by entry."""
    keys = [node.key for node in store.nodes()]
    place, n = {key: i for i, key in enumerate(keys)}, len(keys)
    weight = np.zeros((n, n))
    for edge in store.edges():
        h, t = place[edge.head], place[edge.tail]
        if h == t:
            continue
        forth = back = STRENGTH[edge.assertion] * edge.score
        if edge.type == "mentions" and edge.assertion == "negated":
            back = NEGATED_MENTION
        weight[h, t] += forth
        weight[t, h] += back
    weight = np.log1p(weight)
    degree = np.maximum((weight > 0).sum(axis=0), 1.0)
    weight = weight / degree[:, None] ** HUB / degree[None, :] ** HUB
    total = weight.sum(axis=1, keepdims=True)
    return keys, np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)


@settings(deadline=None)
@given(graphs, seeds)
def test_pagerank_is_the_solution_of_its_equation(store, asked):
    keys, steps = dense_steps(store)
    asked = {key for key in asked if key in keys}
    ranked = Walker(store).rank(sorted(asked))
    if not asked:
        assert ranked == {}
        return
    degree = (steps > 0).sum(axis=0)
    start = np.array(
        [1 / np.log(2 + d) if key in asked else 0.0 for key, d in zip(keys, degree, strict=True)]
    )
    start /= start.sum()
    # A walk in a dead end starts again: give such rows the start as their steps.
    whole = np.where(steps.sum(axis=1, keepdims=True) > 0, steps, start[None, :])
    expected = np.linalg.solve(np.eye(len(keys)) - DAMPING * whole.T, (1 - DAMPING) * start)
    np.testing.assert_allclose([ranked.get(key, 0.0) for key in keys], expected, atol=2e-5)
    assert sum(ranked.values()) == pytest.approx(1, abs=1e-4)


@settings(deadline=None)
@given(graphs, seeds, st.randoms())
def test_the_order_of_edges_and_seeds_does_not_matter(store, asked, random):
    one = Walker(store).expand(asked, hops=2, k=10)
    random.shuffle(store.said)
    random.shuffle(asked)
    again = Walker(store).expand(asked, hops=2, k=10)
    assert [found[0] for found in one] == [found[0] for found in again]
    np.testing.assert_allclose([f[1] for f in one], [f[1] for f in again], atol=1e-5)


@settings(deadline=None)
@given(graphs, seeds)
def test_paths_lead_from_a_seed_to_the_chunk_by_steps_that_are_said(store, asked):
    said = {(e.head, e.type, e.tail) for e in store.edges()}
    facts = {(e.head, e.type, e.tail) for e in store.edges() if STRENGTH[e.assertion]}
    for chunk, score, path in Walker(store).expand(asked, hops=2, k=10):
        assert score > 0
        assert path[0] in asked
        assert path[-1] == chunk
        for head, relation, tail in zip(path[::2], path[1::2], path[2::2], strict=False):
            step = (tail, relation[1:], head) if relation[0] == "^" else (head, relation, tail)
            assert step in said
            last = tail == chunk and relation == "^mentions"
            assert step in facts or (relation == "^mentions" and (last or tail[0] == "#"))


def test_a_negated_relation_is_not_walked():
    store = Store([tie("a", "b", assertion="negated"), *says("#1", "b")])
    assert Walker(store).expand(["a"], hops=3, k=5) == []
    assert Walker(store).trail("a", "b") == ()
    assert Walker(store).path("a", "b") == ([], [])


def test_a_negated_mention_ends_a_walk_and_starts_none():
    store = Store(
        [*says("#1", "fever", assertion="negated"), *says("#1", "cough"), *says("#2", "cough")]
    )
    walker = Walker(store)
    assert "#1" in [chunk for chunk, _, _ in walker.expand(["fever"], hops=0, k=5)]
    # From cough, the chunk that denies fever must not lead to fever.
    assert "fever" not in walker.rank(["cough"])


def test_hops_limit_how_far_a_chunk_may_be():
    chain = [tie("a", "b"), tie("b", "c"), tie("c", "d")]
    store = Store([*chain, *(edge for key in "abcd" for edge in says(f"#{key}", key))])
    walker = Walker(store)

    def reached(hops):
        return {chunk for chunk, _, _ in walker.expand(["a"], hops=hops, k=9)}

    assert reached(0) == {"#a"}
    assert reached(1) == {"#a", "#b", "#c"}
    assert walker.expand(["a"], hops=1, k=9)[0][0] == "#a"
    paths = {chunk: path for chunk, _, path in walker.expand(["a"], hops=1, k=9)}
    assert paths["#b"] == ("a", "causes", "b", "^mentions", "#b")


def test_a_rare_seed_counts_more_than_a_common_one():
    common = [edge for i in range(40) for edge in says(f"#{i:02}", "common")]
    walker = Walker(Store([*common, *says("#rare", "rare")]))
    assert walker.expand(["common", "rare"], hops=1, k=3)[0][0] == "#rare"


def test_a_hub_does_not_swamp():
    """Two facts away over a rare node beats two facts away over what everything touches."""
    crowd = [edge for i in range(200) for edge in says(f"#{i:03}", "hub")]
    edges = [tie("a", "hub"), tie("a", "rare"), *crowd, *says("#want", "rare")]
    assert Walker(Store(edges)).expand(["a"], hops=1, k=1)[0][0] == "#want"


def test_unknown_seeds_contribute_nothing():
    walker = Walker(Store([*says("#1", "a")]))
    assert walker.expand(["nobody"], hops=2, k=5) == []
    assert walker.expand([], hops=2, k=5) == []
    assert walker.expand(["a", "nobody"], hops=2, k=5) == walker.expand(["a"], hops=2, k=5)
    with pytest.raises(NotFoundError):
        walker.k_hop(["nobody"], 1, 5)


def test_a_trail_prefers_relations_to_chunks_and_the_rarer_of_two_ways():
    short = [*says("#1", "a", "d")]
    long = [tie("a", "b"), tie("b", "c"), tie("d", "c", "uses")]
    walker = Walker(Store([*short, *long]))
    assert walker.trail("a", "d") == ("a", "causes", "b", "causes", "c", "^uses", "d")
    nodes, edges = walker.path("a", "d")
    assert [node.key for node in nodes] == ["a", "b", "c", "d"]
    assert sorted(map(repr, edges)) == sorted(map(repr, long))
    only_chunks = Walker(Store(short))
    assert only_chunks.trail("a", "d") == ("a", "^mentions", "#1", "mentions", "d")
    busy = [tie("a", "hub"), tie("hub", "z"), *(tie("hub", f"x{i}") for i in range(9))]
    both = Walker(Store([*busy, tie("a", "quiet"), tie("quiet", "z")]))
    assert both.trail("a", "z")[2] == "quiet"
    assert both.trail("a", "a") == ("a",)


@settings(deadline=None)
@given(graphs, st.sampled_from(ENTITIES), st.sampled_from(ENTITIES))
def test_trails_are_as_short_as_a_search_by_levels_finds(store, a, b):
    near = {}
    for edge in store.edges():
        if edge.type != "mentions" and STRENGTH[edge.assertion]:
            near.setdefault(edge.head, set()).add(edge.tail)
            near.setdefault(edge.tail, set()).add(edge.head)
    level, seen, steps = {a}, {a}, 0
    while level and b not in seen:
        level = {other for key in level for other in near.get(key, ())} - seen
        seen |= level
        steps += 1
    trail = Walker(store).trail(a, b)
    known = {node.key for node in store.nodes()}
    if b in seen and a in known:
        assert (len(trail) - 1) // 2 == (steps if a != b else 0)
        assert trail[0] == a
        assert trail[-1] == b


def test_a_neighbourhood_has_its_edges_and_keeps_to_the_limit():
    edges = [tie("a", "b"), tie("b", "c"), tie("a", "c", assertion="negated"), *says("#1", "a")]
    walker = Walker(Store(edges))
    nodes, found = walker.k_hop(["a"], 1, 10)
    assert [node.key for node in nodes] == ["a", "b"]
    assert found == [edges[0]]
    nodes, found = walker.k_hop(["a"], 2, 10)
    assert {node.key for node in nodes} == {"a", "b", "c"}
    assert found == edges[:3]
    assert len(walker.k_hop(["a"], 3, 2)[0]) == 2
    assert "#1" in {node.key for node in walker.k_hop(["a"], 1, 10, chunks=True)[0]}


def test_refresh_sees_what_was_added():
    store = Store([*says("#1", "a")])
    walker = Walker(store)
    assert walker.names.find(["b"]) == ()
    store.__init__([*store.said, *says("#2", "a", "b")])
    walker.refresh()
    assert len(walker.expand(["a"], hops=1, k=5)) == 2
    assert walker.names.find(["b"]) == ("b",)
