"""Continuous batching: what waits is done together, up to a budget; the queue is bounded."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from aegle.core import observe
from aegle.core.errors import AegleError, BusyError, StoppedError
from aegle.core.observe import Label
from aegle.core.turns import giving

Job = TypeVar("Job")
Result = TypeVar("Result")

CHARACTERS_A_TOKEN: Final = 4
"""English text under WordPiece; a cost need not be exact, only fair."""
_SMOOTH: Final = 0.2
"""Weight of the newest batch in the mean speed."""


def tokens_of(*texts: str) -> int:
    """About how many tokens texts have, at least one: what they cost in a batch."""
    return max(1, sum(map(len, texts)) // CHARACTERS_A_TOKEN)


@dataclass(slots=True)
class _Waiting(Generic[Job, Result]):
    job: Job
    cost: int
    until: float
    future: Future[Result]


class Batcher(Generic[Job, Result]):
    """Does jobs in one thread, those together that came while the last batch was being done.

    No job waits for a batch to fill: under little load a batch is one job. First come, first
    served; a job of more than the budget is a batch of its own. So is a long one, which others
    need not wait for: wherever its work gives a turn (`aegle.core.turns`), short ones that wait
    are done, at most ``aside`` of cost at a time, so that it goes on, too.

    Args:
        name: of the thread.
        work: jobs to as many results, in order. A result that is an `AegleError` fails its job
            alone; what ``work`` raises fails the batch.
        budget: most cost of a batch.
        room: most cost that may wait.
        aside: a job that costs more is long; if None, none is.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[Job]], Sequence[Result | AegleError]],
        *,
        budget: int,
        room: int,
        aside: int | None = None,
    ) -> None:
        self._work, self._budget, self._room = work, budget, room
        self._aside = sys.maxsize if aside is None else aside
        self._queue: deque[_Waiting[Job, Result]] = deque()
        self._waits = self._short = 0
        self._doing = 0
        self._speed = 0.0
        self._lent_s = 0.0
        self._closed = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"aegle-{name}", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """The cost of what waits."""
        return self._waits

    def submit(self, job: Job, *, cost: int, deadline_s: float) -> Future[Result]:
        """Let a job wait its turn; ``cancel`` the future and it is never begun.

        Raises:
            BusyError: too much waits, or as fast as the last batches were, the job would not be
                begun within ``deadline_s``.
            StoppedError: the server ends.
        """
        future: Future[Result] = Future()
        with self._change:
            if self._closed:
                raise StoppedError("the server ends; ask another, or later", resumes=False)
            ahead = self._ahead(cost)
            wait_s = ahead / self._speed if self._speed else 0.0
            # A job larger than the room is taken when nothing waits: else it could never be done.
            full = self._queue and self._waits + cost > self._room
            if full or wait_s > deadline_s:
                raise BusyError(
                    "too many requests wait; ask again later", retry_after_s=max(1.0, wait_s)
                )
            self._queue.append(_Waiting(job, cost, time.monotonic() + deadline_s, future))
            self._count(cost)
            self._change.notify()
        return future

    def _ahead(self, cost: int) -> int:
        """What is done before a job of a cost: before a short one only a part of a long one."""
        if cost > self._aside:
            return self._waits + self._doing
        return self._short + min(self._doing, max(self._budget, self._aside))

    def _count(self, cost: int, sign: int = 1) -> None:
        self._waits += sign * cost
        if cost <= self._aside:
            self._short += sign * cost

    def close(self) -> None:
        """Do what waits, take nothing more, and end."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join()

    def _take(self) -> list[_Waiting[Job, Result]]:
        """The next batch; empty when there will be none."""
        with self._change:
            while True:
                self._change.wait_for(lambda: self._queue or self._closed)
                taken: list[_Waiting[Job, Result]] = []
                cost = 0
                while self._queue and (
                    not taken or self._joins(taken[0].cost, cost, self._queue[0].cost)
                ):
                    one = self._queue.popleft()
                    self._count(one.cost, -1)
                    if self._begun(one):
                        taken.append(one)
                        cost += one.cost
                self._doing = cost
                if taken or self._closed:
                    return taken

    def _joins(self, first: int, cost: int, more: int) -> bool:
        """A batch takes a job more; a long one is alone, so that it can give turns."""
        return max(first, more) <= self._aside and cost + more <= self._budget

    def _take_short(self) -> list[_Waiting[Job, Result]]:
        """Short jobs that wait, in order, in all no more than the cost of a long one."""
        taken: list[_Waiting[Job, Result]] = []
        left: deque[_Waiting[Job, Result]] = deque()
        cost = 0
        full = False
        with self._change:
            for one in self._queue:
                is_short = one.cost <= self._aside
                full = full or (is_short and cost + one.cost > self._aside)
                if full or not is_short:
                    left.append(one)
                    continue
                self._count(one.cost, -1)
                if self._begun(one):
                    taken.append(one)
                    cost += one.cost
            self._queue = left
        return taken

    @staticmethod
    def _begun(one: _Waiting[Job, Result]) -> bool:
        if not one.future.set_running_or_notify_cancel():
            return False
        if time.monotonic() <= one.until:
            return True
        one.future.set_exception(BusyError("the request waited longer than its deadline"))
        return False

    def _run(self) -> None:
        while batch := self._take():
            started = time.perf_counter()
            self._lent_s = 0.0
            is_long = batch[0].cost > self._aside
            with giving(self._lend if is_long else None):
                self._do(batch)
            took = max(time.perf_counter() - started - self._lent_s, 1e-6)
            with self._change:
                speed = self._doing / took
                self._speed += _SMOOTH * (speed - self._speed) if self._speed else speed
                self._doing = 0

    def _lend(self) -> None:
        """Amid a long job: do short ones that wait."""
        started = time.perf_counter()
        if batch := self._take_short():
            self._do(batch)
        self._lent_s += time.perf_counter() - started

    def _do(self, batch: Sequence[_Waiting[Job, Result]]) -> None:
        try:
            results = self._work([one.job for one in batch])
            for one, result in zip(batch, results, strict=True):
                if isinstance(result, AegleError):
                    one.future.set_exception(result)
                else:
                    one.future.set_result(result)
        except Exception as error:
            # Whatever it is, those who wait must hear of it, and the next batch must be done.
            kind = Label(type(error).__name__)
            observe.event("a batch failed", level="error", error=kind)
            _fail(batch, error)


def _fail(batch: Sequence[_Waiting[Job, Result]], error: Exception) -> None:
    for one in batch:
        try:
            one.future.set_exception(error)
        except InvalidStateError:
            continue  # it had its result before the batch failed
