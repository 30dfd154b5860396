"""llama.cpp's own quantiser, called in the library that serves the model; no torch.

xllamacpp's library exports ``ggml_quantize_chunk``: all types that llama.cpp reads, weighted by the
importance of each column where one is given.

Letters: R rows, C columns of a matrix, B bytes of a row.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, Final

import gguf
import numpy as np
import xllamacpp.xllamacpp as library  # type: ignore[import-untyped]  # it ships no types
from numpy.typing import NDArray

from aegle.core.errors import BackendError, InputError, UsageError

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

TYPES: Final = (
    *("Q8_0", "Q6_K", "Q5_K", "Q5_1", "Q5_0", "Q4_K", "Q4_1", "Q4_0", "IQ4_NL", "IQ4_XS"),
    *("Q3_K", "IQ3_S", "IQ3_XXS", "Q2_K", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S"),
)
"""What matrices may become, the most exact first."""

OFFERED: Final = TYPES[: TYPES.index("Q3_K") + 1]
"""Types that a budget is spread over unless told otherwise: 3 bits and more, quick to make."""

NEEDS_IMPORTANCE: Final = ("IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S")
"""Types of so few bits that llama.cpp makes them only from weighted columns."""


def kind(name: str) -> gguf.GGMLQuantizationType:
    """A type by its name in any case, ``q4_k``.

    Raises:
        UsageError: no such type.
    """
    if name.upper() not in TYPES:
        raise UsageError(f"no GGUF type {name!r}; there are: {', '.join(TYPES)}")
    return gguf.GGMLQuantizationType[name.upper()]


def fits(name: str, columns: int) -> bool:
    """Whether rows of so many columns are whole blocks of a type."""
    return columns % int(gguf.GGML_QUANT_SIZES[kind(name)][0]) == 0


def row_bytes(name: str, columns: int) -> int:
    """Bytes of a row of so many columns."""
    block, size = gguf.GGML_QUANT_SIZES[kind(name)]
    return columns // int(block) * int(size)


def quantise(weight_RC: Floats, name: str, importance_C: Floats | None = None) -> Bytes:
    """A matrix as rows of bytes of a type, (R, B).

    Args:
        weight_RC: finite; C a multiple of the type's block.
        name: of `TYPES`.
        importance_C: how much a column's squared error counts, >= 0; None: llama.cpp's own weights.

    Raises:
        UsageError: no such type, or it needs an importance and there is none.
        InputError: numbers that are not finite, or a width that is no multiple of the block.
        BackendError: the library has no quantiser.
    """
    chosen = kind(name)
    rows, columns = weight_RC.shape
    if not fits(name, columns):
        raise InputError(
            f"rows of {columns} are no whole blocks of {name} "
            f"({gguf.GGML_QUANT_SIZES[chosen][0]} columns); choose another type"
        )
    if not np.isfinite(weight_RC).all():
        raise InputError("a weight is not finite; such a model can't be quantised")
    if importance_C is None and name.upper() in NEEDS_IMPORTANCE:
        raise UsageError(f"{name} needs an importance matrix; give texts to calibrate by")
    weight = np.ascontiguousarray(weight_RC, np.float32)
    made = np.zeros((rows, row_bytes(name, columns)), np.uint8)
    weighed = None if importance_C is None else _weights(importance_C, columns)
    pointer = None if weighed is None else weighed.ctypes.data
    given = (weight.ctypes.data, made.ctypes.data, 0, rows, columns, pointer)
    written = _quantiser()(int(chosen), *given)
    if written != made.size:
        raise BackendError(f"llama.cpp wrote {written} bytes as {name}, expected {made.size}")
    return made


def dequantise(made_RB: Bytes, name: str) -> Floats:
    """What llama.cpp computes with, (R, C)."""
    found: Floats = gguf.dequantize(made_RB, kind(name))
    return found


def _weights(importance_C: Floats, columns: int) -> Floats:
    """Weights as llama.cpp takes them: of each column, none of them nothing.

    A block whose columns all weigh nothing has no best scale; a millionth of the mean gives it one.
    """
    if importance_C.shape != (columns,) or not np.isfinite(importance_C).all():
        raise InputError(
            f"an importance of shape {importance_C.shape} for {columns} columns, or not finite"
        )
    mean = float(importance_C.mean())
    floor = mean * 1e-6 if mean > 0 else 1.0
    return np.ascontiguousarray(np.maximum(importance_C, floor), np.float32)


@cache
def _quantiser() -> Any:
    try:
        found = ctypes.CDLL(library.__file__).ggml_quantize_chunk
    except (OSError, AttributeError) as error:
        raise BackendError(
            "this xllamacpp does not export ggml_quantize_chunk, llama.cpp's quantiser; "
            "install a version of the range in pyproject.toml"
        ) from error
    found.restype = ctypes.c_size_t
    pointer, count = ctypes.c_void_p, ctypes.c_int64
    found.argtypes = [ctypes.c_int, pointer, pointer, count, count, count, pointer]
    return found
