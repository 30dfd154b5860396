"""Which kind of index, with which parameters: measured on one's own vectors, chosen for a target.

Each candidate is the very index that would be used, filled with the vectors but for those held out,
and asked one question at a time. Recall is against comparing every vector. What "meets" a target
is judged by the unfavourable end of the 95% interval, so that chance does not choose.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from aegle.core.errors import UsageError
from aegle.core.ports import Closes, Found, Progress, Vectors, quiet
from aegle.core.records import Measure
from aegle.metrics.stats import mean, percentile

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TIE: Final = 1e-5
"""Cosines nearer than this are a tie: which of two copies is found says nothing of an index."""

_WARM: Final = 8
"""Questions asked before the clock counts."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A kind of index with the options that differ from its defaults."""

    kind: str
    options: Mapping[str, int]

    @property
    def name(self) -> str:
        """Such as ``hnsw-sq ef=128 m=16``."""
        return " ".join(
            [self.kind, *(f"{key}={self.options[key]}" for key in sorted(self.options))]
        )


class Tuned(Closes, Protocol):
    """An index that says how much memory its vectors take; `FaissIndex` does."""

    kind: str

    def search_dense(self, vector: Vectors, *, k: int) -> list[Found]:
        """As of an `Index`."""

    def memory_bytes(self) -> int:
        """Bytes of memory that vectors take."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions of one sort as vectors, and which of them are not independent of each other."""

    sort: str
    vectors: Vectors
    groups: Sequence[str]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a candidate came to. ``recall`` is that of the sort of questions that it serves worst.

    Attributes:
        recalls: recall@k by the sort of questions, in [0, 1].
        p50_ms, p95_ms: of one question at a time, all sorts together.
        build_s: seconds until an index of stored vectors was ready.
        memory_bytes: of the vectors' shape. ``disk_bytes``: of the whole index's folder.
    """

    candidate: Candidate
    recalls: Mapping[str, Measure]
    p50_ms: Measure
    p95_ms: Measure
    build_s: float
    memory_bytes: int
    disk_bytes: int

    @property
    def recall(self) -> Measure:
        """The lowest of the recalls."""
        return min(self.recalls.values(), key=lambda one: (one.low, one.value))


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked of an index; None: anything will do.

    Raises:
        UsageError: a recall outside (0, 1], or a time or size that is not positive.
    """

    recall: float | None = None
    p95_ms: float | None = None
    memory_mb: float | None = None

    def __post_init__(self) -> None:
        if self.recall is not None and not 0 < self.recall <= 1:
            raise UsageError(f"a target's recall is above 0 and at most 1, got {self.recall:g}")
        for name, value in (("p95-ms", self.p95_ms), ("memory-mb", self.memory_mb)):
            if value is not None and not value > 0:
                raise UsageError(f"a target's {name} is above 0, got {value:g}")

    def shortfall(self, one: Measured) -> float:
        """By what part of the targets a candidate misses them, summed up; 0: it meets all."""
        missed = 0.0
        if self.recall is not None:
            missed += max(0.0, self.recall - one.recall.low) / self.recall
        if self.p95_ms is not None:
            missed += max(0.0, one.p95_ms.high / self.p95_ms - 1)
        if self.memory_mb is not None:
            missed += max(0.0, one.memory_bytes / 1e6 / self.memory_mb - 1)
        return missed


@dataclass(frozen=True, slots=True)
class Skipped:
    """A kind that was not measured, and why."""

    kind: str
    reason: str


def candidates(
    count: int, width: int, least: Callable[[str], int]
) -> tuple[list[Candidate], list[Skipped]]:
    """What is worth measuring on ``count`` vectors, and what these are too few for.

    Args:
        count: how many vectors there will be in the index.
        width: of the vectors.
        least: how many vectors a kind needs.
    """
    code = next(size for size in range(max(1, width // 8), 0, -1) if width % size == 0)
    fine = 2 * code if width % (2 * code) == 0 else code
    wanted: dict[str, list[dict[str, int]]] = {
        "flat": [{}],
        "hnsw": [{"m": m, "ef": ef} for m in (16, 32) for ef in (64, 256)],
        "hnsw-sq": [{"m": 16, "ef": ef} for ef in (64, 128, 256)],
        "hnsw-pq": [{"m": 16, "code": code, "ef": 128, "rescore": n} for n in (8, 16)],
        "ivf-pq": [
            {"code": size, "probes": probes, "rescore": 8}
            for size in dict.fromkeys((code, fine))
            for probes in (8, 32)
        ],
        "binary": [{"rescore": n} for n in (4, 8, 16, 32)],
    }
    chosen, skipped = [], []
    for kind, options in wanted.items():
        if count >= least(kind):
            chosen += [Candidate(kind, one) for one in options]
        else:
            reason = f"needs {least(kind):,} vectors to be worth having, there are {count:,}"
            skipped.append(Skipped(kind, reason))
    return chosen, skipped


def truth(known_NW: Vectors, asked_QW: Vectors, k: int) -> NDArray[np.float64]:
    """The cosine of each question's ``k``-th nearest vector (of the last, where there are fewer).

    N known and Q asked unit vectors of width W.
    """
    most = min(k, len(known_NW))
    least = [np.partition(known_NW @ query, -most)[-most] for query in asked_QW]
    return np.array(least, np.float64)


def recall_of(found: Sequence[Found], least: float, k: int) -> float:
    """The share of ``k`` places that hold something as near as the ``k``-th nearest, in [0, 1].

    By nearness, not by name, so that of equally near ones any counts.

    References:
        Aumueller, Bernhardsson & Faithfull (2020), ANN-Benchmarks, section 2.
    """
    return sum(score >= least - _TIE for _, score in found[:k]) / k


def measure(
    candidate: Candidate,
    open_: Callable[[Candidate], Tuned],
    asked: Sequence[Asked],
    least: Sequence[NDArray[np.float64]],
    *,
    k: int,
    disk_bytes: Callable[[], int],
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> Measured:
    """Open a candidate and ask it everything, one question at a time.

    Args:
        open_: opens the index of a candidate, building it when it is not there yet.
        asked: the questions. ``least``: as `truth` gives it, for each sort of them.
        k: how many places count; at most as many as there are vectors.
        disk_bytes: what the index takes on the disk, asked after it was closed.

    Raises:
        UsageError: the index did not take the candidate's kind.
    """
    start = clock()
    index = open_(candidate)
    build_s = clock() - start
    try:
        if index.kind != candidate.kind:
            raise UsageError(f"an index of kind {candidate.kind} was asked for, got {index.kind}")
        for one in asked:
            for vector in one.vectors[:_WARM]:
                index.search_dense(vector, k=k)
        times: list[float] = []
        recalls = {}
        for one, bounds in zip(asked, least, strict=True):
            values = []
            for vector, bound in zip(one.vectors, bounds.tolist(), strict=True):
                start = clock()
                found = index.search_dense(vector, k=k)
                times.append(1000 * (clock() - start))
                values.append(recall_of(found, bound, k))
            recalls[one.sort] = mean(values, groups=one.groups, seed=seed)
        memory = index.memory_bytes()
    finally:
        index.close()
    p50, p95 = (percentile(times, q, seed=seed) for q in (50, 95))
    return Measured(candidate, recalls, p50, p95, build_s, memory, disk_bytes())


def measure_all(
    chosen: Sequence[Candidate],
    measure_one: Callable[[Candidate], Measured],
    progress: Progress = quiet,
) -> list[Measured]:
    """Measure candidates in turn. What an earlier one built is used again, so its time counts."""
    found: list[Measured] = []
    building: dict[tuple[str, tuple[tuple[str, int], ...]], float] = {}
    for place, candidate in enumerate(chosen):
        progress("tune", place, len(chosen))
        one = measure_one(candidate)
        lasting = {k: v for k, v in candidate.options.items() if k not in _SEARCHING}
        key = (candidate.kind, tuple(sorted(lasting.items())))
        build_s = max(one.build_s, building.get(key, 0.0))
        building.setdefault(key, build_s)
        found.append(
            Measured(
                *(candidate, one.recalls, one.p50_ms, one.p95_ms, build_s),
                *(one.memory_bytes, one.disk_bytes),
            )
        )
    progress("tune", len(chosen), len(chosen))
    return found


_SEARCHING: Final = frozenset({"ef", "probes", "rescore"})


def front(measured: Sequence[Measured]) -> list[Measured]:
    """Those that no other beats: none is as good in recall, p95 and memory, and better in one."""

    def beats(one: Measured, other: Measured) -> bool:
        a = (-one.recall.value, one.p95_ms.value, one.memory_bytes)
        b = (-other.recall.value, other.p95_ms.value, other.memory_bytes)
        return a != b and all(x <= y for x, y in zip(a, b, strict=True))

    return [one for one in measured if not any(beats(other, one) for other in measured)]


def choose(measured: Sequence[Measured], target: Target) -> tuple[Measured, bool]:
    """The cheapest that meets a target: least memory, then p95, then time to build.

    Returns:
        What was chosen, and whether it meets the target; where none does, the one that misses it
        by least.

    Raises:
        UsageError: nothing was measured.
    """
    if not measured:
        raise UsageError("nothing was measured, so there is nothing to choose from")

    def cost(one: Measured) -> tuple[float, ...]:
        return (target.shortfall(one), one.memory_bytes, one.p95_ms.value, one.build_s)

    best = min(measured, key=cost)
    return best, target.shortfall(best) == 0
