"""A served tagger's encoder as Hugging Face weights: to train on, and to compare with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from safetensors.numpy import save_file

from aegle.core.artifacts import read_json
from aegle.core.errors import InputError
from aegle.lm import dequantise
from aegle.lm.catalog import cache_folder, resolve
from aegle.lm.tag_weights import WORDS, encoder, read_graph
from aegle.lm.tagger import CARD, GRAPH


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
    shape, arrays = read_graph(tagger / GRAPH)
    try:
        weights = encoder(arrays)
        wide = weights["encoder.layer.0.intermediate.dense.weight"]
    except KeyError as error:
        raise InputError(f"{tagger / GRAPH} is no tagger of ours") from error
    words, width = weights[WORDS].shape
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": words,
        "hidden_size": width,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "intermediate_size": len(wide),
        "max_position_embeddings": shape.positions,
        "type_vocab_size": 2,
        "layer_norm_eps": shape.epsilon,
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
