"""A trained tagger (encoder, case table, tag heads) to one ONNX graph, fp32 or INT8; no torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from aegle.core.errors import InputError
from aegle.lm.bert import Graph, Shape

Weights = Mapping[str, NDArray[Any]]

HEAD_WEIGHT: Final = "heads.weight"
HEAD_BIAS: Final = "heads.bias"
"""Constants of the graph, (C, all tags) and (all tags,): the tag heads side by side."""


def build_tagger(
    shape: Shape,
    weights: Weights,
    *,
    tasks: Sequence[str],
    int8: bool,
    keep: Collection[str] = frozenset(),
) -> onnx.ModelProto:
    """The graph of a tagger.

    Inputs ``input_ids``, ``attention_mask``, ``cases``: int64 (B, S). Outputs ``tags``: float32
    (B, S, all tags), the heads side by side in the order of ``tasks``; ``states``: (B, S, C).
    The encoder is quantised in INT8; the heads, a hundredth of the work, stay as they are.

    Args:
        shape: of the encoder.
        weights: ``encoder.*``, ``cases.weight`` (may be missing), ``heads.TASK.weight`` and
            ``.bias``.
        tasks: the tag heads.
        int8: see `aegle.lm.bert.build`.
        keep: see `aegle.lm.bert.Graph`.

    Raises:
        InputError: a weight is missing.
    """
    named = {name.removeprefix("encoder."): value for name, value in weights.items()}
    try:
        return _TagGraph(shape, named, int8, keep).tagger(tasks)
    except KeyError as error:
        raise InputError(f"the tagger's weights lack {error.args[0]!r}") from error


class _TagGraph(Graph):
    def tagger(self, tasks: Sequence[str]) -> onnx.ModelProto:
        types = self.weights["embeddings.token_type_embeddings.weight"]
        x_BSC = self.embed_words(types[0])
        bias_B11S = self.mask()
        for layer in range(self.shape.layers):
            x_BSC = self.layer(x_BSC, bias_B11S, f"encoder.layer.{layer}")
        heads_CT = np.concatenate([self.weights[f"heads.{t}.weight"] for t in tasks]).T
        bias_T = np.concatenate([self.weights[f"heads.{t}.bias"] for t in tasks])
        logits = self.op("MatMul", x_BSC, self.const(HEAD_WEIGHT, heads_CT))
        self.nodes.append(
            helper.make_node("Add", [logits, self.const(HEAD_BIAS, bias_T)], ["tags"], "tags")
        )
        self.nodes.append(helper.make_node("Identity", [x_BSC], ["states"], "states"))
        width = self.shape.width
        return self.finish(
            ("input_ids", "attention_mask", "cases"),
            {"tags": ["B", "S", len(bias_T)], "states": ["B", "S", width]},
        )

    def embed_words(self, kind_C: NDArray[Any]) -> str:
        """(B, S) ids and cases -> (B, S, C); a tagger reads one text: there is one token type."""
        words = self.table("embeddings.word_embeddings.weight", "input_ids")
        written = self.weights.get("cases.weight", np.zeros((8, self.shape.width), np.float32))
        cases = self.op("Gather", self.const("cases.table", written + kind_C), "cases")
        where = self.weight("embeddings.position_embeddings.weight")
        length = self.op("Shape", "input_ids", start=1, end=2)
        places_SC = self.op("Slice", where, self.ints(0), length, self.ints(0))
        total = self.op("Add", self.op("Add", words, cases), places_SC)
        return self.norm(total, "embeddings.LayerNorm")
