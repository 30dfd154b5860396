"""A function in several processes at once: all end when one fails, and the first cause is told."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Any, Final

from aegle.core.errors import AegleError, BackendError, StoppedError
from aegle.flows.apart import LOOK_S, again, answered, served

_GRACE_S: Final = 3.0
"""For a process to tell of its own failure after another's, which may only be what follows."""

_END_S: Final = 10.0
"""For processes to end once all is told, before they are killed."""


@dataclass(slots=True)
class One:
    """A process, its pipe, and what it told last."""

    number: int
    process: Any
    pipe: Any
    done: bool = False
    result: Any = None
    error: AegleError | None = None


@dataclass(slots=True)
class Processes:
    """All processes of a call.

    Attributes:
        gone: what a process says that only noticed that another is gone.
    """

    ones: list[One]
    gone: str
    asked: bool = False
    failed_at: float = field(default=0.0)

    def stop(self) -> None:
        """Ask each of them to stop."""
        self.asked = True
        for one in self.ones:
            if not one.done:
                answered(one.pipe, "stop")

    def fail(self, one: One, error: AegleError) -> None:
        """Take a process's failure."""
        one.done, one.error = True, error
        self.failed_at = self.failed_at or time.monotonic()

    def over(self) -> bool:
        """Whether nothing more is to be waited for."""
        late = self.failed_at and time.monotonic() - self.failed_at > _GRACE_S
        return all(one.done for one in self.ones) or bool(late and not self._stopped())

    def _stopped(self) -> bool:
        errors = [one.error for one in self.ones if one.error]
        return bool(errors) and all(isinstance(one, StoppedError) for one in errors)

    def cause(self) -> AegleError | None:
        """What made the call fail: an error of its own before one that followed from it."""
        errors = [one for one in self.ones if one.error]
        if not errors:
            return None
        own = [one for one in errors if str(one.error) != self.gone] or errors
        first = min(own, key=lambda one: isinstance(one.error, StoppedError))
        return first.error


def together(
    target: str,
    given: Sequence[Mapping[str, Any]],
    *,
    tell: Callable[[str, tuple[Any, ...]], None] = lambda kind, told: None,
    stop: Callable[[], bool] = lambda: False,
    ready: Sequence[str] = (),
    gone: str = "",
) -> list[Any]:
    """Call ``module:name`` once for each of ``given``, each in a process of its own, all at once.

    Args:
        target, tell, stop, ready: as for `aegle.flows.apart.apart`; each process is told to stop.
        given: the arguments of each process.
        gone: the message of an error that only says that another process is gone.

    Returns:
        What each returned.

    Raises:
        AegleError: what made the first of them fail; the others are ended.
        BackendError: a process was killed, or ended by an error that nobody foresaw.
    """
    how = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context(
        "forkserver" if ready and "forkserver" in how else "spawn"
    )
    if ready and "forkserver" in how:
        context.set_forkserver_preload(list(ready))
    every = Processes([], gone)
    try:
        for number, told in enumerate(given):
            mine, theirs = context.Pipe()
            worker = context.Process(target=served, args=(theirs, target, dict(told)))
            worker.start()
            theirs.close()
            every.ones.append(One(number, worker, mine))
        _follow(every, tell, stop)
    finally:
        _end(every)
    if error := every.cause():
        raise error
    return [one.result for one in every.ones]


def _follow(
    every: Processes, tell: Callable[[str, tuple[Any, ...]], None], stop: Callable[[], bool]
) -> None:
    while not every.over():
        if stop() and not every.asked:
            every.stop()
        waiting = {one.pipe: one for one in every.ones if not one.done}
        for pipe in connection.wait(list(waiting), LOOK_S):
            _take(every, waiting[pipe], tell)


def _take(every: Processes, one: One, tell: Callable[[str, tuple[Any, ...]], None]) -> None:
    try:
        kind, told = one.pipe.recv()
    except (EOFError, ConnectionResetError):
        every.fail(one, _ended(one, len(every.ones)))
        return
    if kind == "done":
        one.done, one.result = True, told
    elif kind == "failed":
        every.fail(one, again(*told))
    else:
        tell(kind, told)


def _ended(one: One, count: int) -> BackendError:
    one.process.join()
    who = f"process {one.number} of the run's {count}"
    if one.process.exitcode == -signal.SIGKILL:
        return BackendError(
            f"{who} was killed (SIGKILL), as systems do when memory runs out; the others were "
            "ended. The last checkpoint is kept: go on with --resume, if need be with a lower "
            "batches.tokens or parallel.strategy fsdp"
        )
    return BackendError(
        f"{who} ended before its time (exit {one.process.exitcode}); the others were ended, and "
        "the last checkpoint is kept: go on with --resume"
    )


def _end(every: Processes) -> None:
    """No process outlives the call: who has told all ends by itself, the others are killed."""
    until = time.monotonic() + (_END_S if all(one.done for one in every.ones) else 0)
    for one in every.ones:
        one.pipe.close()
        one.process.join(max(0.0, until - time.monotonic()))
        if one.process.is_alive():
            one.process.kill()
            one.process.join()
