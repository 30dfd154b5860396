"""A tagger's graph back to float weights by their Hugging Face names; no torch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from aegle.core.errors import InputError
from aegle.lm.bert import Shape
from aegle.lm.pieces import CASES
from aegle.lm.tag_graph import HEAD_BIAS, HEAD_WEIGHT

Arrays = dict[str, NDArray[Any]]

WORDS: Final = "embeddings.word_embeddings.weight"
TYPES: Final = "embeddings.token_type_embeddings.weight"
POSITIONS: Final = "embeddings.position_embeddings.weight"
_HEADS: Final = re.compile(r"ints_0_0_3_(\d+)_(\d+)\Z")
_QKV: Final = ("query", "key", "value")


def read_graph(graph: Path) -> tuple[Shape, Arrays]:
    """A graph's shape, and its constants by name.

    Raises:
        InputError: the graph is none that `aegle.lm.tag_graph` builds.
    """
    try:
        told = onnx.load(str(graph)).graph
    except Exception as error:  # protobuf's errors share no base class but this one
        raise InputError(f"{graph} can't be read as ONNX ({type(error).__name__})") from error
    arrays = {one.name: numpy_helper.to_array(one) for one in told.initializer}
    try:
        width = arrays[HEAD_WEIGHT].shape[0]
        norm = next(node for node in told.node if node.op_type == "LayerNormalization")
        epsilon = next(a.f for a in norm.attribute if a.name == "epsilon")
        positions = len(arrays[POSITIONS])
        if not {f"{WORDS}", "cases.table", HEAD_BIAS} <= arrays.keys():
            raise KeyError(WORDS)
        sizes = {int(match[2]) for name in arrays if (match := _HEADS.match(name))}
        layers = _layers(arrays)
        size = sizes.pop() if layers else width
    except (KeyError, StopIteration) as error:
        raise InputError(f"{graph} is no tagger's graph that Aegle builds") from error
    return Shape(width, width // size, len(layers), positions, float(epsilon)), arrays


def encoder(arrays: Arrays) -> Arrays:
    """The encoder's float weights by their Hugging Face names, from the constants of a graph.

    Raises:
        KeyError: a constant is missing.
    """
    out = {
        name: array
        for name, array in arrays.items()
        if "LayerNorm" in name or (name.endswith(".bias") and ".qkv." not in name)
    }
    out.pop(HEAD_BIAS, None)
    out[POSITIONS] = arrays[POSITIONS]
    table = arrays[WORDS].astype(np.float32)
    out[WORDS] = table * arrays[f"{WORDS}.scale"] if f"{WORDS}.scale" in arrays else table
    lower = arrays["cases.table"][CASES.index("lower")]
    out[TYPES] = np.stack([lower, np.zeros_like(lower)])
    out["cases.weight"] = arrays["cases.table"] - lower
    for name in [one.removesuffix(".w") for one in arrays if one.endswith(".w")]:
        weight_OC = _dense(arrays, name).T
        if name.endswith(".qkv"):
            out |= _split(arrays, name, weight_OC)
        else:
            out[f"{name}.weight"] = weight_OC
    return {name: np.ascontiguousarray(value, np.float32) for name, value in out.items()}


def _dense(arrays: Arrays, name: str) -> NDArray[Any]:
    levels = arrays[f"{name}.w"].astype(np.float32)
    if f"{name}.s" not in arrays:
        return levels
    scaled: NDArray[Any] = (levels - float(arrays["zero"])) * arrays[f"{name}.s"]
    return scaled


def _split(arrays: Arrays, name: str, weight_OC: NDArray[Any]) -> Arrays:
    """Queries, keys and values apart; the graph's queries hold the scale of the products."""
    size = next(int(match[2]) for one in arrays if (match := _HEADS.match(one)))
    factors = (float(size) ** 0.5, 1.0, 1.0)
    stem = name.removesuffix("qkv")
    out = {}
    for kind, joined in (("weight", weight_OC), ("bias", arrays[f"{name}.bias"])):
        for part, rows, factor in zip(_QKV, np.split(joined, 3), factors, strict=True):
            out[f"{stem}{part}.{kind}"] = rows * factor
    return out


def _layers(arrays: Arrays) -> set[int]:
    return {int(name.split(".")[2]) for name in arrays if name.startswith("encoder.layer.")}
