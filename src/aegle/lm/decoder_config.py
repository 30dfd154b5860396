"""The research decoder's config: a `Shape` as Hugging Face writes it, both ways."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig

from aegle.core.errors import InputError, UsageError
from aegle.lm.shape import (
    ALIBI,
    LLAMA3_HIGH,
    LLAMA3_LOW,
    ROPE,
    Attention,
    Experts,
    Positions,
    Shape,
)

MODEL_TYPE = "aegle_decoder"


class AegleDecoderConfig(PretrainedConfig):  # type: ignore[no-untyped-call]  # HF's has no types
    """Names as in Llama's and Mixtral's configs where they have one.

    `AegleDecoderConfig.of` makes one from a shape, `shape` gives it back.
    """

    model_type = MODEL_TYPE
    keys_to_ignore_at_inference = ["past_key_values", "router_logits"]  # noqa: RUF012  # HF's way
    attribute_map = {"num_local_experts": "num_experts"}  # noqa: RUF012

    vocab_size: int = 2048
    hidden_size: int = 128
    intermediate_size: int = 384
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    head_dim: int = 32
    max_position_embeddings: int = 512
    position_kind: str = ROPE
    rope_parameters: dict[str, Any] | None = None
    attention_window: int = 0
    attention_block: int = 0
    attention_local_blocks: int = 1
    attention_block_stride: int = 0
    attention_global_tokens: int = 0
    attention_full_every: int = 0
    num_experts: int = 0
    num_experts_per_tok: int = 0
    moe_intermediate_size: int = 0
    shared_expert_intermediate_size: int = 0
    output_router_logits: bool = False
    router_aux_loss_coef: float = 0.0
    router_z_loss_coef: float = 0.0
    rms_norm_eps: float = 1e-5
    initializer_range: float = 0.02
    use_cache: bool = True
    tie_word_embeddings: bool = True
    pad_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    sliding_window: int | None = None
    layer_types: list[str] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]
        try:
            shape = self.shape
        except UsageError as error:
            raise InputError(f"the config is of no network: {error}") from error
        self._keep(shape)

    def _keep(self, shape: Shape) -> None:
        """What the cache is made by: a layer that looks back beyond its window keeps everything."""
        one = shape.attention
        slides = bool(one.window and not one.global_tokens)
        self.sliding_window = one.window if slides else None
        self.layer_types = [
            "sliding_attention" if slides and one.sparse_layer(layer) else "full_attention"
            for layer in range(shape.layers)
        ]

    @property
    def shape(self) -> Shape:
        """The shape that this config writes down.

        Raises:
            UsageError: its numbers contradict each other.
        """
        return Shape(
            vocabulary=self.vocab_size,
            width=self.hidden_size,
            layers=self.num_hidden_layers,
            mlp_width=self.intermediate_size,
            context=self.max_position_embeddings,
            attention=Attention(
                self.num_attention_heads,
                self.num_key_value_heads,
                self.head_dim,
                window=self.attention_window,
                block=self.attention_block,
                local_blocks=self.attention_local_blocks,
                block_stride=self.attention_block_stride,
                global_tokens=self.attention_global_tokens,
                full_every=self.attention_full_every,
            ),
            positions=self._positions(),
            experts=Experts(
                self.num_experts,
                self.num_experts_per_tok,
                self.moe_intermediate_size,
                self.shared_expert_intermediate_size,
                balance=self.router_aux_loss_coef,
                z=self.router_z_loss_coef,
            ),
            tied=self.tie_word_embeddings,
            eps=self.rms_norm_eps,
        )

    def _positions(self) -> Positions:
        told = self.rope_parameters or {}
        if self.position_kind == ALIBI or told.get("rope_type", "default") == "default":
            return Positions(self.position_kind, float(told.get("rope_theta") or 10_000.0))
        original = told.get("original_max_position_embeddings")
        if original is None:
            original = int(self.max_position_embeddings / told.get("factor", 1.0))
        return Positions(
            self.position_kind,
            float(told["rope_theta"]),
            str(told["rope_type"]),
            float(told.get("factor", 1.0)),
            int(original),
        )

    @classmethod
    def of(cls, shape: Shape, **more: Any) -> AegleDecoderConfig:
        """The config of a shape.

        Args:
            shape: the network.
            more: anything else that the config holds, such as ``eos_token_id``.
        """
        one, experts = shape.attention, shape.experts
        return cls(
            vocab_size=shape.vocabulary,
            hidden_size=shape.width,
            intermediate_size=shape.mlp_width,
            num_hidden_layers=shape.layers,
            num_attention_heads=one.heads,
            num_key_value_heads=one.kv_heads,
            head_dim=one.head_width,
            max_position_embeddings=shape.context,
            position_kind=shape.positions.kind,
            rope_parameters=rope_parameters(shape.positions),
            attention_window=one.window,
            attention_block=one.block,
            attention_local_blocks=one.local_blocks,
            attention_block_stride=one.block_stride,
            attention_global_tokens=one.global_tokens,
            attention_full_every=one.full_every,
            num_experts=experts.count,
            num_experts_per_tok=experts.chosen,
            moe_intermediate_size=experts.width,
            shared_expert_intermediate_size=experts.shared_width,
            output_router_logits=bool(experts.count),
            router_aux_loss_coef=experts.balance if experts.count else 0.0,
            router_z_loss_coef=experts.z if experts.count else 0.0,
            rms_norm_eps=shape.eps,
            tie_word_embeddings=shape.tied,
            **more,
        )


def rope_parameters(positions: Positions) -> dict[str, Any]:
    """RoPE as Transformers' configs write it."""
    told: dict[str, Any] = {"rope_theta": positions.theta, "rope_type": "default"}
    if positions.scaling == "none":
        return told
    told |= {"rope_type": positions.scaling, "factor": positions.factor}
    if positions.scaling != "linear":
        told["original_max_position_embeddings"] = positions.original
    if positions.scaling == "llama3":
        told |= {"low_freq_factor": LLAMA3_LOW, "high_freq_factor": LLAMA3_HIGH}
    return told
