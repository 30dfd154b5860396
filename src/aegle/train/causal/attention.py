"""Attention over packed rows, text by text: nothing is computed only to be masked.

Transformers masks packed rows correctly, but computes the square of the whole row; on a processor
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


def use(model: PreTrainedModel) -> bool:
    """Let a model attend so where it can; whether it does.

    It can't where layers look through a window or attention is not that of Transformers: there
    Transformers' own mask of packed rows holds, which gives the same.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    windowed = kinds - {"full_attention"} or getattr(config, "sliding_window", None)
    capped = getattr(config, "attn_logit_softcapping", None)
    able = getattr(model, "_supports_attention_backend", False) and getattr(
        model, "_supports_sdpa", False
    )
    if windowed or capped or not able or next(model.parameters()).device.type != "cpu":
        return False
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, _mask)
    model.set_attn_implementation(NAME)
    return True


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
