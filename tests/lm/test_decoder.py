"""The research decoder computes what Llama, Mixtral and ALiBi's paper do; cache and masks agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
)

from aegle.core.errors import InputError
from aegle.lm.decoder import AegleDecoder, AegleDecoderConfig, build
from aegle.lm.decoder_attention import mask, places
from aegle.lm.decoder_config import rope_parameters
from aegle.lm.decoder_experts import balance_loss, z_loss
from aegle.lm.shape import ALIBI, Attention, Positions, Shape, alibi_slopes, dial, visible

SMALL = {"vocabulary": 97, "width": 32, "layers": 2, "mlp_width": 48, "context": 64}
SETTINGS: dict[str, dict[str, Any]] = {
    "mha": {"heads": 4, "kv_heads": 4},
    "gqa": {},
    "mqa": {"kv_heads": 1},
    "untied": {"tied": False},
    "window": {"window": 6},
    "window, every second layer full": {"window": 6, "full_every": 2},
    "window and globals": {"window": 4, "global_tokens": 2},
    "blocks": {"block": 3, "local_blocks": 2, "block_stride": 3, "global_tokens": 1},
    "alibi": {"kind": ALIBI},
    "alibi and window": {"kind": ALIBI, "window": 6},
    "linear": {"scaling": "linear", "factor": 2.0, "original": 32},
    "yarn": {"scaling": "yarn", "factor": 2.0, "original": 32},
    "llama3": {"scaling": "llama3", "factor": 2.0, "original": 32},
    "experts": {"experts": (4, 2, 0)},
    "experts, a shared one": {"experts": (4, 2, 1)},
}
named = pytest.mark.parametrize("name", SETTINGS)


def shape(**changes: Any) -> Shape:
    experts = changes.pop("experts", None)
    made = dial("nano", **{**SMALL, "heads": 4, "kv_heads": 2, "head_width": 8, **changes})
    return made.with_experts(*experts[:2], shared=experts[2]) if experts else made


def model(name: str = "gqa", **more: Any) -> AegleDecoder:
    """A small decoder whose weights are large enough for differences to show."""
    made = build(shape(**SETTINGS[name]), seed=3, pad_token_id=0, **more)
    with torch.no_grad():
        for weight in made.parameters():
            weight.mul_(4.0) if weight.ndim > 1 else weight.add_(0.1)
    return made.eval()


def ids(rows: int = 2, length: int = 21, seed: int = 0) -> torch.Tensor:
    return torch.randint(1, 97, (rows, length), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def logits(made: Any, given: torch.Tensor, **more: Any) -> torch.Tensor:
    found: torch.Tensor = made(given, **more).logits
    return found


@named
def test_parameters_are_counted_exactly(name: str) -> None:
    made = shape(**SETTINGS[name])
    assert made.parameters() == sum(one.numel() for one in build(made).parameters())


@pytest.mark.parametrize("name", ["mha", "gqa", "mqa", "untied", "linear", "yarn", "llama3"])
def test_dense_settings_compute_what_llama_computes(name: str) -> None:
    ours = model(name)
    one = ours.config.shape
    told = LlamaConfig(
        vocab_size=97,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=one.attention.heads,
        num_key_value_heads=one.attention.kv_heads,
        head_dim=8,
        max_position_embeddings=64,
        rms_norm_eps=one.eps,
        rope_parameters=rope_parameters(one.positions),
        tie_word_embeddings=one.tied,
    )
    llama = LlamaForCausalLM(told).eval()
    llama.load_state_dict(ours.state_dict())
    torch.testing.assert_close(logits(ours, ids()), logits(llama, ids()))


@pytest.mark.parametrize("window", [0, 6])
def test_experts_compute_what_mixtral_computes(window: int) -> None:
    made = shape(experts=(4, 2, 0), window=window)
    ours = build(made, seed=1).eval()
    told = MixtralConfig(
        vocab_size=97,
        hidden_size=32,
        intermediate_size=made.experts.width,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=64,
        rope_parameters=rope_parameters(made.positions),
        num_local_experts=4,
        num_experts_per_tok=2,
        sliding_window=window or None,
        tie_word_embeddings=True,
        router_aux_loss_coef=0.01,
        output_router_logits=True,
    )
    weights = ours.state_dict()
    for layer in range(2):
        at = f"model.layers.{layer}.mlp"
        parts = {
            kind: torch.stack([weights.pop(f"{at}.experts.{n}.{kind}.weight") for n in range(4)])
            for kind in ("gate_proj", "up_proj", "down_proj")
        }
        weights[f"{at}.experts.gate_up_proj"] = torch.cat([parts["gate_proj"], parts["up_proj"]], 1)
        weights[f"{at}.experts.down_proj"] = parts["down_proj"]
    mixtral = MixtralForCausalLM(told).eval()
    mixtral.load_state_dict(weights)
    torch.testing.assert_close(logits(ours, ids()), logits(mixtral, ids()))
    padding = torch.ones(2, 21)
    padding[0, :5] = 0
    for kept in (None, padding):
        with torch.no_grad():
            found = ours(ids(), attention_mask=kept).aux_loss
            wanted = mixtral(ids(), attention_mask=kept).aux_loss
        torch.testing.assert_close(found, wanted)


def reference_alibi(made: AegleDecoder, tokens: np.ndarray) -> np.ndarray:
    """One sequence through a decoder with ALiBi, in numpy, a head at a time."""
    w = {name: one.detach().numpy().astype(np.float64) for name, one in made.state_dict().items()}
    one = made.config.shape.attention
    norm = lambda x, name: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * w[f"{name}.weight"]  # noqa: E731
    x = w["model.embed_tokens.weight"][tokens]
    steps = np.arange(len(tokens))
    for n in range(2):
        at = f"model.layers.{n}"
        y = norm(x, f"{at}.input_layernorm")
        q, k, v = (y @ w[f"{at}.self_attn.{name}_proj.weight"].T for name in "qkv")
        heads = []
        for head, slope in enumerate(alibi_slopes(one.heads)):
            shared = head // (one.heads // one.kv_heads)
            mine, theirs = slice(head * 8, head * 8 + 8), slice(shared * 8, shared * 8 + 8)
            scores = q[:, mine] @ k[:, theirs].T / np.sqrt(8)
            scores -= slope * (steps[:, None] - steps[None, :])
            scores[np.triu_indices(len(tokens), 1)] = -np.inf
            odds = np.exp(scores - scores.max(-1, keepdims=True))
            heads.append(odds / odds.sum(-1, keepdims=True) @ v[:, theirs])
        x = x + np.concatenate(heads, -1) @ w[f"{at}.self_attn.o_proj.weight"].T
        y = norm(x, f"{at}.post_attention_layernorm")
        gate, up = (y @ w[f"{at}.mlp.{name}_proj.weight"].T for name in ("gate", "up"))
        x = x + (gate / (1 + np.exp(-gate)) * up) @ w[f"{at}.mlp.down_proj.weight"].T
    found: np.ndarray = norm(x, "model.norm") @ w["lm_head.weight"].T
    return found


def test_alibi_computes_what_its_definition_does() -> None:
    made, given = model("alibi"), ids(1)
    wanted = reference_alibi(made, given[0].numpy())
    assert np.allclose(logits(made, given)[0].numpy(), wanted, atol=1e-4)


@named
def test_the_cache_changes_nothing(name: str) -> None:
    made = model(name)
    padding = torch.ones(2, 21, dtype=torch.long)
    padding[0, :7] = 0
    options = {"max_new_tokens": 16, "do_sample": False, "attention_mask": padding}
    with_cache = made.generate(ids(), use_cache=True, **options)
    assert torch.equal(with_cache, made.generate(ids(), use_cache=False, **options))
    alone = made.generate(ids()[:1, 7:], max_new_tokens=16, do_sample=False)
    assert torch.equal(with_cache[0, 7:], alone[0])


@named
def test_the_cache_is_as_large_as_the_shape_says(name: str) -> None:
    made = model(name)
    with torch.no_grad():
        kept = made(ids(1), use_cache=True).past_key_values
    held = sum(one.keys.nbytes + one.values.nbytes for one in kept.layers)
    assert held == made.config.shape.cache_bytes(21, value_bytes=4)


@named
def test_packed_sequences_do_not_see_each_other(name: str) -> None:
    made = model(name)
    first, second = ids(1, 9, 1), ids(1, 12, 2)
    packed = torch.cat([first, second], 1)
    restart = torch.cat([torch.arange(9), torch.arange(12)])[None]
    found = logits(made, packed, position_ids=restart)
    torch.testing.assert_close(found[:, :9], logits(made, first))
    torch.testing.assert_close(found[:, 9:], logits(made, second))


@named
def test_eager_and_fused_attention_agree(name: str) -> None:
    made = model(name)
    eager = AegleDecoder._from_config(made.config, attn_implementation="eager").eval()
    eager.load_state_dict(made.state_dict())
    torch.testing.assert_close(logits(made, ids()), logits(eager, ids()), atol=1e-4, rtol=1e-4)


@given(
    st.builds(
        Attention,
        st.just(2),
        st.just(1),
        st.just(4),
        window=st.integers(1, 9),
        global_tokens=st.integers(0, 3),
    )
    | st.builds(
        Attention,
        st.just(2),
        st.just(1),
        st.just(4),
        block=st.integers(1, 4),
        local_blocks=st.integers(1, 2),
        block_stride=st.integers(0, 3),
        global_tokens=st.integers(0, 3),
    ),
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
)
@settings(max_examples=60)
def test_masks_are_the_definition(one: Attention, lengths: list[int]) -> None:
    at = places(torch.cat([torch.arange(length) for length in lengths])[None], None, None)
    total = sum(lengths)
    wanted = np.zeros((total, total), bool)
    start = 0
    for length in lengths:
        keys = np.arange(length)
        for query in range(length):
            wanted[start + query, start : start + length] = visible(one, query, keys)
        start += length
    found = mask(one, at, sparse=True)
    seen = np.tri(total, dtype=bool) if found is None else found[0, 0].numpy()
    assert np.array_equal(seen, wanted)


@pytest.mark.parametrize("name", ["window and globals", "alibi", "experts, a shared one", "yarn"])
def test_a_saved_decoder_is_found_by_its_type(name: str, tmp_path: Path) -> None:
    made = model(name, eos_token_id=5)
    made.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert isinstance(again, AegleDecoder)
    assert again.config.shape == made.config.shape
    torch.testing.assert_close(logits(again.eval(), ids()), logits(made, ids()))


def test_a_config_of_no_network_is_refused() -> None:
    with pytest.raises(InputError, match="4 heads can't share 3"):
        AegleDecoderConfig(num_attention_heads=4, num_key_value_heads=3)


@pytest.mark.parametrize("name", ["gqa", "blocks", "experts, a shared one"])
def test_checkpointing_changes_no_gradient(name: str) -> None:
    found = []
    for checkpointed in (False, True):
        made = model(name).train()
        if checkpointed:
            made.activation_checkpointing_enable()
        made(ids(), labels=ids()).loss.backward()
        found.append([one.grad for one in made.parameters()])
    for plain, recomputed in zip(*found, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_the_routers_losses_are_their_definitions() -> None:
    even = torch.zeros(6, 4)
    even[torch.arange(6), torch.arange(6) % 4] = 1e-6
    assert float(z_loss([even])) == pytest.approx(np.log(4) ** 2, rel=1e-4)
    crowd = torch.full((6, 4), -20.0)
    crowd[:, 0] = 20.0
    assert float(balance_loss([crowd], 1)) == pytest.approx(4.0)
    spread = 40.0 * torch.eye(4)
    assert float(balance_loss([spread], 1)) == pytest.approx(1.0)
    kept = torch.tensor([1, 1, 1, 1, 0, 0])
    assert balance_loss([even], 1, kept) == balance_loss([even[:4]], 1)
    assert z_loss([even], kept) == z_loss([even[:4]])


def test_the_loss_holds_the_routers_losses_in_proportion() -> None:
    made = model("experts")
    with torch.no_grad():
        whole = made(ids(), labels=ids())
        out = made.model(ids())
        balance, size, _ = made._routing(out.router_logits, None, out.last_hidden_state)
        plain = made.loss_function(whole.logits, ids(), 97)
        config = made.config
        added = config.router_aux_loss_coef * balance + config.router_z_loss_coef * size
        assert float(whole.loss) == pytest.approx(float(plain + added), rel=1e-5)
        assert (whole.aux_loss, whole.z_loss) == (balance, size)
        halves = [
            made(half, labels=half, num_items_in_batch=torch.tensor(40)).loss
            for half in ids().split(1)
        ]
    assert float(sum(halves)) == pytest.approx(float(whole.loss), rel=0.02)


def test_scaling_is_read_back_from_the_config() -> None:
    for name in ("linear", "yarn", "llama3"):
        told = shape(**SETTINGS[name])
        again = AegleDecoderConfig.of(told).shape
        assert again.positions == told.positions
    assert Positions() == AegleDecoderConfig.of(shape()).shape.positions
