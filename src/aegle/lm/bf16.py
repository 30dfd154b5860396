"""A tensor of a safetensors file as float32, bfloat16 among them, which numpy has no type for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from aegle.core.errors import InputError


def floats(path: Path, name: str) -> NDArray[np.float32]:
    """The tensor of that name.

    Raises:
        InputError: the file can't be read, or has none of that name.
    """
    try:
        with safe_open(path, "numpy") as file:
            if str(file.get_slice(name).get_dtype()) != "BF16":
                found: NDArray[Any] = file.get_tensor(name)
                return found.astype(np.float32)
            return _bf16(path, name)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} has no weight {name!r} that can be read") from error


def _bf16(path: Path, name: str) -> NDArray[np.float32]:
    """A bfloat16 number is the upper half of a float32."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        start, end = header[name]["data_offsets"]
        file.seek(start, 1)
        halves = np.frombuffer(file.read(end - start), np.uint16)
    whole = (halves.astype(np.uint32) << 16).view(np.float32)
    return whole.reshape(header[name]["shape"])
