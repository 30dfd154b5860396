"""Parity of a generator: float weights, an adapter, GGUF, GGUF behind OpenAI's endpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="float stages of generators need the extra 'train'")

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

import tiny_models as tiny
from aegle.core.errors import UsageError
from aegle.flows import parity, parity_stage, parity_tasks
from aegle.flows.parity import Wanted
from aegle.flows.parity_tasks import Given
from aegle.lm.gguf import export
from aegle.train.causal import adapters
from aegle.train.causal.recipe import Adapter


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, an adapter that changes it, and the model's weights in F16 as GGUF."""
    root = tmp_path_factory.mktemp("generators")
    config = LlamaConfig(
        vocab_size=328,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = tiny.save(root / "base", config, kind=AutoModelForCausalLM)
    # Half a character at an answer's end is lost in streams alone; it is no part of any word.
    words = tiny.tokenizer().convert_ids_to_tokens(range(328))
    odd = [n for n, one in enumerate(words) if not (one and one.isascii() and one.isalnum())]
    with torch.no_grad():
        model.lm_head.weight[odd] = 0
    model.save_pretrained(root / "base")
    how = Adapter(method="lora")
    changed = adapters.attach(model, how, steps=1, seed=1)
    with torch.no_grad():
        for one in adapters.trained(changed).values():
            one.normal_(0, 0.5)
    adapters.save(changed, how, root / "adapter")
    (root / "small").mkdir()
    export(root / "base", root / "small" / "model.gguf")
    rows: list[dict[str, Any]] = [{"text": one, "group": f"t{n}"} for n, one in enumerate(TEXTS)]
    rows += [
        {"text": one, "answer": "aspirin and aspirin", "classes": ["asked"], "group": f"a{n}"}
        for n, one in enumerate(tiny.TEXTS[:2])
    ]
    (root / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return root


TEXTS = [f"{one}. {other}" for one in tiny.TEXTS[:3] for other in tiny.TEXTS[:2]]


def test_every_stage_is_scored_alike(root: Path) -> None:
    told = parity.certify(
        str(root / "base"),
        {"adapter": root / "adapter", "compressed": root / "small"},
        given=Given((("", root / "test.jsonl"),), "made"),
        wanted=Wanted(critical=("all",), threads=1),
        out=root / "out",
    )
    stages = {one["name"]: one for one in told["stages"]}
    assert list(stages) == ["original", "adapter", "compressed", "served"]
    assert told["labels"] == ["all", "asked"]
    assert told["documents"] == 6 * parity_tasks.ASKED + 2
    # The same weights in two engines write the same words, and so does the server.
    assert stages["compressed"]["churn"]["items"]["value"] < 0.2
    assert stages["served"]["churn"] == stages["compressed"]["churn"]
    assert stages["served"]["counts"] == stages["compressed"]["counts"]
    assert stages["adapter"]["churn"]["items"]["value"] > 0.5
    assert stages["original"]["calibration"] is None
    # A model of random weights knows no word: nothing is kept, and that isn't called parity.
    assert not told["passes"]
    assert "the original finds none of" in told["reasons"][0]


def test_an_adapter_alone_is_not_served(root: Path, tmp_path: Path) -> None:
    given = Given((("", root / "test.jsonl"),), "made")
    with pytest.raises(UsageError, match="can't be served"):
        parity.certify(str(root / "base"), {"adapter": root / "adapter"}, given=given, out=tmp_path)


def test_words_are_counted_once_each() -> None:
    assert parity_tasks.numbered("Aspirin, and aspirin.") == [
        (0, "aspirin"),
        (0, "and"),
        (1, "aspirin"),
    ]


def test_memory_is_told() -> None:
    import os

    assert parity_stage.resident(os.getpid()) > 2**20
