"""Token vectors in few bytes, by codes that no text has taught: int8, or 4, 2 or 1 bits a number.

Nothing is learnt, so that a passage's code depends on that passage alone: not on what came before
it, and nothing of a forgotten one stays in a codebook.

Letters: T tokens of a passage, Q of a question, C width, B values that a number can have.

References:
    Ailon & Chazelle (2009), The fast Johnson-Lindenstrauss transform and approximate nearest
    neighbors: signs, then a fixed orthonormal transform, spread a vector over all coordinates.
    Max (1960), Quantizing for minimum distortion: the levels for normal numbers.
    Zandieh et al. (2025), TurboQuant: turned so, coordinates are nearly normal, and levels for
    these do for any vectors.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from aegle.core.errors import UsageError
from aegle.core.ports import Vectors

VERSION: Final = "tokens/1"
"""Of the codes: what another version wrote is made anew."""

CODECS: Final = ("int8", "4bit", "2bit", "1bit")

LEVELS: Final = {
    1: (0.7979,),
    2: (0.4528, 1.510),
    4: (0.1284, 0.3881, 0.6568, 0.9424, 1.256, 1.618, 2.069, 2.733),
}
"""Bits -> what stands for a normal number of variance 1, the positive half (Max 1960, table I)."""

_MOST: Final = 127
_LEAST: Final = 1e-12


class Codec(Protocol):
    """Unit vectors of a passage to bytes, and nearly back."""

    def encode(self, vectors_TC: Vectors) -> bytes:
        """The code of a passage; of no vectors, no bytes."""

    def decode(self, code: bytes) -> Vectors:
        """About the vectors (T, C), turned as `turn` does.

        Raises:
            ValueError: no passage has this code.
        """

    def turn(self, vectors_QC: Vectors) -> Vectors:
        """Vectors as they are compared with what `decode` gives; products stay what they were."""


def codec(name: str, width: int) -> Codec:
    """The codec of a name of `CODECS` for vectors of ``width`` numbers.

    Raises:
        UsageError: no such name.
    """
    if name not in CODECS:
        raise UsageError(f"token vectors are kept as {', '.join(CODECS)}; got {name!r}")
    return Int8(width) if name == "int8" else Bits(width, int(name[0]))


class Int8:
    """Each number in 8 bits; directions only, so that no scale need be kept."""

    def __init__(self, width: int) -> None:
        self._width = width

    def encode(self, vectors_TC: Vectors) -> bytes:
        """C bytes a token."""
        most_T1 = np.maximum(np.abs(vectors_TC).max(axis=1, keepdims=True, initial=0), _LEAST)
        codes_TC: NDArray[np.int8] = np.rint(vectors_TC / most_T1 * _MOST).astype(np.int8)
        return codes_TC.tobytes()

    def decode(self, code: bytes) -> Vectors:
        """Unit vectors (T, C)."""
        codes_TC = np.frombuffer(code, np.int8).reshape(-1, self._width).astype(np.float32)
        lengths_T = np.sqrt(np.einsum("tc,tc->t", codes_TC, codes_TC))
        return np.asarray(codes_TC / np.maximum(lengths_T, _LEAST)[:, None], np.float32)

    def turn(self, vectors_QC: Vectors) -> Vectors:
        """As they are."""
        return vectors_QC


class Bits:
    """The passage's mean, and of each token what is left, in a few bits a number.

    The rest is turned, scaled to variance 1, and each number replaced by the nearest of `LEVELS`.
    The scale that is kept makes the product with the rest itself right, not the length: so the
    products with other vectors are neither too small nor, on the whole, too great.

    Args:
        width: of the vectors.
        bits: 1, 2 or 4.
    """

    def __init__(self, width: int, bits: int) -> None:
        half = np.array(LEVELS[bits], np.float32)
        self._width, self._bits = width, bits
        self._levels_B = np.concatenate([-half[::-1], half])
        self._borders = (self._levels_B[1:] + self._levels_B[:-1]) / 2
        self._turning_CC = turning(width)
        places = unpack(np.arange(256, dtype=np.uint8)[:, None], bits, 8 // bits)
        self._of_byte = self._levels_B[places]
        self._row = -(-width * bits // 8)

    def encode(self, vectors_TC: Vectors) -> bytes:
        """The mean (2 C bytes), then 2 bytes a token for its scale, then ``bits`` a number."""
        if not len(vectors_TC):
            return b""
        turned_TC = self.turn(vectors_TC)
        mean_C: NDArray[np.float16] = turned_TC.mean(axis=0).astype(np.float16)
        rest_TC = turned_TC - mean_C.astype(np.float32)
        spread_T1 = np.sqrt(np.mean(rest_TC * rest_TC, axis=1, keepdims=True))
        places_TC = np.searchsorted(self._borders, rest_TC / np.maximum(spread_T1, _LEAST))
        near_TC = self._levels_B[places_TC]
        products_T = np.maximum(np.einsum("tc,tc->t", rest_TC, near_TC), _LEAST)
        scale_T = np.einsum("tc,tc->t", rest_TC, rest_TC) / products_T
        packed = pack(places_TC.astype(np.uint8), self._bits)
        return b"".join((mean_C.tobytes(), scale_T.astype(np.float16).tobytes(), packed.tobytes()))

    def decode(self, code: bytes) -> Vectors:
        """About the turned vectors (T, C); their lengths are not 1."""
        if not code:
            return np.empty((0, self._width), np.float32)
        num, left = divmod(len(code) - 2 * self._width, 2 + self._row)
        if num < 1 or left:
            raise ValueError("no code of whole tokens")
        numbers = np.frombuffer(code, np.float16, self._width + num).astype(np.float32)
        if not np.isfinite(numbers).all():
            raise ValueError("no code of numbers")
        mean_C, scale_T = numbers[: self._width], numbers[self._width :]
        packed = np.frombuffer(code, np.uint8, offset=2 * len(numbers)).reshape(num, self._row)
        rest_TC = np.take(self._of_byte, packed, axis=0).reshape(num, -1)[:, : self._width]
        return np.asarray(rest_TC * scale_T[:, None] + mean_C, np.float32)

    def turn(self, vectors_QC: Vectors) -> Vectors:
        """In the coordinates of the code."""
        return np.asarray(vectors_QC @ self._turning_CC, np.float32)


@cache
def turning(width: int) -> Vectors:
    """An orthogonal matrix (C, C), always the same: signs of a hash, then a cosine transform."""
    drawn = hashlib.shake_256(VERSION.encode()).digest(width)
    signs_C = np.where(np.frombuffer(drawn, np.uint8) & 1, 1.0, -1.0)
    at_C = np.arange(width)
    waves_CC = np.cos(np.pi / width * np.outer(at_C + 0.5, at_C)) * np.sqrt(2 / width)
    waves_CC[:, 0] /= np.sqrt(2)
    return np.asarray(signs_C[:, None] * waves_CC, np.float32)


def pack(places_NC: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Small numbers side by side in bytes, the first in the highest bits; (N, ceil(C bits / 8))."""
    each = 8 // bits
    num, width = places_NC.shape
    num_bytes = -(-width // each)
    filled = np.zeros((num, num_bytes * each), np.uint8)
    filled[:, :width] = places_NC
    shifts = np.arange(each - 1, -1, -1, dtype=np.uint8) * bits
    shifted = filled.reshape(num, num_bytes, each) << shifts
    return np.asarray(np.bitwise_or.reduce(shifted, axis=2), np.uint8)


def unpack(packed: NDArray[np.uint8], bits: int, width: int) -> NDArray[np.uint8]:
    """The numbers that `pack` put together, (N, width)."""
    each = 8 // bits
    shifts = np.arange(each - 1, -1, -1, dtype=np.uint8) * bits
    places = (packed[:, :, None] >> shifts) & np.uint8((1 << bits) - 1)
    flat = places.reshape(len(packed), packed.shape[1] * each)
    return np.asarray(flat[:, :width], np.uint8)
