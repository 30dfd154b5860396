"""Weights of Llama's and Mixtral's layout to GGUF, with their tokenizer; no torch.

llama.cpp then computes the same logits. It takes folders of the research decoder and of Llama,
Mistral and Mixtral. What llama.cpp has no such layout for (ALiBi, windows, blocks, a shared expert)
is refused by name, never left out.

Letters: H heads, D head width, C width of the stream, E experts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gguf
import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from aegle.core.artifacts import atomic_path, read_json
from aegle.core.errors import InputError, UsageError
from aegle.lm import gguf_tokenizer
from aegle.lm.bf16 import floats
from aegle.lm.shape import ALIBI, Attention, Experts, Positions, Shape, llama3_factors

Array = NDArray[Any]
DTYPES: Final = ("fp32", "fp16")
_ARCHITECTURE: Final = "llama"
"""llama.cpp reads Llama, Mistral without a window and Mixtral by one architecture."""


def export(folder: Path, target: Path, *, dtype: str = "fp16", name: str = "") -> Path:
    """A folder of weights as one GGUF file.

    Args:
        folder: ``config.json``, ``model.safetensors`` (or shards) and ``tokenizer.json``, whose
            tokenizer is a byte-level BPE.
        target: the file to write; whole or not at all.
        dtype: of matrices, fp32 or fp16; norms and routers stay fp32.
        name: what llama.cpp shows; the folder's name if empty.

    Returns:
        ``target``.

    Raises:
        UsageError: the network has something that llama.cpp can't compute; the message names it.
        InputError: the folder's files are not what they should be.
    """
    if dtype not in DTYPES:
        raise UsageError(f"no dtype {dtype!r}; there are: {', '.join(DTYPES)}")
    shape = _shape(read_json(folder / "config.json"))
    _representable(shape)
    with atomic_path(target) as part:
        writer = gguf.GGUFWriter(part, _ARCHITECTURE)
        try:
            writer.add_name(name or folder.name)
            _describe(writer, shape, dtype)
            gguf_tokenizer.write(writer, folder, shape.vocabulary)
            for key, array in _tensors(folder, shape):
                flat = array.ndim == 1 or key.endswith("ffn_gate_inp.weight")
                kept = np.float32 if flat or dtype == "fp32" else np.float16
                writer.add_tensor(key, np.ascontiguousarray(array, dtype=kept))
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()
    return target


def _shape(told: Mapping[str, Any]) -> Shape:
    kind = told.get("model_type")
    if kind not in _READS:
        raise UsageError(
            f"model type {kind!r} has not Llama's layout; GGUF is written for: {', '.join(_READS)}"
        )
    for setting, usual in (("attention_bias", False), ("mlp_bias", False), ("hidden_act", "silu")):
        if told.get(setting, usual) != usual:
            raise UsageError(f"{setting} {told[setting]!r}: llama.cpp's layout has only {usual!r}")
    try:
        return _read_shape(told, kind)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"config.json is of no {kind} network ({error})") from error


_READS: Final = ("aegle_decoder", "llama", "mistral", "mixtral")


def _read_shape(told: Mapping[str, Any], kind: str) -> Shape:
    own = kind == "aegle_decoder"
    heads, context = int(told["num_attention_heads"]), int(told["max_position_embeddings"])
    window = int(told.get("attention_window" if own else "sliding_window") or 0)
    attention = Attention(
        heads,
        int(told.get("num_key_value_heads") or heads),
        int(told.get("head_dim") or told["hidden_size"] // heads),
        window=window if window < context else 0,
        block=int(told.get("attention_block") or 0),
    )
    count = int(told.get("num_experts" if own else "num_local_experts") or 0)
    inner = int(told["intermediate_size"])
    experts = Experts()
    if count:
        width = int(told["moe_intermediate_size"]) if own else inner
        shared = int(told.get("shared_expert_intermediate_size") or 0)
        experts = Experts(count, int(told["num_experts_per_tok"]), width, shared)
    return Shape(
        vocabulary=int(told["vocab_size"]),
        width=int(told["hidden_size"]),
        layers=int(told["num_hidden_layers"]),
        mlp_width=inner,
        context=context,
        attention=attention,
        positions=_read_positions(told),
        experts=experts,
        tied=bool(told.get("tie_word_embeddings")),
        eps=float(told.get("rms_norm_eps", 1e-6)),
    )


def _read_positions(told: Mapping[str, Any]) -> Positions:
    rope = told.get("rope_parameters") or told.get("rope_scaling") or {}
    theta = float(rope.get("rope_theta") or told.get("rope_theta") or 10_000.0)
    if told.get("position_kind") == ALIBI:
        return Positions(ALIBI)
    kind = str(rope.get("rope_type") or rope.get("type") or "default")
    if kind == "default":
        return Positions(theta=theta)
    if kind not in ("linear", "yarn", "llama3"):
        raise UsageError(f"rope_type {kind!r} is not written; there are: linear, yarn, llama3")
    _by_default(rope, kind)
    context = int(told["max_position_embeddings"])
    factor = float(rope["factor"])
    original = rope.get("original_max_position_embeddings") or max(1, int(context / factor))
    return Positions(theta=theta, scaling=kind, factor=factor, original=min(int(original), context))


def _by_default(rope: Mapping[str, Any], kind: str) -> None:
    """Only the usual factors are written: llama.cpp would take others for these."""
    usual: dict[str, Any] = {"partial_rotary_factor": 1.0}
    if kind == "yarn":
        usual |= {"beta_fast": 32, "beta_slow": 1, "truncate": True}
        usual |= {"attention_factor": None, "mscale": None, "mscale_all_dim": None}
    if kind == "llama3":
        usual |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    for setting, value in usual.items():
        if rope.get(setting, value) not in (value, None):
            raise UsageError(f"{setting} of RoPE scaling {kind} is written only as {value}")


def _representable(shape: Shape) -> None:
    one = shape.attention
    refused = {
        "kind: alibi": shape.positions.kind == ALIBI,
        f"window: {one.window}": bool(one.window),
        f"block: {one.block}": bool(one.block),
        f"shared_width: {shape.experts.shared_width}": bool(shape.experts.shared_width),
    }
    if found := [setting for setting, holds in refused.items() if holds]:
        raise UsageError(
            f"llama.cpp's Llama layout has no {', no '.join(found)}: the file would compute "
            "something else; train without, or serve the folder by Transformers"
        )


def _describe(writer: Any, shape: Shape, dtype: str) -> None:
    one, positions, experts = shape.attention, shape.positions, shape.experts
    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(experts.width or shape.mlp_width)
    writer.add_head_count(one.heads)
    writer.add_head_count_kv(one.kv_heads)
    writer.add_key_length(one.head_width)
    writer.add_value_length(one.head_width)
    writer.add_rope_dimension_count(one.head_width)
    writer.add_rope_freq_base(positions.theta)
    writer.add_layer_norm_rms_eps(shape.eps)
    if positions.scaling in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(positions.scaling))
        writer.add_rope_scaling_factor(positions.factor)
        writer.add_rope_scaling_orig_ctx_len(positions.original)
    if experts.count:
        writer.add_expert_count(experts.count)
        writer.add_expert_used_count(experts.chosen)
    kind = gguf.LlamaFileType.ALL_F32 if dtype == "fp32" else gguf.LlamaFileType.MOSTLY_F16
    writer.add_file_type(kind)


def _tensors(folder: Path, shape: Shape) -> Iterator[tuple[str, Array]]:
    """Every tensor by its name in GGUF."""
    weights = Weights(folder)
    one = shape.attention
    if shape.positions.scaling == "llama3":
        factors = llama3_factors(shape.positions, one.head_width)
        yield "rope_freqs.weight", np.array(factors, np.float32)
    yield "token_embd.weight", weights["model.embed_tokens.weight"]
    yield "output_norm.weight", weights["model.norm.weight"]
    if not shape.tied:
        yield "output.weight", weights["lm_head.weight"]
    for n in range(shape.layers):
        at, to = f"model.layers.{n}", f"blk.{n}"
        yield f"{to}.attn_norm.weight", weights[f"{at}.input_layernorm.weight"]
        yield f"{to}.ffn_norm.weight", weights[f"{at}.post_attention_layernorm.weight"]
        q, k = (weights[f"{at}.self_attn.{name}_proj.weight"] for name in "qk")
        yield f"{to}.attn_q.weight", interleaved(q, one.heads)
        yield f"{to}.attn_k.weight", interleaved(k, one.kv_heads)
        yield f"{to}.attn_v.weight", weights[f"{at}.self_attn.v_proj.weight"]
        yield f"{to}.attn_output.weight", weights[f"{at}.self_attn.o_proj.weight"]
        for name in ("gate", "up", "down"):
            if shape.experts.count:
                found = weights.experts(at, name, shape.experts.count)
                yield f"{to}.ffn_{name}_exps.weight", found
            else:
                yield f"{to}.ffn_{name}.weight", weights[f"{at}.mlp.{name}_proj.weight"]
        if shape.experts.count:
            yield f"{to}.ffn_gate_inp.weight", weights.router(at)


def interleaved(weight: Array, heads: int) -> Array:
    """Rows (H D, C) as llama.cpp turns them.

    Hugging Face's RoPE turns number n of a head together with number n + D/2, llama.cpp's with the
    next one: the rows of each head are put in that order.
    """
    rows, width = weight.shape
    halves = weight.reshape(heads, 2, rows // heads // 2, width)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows, width))


@dataclass(frozen=True)
class Weights:
    """The safetensors of a folder, read one tensor at a time, as float32."""

    folder: Path

    def __getitem__(self, name: str) -> Array:
        return floats(self.folder / self._file(name), name)

    def _file(self, name: str) -> str:
        index = self.folder / "model.safetensors.index.json"
        if not index.is_file():
            return "model.safetensors"
        return str(read_json(index)["weight_map"].get(name, "model.safetensors"))

    def experts(self, at: str, name: str, count: int) -> Array:
        """A product of all experts of a layer, (E, out, in)."""
        ours = f"{at}.mlp.experts.0.{name}_proj.weight"
        if self._has(ours):
            return np.stack(
                [self[f"{at}.mlp.experts.{n}.{name}_proj.weight"] for n in range(count)]
            )
        old = {"gate": "w1", "down": "w2", "up": "w3"}[name]
        place = f"{at}.block_sparse_moe.experts"
        return np.stack([self[f"{place}.{n}.{old}.weight"] for n in range(count)])

    def router(self, at: str) -> Array:
        """The router of a layer, (E, C)."""
        ours = f"{at}.mlp.gate.weight"
        return self[ours if self._has(ours) else f"{at}.block_sparse_moe.gate.weight"]

    def _has(self, name: str) -> bool:
        with safe_open(self.folder / self._file(name), "numpy") as file:
            return name in file.keys()  # noqa: SIM118  # it is no mapping
