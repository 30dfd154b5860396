"""A LoRA of PEFT's in llama.cpp says what PEFT says; what is more than a LoRA is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("peft", reason="the reference is PEFT; extra 'train'")

import peft
import torch
from llama_runner import Runner
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig

import tiny_models as tiny
from aegle.backends.generator_llamacpp import LlamaCppGenerator
from aegle.core.errors import InputError, UsageError
from aegle.lm import lora
from aegle.lm.gguf import export

SHAPE: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
WORDS = "fever and a raised white cell count: 12.3 x 10^9/L; it's the host's 2nd log-on"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    tiny.save(folder, LlamaConfig(**SHAPE), kind=AutoModelForCausalLM)
    export(folder, folder / "model.gguf", dtype="fp32")
    return folder


def saved(base: Path, folder: Path, **told: Any) -> Any:
    """An adapter with matrices at random, saved by PEFT; the model with it."""
    model = AutoModelForCausalLM.from_pretrained(base)
    config = peft.LoraConfig(r=4, lora_alpha=6, target_modules="all-linear", **told)
    adapted: Any = peft.get_peft_model(model, config)
    torch.manual_seed(1)
    for name, one in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(one, std=0.3)
    adapted.save_pretrained(folder)
    (folder / lora.CARD).write_text(json.dumps({"base": f"path:{base / 'model.gguf'}"}))
    return adapted.eval()


@pytest.fixture(scope="module")
def plain(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain") / "wards"
    saved(base, folder)
    return folder


@pytest.mark.parametrize("told", [{}, {"use_rslora": True}], ids=["lora", "rslora"])
def test_llama_cpp_says_what_peft_says(base: Path, tmp_path: Path, told: dict[str, Any]) -> None:
    model = saved(base, tmp_path / "one", **told)
    ids = tiny.tokenizer()(WORDS).input_ids
    with torch.no_grad():
        wanted = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1).numpy()
    file = lora.as_gguf(tmp_path / "one", base / "model.gguf", tmp_path / "cache")
    found, _ = Runner(base / "model.gguf", file).odds(ids)
    bare, _ = Runner(base / "model.gguf").odds(ids)
    assert np.abs(bare - wanted).max() > 0.1
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_bfloat16_is_read_and_the_file_is_made_once(
    base: Path, plain: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(plain, tmp_path / "halves")
    path = folder / lora.WEIGHTS
    save_file({name: one.bfloat16() for name, one in load_file(path).items()}, path)
    file = lora.as_gguf(folder, base / "model.gguf", tmp_path / "cache")
    when = file.stat().st_mtime_ns
    assert lora.as_gguf(folder, base / "model.gguf", tmp_path / "cache") == file
    assert file.stat().st_mtime_ns == when
    assert lora.as_gguf(plain, base / "model.gguf", tmp_path / "cache") != file
    assert [one.name for one in file.parent.iterdir() if one.suffix != ".gguf"] == []


def test_a_generator_is_named_by_the_adapters_folder(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGLE_CACHE", str(tmp_path))
    generator = LlamaCppGenerator(f"path:{plain}", threads=1, context=128)
    try:
        asked = [{"role": "user", "content": "fever"}]
        assert isinstance(generator.generate(asked, max_tokens=3), str)
    finally:
        generator.close()
    assert len(list((tmp_path / "adapters").glob("*.gguf"))) == 1


def changed(folder: Path, to: Path, **keys: Any) -> Path:
    shutil.copytree(folder, to)
    told = json.loads((to / lora.CONFIG).read_text())
    (to / lora.CONFIG).write_text(json.dumps({**told, **keys}))
    return to


@pytest.mark.parametrize(
    "keys",
    [
        {"use_dora": True},
        {"bias": "all"},
        {"peft_type": "ADALORA"},
        {"modules_to_save": ["lm_head"]},
        {"init_lora_weights": "pissa"},
        {"rank_pattern": {"q_proj": 2}},
        {"alora_invocation_tokens": [1]},
        {"of_another_year": True},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_more_than_a_lora_is_refused_by_name(
    base: Path, plain: Path, tmp_path: Path, keys: dict[str, Any]
) -> None:
    folder = changed(plain, tmp_path / "one", **keys)
    with pytest.raises(UsageError, match=f"{next(iter(keys))}.*merge"):
        lora.as_gguf(folder, base / "model.gguf", tmp_path / "cache")


def test_layers_without_a_form_are_refused(base: Path, plain: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(plain, tmp_path / "one")
    path = folder / lora.WEIGHTS
    tensors = load_file(path)
    head = "base_model.model.lm_head.lora_A.weight"
    save_file({**tensors, head: torch.ones(4, 64)}, path)
    with pytest.raises(UsageError, match="lm_head"):
        lora.as_gguf(folder, base / "model.gguf", tmp_path / "cache")
    first = next(iter(tensors))
    save_file({name: one for name, one in tensors.items() if name != first}, path)
    with pytest.raises(InputError, match="only one matrix"):
        lora.as_gguf(folder, base / "model.gguf", tmp_path / "cache")


@pytest.mark.parametrize("method", ["qlora", "bottleneck", "prefix"])
def test_other_adapters_say_to_merge(plain: Path, tmp_path: Path, method: str) -> None:
    folder = shutil.copytree(plain, tmp_path / "one")
    (folder / lora.ABOUT).write_text(json.dumps({"method": method}))
    with pytest.raises(UsageError, match=f"adapter of {method}.*merge"):
        LlamaCppGenerator(folder)


def test_a_base_that_is_another_or_is_none(base: Path, plain: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(plain, tmp_path / "one")
    card = folder / lora.CARD
    card.write_text(json.dumps({"base": "x", "base_sha256": "0" * 64}))
    with pytest.raises(InputError, match="other weights"):
        lora.as_gguf(folder, base / "model.gguf", tmp_path / "cache")
    card.write_text(json.dumps({"base": f"path:{tmp_path}"}))
    with pytest.raises(UsageError, match=r"no GGUF file.*merge"):
        LlamaCppGenerator(folder)
    card.unlink()
    assert lora.base_of(folder) == f"path:{base}"  # PEFT's own word
    changed(plain, tmp_path / "two", base_model_name_or_path="nobody/nothing")
    (tmp_path / "two" / lora.CARD).unlink()
    with pytest.raises(InputError, match="base"):
        lora.base_of(tmp_path / "two")
    narrow = {**SHAPE, "hidden_size": 32, "intermediate_size": 48}
    tiny.save(tmp_path / "narrow", LlamaConfig(**narrow), kind=AutoModelForCausalLM)
    other = export(tmp_path / "narrow", tmp_path / "other.gguf")
    shutil.copytree(plain, tmp_path / "three")
    (tmp_path / "three" / lora.CARD).write_text(json.dumps({"base": f"path:{other}"}))
    with pytest.raises(InputError, match="trained on this base"):
        LlamaCppGenerator(tmp_path / "three", threads=1, context=128)
