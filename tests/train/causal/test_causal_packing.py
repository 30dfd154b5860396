"""Packed rows: none too long, none lost, and each text as if it were alone."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="training needs the extra 'train'")

import torch

from aegle.train.causal import attention
from aegle.train.causal.chat import Tokens
from aegle.train.causal.packing import IGNORED, Batches, Order, grouped, pack, padded, row

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=60)


@given(LENGTHS)
def test_each_text_is_in_one_row_and_rows_are_full(lengths: list[int]) -> None:
    rows = pack(lengths, 40)
    assert sorted(n for some in rows for n in some) == list(range(len(lengths)))
    assert max(sum(lengths[n] for n in some) for some in rows) <= 40
    fewest = -(-sum(lengths) // 40)
    assert len(rows) <= 11 / 9 * fewest + 4 or len(rows) <= 2 * fewest


@given(LENGTHS)
def test_padded_batches_are_of_like_length(lengths: list[int]) -> None:
    batches = grouped(lengths, 80)
    assert sorted(n for some in batches for n in some) == list(range(len(lengths)))
    assert all(max(lengths[n] for n in some) * len(some) <= 80 for some in batches)
    ends = [max(lengths[n] for n in some) for some in batches]
    assert ends == sorted(ends)


def texts(seed: int = 0) -> list[Tokens]:
    draw = torch.Generator().manual_seed(seed)
    sizes = [5, 17, 2, 9]
    ids = [tuple(torch.randint(0, 60, (size,), generator=draw).tolist()) for size in sizes]
    return [Tokens(one, (False, *[True] * (len(one) - 1)), "g") for one in ids]


def model(kind: str) -> Any:
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        MistralConfig,
        MistralForCausalLM,
        Qwen3Config,
        Qwen3ForCausalLM,
    )

    shape: dict[str, Any] = {
        "vocab_size": 60,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "initializer_range": 0.2,
    }
    torch.manual_seed(1)
    if kind == "windowed":
        return MistralForCausalLM(MistralConfig(**shape, sliding_window=4)).eval()
    if kind == "qwen":
        return Qwen3ForCausalLM(Qwen3Config(**shape)).eval()
    return LlamaForCausalLM(LlamaConfig(**shape)).eval()


@pytest.mark.parametrize(
    ("kind", "by_text"), [("llama", True), ("masked", False), ("qwen", True), ("windowed", False)]
)
def test_packed_logits_and_gradients_are_those_of_each_text_alone(kind: str, by_text: bool) -> None:
    some, net = texts(), model(kind)
    alone = [net(torch.tensor([one.ids])).logits[0] for one in some]
    torch.cat(alone).square().sum().backward()
    wanted = {name: one.grad.clone() for name, one in net.named_parameters()}
    net.zero_grad()
    if kind != "masked":
        assert attention.use(net) is by_text
    batch = row(some)
    batch.pop("labels")
    found = net(**batch, use_cache=False).logits[0]
    torch.testing.assert_close(found, torch.cat(alone), rtol=1e-4, atol=1e-5)
    found.square().sum().backward()
    for name, one in net.named_parameters():
        torch.testing.assert_close(one.grad, wanted[name], rtol=1e-3, atol=1e-3)


def test_padded_and_generated_texts_are_attended_to_as_before() -> None:
    some, net = texts(), model("llama")
    batch = padded(some, 0)
    labels = batch.pop("labels")
    with torch.no_grad():
        before, written = net(**batch).logits, net.generate(batch["input_ids"][:1, :5])
        assert attention.use(net)
        torch.testing.assert_close(net(**batch).logits, before)
        assert torch.equal(net.generate(batch["input_ids"][:1, :5]), written)
    assert (labels != IGNORED).sum() == sum(len(one) - 1 for one in some)


def small(name: str) -> Any:
    """Models of other families, most of which don't honour positions that start anew."""
    import transformers

    shape: dict[str, dict[str, Any]] = {
        "GPTBigCode": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64},
        "GPTNeoX": {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 48,
        },
        "Bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
        "Mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 64},
    }
    torch.manual_seed(1)
    config = getattr(transformers, f"{name}Config")(
        vocab_size=60, initializer_range=0.2, bos_token_id=0, eos_token_id=0, **shape[name]
    )
    return transformers.AutoModelForCausalLM.from_config(config).eval()


@pytest.mark.parametrize("name", ["GPTBigCode", "GPTNeoX", "Bloom", "Mpt"])
def test_a_model_whose_packed_texts_see_each_other_is_told_from_others(name: str) -> None:
    some, net = texts(), small(name)
    before = net.config._attn_implementation
    if not attention.use(net):
        assert net.config._attn_implementation == before
    batch = row(some)
    batch.pop("labels")
    apart = 9.0
    with torch.no_grad(), contextlib.suppress(TypeError):
        alone = torch.cat([net(torch.tensor([one.ids])).logits[0] for one in some])
        apart = float((net(**batch, use_cache=False).logits[0] - alone).abs().max())
    assert attention.separates(net) is (apart < 1e-4)
    assert attention.separates(net) is (name.startswith("GPT"))
    assert not net.training


def test_it_depends_on_the_device_of_the_run() -> None:
    net = model("llama")
    assert not attention.use(net, "cuda")
    assert attention.use(net, "cpu")


def test_a_batch_tells_what_is_learned() -> None:
    some = [Tokens((7, 8, 9), (False, False, True), "a"), Tokens((4, 5), (False, True), "b")]
    packed = Batches.of(some, size=8, packed=True, pad=0)
    (one,) = [packed[n] for n in range(len(packed))]
    assert one["input_ids"].tolist() == [[7, 8, 9, 4, 5]]
    assert one["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert one["labels"].tolist() == [[-100, -100, 9, -100, 5]]
    assert [*packed[0]] == ["input_ids", "position_ids", "labels"]


def test_the_order_follows_from_seed_and_epoch() -> None:
    one, other = Order(20, 3), Order(20, 3)
    assert list(one) == list(other)
    other.set_epoch(1)
    assert list(one) != list(other)
    assert sorted(other) == list(range(20))
