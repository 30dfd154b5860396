"""Results that were made before, by model version and keyed hash; bounded, in memory alone."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """The least recently used go first. No text that was asked is kept: a key is a keyed hash.

    The hash's secret is drawn anew in each process, so that who reads its memory can't tell
    whether a text that he holds was asked without the secret, and nothing outlives the process.

    Args:
        size_bytes: most bytes of values, by what `put` is told; 0 keeps nothing.
    """

    def __init__(self, size_bytes: int) -> None:
        self._size, self._used, self._epoch = size_bytes, 0, 0
        self._values: OrderedDict[bytes, tuple[Value, int]] = OrderedDict()
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self.hits = self.misses = 0

    @property
    def used_bytes(self) -> int:
        """What the values that are kept take."""
        return self._used

    @property
    def epoch(self) -> int:
        """How often it was cleared: to be read before a value is made, and told to `put`."""
        return self._epoch

    def key(self, *parts: str) -> bytes:
        """The keyed hash of a model's version and what it is asked; parts can't run together."""
        digest = hashlib.blake2b(key=self._secret, digest_size=32)
        for part in parts:
            # A lone surrogate is legal in JSON; it must be hashed, not refused.
            content = part.encode("utf-8", "surrogatepass")
            digest.update(len(content).to_bytes(8, "big") + content)
        return digest.digest()

    def get(self, key: bytes) -> Value | None:
        """The value, or None."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                self.misses += 1
                return None
            self.hits += 1
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: bytes, value: Value, size_bytes: int, *, epoch: int) -> None:
        """Keep a value, unless the cache was cleared since it was begun, or it is too large."""
        with self._lock:
            if epoch != self._epoch or size_bytes > self._size:
                return
            former = self._values.pop(key, None)
            self._used += size_bytes - (former[1] if former else 0)
            self._values[key] = (value, size_bytes)
            while self._used > self._size:
                _, (_, freed) = self._values.popitem(last=False)
                self._used -= freed

    def clear(self) -> None:
        """Forget everything, and what is being made now, too."""
        with self._lock:
            self._epoch += 1
            self._used = 0
            self._values.clear()
