"""An INT8 ONNX encoder back to float weights that can be trained; no torch.

Packages carry some encoders only as quantised graphs. A dense layer's weight has lost its name
there; the bias added to its product has not, so the weight is found by its bias. Rounding to 8 bits
stays in the weights: training sets out from what the quantised encoder computes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from safetensors.numpy import save

from aegle.core.artifacts import sha256_file, write_bytes
from aegle.core.errors import InputError

WEIGHTS: Final = "model.safetensors"
_GRAPH: Final = "model.onnx"
_BETWEEN: Final = ("Cast", "Mul", "Reshape")

Array = NDArray[Any]


def trainable(folder: Path, cache: Path) -> Path:
    """The folder itself where it holds ``model.safetensors``; else its graph dequantised.

    Args:
        folder: ``config.json``, ``tokenizer.json`` and ``model.onnx`` of a quantised BERT.
        cache: where the float weights are written, once for each content of a graph.

    Raises:
        InputError: neither weights nor a graph that can be read.
    """
    if (folder / WEIGHTS).is_file():
        return folder
    if not (folder / _GRAPH).is_file():
        raise InputError(f"{folder} holds neither {WEIGHTS} nor {_GRAPH}")
    target = cache / f"{sha256_file(folder / _GRAPH)[:16]}-float"
    if not (target / WEIGHTS).is_file():
        target.mkdir(parents=True, exist_ok=True)
        weights = dequantised(folder / _GRAPH)
        for name in ("config.json", "tokenizer.json"):
            shutil.copyfile(folder / name, target / name)
        write_bytes(target / WEIGHTS, save(weights, metadata={"format": "pt"}))
    return target


def dequantised(graph: Path) -> dict[str, Array]:
    """Float weights of a quantised graph by their names; dense weights are (out, in).

    Raises:
        InputError: no ONNX, or none whose weights have names.
    """
    try:
        model = onnx.load(str(graph))
    except Exception as error:  # protobuf's errors share no base class but this one
        raise InputError(f"{graph} can't be read as ONNX ({type(error).__name__})") from error
    arrays = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    found = {
        name: array.astype(np.float32)
        for name, array in arrays.items()
        if name.endswith((".weight", ".bias"))
    }
    for name in arrays:
        if name.endswith(".weight_quantized"):
            found[name.removesuffix("_quantized")] = _real(arrays, name.removesuffix("_quantized"))
    found |= dict(_dense(model.graph, arrays))
    if not any(name.endswith("word_embeddings.weight") for name in found):
        raise InputError(f"{graph} is no quantised BERT: it has no table of words")
    return {name: np.ascontiguousarray(value) for name, value in found.items()}


def _real(arrays: Mapping[str, Array], stem: str) -> Array:
    """scale x (levels - zero point), by tensor or by output column."""
    levels = arrays[f"{stem}_quantized"].astype(np.float32)
    zero = arrays[f"{stem}_zero_point"].astype(np.float32)
    return ((levels - zero) * arrays[f"{stem}_scale"]).astype(np.float32)


def _dense(graph: onnx.GraphProto, arrays: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """(name, weight) of each product with a bias."""
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    for node in graph.node:
        if node.op_type != "MatMulInteger" or node.input[1] not in arrays:
            continue
        bias = _bias(node.output[0], users, arrays)
        if bias:
            stem = node.input[1].removesuffix("_quantized")
            yield f"{bias.removesuffix('.bias')}.weight", _real(arrays, stem).T


def _bias(name: str, users: Mapping[str, list[onnx.NodeProto]], arrays: Mapping[str, Array]) -> str:
    """The bias that a product is at last added to; empty if there is none."""
    for node in users.get(name, []):
        if node.op_type == "Add":
            return next((one for one in node.input if one in arrays and one.endswith(".bias")), "")
        if node.op_type in _BETWEEN:
            return _bias(node.output[0], users, arrays)
    return ""
