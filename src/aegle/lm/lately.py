"""What an encoder said of windows that it read just now: within a bound, each told once.

De-identification reads a text, and extraction reads what came of it: the same windows where nothing
was replaced. What was told is let go of, so that texts that are read once don't stay.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LATELY_BYTES: Final = 32_000_000
"""About 25,000 words: more than one batch of texts has."""

Rows = tuple[NDArray[np.float32], NDArray[np.float16]]
"""Of a window: logits (S, tags) and states (S, C)."""


class Lately:
    """Windows by a digest of what went into the encoder; the oldest go first. Safe for threads."""

    def __init__(self, room_bytes: int = LATELY_BYTES) -> None:
        self._room, self._used = room_bytes, 0
        self._held: OrderedDict[bytes, Rows] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: bytes, rows: Rows) -> None:
        """Hold a window, and let go of the oldest beyond the room."""
        with self._lock:
            self._drop(self._held.pop(key, None))
            self._held[key] = rows
            self._used += _size(rows)
            while self._used > self._room:
                self._drop(self._held.popitem(last=False)[1])

    def take(self, key: bytes) -> Rows | None:
        """What is held of a window, which is then held no more; None if it isn't."""
        with self._lock:
            found = self._held.pop(key, None)
            self._drop(found)
            return found

    def clear(self) -> None:
        """Hold nothing."""
        with self._lock:
            self._held.clear()
            self._used = 0

    def _drop(self, rows: Rows | None) -> None:
        self._used -= 0 if rows is None else _size(rows)


def _size(rows: Any) -> int:
    return sum(int(one.nbytes) for one in rows)
