"""Examples that say nothing new: the same ones, and near ones by MinHash, checked exactly.

Shingles are five words in a row. 128 minima in 32 bands of 4 bring a pair of Jaccard similarity 0.8
together with probability 1 - (1 - 0.8^4)^32 > 0.9999; what comes together is compared exactly, so
that no two examples are called near that are not.

References:
    Broder (1997), On the resemblance and containment of documents.
    Lee et al. (2022), Deduplicating Training Data Makes Language Models Better.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aegle.train.data.split import spoken

NEAR: Final = 0.8
"""Jaccard similarity of shingles from which two texts are near."""
WIDTH: Final = 5
_MINIMA: Final = 128
_BANDS: Final = 32

Signature = NDArray[np.uint64]


def shingles(text: str, *, width: int = WIDTH) -> frozenset[str]:
    """Runs of ``width`` words, whatever their case and the marks between; a shorter text is one."""
    words = spoken(text)
    if len(words) <= width:
        return frozenset((" ".join(words),)) if words else frozenset()
    return frozenset(" ".join(words[i : i + width]) for i in range(len(words) - width + 1))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of all shingles that both have, in [0, 1]; 1 for two empty texts."""
    return len(one & other) / len(one | other) if one or other else 1.0


class Unique:
    """Remembers texts, and knows a near one again.

    Args:
        near: Jaccard similarity in (0, 1] from which a text is near another.
        seed: of the hash functions.

    Raises:
        ValueError: ``near`` is out of range.
    """

    def __init__(self, *, near: float = NEAR, width: int = WIDTH, seed: int = 0) -> None:
        if not 0 < near <= 1:
            raise ValueError(f"near is a similarity in (0, 1], got {near}")
        self.near, self.width = near, width
        rng = np.random.default_rng(seed)
        # Multiply and shift on 64 bits; odd factors (Dietzfelbinger et al. 1997).
        self._a = rng.integers(0, 2**63, _MINIMA, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._b = rng.integers(0, 2**63, _MINIMA, dtype=np.uint64)
        self._texts: list[frozenset[str]] = []
        self._names: list[str] = []
        self._buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)

    def signature(self, some: Iterable[str]) -> Signature:
        """(128,) minima of hashed shingles."""
        hashed = np.array([zlib.crc32(one.encode("utf-8", "surrogatepass")) for one in some])
        mixed = hashed.astype(np.uint64)[:, np.newaxis] * self._a + self._b
        lowest: Signature = (mixed >> np.uint64(32)).min(0)
        return lowest

    def like(self, text: str) -> str | None:
        """The name of the first text that a text is near to, if there is one."""
        own = shingles(text, width=self.width)
        if not own:
            return None
        seen: set[int] = set()
        for key in self._keys(own):
            for place in self._buckets.get(key, ()):
                if place not in seen:
                    seen.add(place)
                    if jaccard(own, self._texts[place]) >= self.near:
                        return self._names[place]
        return None

    def add(self, text: str, name: str = "") -> None:
        """Remember a text under a name."""
        own = shingles(text, width=self.width)
        if not own:
            return
        for key in self._keys(own):
            self._buckets[key].append(len(self._texts))
        self._texts.append(own)
        self._names.append(name)

    def _keys(self, own: frozenset[str]) -> list[tuple[int, bytes]]:
        bands = self.signature(own).reshape(_BANDS, -1)
        return [(n, band.tobytes()) for n, band in enumerate(bands)]
