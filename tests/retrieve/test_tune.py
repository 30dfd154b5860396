"""Measuring and choosing: recall, the front and the choice, each against another way to say it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import UsageError
from aegle.core.ports import Found, Vectors
from aegle.core.records import Measure
from aegle.retrieve import tune
from aegle.retrieve.tune import Asked, Candidate, Measured, Target


def unit(count: int, width: int = 16, seed: int = 0) -> Vectors:
    drawn = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    rows: Vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return rows


class Some:
    """An index that knows some of the vectors: what an approximate one amounts to."""

    kind = "flat"

    def __init__(self, known: Vectors, rows: list[int]) -> None:
        self.known, self.rows, self.closed = known, rows, False

    def search_dense(self, vector: Vectors, *, k: int) -> list[Found]:
        scores = self.known[self.rows] @ vector
        best = np.argsort(-scores, kind="stable")[:k]
        return [(str(self.rows[n]), float(scores[n])) for n in best]

    def memory_bytes(self) -> int:
        return 4 * len(self.rows)

    def close(self) -> None:
        self.closed = True


def measured(known: Vectors, rows: list[int], asked: list[Asked], k: int = 10) -> Measured:
    index = Some(known, rows)
    least = [tune.truth(known, one.vectors, k) for one in asked]
    ticks = itertools.count()
    found = tune.measure(
        *(Candidate("flat", {}), lambda _: index, asked, least),
        k=k,
        disk_bytes=lambda: 7,
        clock=lambda: next(ticks) / 1000,
    )
    assert index.closed
    return found


def test_comparing_all_has_recall_one() -> None:
    known, asked = unit(300), Asked("chunks", unit(20, seed=1), [str(n) for n in range(20)])
    one = measured(known, list(range(300)), [asked])
    assert (one.recall.value, one.recall.low, one.recall.high) == (1, 1, 1)
    assert one.p50_ms.value == one.p95_ms.value == pytest.approx(1)
    assert (one.memory_bytes, one.disk_bytes) == (1200, 7)


@given(st.sets(st.integers(0, 99), min_size=12), st.integers(1, 12))
def test_recall_is_the_share_of_the_true_nearest(rows: set[int], k: int) -> None:
    """Against sets of names, where no two are equally near."""
    known, queries = unit(100), unit(5, seed=2)
    asked = Asked("chunks", queries, [str(n) for n in range(5)])
    shares = []
    for query in queries:
        true = set(np.argsort(-(known @ query))[:k].tolist())
        ordered = sorted(rows, key=lambda n: -float(known[n] @ query))
        shares.append(len(true & set(ordered[:k])) / k)
    value = measured(known, sorted(rows), [asked], k).recall.value
    assert value == pytest.approx(np.mean(shares))
    assert 0 <= value <= 1


def test_any_of_equal_copies_counts() -> None:
    known = np.repeat(unit(30), 3, axis=0)
    asked = Asked("chunks", unit(6, seed=3), list("abcdef"))
    ordered = [n for n in range(90) if n % 3 != 1]
    one = measured(known, ordered, [asked], k=1)
    assert one.recall.value == 1


def test_the_worst_sort_of_questions_counts() -> None:
    known = unit(200)
    asked = [Asked("chunks", known[:20], [str(n) for n in range(20)])]
    asked.append(Asked("questions", known[180:], [str(n) for n in range(20)]))
    one = measured(known, list(range(100)), asked, k=1)
    assert one.recalls["chunks"].value == 1
    assert one.recall == one.recalls["questions"]
    assert one.recall.value == 0


def test_another_kind_than_asked_for_is_told() -> None:
    known = unit(50)
    asked = [Asked("chunks", known[:5], list("abcde"))]
    least = [tune.truth(known, known[:5], 3)]
    index = Some(known, list(range(50)))
    with pytest.raises(UsageError, match="kind hnsw was asked for, got flat"):
        tune.measure(
            *(Candidate("hnsw", {}), lambda _: index, asked, least), k=3, disk_bytes=lambda: 0
        )
    assert index.closed


def made(recall: float, p95: float, memory: int, spread: float = 0.0) -> Measured:
    around = Measure(recall, max(0.0, recall - spread), min(1.0, recall + spread), 9)
    time = Measure(p95, p95 * (1 - spread), p95 * (1 + spread), 9)
    kind = Candidate("flat", {"n": memory})
    return Measured(kind, {"chunks": around}, time, time, 1.0, memory, 2 * memory)


points = st.builds(
    made,
    st.sampled_from([0.5, 0.8, 0.9, 0.95, 1.0]),
    st.sampled_from([0.1, 1.0, 5.0, 20.0]),
    st.sampled_from([1_000_000, 5_000_000, 50_000_000]),
    st.sampled_from([0.0, 0.02]),
)
many = st.lists(points, min_size=1, max_size=12)
targets = st.builds(
    Target,
    st.none() | st.floats(0.4, 1),
    st.none() | st.floats(0.05, 30),
    st.none() | st.floats(0.5, 60),
)


@given(many)
def test_the_front_beats_the_rest_and_not_itself(found: list[Measured]) -> None:
    def better(a: Measured, b: Measured) -> bool:
        pairs = [
            (a.recall.value, b.recall.value),
            (-a.p95_ms.value, -b.p95_ms.value),
            (-a.memory_bytes, -b.memory_bytes),
        ]
        return all(x >= y for x, y in pairs) and any(x > y for x, y in pairs)

    front = tune.front(found)
    assert front
    for one in found:
        assert any(one is other for other in front) != any(better(other, one) for other in front)


@given(many, targets)
def test_the_choice_is_the_least_that_meets_or_says_that_none_does(
    found: list[Measured], target: Target
) -> None:
    def meets(one: Measured) -> bool:
        return (
            (target.recall is None or one.recall.low >= target.recall)
            and (target.p95_ms is None or one.p95_ms.high <= target.p95_ms)
            and (target.memory_mb is None or one.memory_bytes <= target.memory_mb * 1e6)
        )

    best, met = tune.choose(found, target)
    fit = [one for one in found if meets(one)]
    assert met == bool(fit) == meets(best)
    if met:
        assert best.memory_bytes == min(one.memory_bytes for one in fit)
    else:
        assert target.shortfall(best) == min(target.shortfall(one) for one in found)


def test_a_lucky_value_is_not_enough() -> None:
    lucky, sure = made(0.96, 1, 1_000_000, spread=0.02), made(1.0, 1, 9_000_000)
    assert tune.choose([lucky, sure], Target(0.95))[0] is sure


def test_too_few_vectors_are_a_reason() -> None:
    needs = {"flat": 0, "hnsw": 1000, "hnsw-sq": 1000, "binary": 1000}
    chosen, skipped = tune.candidates(5000, 384, lambda kind: needs.get(kind, 9984))
    assert {one.kind for one in chosen} == set(needs)
    assert [one.kind for one in skipped] == ["hnsw-pq", "ivf-pq"]
    assert "needs 9,984 vectors" in skipped[0].reason
    assert "there are 5,000" in skipped[0].reason
    for one in tune.candidates(10**6, 100, lambda _: 0)[0]:
        assert 100 % one.options.get("code", 1) == 0


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"recall": 0}, "recall is above 0 and at most 1, got 0"),
        ({"recall": 98}, "got 98"),
        ({"p95_ms": 0}, "p95-ms is above 0"),
        ({"memory_mb": -1}, "memory-mb is above 0, got -1"),
        ({"p95_ms": float("nan")}, "got nan"),
    ],
)
def test_a_target_without_sense_is_told(about: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Target(**about)


def test_nothing_to_choose_from_is_told() -> None:
    with pytest.raises(UsageError, match="nothing was measured"):
        tune.choose([], Target(0.9))
