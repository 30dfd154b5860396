"""AWQ: columns with large inputs are scaled up before rounding, what feeds them is scaled down.

The network computes the same: a factor of a column is taken out of the norm, or of the rows of the
layer, that feeds it. The strength is searched for each place, by the error at the layer's output
with the type that will be served.

References:
    Lin et al. (2024), AWQ: activation-aware weight quantization. Theirs takes mean magnitudes of
    inputs; here it is their root mean square, which is at hand.

Letters: R rows, C columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from aegle.compress.causal import ggml
from aegle.compress.causal.gptq import errors

STEPS = 10
"""Strengths that are tried: 0, 1/10 ... 1."""


def scale(
    block: nn.Module,
    layers: dict[str, nn.Linear],
    products: dict[str, Tensor],
    type_of: Callable[[str, tuple[int, ...]], str],
    *,
    steps: int = STEPS,
) -> dict[str, float]:
    """Scale a block's columns in place.

    Args:
        block: of Llama's layout.
        layers: its linear layers by GGUF's name.
        products: the mean of x x^T that each reads.
        type_of: (name, shape) -> the type it will be served in; "F16" is left as it is.
        steps: how many strengths to try beside 0.

    Returns:
        Place -> strength that was best; 0 where nothing helped.
    """
    by = {name.split(".")[2]: (name, layer) for name, layer in layers.items()}
    inner: Any = block  # Transformers' blocks have no types
    found = {}
    for place, readers, feeder in (
        ("attention", ("attn_q", "attn_k", "attn_v"), inner.input_layernorm),
        ("output", ("attn_output",), by["attn_v"][1]),
        ("ffn", ("ffn_gate", "ffn_up"), inner.post_attention_layernorm),
        ("down", ("ffn_down",), by["ffn_up"][1]),
    ):
        some = {by[one][0]: by[one][1] for one in readers}
        product = products[by[readers[0]][0]]
        types = {name: type_of(name, tuple(one.weight.shape)) for name, one in some.items()}
        shared = _shared(feeder, next(iter(some.values())), inner)
        strength, factors = _best(some, product, types, shared, steps)
        if strength:
            _fold(feeder, some, factors, shared)
        found[place] = strength
    return found


def _shared(feeder: nn.Module, reader: nn.Linear, block: Any) -> int:
    """Over how many heads of the output a value head is repeated; 1 elsewhere."""
    if not isinstance(feeder, nn.Linear) or feeder.out_features == reader.in_features:
        return 1
    return reader.in_features // feeder.out_features


def _best(
    some: dict[str, nn.Linear], product: Tensor, types: dict[str, str], shared: int, steps: int
) -> tuple[float, Tensor]:
    """(strength, factor of each column) with the smallest error; strength 0 is no scaling."""
    size = product.diagonal().clamp_min(0).sqrt()
    if shared > 1:
        size = _over_heads(size.pow(2), shared, some).sqrt()
    ones = torch.ones_like(size).float()
    if not float(size.max()) or all(one in ("F16", "F32") for one in types.values()):
        return 0.0, ones
    best = (_error(some, product, types, ones), 0.0, ones)
    for step in range(1, steps + 1):
        factors = size.clamp_min(float(size.max()) * 1e-4).pow(step / steps)
        factors = (factors / (factors.max() * factors.min()).sqrt()).float()
        found = _error(some, product, types, factors)
        if found < best[0]:
            best = (found, step / steps, factors)
    return best[1], best[2]


def _over_heads(squares_C: Tensor, shared: int, some: dict[str, nn.Linear]) -> Tensor:
    """The mean over the output's heads that read one value head, for each of them.

    Columns are (value heads, shared, width); the width is not needed beside their product.
    """
    width = _head_width(some)
    parts = squares_C.reshape(-1, shared, width)
    return parts.mean(1, keepdim=True).expand_as(parts).reshape(-1)


def _head_width(some: dict[str, nn.Linear]) -> int:
    return int(next(iter(some.values())).head_width)  # type: ignore[arg-type]  # set by `mark`


def mark(model: Any) -> None:
    """Tell output layers how wide a head is: it can't be seen from their shape."""
    config = model.config.get_text_config()
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    for block in model.model.layers:
        block.self_attn.o_proj.head_width = width


def _error(
    some: dict[str, nn.Linear], product: Tensor, types: dict[str, str], factors: Tensor
) -> float:
    total = 0.0
    weighed = (product.diagonal().float() / factors.pow(2)).numpy().astype(np.float32)
    for name, layer in some.items():
        if types[name] in ("F16", "F32"):
            continue
        scaled = (layer.weight * factors).numpy()
        made = ggml.dequantise(ggml.quantise(scaled, types[name], weighed), types[name])
        total += float(errors(layer.weight - torch.from_numpy(made) / factors, product).sum())
    return total


def _fold(feeder: nn.Module, readers: dict[str, nn.Linear], factors: Tensor, shared: int) -> None:
    """Scale the readers' columns up and what feeds them down by the same."""
    for layer in readers.values():
        layer.weight.data *= factors
    inside: Any = feeder
    if not isinstance(feeder, nn.Linear):
        inside.weight.data /= factors
        return
    if shared > 1:
        factors = factors.reshape(-1, shared, _head_width(readers))[:, 0].reshape(-1)
    inside.weight.data /= factors[:, None]
    if inside.bias is not None:
        inside.bias.data /= factors
