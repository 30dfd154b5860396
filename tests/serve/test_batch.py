"""Batches: each job as alone, in order, within the budget; bounded, timed, cancelled, drained."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import AegleError, BusyError, InputError, StoppedError
from aegle.core.turns import giving, turn
from aegle.serve.batch import Batcher


class Held:
    """Work that doubles numbers once it is let on, and notes its batches."""

    def __init__(self) -> None:
        self.let, self.begun = threading.Event(), threading.Event()
        self.batches: list[list[int]] = []

    def __call__(self, jobs: Sequence[int]) -> list[int | AegleError]:
        self.batches.append(list(jobs))
        self.begun.set()
        assert self.let.wait(30)
        return [InputError("three is no number") if job == 3 else 2 * job for job in jobs]


def begun(work: Held, *, budget: int = 20, room: int = 10_000) -> Batcher[int, int]:
    """A batcher that is amid its first job, of cost 1."""
    batcher: Batcher[int, int] = Batcher("test", work, budget=budget, room=room)
    batcher.submit(100, cost=1, deadline_s=60)
    assert work.begun.wait(30)
    return batcher


def measured(work: Any, aside: int | None = None) -> Batcher[int, int]:
    """A batcher that did four batches, 20 of cost a second at most, and holds the next."""
    more = {} if aside is None else {"aside": aside}
    batcher: Batcher[int, int] = Batcher("test", work, budget=20, room=10_000, **more)
    for _ in range(4):
        work.begun.clear()
        work.let.clear()
        job = batcher.submit(1, cost=1, deadline_s=600)
        assert work.begun.wait(30)
        time.sleep(0.05)
        work.let.set()
        job.result(30)
    work.begun.clear()
    work.let.clear()
    return batcher


@given(costs=st.lists(st.integers(1, 30), min_size=1, max_size=20))
def test_each_job_gets_its_own_result_in_batches_within_the_budget(costs: list[int]) -> None:
    work = Held()
    batcher = begun(work)
    futures = [batcher.submit(10 + n, cost=c, deadline_s=60) for n, c in enumerate(costs)]
    assert batcher.waiting == sum(costs)
    work.let.set()
    assert [one.result(30) for one in futures] == [2 * (10 + n) for n in range(len(costs))]
    batcher.close()
    assert batcher.waiting == 0
    done = work.batches[1:]
    assert [job for batch in done for job in batch] == [10 + n for n in range(len(costs))]
    for batch, after in zip(done, [*done[1:], None], strict=True):
        cost = sum(costs[job - 10] for job in batch)
        assert cost <= 20 or len(batch) == 1
        assert after is None or cost + costs[after[0] - 10] > 20, "nobody waits while there is room"


def test_a_full_queue_refuses_and_does_not_grow() -> None:
    work = Held()
    batcher = begun(work, room=10)
    taken = [batcher.submit(n, cost=5, deadline_s=60) for n in (1, 2)]
    for _ in range(50):
        with pytest.raises(BusyError) as caught:
            batcher.submit(4, cost=1, deadline_s=60)
        assert caught.value.retry_after_s >= 1
    assert batcher.waiting == 10
    work.let.set()
    assert [one.result(30) for one in taken] == [2, 4]
    batcher.close()


def test_a_job_larger_than_the_room_is_done_when_nothing_waits() -> None:
    work = Held()
    work.let.set()
    batcher: Batcher[int, int] = Batcher("test", work, budget=4, room=10)
    assert batcher.submit(1, cost=500, deadline_s=60).result(30) == 2
    batcher.close()


def test_what_would_not_be_begun_in_time_is_refused_at_once() -> None:
    work = Held()
    batcher = measured(work)
    batcher.submit(1, cost=100, deadline_s=600)
    assert work.begun.wait(30)
    with pytest.raises(BusyError) as caught:
        batcher.submit(2, cost=1, deadline_s=1)
    assert caught.value.retry_after_s >= 5
    work.let.set()
    batcher.close()


def test_a_batch_that_fails_at_once_says_nothing_of_speed() -> None:
    work = Held()
    batcher = measured(work)
    held = batcher._work
    batcher._work = lambda jobs: 1 / 0  # type: ignore[assignment,return-value]
    for _ in range(4):
        with pytest.raises(ZeroDivisionError):
            batcher.submit(100, cost=1, deadline_s=600).result(30)
    batcher._work = held
    batcher.submit(1, cost=100, deadline_s=600)
    assert work.begun.wait(30)
    with pytest.raises(BusyError):
        batcher.submit(2, cost=1, deadline_s=1)
    work.let.set()
    batcher.close()


def test_a_slow_first_batch_refuses_nobody() -> None:
    work = Held()
    batcher = begun(work)
    time.sleep(0.1)
    work.let.set()
    work.begun.clear()
    work.let.clear()
    batcher.submit(1, cost=100, deadline_s=600)
    assert work.begun.wait(30)
    taken = batcher.submit(2, cost=1, deadline_s=5)
    work.let.set()
    assert taken.result(30) == 4
    batcher.close()


def test_a_job_past_its_deadline_is_not_begun() -> None:
    work = Held()
    batcher = begun(work)
    late = batcher.submit(1, cost=1, deadline_s=0.01)
    time.sleep(0.05)
    work.let.set()
    with pytest.raises(BusyError, match="deadline"):
        late.result(30)
    batcher.close()
    assert work.batches == [[100]]


def test_a_cancelled_job_is_not_begun() -> None:
    work = Held()
    batcher = begun(work)
    assert batcher.submit(1, cost=1, deadline_s=60).cancel()
    kept = batcher.submit(2, cost=1, deadline_s=60)
    work.let.set()
    assert kept.result(30) == 4
    batcher.close()
    assert work.batches == [[100], [2]]


def test_one_bad_job_fails_alone() -> None:
    work = Held()
    batcher = begun(work)
    good, bad = (batcher.submit(n, cost=1, deadline_s=60) for n in (2, 3))
    work.let.set()
    assert good.result(30) == 4
    with pytest.raises(InputError):
        bad.result(30)
    batcher.close()


def test_a_batch_that_fails_is_told_and_the_next_is_done() -> None:
    def work(jobs: Sequence[int]) -> list[int]:
        if 0 in jobs:
            raise ZeroDivisionError
        return list(jobs)

    batcher: Batcher[int, int] = Batcher("test", work, budget=1, room=10)
    with pytest.raises(ZeroDivisionError):
        batcher.submit(0, cost=1, deadline_s=60).result(30)
    assert batcher.submit(1, cost=1, deadline_s=60).result(30) == 1
    batcher.close()


def test_closing_does_what_waits_and_takes_nothing_more() -> None:
    work = Held()
    batcher = begun(work)
    futures = [batcher.submit(n, cost=15, deadline_s=60) for n in (1, 2)]
    ends = threading.Thread(target=batcher.close)
    ends.start()
    work.let.set()
    ends.join(30)
    assert [one.result(0) for one in futures] == [2, 4]
    with pytest.raises(StoppedError):
        batcher.submit(4, cost=1, deadline_s=60)


class Parts:
    """Work that reads a job of cost n (its number) in n parts, with a turn after each."""

    def __init__(self) -> None:
        self.let, self.begun = threading.Event(), threading.Event()
        self.ended: list[int] = []
        self.shares: list[int] = []

    def __call__(self, jobs: Sequence[int]) -> list[int]:
        self.shares.append(sum(jobs))
        for _ in range(sum(jobs)):
            self.begun.set()
            assert self.let.wait(30)
            turn()
        self.ended += jobs
        return list(jobs)


@given(costs=st.lists(st.integers(1, 30), max_size=12))
def test_short_jobs_are_done_amid_a_long_one(costs: list[int]) -> None:
    work = Parts()
    batcher: Batcher[int, int] = Batcher("test", work, budget=20, room=10_000, aside=8)
    long = batcher.submit(1000, cost=1000, deadline_s=60)
    assert work.begun.wait(30)
    futures = [batcher.submit(cost, cost=cost, deadline_s=60) for cost in costs]
    work.let.set()
    assert [one.result(30) for one in [long, *futures]] == [1000, *costs]
    batcher.close()
    assert batcher.waiting == 0
    short = [cost for cost in costs if cost <= 8]
    assert work.ended == [*short, 1000, *(cost for cost in costs if cost > 8)]
    amid = work.shares[1 : len(work.shares) - sum(cost > 8 for cost in costs)]
    assert all(share <= 8 for share in amid)


def test_a_short_job_is_not_refused_for_a_long_one_ahead() -> None:
    work = Parts()
    batcher = measured(work, aside=8)
    long = batcher.submit(1000, cost=1000, deadline_s=600)
    assert work.begun.wait(30)
    with pytest.raises(BusyError):
        batcher.submit(9, cost=9, deadline_s=30)
    short = batcher.submit(2, cost=2, deadline_s=30)
    work.let.set()
    assert short.result(30) == 2
    assert long.result(30) == 1000
    batcher.close()


def test_a_short_job_that_fails_amid_a_long_one_fails_alone() -> None:
    work = Parts()

    def fails(jobs: Sequence[int]) -> list[int]:
        if 3 in jobs:
            raise ZeroDivisionError
        return work(jobs)

    batcher: Batcher[int, int] = Batcher("test", fails, budget=20, room=10_000, aside=8)
    long = batcher.submit(100, cost=100, deadline_s=60)
    assert work.begun.wait(30)
    bad = batcher.submit(3, cost=3, deadline_s=60)
    work.let.set()
    with pytest.raises(ZeroDivisionError):
        bad.result(30)
    assert long.result(30) == 100
    batcher.close()


def test_in_a_turn_there_are_no_turns() -> None:
    told: list[int] = []

    def give() -> None:
        told.append(1)
        turn()

    turn()
    with giving(give):
        turn()
        with giving(None):
            turn()
    turn()
    assert told == [1]
