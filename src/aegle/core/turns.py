"""A turn for others amid long work: who reads a long text says between two parts of it, "now".

What is called need not know who waits, and what waits need not know what is being read: the one
calls `turn`, the other gives it a meaning with `giving`, for this thread and as long as it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_GIVES: ContextVar[Callable[[], None] | None] = ContextVar("aegle_turn", default=None)


@contextmanager
def giving(give: Callable[[], None] | None) -> Iterator[None]:
    """Inside, `turn` calls ``give``; with None it does nothing, whatever stands around it."""
    before = _GIVES.set(give)
    try:
        yield
    finally:
        _GIVES.reset(before)


def turn() -> None:
    """Let others in for a moment. Inside of what they do there are no turns."""
    give = _GIVES.get()
    if give is not None:
        with giving(None):
            give()
