"""GGUF files of float tensors, and what the head of one says, without the package ``gguf``.

That package is the extra ``train``'s; an adapter has to become a GGUF file where a model is only
served. Version 3, little-endian: magic, counts, keys with values, what each tensor is, the tensors,
each on a multiple of 32 bytes (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.artifacts import atomic_path
from aegle.core.errors import InputError

_MAGIC: Final = b"GGUF"
_VERSION: Final = 3
_ALIGNED: Final = 32
_FLOAT, _STRING, _ARRAY = 6, 8, 9
_KINDS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?"} | {
    10: "Q",
    11: "q",
    12: "d",
}
"""Of a value's type, how `struct` reads it; beside these there are strings and arrays."""
_MOST: Final = 1 << 26
"""Bytes of a string, numbers of an array: more is no file of a model."""


def head(file: Path, wanted: Collection[str]) -> dict[str, Any]:
    """Those keys of a GGUF file that it has, with their values: numbers or strings.

    Raises:
        InputError: no GGUF file of version 2 or 3, or a damaged one.
    """
    found: dict[str, Any] = {}
    try:
        with file.open("rb") as stream:
            if stream.read(4) != _MAGIC or _number(stream, "I") not in (2, _VERSION):
                raise InputError(f"{file} is not a GGUF file of version 2 or 3")
            _number(stream, "Q")  # how many tensors
            for _ in range(_number(stream, "Q")):
                key = _string(stream).decode("utf-8", "replace")
                value = _value(stream, _number(stream, "I"))
                if key in wanted:
                    found[key] = value.decode() if isinstance(value, bytes) else value
                if len(found) == len(wanted):
                    break
    except (OSError, struct.error, KeyError, ValueError) as error:
        raise InputError(f"{file} is a damaged GGUF file ({type(error).__name__})") from error
    return found


def _number(stream: IO[bytes], kind: str) -> Any:
    return struct.unpack(f"<{kind}", stream.read(struct.calcsize(f"<{kind}")))[0]


def _string(stream: IO[bytes]) -> bytes:
    size = _bounded(_number(stream, "Q"))
    raw = stream.read(size)
    if len(raw) != size:
        raise ValueError("it ends within a string")
    return raw


def _value(stream: IO[bytes], kind: int) -> Any:
    """A value; of an array, None: it is only passed over."""
    if kind == _STRING:
        return _string(stream)
    if kind != _ARRAY:
        return _number(stream, _KINDS[kind])
    inner, count = _number(stream, "I"), _bounded(_number(stream, "Q"))
    if inner in (_STRING, _ARRAY):
        for _ in range(count):
            _value(stream, inner)
    else:
        stream.seek(count * struct.calcsize(f"<{_KINDS[inner]}"), 1)
    return None


def _bounded(count: int) -> int:
    if count > _MOST:
        raise ValueError("a count that no model has")
    return count


def write(
    target: Path, keys: Mapping[str, str | float], tensors: Mapping[str, NDArray[Any]]
) -> None:
    """A GGUF file, whole or not at all.

    Args:
        keys: key -> text, or a number, which is written as a float32.
        tensors: name -> tensor, which is written as float32.
    """
    pieces = [_MAGIC, struct.pack("<IQQ", _VERSION, len(tensors), len(keys))]
    for key, value in keys.items():
        pieces.append(_counted(key))
        if isinstance(value, str):
            pieces += [struct.pack("<I", _STRING), _counted(value)]
        else:
            pieces.append(struct.pack("<If", _FLOAT, value))
    at = 0
    for name, tensor in tensors.items():
        sizes = tensor.shape[::-1]  # the fastest first
        pieces += [_counted(name), struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes)]
        pieces.append(struct.pack("<IQ", 0, at))  # type 0: float32
        at += _padded(4 * tensor.size)
    written = sum(map(len, pieces))
    with atomic_path(target) as part, part.open("wb") as stream:
        stream.write(b"".join(pieces) + bytes(_padded(written) - written))
        for tensor in tensors.values():
            raw = np.ascontiguousarray(tensor, "<f4").tobytes()
            stream.write(raw + bytes(_padded(len(raw)) - len(raw)))


def _counted(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _padded(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED
