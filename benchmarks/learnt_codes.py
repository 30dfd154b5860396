"""A codebook learnt of token vectors, as ColBERTv2 has it: what data-free codes are measured by.

The nearest centroid, and what is left in 1, 2 or 4 bits a number. No workspace uses it: a codebook
learnt of texts would keep something of those that are forgotten.

Letters: N vectors, C width, K centroids, B buckets of a residual.

References:
    Santhanam et al. (2022), ColBERTv2: Effective and efficient retrieval via lightweight late
    interaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.errors import UsageError
from aegle.core.ports import Vectors
from aegle.retrieve.token_codes import pack, unpack

Parts = dict[str, NDArray[np.generic]]
"""Arrays of one row a token each."""

BITS: Final = (1, 2, 4)
_ROUNDS: Final = 8
_BLOCK: Final = 8192
_A_CENTROID: Final = 40
"""Vectors for which there is a centroid, at least; with fewer the codebook learns them by heart."""


@dataclass(frozen=True, slots=True)
class Residual:
    """A centroid and the rest of each number as one of a few typical values.

    Attributes:
        centroids_KC: unit vectors.
        cutoffs: the B - 1 borders of the buckets, rising.
        values: what stands for each of the B buckets.
    """

    centroids_KC: Vectors
    cutoffs: NDArray[np.float32]
    values: NDArray[np.float32]

    @property
    def bits(self) -> int:
        """Bits of each number of a residual."""
        return len(self.values).bit_length() - 1

    def encode(self, vectors_NC: Vectors) -> Parts:
        """``places``: (N,) uint16, the centroid; ``rest``: (N, C bits / 8) uint8."""
        places_N = nearest(vectors_NC, self.centroids_KC)
        buckets_NC = np.searchsorted(self.cutoffs, vectors_NC - self.centroids_KC[places_N])
        return {
            "places": places_N.astype(np.uint16),
            "rest": pack(buckets_NC.astype(np.uint8), self.bits),
        }

    def decode(self, parts: Parts) -> Vectors:
        """Unit vectors (N, C)."""
        width = self.centroids_KC.shape[1]
        rest_NC = self.values[unpack(parts["rest"].astype(np.uint8), self.bits, width)]
        return _unit(self.centroids_KC[parts["places"].astype(np.int64)] + rest_NC)

    @property
    def size_bytes(self) -> int:
        """The bytes of the codebook."""
        return self.centroids_KC.nbytes + self.cutoffs.nbytes + self.values.nbytes


def centroids(vectors_NC: Vectors, most: int, *, rng: np.random.Generator) -> Vectors:
    """At most so many unit vectors (K, C) that vectors like these lie around.

    Args:
        vectors_NC: unit vectors; some ten thousand are enough.
        most: up to 65,536; fewer are found where there are few vectors.

    Raises:
        UsageError: another number, or no vector.
    """
    if not 1 <= most <= 1 << 16 or not len(vectors_NC):
        raise UsageError(
            f"a codebook has 1 to 65536 centroids and vectors to learn them of; got {most} and "
            f"{len(vectors_NC)} vectors"
        )
    return _centroids(vectors_NC, max(1, min(most, len(vectors_NC) // _A_CENTROID)), rng)


def train(vectors_NC: Vectors, book_KC: Vectors, *, bits: int) -> Residual:
    """A codebook for vectors like these, which need not be those of the centroids.

    Raises:
        UsageError: not 1, 2 or 4 bits.
    """
    if bits not in BITS:
        raise UsageError(f"a residual has 1, 2 or 4 bits a number, not {bits}")
    left = (vectors_NC - book_KC[nearest(vectors_NC, book_KC)]).ravel()
    buckets = 1 << bits
    cutoffs = np.quantile(left, np.arange(1, buckets) / buckets)
    values = np.quantile(left, (np.arange(buckets) + 0.5) / buckets)
    return Residual(book_KC, cutoffs.astype(np.float32), values.astype(np.float32))


def nearest(vectors_NC: Vectors, centroids_KC: Vectors) -> NDArray[np.int64]:
    """The centroid with the greatest cosine to each vector (N,)."""
    found = [
        np.argmax(vectors_NC[at : at + _BLOCK] @ centroids_KC.T, axis=1)
        for at in range(0, len(vectors_NC), _BLOCK)
    ]
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _centroids(vectors_NC: Vectors, num: int, rng: np.random.Generator) -> Vectors:
    """Spherical k-means from vectors drawn at random; an empty cluster gets a new one of them."""
    drawn = rng.choice(len(vectors_NC), num, replace=False)
    book_KC = np.array(vectors_NC[drawn], np.float32)
    for _ in range(_ROUNDS):
        places_N = nearest(vectors_NC, book_KC)
        order = np.argsort(places_N, kind="stable")
        used, starts = np.unique(places_N[order], return_index=True)
        sums_KC = np.add.reduceat(vectors_NC[order], starts, axis=0)
        book_KC = np.array(vectors_NC[rng.choice(len(vectors_NC), num, replace=False)], np.float32)
        book_KC[used] = _unit(sums_KC)
    return book_KC


def _unit(vectors_NC: Vectors) -> Vectors:
    lengths_N1 = np.maximum(np.linalg.norm(vectors_NC, axis=1, keepdims=True), 1e-9)
    return np.asarray(vectors_NC / lengths_N1, np.float32)
