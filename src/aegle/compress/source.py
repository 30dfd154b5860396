"""An encoder as float weights that can be changed and written as a graph again.

Kinds: ``tagger`` (our many-headed one), ``encoder`` (vectors), ``pair`` (a reranker: one or two
logits), ``classifier`` (a text's class). All are BERTs whose graph `aegle.lm` builds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from aegle.core.artifacts import read_json
from aegle.core.errors import InputError, NotFoundError
from aegle.lm import delta, tag_weights
from aegle.lm.bert import Graph, Shape
from aegle.lm.encoder import read_pooling
from aegle.lm.tag_graph import HEAD_BIAS, HEAD_WEIGHT, build_tagger
from aegle.lm.tagger import CARD, GRAPH, HEADS

Array = NDArray[Any]

TABLE: Final = tag_weights.WORDS
KINDS: Final = ("tagger", "encoder", "pair", "classifier")
DECODER: Final = "decoder"
"""A causal language model: a folder of safetensors, or GGUF; it has no `Source`."""
PARTS: Final = (
    "attention.self.qkv",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
_NEEDED: Final = ("attention.self.query.weight", "intermediate.dense.weight", "output.dense.weight")


@dataclass(frozen=True)
class Source:
    """A model's float weights, and what makes a graph of them.

    Attributes:
        folder: where the other files lie.
        kind: one of `KINDS`.
        shape: of the encoder.
        weights: float32, by their Hugging Face names without ``bert.``; never changed in place.
        pooling: see `aegle.lm.bert.build`; of a tagger empty.
        tasks: label sets of a tagger -> how many tags each has, in the order of the columns.
        exact: whether the weights are as trained, not numbers of 8 bits made float.
    """

    folder: Path
    kind: str
    shape: Shape
    weights: Mapping[str, Array]
    pooling: str = ""
    tasks: tuple[tuple[str, int], ...] = ()
    exact: bool = True

    def graph(self, *, int8: bool, keep: Collection[str] = ()) -> onnx.ModelProto:
        """The graph with these weights; in INT8 but for the layers in ``keep``."""
        weights = dict(self.weights)
        if self.kind == "tagger":
            tasks = [name for name, _ in self.tasks]
            own = ("cases.", "heads.")  # the others stand under "encoder." in a trained tagger
            weights = {n if n.startswith(own) else f"encoder.{n}": w for n, w in weights.items()}
            return build_tagger(self.shape, weights, tasks=tasks, int8=int8, keep=keep)
        return Graph(self.shape, weights, int8, keep).model(self.pooling)

    @property
    def dense(self) -> tuple[str, ...]:
        """The names of the dense layers that can be quantised or pruned."""
        return tuple(
            f"encoder.layer.{n}.{part}" for n in range(self.shape.layers) for part in PARTS
        )

    def changed(self, weights: Mapping[str, Array], *, layers: int | None = None) -> Source:
        """The same with other weights, and with so many layers."""
        shape = self.shape if layers is None else replace(self.shape, layers=layers)
        return replace(self, weights=dict(weights), shape=shape)

    def without(self, dropped: Collection[int]) -> Source:
        """The same without some layers; the others move up.

        Raises:
            InputError: none would be left, or one isn't there.
        """
        kept = [n for n in range(self.shape.layers) if n not in dropped]
        delta.check_layers(kept, range(self.shape.layers))
        return self.changed(delta.merge(self.weights, {}, kept), layers=len(kept))


def kind_of(path: Path) -> str:
    """One of `KINDS`, or `DECODER`.

    Raises:
        NotFoundError: there is no such file or folder.
        InputError: it holds no model that can be made smaller here.
    """
    if path.suffix == ".gguf" and path.is_file():
        return DECODER
    if path.is_dir() and (path / "config.json").is_file():
        named = read_json(path / "config.json").get("architectures") or []
        if any(one.endswith("ForCausalLM") or one == "AegleDecoder" for one in named):
            return DECODER
    elif path.is_dir() and any(path.glob("*.gguf")):
        return DECODER
    return open_source(path).kind


def open_source(folder: Path) -> Source:
    """Read a model's folder.

    Raises:
        NotFoundError: there is no such folder.
        InputError: it holds no model that can be made smaller here.
    """
    if not folder.is_dir():
        raise NotFoundError(f"{folder}: there is no such folder; a model is a folder of files")
    if (folder / CARD).is_file() and (folder / HEADS).is_file():
        return _tagger(folder)
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{folder} is no encoder: it has neither config.json nor a tagger's {CARD} with {HEADS}"
        )
    shape = Shape.read(folder / "config.json")
    exact = (folder / "model.safetensors").is_file()
    if not exact and not (folder / GRAPH).is_file():
        raise InputError(f"{folder} holds neither model.safetensors nor {GRAPH}")
    weights = {name: _floats(one) for name, one in delta.base_weights(folder).items()}
    kind = _kind(weights, read_json(folder / "config.json"))
    pooling = "pair" if kind in ("pair", "classifier") else read_pooling(folder)
    source = Source(folder, kind, shape, weights, pooling, exact=exact)
    _check(source)
    return source


def _floats(one: Array) -> Array:
    return np.ascontiguousarray(one, np.float32) if one.dtype.kind == "f" else one


def _kind(weights: Mapping[str, Array], config: Mapping[str, Any]) -> str:
    if "classifier.weight" not in weights:
        return "encoder"
    told = config.get("problem_type")
    if told == "single_label_classification" or len(weights["classifier.weight"]) > 2:
        return "classifier"
    return "pair"


def _tagger(folder: Path) -> Source:
    shape, arrays = tag_weights.read_graph(folder / GRAPH)
    try:
        weights = tag_weights.encoder(arrays)
        told = read_json(folder / CARD)["heads"]
        tasks = tuple((name, 1 + 2 * len(told[name]["labels"])) for name in sorted(told))
        at = 0
        for name, size in tasks:
            columns = slice(at, at := at + size)
            weights[f"heads.{name}.weight"] = _floats(arrays[HEAD_WEIGHT][:, columns].T)
            weights[f"heads.{name}.bias"] = _floats(arrays[HEAD_BIAS][columns])
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder}: {GRAPH} and {CARD} are no tagger's that Aegle made") from error
    if at != arrays[HEAD_WEIGHT].shape[1]:
        raise InputError(f"{folder}: {GRAPH} has other label sets than {CARD} tells of")
    exact = f"{TABLE}.scale" not in arrays
    source = Source(folder, "tagger", shape, weights, tasks=tasks, exact=exact)
    _check(source)
    return source


def _check(source: Source) -> None:
    """Raises InputError where a layer's weights are missing: better here than in a later trial."""
    for layer in range(source.shape.layers):
        for part in _NEEDED:
            if f"encoder.layer.{layer}.{part}" not in source.weights:
                raise InputError(
                    f"{source.folder}: the weights lack 'encoder.layer.{layer}.{part}'; is it a "
                    "float model, or one that Aegle quantised?"
                )


def products(model: onnx.ModelProto, layers: Sequence[str]) -> dict[str, onnx.NodeProto]:
    """The float products of these dense layers in a graph: layer -> node."""
    wanted = {f"{name}.w": name for name in layers}
    return {
        wanted[node.input[1]]: node
        for node in model.graph.node
        if node.op_type == "MatMul" and node.input[1] in wanted
    }
