"""The research decoder: any `Shape` as a Hugging Face model that generates and is fine-tuned.

Importing this module registers it: `AutoConfig`, `AutoModel` and `AutoModelForCausalLM` then load
folders of model type ``aegle_decoder``. Weights have Llama's names; a dense model with RoPE
computes what Llama computes, one with experts what Mixtral does.

Letters: B sequences of a batch, Q tokens, C width, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    GenerationMixin,
    PreTrainedModel,
)
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import MoeCausalLMOutputWithPast, MoeModelOutputWithPast
from transformers.models.llama.modeling_llama import LlamaRMSNorm, LlamaRotaryEmbedding

from aegle.lm.decoder_attention import DecoderAttention, Turns, alibi, mask, places
from aegle.lm.decoder_config import MODEL_TYPE, AegleDecoderConfig
from aegle.lm.decoder_experts import RoutedExperts, SwiGLU, balance_loss, z_loss
from aegle.lm.shape import ALIBI, Shape

__all__ = ["AegleDecoder", "AegleDecoderConfig", "AegleDecoderModel", "build"]


@dataclass
class Predicted(MoeCausalLMOutputWithPast):
    """As Mixtral's: ``aux_loss`` is the load balance; and how large the routers' logits are."""

    z_loss: Tensor | None = None


class DecoderLayer(GradientCheckpointingLayer):  # type: ignore[no-untyped-call]
    """Attention and feed-forward, each behind a norm and added to the stream."""

    def __init__(self, config: AegleDecoderConfig, layer_idx: int) -> None:
        super().__init__()
        experts = config.shape.experts
        self.self_attn = DecoderAttention(config, layer_idx)
        self.mlp: nn.Module = (
            RoutedExperts(config.hidden_size, experts)
            if experts.count
            else SwiGLU(config.hidden_size, config.intermediate_size)
        )
        self.input_layernorm = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self,
        hidden_states: Tensor,
        turns: Turns | None = None,
        seen: Tensor | None = None,
        past_key_values: Cache | None = None,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The stream, the router's logits where there is one, the attention's weights."""
        added, weights = self.self_attn(
            self.input_layernorm(hidden_states), turns, seen, past_key_values
        )
        hidden_states = hidden_states + added
        out = self.mlp(self.post_attention_layernorm(hidden_states))
        added, routed = out if isinstance(out, tuple) else (out, None)
        return hidden_states + added, routed, weights


class AegleDecoderPreTrained(PreTrainedModel):  # type: ignore[no-untyped-call]  # HF's way
    """What the model with and without a head share."""

    config_class = AegleDecoderConfig
    config: AegleDecoderConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["DecoderLayer"]  # noqa: RUF012  # HF's way
    _skip_keys_device_placement = ["past_key_values"]  # noqa: RUF012
    _supports_sdpa = True


class AegleDecoderModel(AegleDecoderPreTrained):  # type: ignore[no-untyped-call]
    """Embeddings, layers, a norm."""

    def __init__(self, config: AegleDecoderConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            DecoderLayer(config, layer) for layer in range(config.num_hidden_layers)
        )
        self.norm = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.rotary_emb: nn.Module | None = (
            None if config.position_kind == ALIBI else LlamaRotaryEmbedding(config)  # type: ignore[arg-type]
        )
        self.gradient_checkpointing = False
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        **_: Any,
    ) -> MoeModelOutputWithPast:
        """The states of the last layer (B, Q, C), the cache, the routers' logits.

        Args:
            input_ids: (B, Q); or inputs_embeds, (B, Q, C).
            attention_mask: (B, tokens so far), 0 for padding; None: no padding.
            position_ids: (B, Q). Places that restart, with an empty cache, begin another sequence.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds")
        states = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        if use_cache is None:
            use_cache = bool(self.config.use_cache) and not self.training
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        if position_ids is None:
            past = past_key_values.get_seq_length() if past_key_values is not None else 0
            position_ids = torch.arange(past, past + states.shape[1], device=states.device)[None]
        position_ids = position_ids.expand(states.shape[0], -1)
        turns = None if self.rotary_emb is None else self.rotary_emb(states, position_ids)
        seen = self._seen(position_ids, attention_mask, past_key_values, states.dtype)
        told: list[tuple[Tensor, Any, Any]] = []
        hidden = [states]
        for layer, one in zip(self.layers, seen, strict=True):
            told.append(layer(hidden[-1], turns=turns, seen=one, past_key_values=past_key_values))
            hidden.append(told[-1][0])
        states = self.norm(hidden[-1])
        return MoeModelOutputWithPast(
            last_hidden_state=states,
            past_key_values=past_key_values if use_cache else None,
            hidden_states=(*hidden[:-1], states) if output_hidden_states else None,
            attentions=tuple(one[2] for one in told) if output_attentions else None,
            router_logits=tuple(one[1] for one in told) if self.config.num_experts else None,
        )

    def _seen(
        self,
        position_ids: Tensor,
        attention_mask: Tensor | None,
        cache: Cache | None,
        dtype: torch.dtype,
    ) -> list[Tensor | None]:
        """Each layer's mask; layers of one kind share it."""
        if attention_mask is not None and attention_mask.ndim != 2:
            raise ValueError("the attention mask is (sequences, tokens); others are made here")
        one = self.config.shape.attention
        kinds: dict[tuple[bool, str], Tensor | None] = {}
        found = []
        for layer, kept in enumerate(self.config.layer_types or []):
            kind = (one.sparse_layer(layer), kept)
            if kind not in kinds:
                at = places(position_ids, attention_mask, cache, layer)
                seen = mask(one, at, sparse=kind[0])
                if self.config.position_kind == ALIBI:
                    seen = alibi(one.heads, at, seen, dtype)
                kinds[kind] = seen
            found.append(kinds[kind])
        return found


class AegleDecoder(AegleDecoderPreTrained, GenerationMixin):  # type: ignore[no-untyped-call]
    """The decoder with its head: predicts the next token."""

    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}  # noqa: RUF012

    def __init__(self, config: AegleDecoderConfig) -> None:
        super().__init__(config)
        self.model = AegleDecoderModel(config)
        self.vocab_size = config.vocab_size
        self.loss_type = "ForCausalLM"
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_router_logits: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        return_dict: bool | None = None,
        **more: Any,
    ) -> Predicted | tuple[Any, ...]:
        """Logits (B, Q, V), and the loss where labels are given (-100 is left out).

        With experts the loss has the router's two losses in it, by their weights.
        """
        out = self.model(
            input_ids,
            attention_mask,
            position_ids,
            past_key_values,
            inputs_embeds,
            use_cache,
            more.pop("output_hidden_states", None),
            more.pop("output_attentions", None),
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        states = out.last_hidden_state
        logits = self.lm_head(states[:, kept, :])
        loss = balance = size = None
        if labels is not None:
            loss = self.loss_function(logits, labels, self.vocab_size, **more)
        if out.router_logits is not None:
            balance, size, whole = self._routing(out.router_logits, attention_mask, states)
            if loss is not None:
                loss = loss + whole * _share(labels, more.get("num_items_in_batch"))
        result = Predicted(
            loss=loss,
            aux_loss=balance,
            z_loss=size,
            logits=logits,
            past_key_values=out.past_key_values,
            hidden_states=out.hidden_states,
            attentions=out.attentions,
            router_logits=out.router_logits if output_router_logits else None,
        )
        named = self.config.return_dict if return_dict is None else return_dict
        return result if named else result.to_tuple()

    def _routing(
        self, routed: tuple[Tensor, ...], attention_mask: Tensor | None, states: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The load-balance loss, that of the size of the routers' logits, both by their weights."""
        kept, config = None, self.config
        if attention_mask is not None:
            kept = attention_mask[:, -states.shape[1] :].reshape(-1)
        balance = balance_loss(routed, config.num_experts_per_tok, kept)
        size = z_loss(routed, kept)
        weighted = config.router_aux_loss_coef * balance + config.router_z_loss_coef * size
        return balance, size, weighted


def _share(labels: Tensor | None, items: Tensor | int | None) -> Tensor | float:
    """A step's loss is a sum over its parts, divided once: each adds its tokens' share."""
    return 1.0 if items is None or labels is None else (labels[:, 1:] != -100).sum() / items


def build(shape: Shape, *, seed: int = 0, **more: Any) -> AegleDecoder:
    """A decoder of a shape with random weights.

    Args:
        shape: the network.
        seed: of its weights; the random state of the caller stays as it is.
        more: anything else that its config holds, such as ``eos_token_id``.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AegleDecoder(AegleDecoderConfig.of(shape, **more))


AutoConfig.register(MODEL_TYPE, AegleDecoderConfig, exist_ok=True)
AutoModel.register(AegleDecoderConfig, AegleDecoderModel, exist_ok=True)
AutoModelForCausalLM.register(AegleDecoderConfig, AegleDecoder, exist_ok=True)
