"""A GGUF file written again with other tensors, all it says of itself kept; no torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import gguf
import numpy as np
from numpy.typing import NDArray

from aegle.core.artifacts import atomic_path
from aegle.core.errors import InputError

Tensor = tuple[NDArray[Any], gguf.GGMLQuantizationType]

_FLOATS: Final = (
    gguf.GGMLQuantizationType.F32,
    gguf.GGMLQuantizationType.F16,
    gguf.GGMLQuantizationType.BF16,
)
FILE_TYPES: Final = {
    "Q8_0": "MOSTLY_Q8_0",
    "Q6_K": "MOSTLY_Q6_K",
    "Q5_K": "MOSTLY_Q5_K_M",
    "Q5_1": "MOSTLY_Q5_1",
    "Q5_0": "MOSTLY_Q5_0",
    "Q4_K": "MOSTLY_Q4_K_M",
    "Q4_1": "MOSTLY_Q4_1",
    "Q4_0": "MOSTLY_Q4_0",
    "IQ4_NL": "MOSTLY_IQ4_NL",
    "IQ4_XS": "MOSTLY_IQ4_XS",
    "Q3_K": "MOSTLY_Q3_K_M",
    "IQ3_S": "MOSTLY_IQ3_S",
    "IQ3_XXS": "MOSTLY_IQ3_XXS",
    "Q2_K": "MOSTLY_Q2_K",
    "IQ2_S": "MOSTLY_IQ2_S",
    "IQ2_XS": "MOSTLY_IQ2_XS",
    "IQ2_XXS": "MOSTLY_IQ2_XXS",
    "IQ1_M": "MOSTLY_IQ1_M",
    "IQ1_S": "MOSTLY_IQ1_S",
}
"""What a file says that it is mostly; for people, llama.cpp reads each tensor's own type."""


def opened(file: Path) -> gguf.GGUFReader:
    """A GGUF file.

    Raises:
        InputError: it is none.
    """
    try:
        return gguf.GGUFReader(file)
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{file} can't be read as GGUF ({type(error).__name__})") from error


def floats(tensor: Any, file: Path) -> NDArray[np.float32]:
    """A tensor of floats, its rows as numpy has them.

    Raises:
        InputError: it is quantised already: rounding twice is worse than once.
    """
    if tensor.tensor_type not in _FLOATS:
        raise InputError(
            f"{file.name} holds {tensor.name} as {tensor.tensor_type.name}; quantise the original "
            "floats (F32, F16, BF16), as rounding twice loses more than once"
        )
    if tensor.tensor_type == gguf.GGMLQuantizationType.BF16:
        found: NDArray[np.float32] = gguf.dequantize(tensor.data, tensor.tensor_type)
        return found
    return np.asarray(tensor.data, np.float32)


def rewrite(
    source: Path, target: Path, change: Callable[[Any], Tensor | None], *, mostly: str
) -> None:
    """Copy a GGUF file, tensors changed.

    Args:
        source, target: files; the target whole or not at all.
        change: a reader's tensor -> (bytes of its rows or floats, type), or None to keep it.
        mostly: the type that the file says of itself.

    Raises:
        InputError: ``source`` is no GGUF file.
    """
    reader = opened(source)
    kind = str(reader.fields["general.architecture"].contents())
    with atomic_path(target) as part:
        writer = gguf.GGUFWriter(part, kind)
        try:
            _describe(reader, writer, mostly)
            for tensor in reader.tensors:
                found = change(tensor)
                data, dtype = (tensor.data, tensor.tensor_type) if found is None else found
                writer.add_tensor(tensor.name, np.ascontiguousarray(data), raw_dtype=dtype)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()


def _describe(reader: gguf.GGUFReader, writer: gguf.GGUFWriter, mostly: str) -> None:
    ours = ("general.architecture", "general.file_type", "general.quantization_version")
    for field in reader.fields.values():
        if field.name in ours or field.name.startswith("GGUF."):
            continue
        array = field.types[0] == gguf.GGUFValueType.ARRAY
        inner = field.types[-1] if array else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inner)
    writer.add_file_type(gguf.LlamaFileType[FILE_TYPES[mostly.upper()]])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
