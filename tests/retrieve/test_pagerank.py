"""Personalised PageRank agrees with a linear solve and with networkx, and keeps its promises."""

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.core.sparse import Matrix
from aegle.retrieve.pagerank import pagerank

SIZE = 6
places = st.integers(0, SIZE - 1)
edges = st.lists(st.tuples(places, places, st.integers(1, 9)), max_size=20)
starts = st.lists(st.integers(0, 4), min_size=SIZE, max_size=SIZE).filter(any)
dampings = st.sampled_from([0.0, 0.3, 0.8])


def matrix(some, size=SIZE):
    columns = np.array(some, np.int64).reshape(-1, 3)
    return Matrix.of(size, columns[:, 0], columns[:, 1], columns[:, 2].astype(np.float64))


def solved(some, seeds, damping):
    """(I - d S^T) x = (1 - d) s, dead ends leading to the seeds."""
    steps = np.zeros((SIZE, SIZE))
    for row, column, value in some:
        steps[row, column] += value
    start = seeds / seeds.sum()
    for row in range(SIZE):
        total = steps[row].sum()
        steps[row] = steps[row] / total if total else start
    return np.linalg.solve(np.eye(SIZE) - damping * steps.T, (1 - damping) * start)


@settings(deadline=None)
@given(edges, starts, dampings)
def test_agrees_with_a_linear_solve(some, seeds, damping):
    seeds = np.array(seeds, np.float64)
    got = pagerank(matrix(some), seeds, damping=damping, tolerance=1e-10)
    assert np.allclose(got, solved(some, seeds, damping), atol=1e-8)
    assert got.sum() == pytest.approx(1)
    assert (got >= 0).all()


@settings(deadline=None, max_examples=25)
@given(edges.filter(len), starts)
def test_agrees_with_networkx(some, seeds):
    graph = networkx.DiGraph()
    graph.add_nodes_from(range(SIZE))
    for row, column, value in some:
        before = graph.get_edge_data(row, column, {"weight": 0})["weight"]
        graph.add_edge(row, column, weight=before + value)
    wanted = networkx.pagerank(graph, 0.8, dict(enumerate(seeds)), max_iter=1000, tol=1e-12)
    got = pagerank(matrix(some), np.array(seeds, np.float64), damping=0.8, tolerance=1e-10)
    assert np.allclose(got, [wanted[node] for node in range(SIZE)], atol=1e-7)


@settings(deadline=None)
@given(edges, starts, st.permutations(range(SIZE)))
def test_names_of_nodes_do_not_matter(some, seeds, order):
    place = np.array(order)
    turned = [(int(place[row]), int(place[column]), value) for row, column, value in some]
    moved = np.zeros(SIZE)
    moved[place] = seeds
    one = pagerank(matrix(some), np.array(seeds, np.float64), damping=0.8, tolerance=1e-10)
    other = pagerank(matrix(turned), moved, damping=0.8, tolerance=1e-10)
    assert np.allclose(one, other[place], atol=1e-8)


@given(edges, starts)
def test_walks_that_never_go_on_stay_at_the_seeds(some, seeds):
    seeds = np.array(seeds, np.float64)
    assert np.allclose(pagerank(matrix(some), seeds, damping=0.0), seeds / seeds.sum())


def test_nothing_is_reached_from_nowhere_and_bad_values_are_refused():
    graph = matrix([(0, 1, 1)])
    assert not pagerank(graph, np.zeros(SIZE), damping=0.5).any()
    with pytest.raises(ValueError, match="damping"):
        pagerank(graph, np.ones(SIZE), damping=1.0)
    with pytest.raises(ValueError, match="at least 0"):
        pagerank(graph, -np.ones(SIZE), damping=0.5)
    with pytest.raises(ValueError, match="at least 0"):
        pagerank(graph.with_values(np.array([np.nan])), np.ones(SIZE), damping=0.5)
