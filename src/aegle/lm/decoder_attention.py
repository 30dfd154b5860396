"""The research decoder's attention: shared key and value heads, masks, RoPE or ALiBi.

Letters: B sequences of a batch, Q queries, K keys, H heads, D head width, C width of the stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb, eager_attention_forward

from aegle.lm.decoder_config import AegleDecoderConfig
from aegle.lm.shape import ALIBI, Attention, alibi_slopes

Turns = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Places:
    """Where the queries and keys of one call stand in their sequences.

    Attributes:
        query_BQ: place of each query in its sequence, from 0.
        key_BK: likewise of each key.
        allowed_BQK: causal, in the same sequence, not padding.
        plain: nothing but causal, and as many keys as queries: no mask needs to be made.
    """

    query_BQ: Tensor
    key_BK: Tensor
    allowed_BQK: Tensor
    plain: bool


def places(
    position_ids: Tensor, attention_mask: Tensor | None, cache: Cache | None, layer: int = 0
) -> Places:
    """The places of one call, from what Hugging Face hands a model.

    Without anything in the cache, positions that restart begin another sequence (packing). With
    something in it, each row is one sequence, padded on the left where the mask says so.

    Args:
        position_ids: (B, Q).
        attention_mask: (B, tokens so far) or None: 0 is padding.
        cache: what was seen before.
        layer: the cache's layer to ask; sliding ones have let go of some keys.
    """
    batch, queries = position_ids.shape
    device = position_ids.device
    past = cache.get_seq_length(layer) if cache is not None else 0
    keys, offset = queries, 0
    if cache is not None and past:
        keys, offset = cache.get_mask_sizes(queries, layer)
    index_Q = torch.arange(past, past + queries, device=device)
    index_K = torch.arange(offset, offset + keys, device=device)
    allowed = (index_K[None, :] <= index_Q[:, None]).expand(batch, -1, -1)
    plain = past == 0
    if past:
        key_BK = _counted(attention_mask, index_K, batch)
    else:
        key_BK = position_ids
        sequence_BQ = (torch.diff(position_ids, prepend=position_ids[:, :1] - 1) != 1).cumsum(-1)
        if bool(sequence_BQ[:, -1].any()):
            allowed = allowed & (sequence_BQ[:, :, None] == sequence_BQ[:, None, :])
            plain = False
    if attention_mask is not None and not bool(attention_mask.all()):
        kept_BK = attention_mask.bool()[:, index_K]
        # Padding sees itself: a row of a softmax with nothing in it is no number.
        allowed = (allowed & kept_BK[:, None, :]) | (index_K[None, :] == index_Q[:, None])
        plain = False
    return Places(position_ids, key_BK, allowed, plain)


def _counted(attention_mask: Tensor | None, index_K: Tensor, batch: int) -> Tensor:
    if attention_mask is None:
        return index_K.expand(batch, -1)
    return (attention_mask.long().cumsum(-1) - 1).clamp(min=0)[:, index_K]


def mask(one: Attention, at: Places, *, sparse: bool) -> Tensor | None:
    """Who sees whom, (B, 1, Q, K); None where everything earlier is seen and nothing else asked.

    `aegle.lm.shape.visible` is the definition.
    """
    longest = int(at.query_BQ.max()) + 1 if sparse and at.plain and one.window else 0
    if at.plain and (not sparse or (one.window and longest <= one.window)):
        return None
    if not sparse:
        return at.allowed_BQK[:, None]
    query, key = at.query_BQ[:, :, None], at.key_BK[:, None, :]
    if one.window:
        near = query - key < one.window
    else:
        blocks = key // one.block
        near = query // one.block - blocks < one.local_blocks
        if one.block_stride:
            near = near | ((blocks + 1) % one.block_stride == 0)
    itself = at.allowed_BQK & (query == key)
    return ((at.allowed_BQK & (near | (key < one.global_tokens))) | itself)[:, None]


def alibi(heads: int, at: Places, seen: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Scores by distance with the mask in them, (B, H, Q, K), to be added before the softmax."""
    slopes_H = torch.tensor(alibi_slopes(heads), device=at.key_BK.device)
    distance = (at.query_BQ[:, :, None] - at.key_BK[:, None, :])[:, None]
    bias = -slopes_H[None, :, None, None] * distance
    seen = at.allowed_BQK[:, None] if seen is None else seen
    return bias.masked_fill(~seen, torch.finfo(dtype).min).to(dtype)


class DecoderAttention(nn.Module):
    """Attention with as many key and value heads as its shape says."""

    is_causal: Final = True

    def __init__(self, config: AegleDecoderConfig, layer_idx: int) -> None:
        super().__init__()
        one = config.shape.attention
        self.config = config
        self.layer_idx = layer_idx
        self.head_dim = one.head_width
        self.num_key_value_groups = one.heads // one.kv_heads
        self.scaling = one.head_width**-0.5
        self.rotates = config.position_kind != ALIBI
        inner, shared = one.heads * one.head_width, one.kv_heads * one.head_width
        self.q_proj = nn.Linear(config.hidden_size, inner, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, shared, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, shared, bias=False)
        self.o_proj = nn.Linear(inner, config.hidden_size, bias=False)

    def forward(
        self, states_BQC: Tensor, turns: Turns | None, seen: Tensor | None, cache: Cache | None
    ) -> tuple[Tensor, Tensor | None]:
        """The stream's new part (B, Q, C), and the weights where the implementation has them."""
        batch, queries, _ = states_BQC.shape
        q, k, v = (
            projected(states_BQC).view(batch, queries, -1, self.head_dim).transpose(1, 2)
            for projected in (self.q_proj, self.k_proj, self.v_proj)
        )
        if turns is not None and self.rotates:
            q, k = apply_rotary_pos_emb(q, k, *turns)
        if cache is not None:
            k, v = cache.update(k, v, self.layer_idx)
        chosen = self.config._attn_implementation
        attend: Any = ALL_ATTENTION_FUNCTIONS.get_interface(chosen, eager_attention_forward)
        if seen is not None and seen.dtype == torch.bool and attend is eager_attention_forward:
            seen = torch.zeros_like(seen, dtype=q.dtype).masked_fill(
                ~seen, torch.finfo(q.dtype).min
            )
        if seen is None and attend is eager_attention_forward:
            above = torch.ones(queries, k.shape[2], dtype=torch.bool, device=q.device)
            above = above.triu(k.shape[2] - queries + 1)
            seen = torch.zeros(above.shape, dtype=q.dtype, device=q.device).masked_fill(
                above, torch.finfo(q.dtype).min
            )
        out, weights = attend(self, q, k, v, seen, scaling=self.scaling)
        return self.o_proj(out.reshape(batch, queries, -1)), weights
