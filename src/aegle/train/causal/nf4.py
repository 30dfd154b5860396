"""A model's linear layers in 4 bits (NF4) by bitsandbytes, and back; for QLoRA.

References:
    Dettmers et al. (2023), QLoRA: efficient finetuning of quantized LLMs.
"""

from __future__ import annotations

from typing import Any

from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn.modules import Linear4bit, Params4bit
from torch import Tensor, nn


def quantise(model: Any) -> None:
    """Put all linear layers but the head into 4 bits, in place, frozen."""
    head = model.get_output_embeddings()
    for name, layer in list(model.named_modules()):
        if type(layer) is nn.Linear and layer is not head:
            _put(model, name, _small(layer))
    model.is_loaded_in_4bit = True  # by which PEFT knows to keep the layers as they are
    model.requires_grad_(False)


def _small(layer: nn.Linear) -> nn.Module:
    given = (layer.in_features, layer.out_features)
    how = {"bias": layer.bias is not None, "compute_dtype": layer.weight.dtype}
    small: Any = Linear4bit(*given, quant_type="nf4", **how)  # type: ignore[no-untyped-call]
    # Where the processor has AVX512-BF16, bitsandbytes packs the weights anew at the first
    # evaluation, in a layout that neither its dequantising nor narrow layers can be read in.
    small.support_avx512bf16_for_cpu = False
    small.weight = Params4bit(
        layer.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True
    )
    if layer.bias is not None:
        small.bias = nn.Parameter(layer.bias.data, requires_grad=False)
    moved: nn.Module = small.to(layer.weight.device)  # where the numbers are rounded
    return moved


def merged(model: Any) -> Any:
    """The plain model of one in 4 bits with LoRA: its weights in floats, what LoRA adds in them."""
    for name, layer in list(model.named_modules()):
        base = getattr(layer, "base_layer", None)
        if isinstance(base, Linear4bit):
            plain = _plain(base)
            for adapter in layer.active_adapters:
                plain.weight.data += layer.get_delta_weight(adapter).to(plain.weight)
            _put(model, name, plain)
    found = model.get_base_model()
    for name, layer in list(found.named_modules()):
        if isinstance(layer, Linear4bit):
            _put(found, name, _plain(layer))
    found.is_loaded_in_4bit = False
    if hasattr(found, "peft_config"):
        del found.peft_config
    return found


def _plain(layer: Any) -> nn.Linear:
    weight: Tensor = dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    weight = weight.to(layer.compute_dtype)
    plain = nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None)
    plain.weight = nn.Parameter(weight, requires_grad=False)
    if layer.bias is not None:
        plain.bias = nn.Parameter(layer.bias.data, requires_grad=False)
    return plain


def _put(model: nn.Module, name: str, layer: nn.Module) -> None:
    above, _, last = name.rpartition(".")
    setattr(model.get_submodule(above), last, layer)
