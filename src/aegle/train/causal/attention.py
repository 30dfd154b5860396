"""Attention over packed rows, text by text: nothing is computed only to be masked.

Transformers masks packed rows, but computes the square of the whole row; on a processor
without kernels for texts of varying length that is most of the attention's time.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME: Final = "aegle_packed"

_FIRST, _SECOND = 5, 4
"""Tokens of the texts that `separates` asks with."""

_TOLERANCE: Final = {torch.float64: 1e-6, torch.float32: 2e-3}
"""How far logits may be apart, in their standard deviations; 0.1 in 16 bits."""


def use(model: PreTrainedModel, device: str = "cpu") -> bool:
    """Let a model attend so where it can; whether it does.

    It can't where layers look through a window, attention is not that of Transformers, or layers
    aren't told positions: there Transformers' own mask is left, which `separates` asks about.

    Args:
        model: causal; it is asked where its weights lie.
        device: cpu or cuda, where it will run; it may not be there yet.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    windowed = kinds - {"full_attention"} or getattr(config, "sliding_window", None)
    capped = getattr(config, "attn_logit_softcapping", None)
    able = getattr(model, "_supports_attention_backend", False) and getattr(
        model, "_supports_sdpa", False
    )
    here = device == "cpu" and next(model.parameters()).device.type == "cpu"
    if windowed or capped or not able or not here:
        return False
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, _mask)
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    if separates(model):
        return True
    model.set_attn_implementation(before)
    return False


@torch.no_grad()
def separates(model: PreTrainedModel) -> bool:
    """Whether a text that stands in a row behind another is read as if it were alone.

    Many don't: some count positions themselves, in some a state or a convolution runs on. So it is
    asked: the logits of a short text in a row are compared with those of it alone.
    """
    words, where = model.config.get_text_config().vocab_size, next(model.parameters()).device
    ids = ((torch.arange(_FIRST + _SECOND, device=where) * 37 + 11) % words)[None]
    places = torch.cat([torch.arange(_FIRST), torch.arange(_SECOND)]).to(where)[None]
    was_training = model.training
    model.train(False)
    try:
        row, alone = (
            model(input_ids=ids[:, at:], position_ids=places[:, at:], use_cache=False).logits
            for at in (0, _FIRST)
        )
    except TypeError:  # it takes no positions
        return False
    finally:
        model.train(was_training)
    apart = (row[:, _FIRST:] - alone).float().abs().max()
    spread = alone.float().std()
    return bool(apart <= _TOLERANCE.get(row.dtype, 0.1) * spread)


def _mask(*given: Any, **told: Any) -> Tensor | None:
    """None for a packed row: it comes without a mask, and may not be taken as one text."""
    packed = told.get("attention_mask") is None and not told.get("allow_is_causal_skip", True)
    return None if packed else sdpa_mask(*given, **told)


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **told: Any,
) -> tuple[Tensor, None]:
    """As Transformers' ``sdpa``, each text of a packed row by itself.

    H heads, T tokens of the row, D head width: query is (1, H, T, D), the result (1, T, H, D).
    """
    starts = _starts(told.get("position_ids"), query, key) if attention_mask is None else [0]
    if len(starts) == 1:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **told
        )
    repeats = query.shape[1] // key.shape[1]
    key, value = repeat_kv(key, repeats), repeat_kv(value, repeats)
    sizes = [end - start for start, end in zip(starts, [*starts[1:], query.shape[2]], strict=True)]
    parts = zip(*(torch.split(one, sizes, dim=2) for one in (query, key, value)), strict=True)
    found = [
        torch.nn.functional.scaled_dot_product_attention(
            q, k, v, dropout_p=dropout, scale=scaling, is_causal=True
        )
        for q, k, v in parts
    ]
    return torch.cat(found, dim=2).transpose(1, 2).contiguous(), None


def _starts(position_ids: Tensor | None, query: Tensor, key: Tensor) -> list[int]:
    """Where the texts of a row begin; [0] where the batch isn't a packed row."""
    if position_ids is None or query.shape[0] != 1 or query.shape[2] != key.shape[2]:
        return [0]
    if position_ids.shape[-1] != query.shape[2]:
        return [0]
    found: list[int] = (position_ids.reshape(-1) == 0).nonzero().flatten().tolist()
    return found or [0]
