"""What routers add to the loss is what the model itself adds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason="training needs the extra 'train'")

import torch
import transformers
from tiny_causal import recipe, tiny

from aegle.lm.decoder import build
from aegle.lm.shape import dial
from aegle.train.causal.chat import Tokens
from aegle.train.causal.load import load_causal
from aegle.train.causal.run import prepare
from aegle.train.causal.steady import Watch

TEXTS = [
    Tokens(tuple(range(5, 5 + size)), (False, *[True] * (size - 1)), "g") for size in (12, 12, 7)
]
SMALL: dict[str, Any] = {
    "vocab_size": 74,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_experts_per_tok": 2,
    "router_aux_loss_coef": 0.7,
    "initializer_range": 0.15,
}


def made(name: str) -> Any:
    torch.manual_seed(0)
    if name == "aegle":
        small = {"vocabulary": 74, "width": 32, "layers": 2, "heads": 4, "kv_heads": 2}
        shape = dial("nano", **small, head_width=8, mlp_width=48).with_experts(4, 2, shared=1)
        return build(replace(shape, experts=replace(shape.experts, balance=0.7, z=0.3)))
    more = {"Mixtral": {"num_local_experts": 4}, "Olmoe": {"num_experts": 4}}[name]
    config = getattr(transformers, f"{name}Config")(**SMALL, **more)
    return getattr(transformers, f"{name}ForCausalLM")(config)


@pytest.mark.parametrize("name", ["Mixtral", "Olmoe", "aegle"])
@pytest.mark.parametrize("chunk", [0, 5])
def test_routers_losses_are_the_model_s_own(name: str, chunk: int, tmp_path: Path) -> None:
    _, tokenizer = load_causal(tiny(tmp_path / "base"))
    model = made(name)
    off = {"packing": "off", "tokens": 128}
    told = recipe(tmp_path / "base", adapter="lora", batches=off, loss_chunk=chunk)
    texts = {"train": TEXTS, "dev": TEXTS}
    trainer = prepare(told, model, tokenizer, texts, Watch(tmp_path), "cpu")
    (batch,) = [trainer.train_dataset[n] for n in range(len(trainer.train_dataset))]
    with torch.no_grad():
        found = trainer.compute_loss(trainer.model.eval(), batch)
        whole = trainer.core(**batch, output_router_logits=True).loss
        weights = dict.fromkeys(("router_aux_loss_coef", "router_z_loss_coef"), 0.0)
        vars(trainer.core.config).update(weights)
        trainer.core.router_aux_loss_coef = 0.0
        bare = trainer.core(**batch, output_router_logits=True).loss
    assert float(whole) > float(bare) + 0.5
    assert float(found) == pytest.approx(float(whole), rel=1e-4)


def test_a_mixture_learns_with_prefixes(tmp_path: Path) -> None:
    """Their places in the mask are none of the routers' tokens."""
    _, tokenizer = load_causal(tiny(tmp_path / "base"))
    told = recipe(tmp_path / "base", adapter="prefix")
    texts = {"train": TEXTS, "dev": TEXTS}
    trainer = prepare(told, made("Mixtral"), tokenizer, texts, Watch(tmp_path), "cpu")
    assert torch.isfinite(trainer.compute_loss(trainer.model, trainer.train_dataset[0]))
