"""A served tagger's encoder as Hugging Face weights: to train on, and to compare with."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from safetensors.numpy import save_file

from aegle.core.artifacts import read_json
from aegle.core.errors import InputError
from aegle.lm import dequantise
from aegle.lm.catalog import cache_folder, resolve
from aegle.lm.pieces import CASES
from aegle.lm.tagger import CARD, GRAPH

Arrays = dict[str, NDArray[Any]]
_WORDS: Final = "embeddings.word_embeddings.weight"
_HEADS: Final = re.compile(r"ints_0_0_3_(\d+)_(\d+)\Z")
_QKV: Final = ("query", "key", "value")


def folder_of(model: str) -> Path:
    """A folder as it is, or what the catalog calls so."""
    return Path(model) if Path(model).is_dir() else resolve(model)


def trainable(model: str, scratch: Path) -> Path:
    """A folder that training can begin with: Hugging Face weights, or a graph's made such.

    Raises:
        InputError: it holds neither.
    """
    folder = folder_of(model)
    if (folder / CARD).is_file() and (folder / GRAPH).is_file():
        return hugging_face(folder, scratch / "encoder")
    return dequantise.trainable(folder, cache_folder() / "bases")


def hugging_face(tagger: Path, target: Path) -> Path:
    """Write ``config.json``, ``model.safetensors`` and ``tokenizer.json`` of a tagger's encoder.

    A plain BERT knows no cases and reads each word as if written in lower case; training takes
    what the other cases add to that (``cases.weight``) from there.

    Raises:
        InputError: the graph is none that `aegle.lm.tag_graph` builds.
    """
    graph = onnx.load(str(tagger / GRAPH)).graph
    arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    try:
        weights = encoder(arrays)
        heads = next(m for name in arrays if (m := _HEADS.match(name)))
        norm = next(node for node in graph.node if node.op_type == "LayerNormalization")
        epsilon = next(a.f for a in norm.attribute if a.name == "epsilon")
        wide = weights["encoder.layer.0.intermediate.dense.weight"]
    except (KeyError, StopIteration) as error:
        raise InputError(f"{tagger / GRAPH} is no tagger of ours") from error
    words, width = weights[_WORDS].shape
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": words,
        "hidden_size": width,
        "num_attention_heads": int(heads[1]),
        "num_hidden_layers": 1 + max(_layers(weights)),
        "intermediate_size": len(wide),
        "max_position_embeddings": len(weights["embeddings.position_embeddings.weight"]),
        "type_vocab_size": 2,
        "layer_norm_eps": float(epsilon),
        "hidden_act": "gelu",
    }
    target.mkdir(parents=True, exist_ok=True)
    (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    shutil.copyfile(tagger / "tokenizer.json", target / "tokenizer.json")
    return target


def head(tagger: Path) -> tuple[list[str], NDArray[Any], NDArray[Any]]:
    """(tags, weight (T, C), bias (T,)) of the largest label set."""
    told: dict[str, Any] = read_json(tagger / CARD)["heads"]
    sizes = {name: 1 + 2 * len(one["labels"]) for name, one in told.items()}
    name = max(sizes, key=lambda one: sizes[one])
    start = sum(size for other, size in list(sizes.items())[: list(sizes).index(name)])
    graph = onnx.load(str(tagger / GRAPH)).graph
    arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    columns = slice(start, start + sizes[name])
    tags = [f"{kind}-{label}" for label in told[name]["labels"] for kind in "BI"]
    weight_TC = np.ascontiguousarray(arrays["heads.weight"][:, columns].T)
    return ["O", *tags], weight_TC, arrays["heads.bias"][columns].copy()


def encoder(arrays: Arrays) -> Arrays:
    """The encoder's float weights by their Hugging Face names, from the constants of a graph."""
    out = {
        name: array
        for name, array in arrays.items()
        if "LayerNorm" in name or (name.endswith(".bias") and ".qkv." not in name)
    }
    out.pop("heads.bias", None)
    out["embeddings.position_embeddings.weight"] = arrays["embeddings.position_embeddings.weight"]
    table = arrays[_WORDS].astype(np.float32)
    out[_WORDS] = table * arrays[f"{_WORDS}.scale"] if f"{_WORDS}.scale" in arrays else table
    lower = arrays["cases.table"][CASES.index("lower")]
    out["embeddings.token_type_embeddings.weight"] = np.stack([lower, np.zeros_like(lower)])
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
    (heads,) = (m for one in arrays if (m := _HEADS.match(one)))
    factors = (float(heads[2]) ** 0.5, 1.0, 1.0)
    stem = name.removesuffix("qkv")
    out = {}
    for kind, joined in (("weight", weight_OC), ("bias", arrays[f"{name}.bias"])):
        for part, rows, factor in zip(_QKV, np.split(joined, 3), factors, strict=True):
            out[f"{stem}{part}.{kind}"] = rows * factor
    return out


def _layers(weights: Arrays) -> set[int]:
    return {int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer.")}
