"""BERT weights (safetensors) to an ONNX encoder with pooling inside, in fp32 or INT8; no torch.

The graph is written by hand, because the exporters need torch. In INT8 each *token's* activations
get their own scale (symmetric, 8 bits) and each output column of a weight its own: a text's vector
then does not depend on the other texts of its batch, as it does with the per-tensor scales of
``DynamicQuantizeLinear``.

Letters: B texts, S tokens, N = B x S, H heads, D head width, C = H x D, O outputs.

References:
    Devlin et al. (2019), BERT: Pre-training of Deep Bidirectional Transformers.
    Yao et al. (2022), ZeroQuant: token-wise activations, INT8 without calibration.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors import SafetensorError, safe_open

from aegle.core.artifacts import read_json
from aegle.core.errors import InputError

OPSET: Final = 21
_LEVELS: Final = 127
# Both sides are unsigned around 128: unsigned by signed saturates on processors without VNNI, and
# signed by signed is four times slower there (measured: docs/decisions/0010-onnxruntime.md).
_ZERO: Final = 128


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers of a BERT's ``config.json``."""

    width: int
    heads: int
    layers: int
    positions: int
    epsilon: float

    @classmethod
    def read(cls, config: Path) -> Shape:
        """Read and check a configuration.

        Raises:
            InputError: it is not of a BERT with absolute positions and GELU.
        """
        told: dict[str, Any] = read_json(config)
        kind, act = told.get("model_type"), told.get("hidden_act")
        position = told.get("position_embedding_type", "absolute")
        if (kind, act, position) != ("bert", "gelu", "absolute"):
            raise InputError(
                f"{config}: a BERT with GELU and absolute positions is needed, this is {kind!r} "
                f"with {act!r} and {position!r}; give a folder that holds model.onnx"
            )
        return cls(
            told["hidden_size"],
            told["num_attention_heads"],
            told["num_hidden_layers"],
            told["max_position_embeddings"],
            told["layer_norm_eps"],
        )


def build(folder: Path, *, pooling: str, int8: bool) -> onnx.ModelProto:
    """The graph of a folder's ``config.json`` and ``model.safetensors``.

    Inputs ``input_ids``, ``attention_mask``, ``token_type_ids``: int64 (B, S). Output ``vectors``:
    float32 (B, C), unit length; without pooling ``states`` (B, S, C); of pairs ``logits`` (B, O).

    Args:
        folder: a Hugging Face model folder.
        pooling: ``mean`` over the attended tokens, ``cls``, ``none`` for the tokens themselves, or
            ``pair`` for the classifier of a cross-encoder.
        int8: quantise weights and activations of all dense layers, and the word table.

    Raises:
        InputError: the weights are damaged or of another architecture.
    """
    shape = Shape.read(folder / "config.json")
    try:
        with safe_open(folder / "model.safetensors", "np") as file:
            weights = {name.removeprefix("bert."): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return Graph(shape, weights, int8).model(pooling)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{folder}: the weights can't be read ({type(error).__name__})") from error
    except KeyError as error:
        raise InputError(f"{folder}: the weights lack {error.args[0]!r}; is it a BERT?") from error


class Graph:
    """Nodes and weights as they are written.

    Args:
        shape: of the encoder. A layer may have fewer heads, and another inner width, than the rest:
            its weights say so.
        weights: by their Hugging Face names without ``bert.``; joined ones are added to it.
        int8: quantise the dense layers and the word table.
        keep: of these, the ones that stay in float: ``encoder.layer.0.attention.self.qkv``, ...
    """

    def __init__(
        self,
        shape: Shape,
        weights: dict[str, NDArray[Any]],
        int8: bool,
        keep: Collection[str] = frozenset(),
    ) -> None:
        self.shape, self.weights, self.int8, self.keep = shape, weights, int8, frozenset(keep)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def model(self, pooling: str) -> onnx.ModelProto:
        """The whole encoder, with pooling."""
        x_BSC = self.embed()
        bias_B11S = self.mask()
        for layer in range(self.shape.layers):
            x_BSC = self.layer(x_BSC, bias_B11S, f"encoder.layer.{layer}")
        names = ("input_ids", "attention_mask", "token_type_ids")
        if pooling == "none":
            self.nodes.append(helper.make_node("Identity", [x_BSC], ["states"], "states"))
            return self.finish(names, {"states": ["B", "S", self.shape.width]})
        if pooling == "pair":
            return self.finish(names, {"logits": ["B", self.classify(x_BSC)]})
        self.pool(x_BSC, pooling)
        return self.finish(names, {"vectors": ["B", self.shape.width]})

    def classify(self, x_BSC: str) -> int:
        """The logits of a sequence classifier over the first token; how many there are.

        In float, whatever the rest: two small matrices a text.
        """
        first_BC = self.op("Gather", x_BSC, self.const("int_0", 0, np.int64), axis=1)
        pooled_BC = self.op("Tanh", self.linear(first_BC, "pooler.dense"))
        logits = self.linear(pooled_BC, "classifier")
        self.nodes.append(helper.make_node("Identity", [logits], ["logits"], "logits"))
        return int(self.weights["classifier.weight"].shape[0])

    def linear(self, x_BC: str, name: str) -> str:
        """x @ W + b in float, (B, C) -> (B, O)."""
        weight_CO = self.const(f"{name}.w", self.weights[f"{name}.weight"].T)
        return self.op("Add", self.op("MatMul", x_BC, weight_CO), self.weight(f"{name}.bias"))

    def finish(
        self, inputs: Sequence[str], outputs: Mapping[str, list[str | int]]
    ) -> onnx.ModelProto:
        """The model of the nodes so far: int64 inputs (B, S), float outputs of these shapes."""
        graph = helper.make_graph(
            self.nodes,
            "bert",
            [helper.make_tensor_value_info(n, TensorProto.INT64, ["B", "S"]) for n in inputs],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
            list(self.constants.values()),
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="aegle"
        )
        model.ir_version = 10
        onnx.checker.check_model(model)
        return model

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; the output's name."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def const(self, name: str, value: Any, kind: Any = np.float32) -> str:
        """Add a constant once; its name."""
        if name not in self.constants:
            array = np.asarray(value, kind, order="C")
            self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def ints(self, *values: int) -> str:
        """A constant list of integers."""
        return self.const("ints_" + "_".join(map(str, values)), values, np.int64)

    def weight(self, name: str) -> str:
        """A weight as it is."""
        return self.const(name, self.weights[name])

    def norm(self, x: str, name: str) -> str:
        """Layer normalisation."""
        gain, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.op("LayerNormalization", x, gain, bias, axis=-1, epsilon=self.shape.epsilon)

    def embed(self) -> str:
        """(B, S) ids -> (B, S, C)."""
        words = self.table("embeddings.word_embeddings.weight", "input_ids")
        types = self.weight("embeddings.token_type_embeddings.weight")
        where = self.weight("embeddings.position_embeddings.weight")
        length = self.op("Shape", "input_ids", start=1, end=2)
        places_SC = self.op("Slice", where, self.ints(0), length, self.ints(0))
        kinds = self.op("Gather", types, "token_type_ids")
        total = self.op("Add", self.op("Add", words, kinds), places_SC)
        return self.norm(total, "embeddings.LayerNorm")

    def table(self, name: str, ids: str) -> str:
        """Rows of a table; in INT8 each row is kept in 8 bits with its own scale."""
        if not self.int8 or name in self.keep:
            return self.op("Gather", self.weight(name), ids)
        rows = self.weights[name]
        scale = np.maximum(np.abs(rows).max(1, keepdims=True), 1e-12) / _LEVELS
        rows_i8 = self.const(name, np.rint(rows / scale), np.int8)
        picked = self.op("Cast", self.op("Gather", rows_i8, ids), to=TensorProto.FLOAT)
        return self.op("Mul", picked, self.op("Gather", self.const(f"{name}.scale", scale), ids))

    def mask(self) -> str:
        """0 where attended, a very low number where not."""
        mask_BS = self.op("Cast", "attention_mask", to=TensorProto.FLOAT)
        hidden = self.op("Sub", self.const("one", [1.0]), mask_BS)
        low = self.op("Mul", hidden, self.const("low", [-1e9]))
        return self.op("Unsqueeze", low, self.ints(1, 2))

    def layer(self, x_BSC: str, bias_B11S: str, name: str) -> str:
        """One layer: attention, then the wide part, each with its norm."""
        mixed = self.attend(x_BSC, bias_B11S, f"{name}.attention.self")
        out = self.dense(mixed, f"{name}.attention.output.dense")
        x_BSC = self.norm(self.op("Add", out, x_BSC), f"{name}.attention.output.LayerNorm")
        wide = self.op("Gelu", self.dense(x_BSC, f"{name}.intermediate.dense"))
        out = self.dense(wide, f"{name}.output.dense")
        return self.norm(self.op("Add", out, x_BSC), f"{name}.output.LayerNorm")

    def attend(self, x_BSC: str, bias_B11S: str, name: str) -> str:
        """Self-attention with one matrix for queries, keys and values."""
        size = self.shape.width // self.shape.heads
        parts = [f"{name}.{part}" for part in ("query", "key", "value")]
        heads = len(self.weights[f"{parts[0]}.bias"]) // size  # fewer than the shape's if pruned
        scale = size**-0.5
        factors = (scale, 1.0, 1.0)  # the queries' scale goes into their weights
        for kind in ("weight", "bias"):
            joined = [self.weights[f"{p}.{kind}"] * f for p, f in zip(parts, factors, strict=True)]
            self.weights[f"{name}.qkv.{kind}"] = np.concatenate(joined)
        qkv = self.dense(x_BSC, f"{name}.qkv")
        split = self.op("Reshape", qkv, self.ints(0, 0, 3, heads, size))
        q_BHSD, k_BHDS, v_BHSD = (
            self.op(
                "Transpose",
                self.op("Gather", split, self.const(f"int_{i}", i, np.int64), axis=2),
                perm=perm,
            )
            for i, perm in enumerate(([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
        )
        scores = self.op("Add", self.op("MatMul", q_BHSD, k_BHDS), bias_B11S)
        mixed = self.op("MatMul", self.op("Softmax", scores, axis=-1), v_BHSD)
        back = self.op("Transpose", mixed, perm=[0, 2, 1, 3])
        return self.op("Reshape", back, self.ints(0, 0, heads * size))

    def dense(self, x: str, name: str) -> str:
        """x @ W + b, (B, S, C) -> (B, S, O)."""
        weight_CO, bias = self.weights[f"{name}.weight"].T, self.weight(f"{name}.bias")
        if not self.int8 or name in self.keep:
            return self.op("Add", self.op("MatMul", x, self.const(f"{name}.w", weight_CO)), bias)
        scale_O = np.maximum(np.abs(weight_CO).max(0), 1e-12) / _LEVELS
        weight_u8 = self.const(f"{name}.w", np.rint(weight_CO / scale_O) + _ZERO, np.uint8)
        flat_NC = self.op("Reshape", x, self.ints(-1, weight_CO.shape[0]))
        x_u8, scale_N = self.quantise(flat_NC)
        zero = self.const("zero", _ZERO, np.uint8)
        sums = self.op("MatMulInteger", x_u8, weight_u8, zero, zero)
        real = self.op("Cast", sums, to=TensorProto.FLOAT)
        rows = self.op("Mul", real, self.op("Unsqueeze", scale_N, self.ints(1)))
        out_NO = self.op("Add", self.op("Mul", rows, self.const(f"{name}.s", scale_O)), bias)
        texts = self.op("Shape", "input_ids")
        shape = self.op("Concat", texts, self.ints(weight_CO.shape[1]), axis=0)
        return self.op("Reshape", out_NO, shape)

    def quantise(self, x_NC: str) -> tuple[str, str]:
        """Each row in 8 bits with its own scale (N,)."""
        most_N = self.op("ReduceMax", self.op("Abs", x_NC), self.ints(1), keepdims=0)
        some_N = self.op("Max", most_N, self.const("tiny", [1e-9]))
        scale_N = self.op("Div", some_N, self.const("levels", [_LEVELS]))
        length = self.op("Shape", scale_N)
        zeros_N = self.op("Expand", self.const("zeros", [_ZERO], np.uint8), length)
        return self.op("QuantizeLinear", x_NC, scale_N, zeros_N, axis=0), scale_N

    def pool(self, x_BSC: str, pooling: str) -> None:
        """One unit vector a text."""
        if pooling == "cls":
            vector_BC = self.op("Gather", x_BSC, self.const("int_0", 0, np.int64), axis=1)
        else:
            mask_BS = self.op("Cast", "attention_mask", to=TensorProto.FLOAT)
            mask_BS1 = self.op("Unsqueeze", mask_BS, self.ints(2))
            vector_BC = self.op(
                "ReduceSum", self.op("Mul", x_BSC, mask_BS1), self.ints(1), keepdims=0
            )
        # The mean's divisor falls away in the normalisation.
        length_B1 = self.op("ReduceL2", vector_BC, self.ints(1), keepdims=1)
        safe = self.op("Max", length_B1, self.const("tiny", [1e-9]))
        self.nodes.append(helper.make_node("Div", [vector_BC, safe], ["vectors"], "unit"))
