"""A function in a process of its own: its peak memory is its own, and it ends when asked to.

What runs there is told to stop by a pipe, and stops as well when the process that asked for it is
gone; so no run goes on that nobody waits for.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from aegle.core import errors, plugins
from aegle.core.errors import AegleError, BackendError, StoppedError

LOOK_S: Final = 0.2
"""Between two questions whether to stop."""


def apart(
    target: str,
    given: Mapping[str, Any],
    *,
    tell: Callable[[str, tuple[Any, ...]], None] = lambda kind, told: None,
    stop: Callable[[], bool] = lambda: False,
    ready: Sequence[str] = (),
) -> Any:
    """Call ``module:name`` in a process of its own; what it returns.

    Args:
        target: the function; beside ``given`` it takes ``progress``, ``figures`` and ``stop``.
        given: its arguments by name.
        tell: takes what it tells: ("progress", its arguments) or ("figures", ...).
        stop: asked again and again; when it says so, the function's own ``stop`` does.
        ready: modules that are loaded once for all calls where the system can (not with a GPU).

    Raises:
        AegleError: what the function raised.
        BackendError: the process was killed, or ended by an error that nobody foresaw.
    """
    how = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context(
        "forkserver" if ready and "forkserver" in how else "spawn"
    )
    if ready and "forkserver" in how:
        context.set_forkserver_preload(list(ready))
    mine, theirs = context.Pipe()
    worker = context.Process(target=served, args=(theirs, target, dict(given)))
    worker.start()
    theirs.close()
    try:
        return _listen(mine, worker, tell, stop)
    finally:
        mine.close()
        worker.join()


def _listen(
    mine: Connection,
    worker: Any,
    tell: Callable[[str, tuple[Any, ...]], None],
    stop: Callable[[], bool],
) -> Any:
    asked = False
    while True:
        if stop() and not asked:
            asked = True
            mine.send("stop")
        if not mine.poll(LOOK_S):
            continue
        try:
            kind, told = mine.recv()
        except (EOFError, ConnectionResetError):
            raise _ended(worker) from None
        if kind == "done":
            return told
        if kind == "failed":
            raise again(*told)
        tell(kind, told)


def _ended(worker: Any) -> BackendError:
    worker.join()
    if worker.exitcode == -signal.SIGKILL:
        return BackendError(
            "the run's process was killed (SIGKILL), as systems do when memory runs out: lower "
            "batches.tokens or max_tokens, or set gradient_checkpointing to true"
        )
    return BackendError(f"the run's process ended before its time (exit {worker.exitcode})")


def again(name: str, message: str, resumes: bool) -> AegleError:
    """The error as it was raised there, by its class's name."""
    kind = getattr(errors, name, BackendError)
    found: AegleError = kind.__new__(kind)
    Exception.__init__(found, message)
    if isinstance(found, StoppedError):
        found.resumes = resumes
    return found


def served(theirs: Connection, target: str, given: dict[str, Any]) -> None:
    """In the new process: call ``module:name``, and tell by the pipe how it went."""
    # Ctrl-C reaches every process of a terminal; this one is told by its pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.dup2(2, 1)  # stdout is the result of the process that asked
    call(theirs, target, given)


def call(theirs: Any, target: str, given: dict[str, Any]) -> None:
    """Call ``module:name`` with what watches it; a pipe (or its like) is told how it went."""
    link = _Link(theirs)
    try:
        told = plugins.load(target)(
            **given,
            progress=lambda *some: link.tell("progress", some),
            figures=lambda *some: link.tell("figures", some),
            stop=link.stop,
        )
        link.tell("done", told)
    except AegleError as error:
        resumes = getattr(error, "resumes", False)
        link.tell("failed", (type(error).__name__, str(error), resumes))
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        places = " < ".join(f"{Path(one.filename).name}:{one.lineno}" for one in reversed(frames))
        # Not its message, which might quote a document.
        said = f"unforeseen {type(error).__name__} at {places}; this is a bug of Aegle"
        link.tell("failed", ("BackendError", said, False))


def answered(pipe: Connection, word: str) -> bool:
    """Send a word to a process that may be gone; whether it could be sent."""
    try:
        pipe.send(word)
    except OSError:
        return False
    return True


class _Link:
    """The pipe to the process that asked; when that is gone, it is time to stop."""

    def __init__(self, pipe: Any) -> None:
        self.pipe, self.ended = pipe, False

    def tell(self, kind: str, told: Any) -> None:
        try:
            self.pipe.send((kind, told))
        except OSError:
            self.ended = True

    def stop(self) -> bool:
        try:
            if not self.ended and self.pipe.poll():
                self.pipe.recv()
                self.ended = True
        except (EOFError, OSError):
            self.ended = True
        return self.ended
