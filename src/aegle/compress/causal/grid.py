"""GGUF types as grids: the numbers that a weight may become once its block has scales; no torch.

A value is ``scale x level[code] + offset``. The scales are llama.cpp's; only codes are written
here, so that a method which rounds otherwise than to the nearest leaves a file like any other.

Letters: R rows, C columns, B bytes of a row, N blocks, L levels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import gguf
import numpy as np
from numpy.typing import NDArray

from aegle.compress.causal.ggml import Bytes, Floats, dequantise, kind
from aegle.core.errors import UsageError

Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class Grid:
    """What each weight of a matrix may become.

    Attributes:
        scale_RC, offset_RC: of each weight.
        levels_L: increasing.
    """

    scale_RC: Floats
    offset_RC: Floats
    levels_L: Floats


@dataclass(frozen=True)
class _Layout:
    levels: tuple[float, ...]
    write: Callable[[Codes, Bytes], None]
    """Codes of blocks, (N, block), into their bytes, (N, size)."""


def _halves(at: int) -> Callable[[Codes, Bytes], None]:
    """Four bits each: the first half of a block of 32 low, the second high."""

    def write(codes: Codes, blocks: Bytes) -> None:
        blocks[:, at : at + 16] = (codes[:, :16] & 15) | (codes[:, 16:] & 15) << 4

    return write


def _fives(at: int) -> Callable[[Codes, Bytes], None]:
    """A fifth bit of all 32 in four bytes, then as `_halves`."""

    def write(codes: Codes, blocks: Bytes) -> None:
        blocks[:, at : at + 4] = np.packbits(codes >> 4, axis=1, bitorder="little")
        _halves(at + 4)(codes, blocks)

    return write


def _bytes(codes: Codes, blocks: Bytes) -> None:
    blocks[:, 2:] = (codes.astype(np.int16) - 128).astype(np.int8).view(np.uint8)


def _k4(at: int) -> Callable[[Codes, Bytes], None]:
    """256 of four bits: of each 64 the first 32 low, the next high."""

    def write(codes: Codes, blocks: Bytes) -> None:
        parts = codes.reshape(-1, 4, 2, 32) & 15
        blocks[:, at : at + 128] = (parts[:, :, 0] | parts[:, :, 1] << 4).reshape(-1, 128)

    return write


def _k5(codes: Codes, blocks: Bytes) -> None:
    high = codes.reshape(-1, 8, 32) >> 4
    blocks[:, 16:48] = np.packbits(high, axis=1, bitorder="little").reshape(-1, 32)
    _k4(48)(codes, blocks)


def _k3(codes: Codes, blocks: Bytes) -> None:
    """A third bit of all, eight to a byte; two bits of each 128, four to a byte."""
    high = codes.reshape(-1, 8, 32) >> 2
    blocks[:, :32] = np.packbits(high, axis=1, bitorder="little").reshape(-1, 32)
    low = codes.reshape(-1, 2, 4, 32) & 3
    shifts = np.array([0, 2, 4, 6], np.uint8).reshape(1, 1, 4, 1)
    blocks[:, 32:96] = np.bitwise_or.reduce(low << shifts, axis=2).reshape(-1, 64)


_NIBBLES: Final = tuple(float(one) for one in range(16))
_LAYOUTS: Final = {
    "Q8_0": _Layout(tuple(float(one) for one in range(-128, 128)), _bytes),
    "Q5_K": _Layout(tuple(float(one) for one in range(32)), _k5),
    "Q5_1": _Layout(tuple(float(one) for one in range(32)), _fives(4)),
    "Q5_0": _Layout(tuple(float(one) for one in range(-16, 16)), _fives(2)),
    "Q4_K": _Layout(_NIBBLES, _k4(16)),
    "Q4_1": _Layout(_NIBBLES, _halves(4)),
    "Q4_0": _Layout(tuple(float(one) for one in range(-8, 8)), _halves(2)),
    "IQ4_NL": _Layout(tuple(float(one) for one in gguf.quants.IQ4_NL.kvalues), _halves(2)),
    "Q3_K": _Layout(tuple(float(one) for one in range(-4, 4)), _k3),
}
TYPES: Final = tuple(_LAYOUTS)
"""Types whose codes can be written, the most exact first."""


def grid(made_RB: Bytes, name: str) -> Grid:
    """The grid of a matrix that was quantised to a type of `TYPES`.

    Raises:
        UsageError: the type's codes can't be written here.
    """
    layout = _layout(name)
    levels = np.array(layout.levels, np.float32)
    rows = len(made_RB)
    columns = made_RB.size // rows // _sizes(name)[1] * _sizes(name)[0]
    ends = [0, len(levels) - 1]
    low, high = (
        dequantise(write(made_RB, name, np.full((rows, columns), code, np.uint8)), name)
        for code in ends
    )
    scale = (high - low) / (levels[-1] - levels[0])
    return Grid(scale, low - scale * levels[0], levels)


def write(made_RB: Bytes, name: str, codes_RC: Codes) -> Bytes:
    """The matrix with other codes in its scales, (R, B)."""
    layout, (block, size) = _layout(name), _sizes(name)
    blocks = made_RB.reshape(-1, size).copy()
    layout.write(codes_RC.reshape(-1, block), blocks)
    return blocks.reshape(made_RB.shape)


def _sizes(name: str) -> tuple[int, int]:
    block, size = gguf.GGML_QUANT_SIZES[kind(name)]
    return int(block), int(size)


def _layout(name: str) -> _Layout:
    if name.upper() not in _LAYOUTS:
        raise UsageError(f"codes of {name} can't be chosen here; there are: {', '.join(TYPES)}")
    return _LAYOUTS[name.upper()]
