"""What was pruned learns again from what it was cut out of, by the shipped recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("peft", reason="training needs the extra 'train'")

from transformers import AutoModelForCausalLM, LlamaConfig

import tiny_models as tiny
from aegle.compress.causal import hear
from aegle.compress.causal.prune import loss
from aegle.compress.decoders import DECODERS
from aegle.core.ports import quiet
from aegle.train.causal.recipe import read_recipe
from aegle.train.causal.run import run

RECIPE = Path(__file__).parents[2] / "recipes" / "heal.yaml"


def test_a_pruned_model_is_healed_by_the_original(tmp_path: Path) -> None:
    config = LlamaConfig(
        vocab_size=320,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=128,
        initializer_range=0.3,
    )
    tiny.save(tmp_path / "whole", config, kind=AutoModelForCausalLM)
    given = {"texts": tiny.TEXTS, "settings": {"share": 0.5}, "progress": quiet}
    DECODERS["ffn"](tmp_path / "whole", tmp_path / "small", **given)
    lines = [
        json.dumps({"text": f"{one} {number}", "group": str(number)})
        for number, one in enumerate(tiny.TEXTS * 8)
    ]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines))
    changes = {
        "base": f"path:{tmp_path / 'small'}",
        "distillation.teacher": f"path:{tmp_path / 'whole'}",
        "data": [{"train": "texts.jsonl", "share": 0.3, "licence": "ours", "safe_because": "made"}],
        "max_tokens": 64,
        "optimiser.lr": 3e-3,
        "optimiser.epochs": 3,
        "optimiser.accumulation": 1,
        "batches.tokens": 128,
        "precision": "fp32",
    }
    recipe = read_recipe(RECIPE, changes=changes)
    told = {"base": tmp_path / "small", "teacher": tmp_path / "whole", "data": tmp_path}
    run(recipe, **told, folder=tmp_path / "run", device="cpu")
    found = []
    for folder in (tmp_path / "small", tmp_path / "run" / "model"):
        model, tokenizer = hear.load(folder)
        found.append(loss(model, hear.encoded(tokenizer, tiny.TEXTS)))
    assert found[1] < found[0]
