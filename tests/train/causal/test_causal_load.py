"""Folders of every architecture load as they were saved; pickles and foreign code never."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM

import tiny_models as tiny
from aegle.core.errors import InputError, NotFoundError, UsageError
from aegle.lm.catalog import resolve
from aegle.lm.decoder_config import AegleDecoderConfig
from aegle.lm.shape import dial
from aegle.train.causal.load import OWN, load_causal, load_encoder, load_seq2seq, trainable

SMALL: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
CAUSAL = {
    "Llama": {},
    "Mistral": {"sliding_window": 8},
    "Mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "Phi3": {},
    "Gemma": {"head_dim": 8},
    "Gemma2": {"head_dim": 8, "sliding_window": 8},
    "Gemma3Text": {"head_dim": 8, "sliding_window": 8},
    "Qwen2": {},
    "Qwen3": {"head_dim": 8},
}
IDS = torch.tensor([[5, 9, 30, 40, 41, 42, 43, 200, 201, 202, 7, 8]])


def config(name: str, **more: Any) -> Any:
    return getattr(transformers, f"{name}Config")(**{**SMALL, **more})


@pytest.mark.parametrize("name", CAUSAL)
def test_a_causal_folder_gives_the_logits_that_were_saved(name: str, tmp_path: Path) -> None:
    saved = tiny.save(tmp_path, config(name, **CAUSAL[name]), kind=AutoModelForCausalLM)
    model, tokenizer = load_causal(resolve(f"path:{tmp_path}"))
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, saved(IDS).logits)
    assert not model.training
    assert next(model.parameters()).dtype == torch.float32
    assert tokenizer.decode(tokenizer("a fever").input_ids) == "a fever"


def test_a_folder_of_our_decoder_loads(tmp_path: Path) -> None:
    shape = dial("nano", vocabulary=320, width=32, layers=2, window=8, global_tokens=1)
    saved = tiny.save(tmp_path, AegleDecoderConfig.of(shape), kind=AutoModelForCausalLM)
    model, _ = load_causal(tmp_path)
    assert model.config.model_type == OWN
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, saved(IDS).logits)


def test_an_encoder_loads(tmp_path: Path) -> None:
    layers = {"global_attn_every_n_layers": 2, "local_attention": 8, "cls_token_id": 0}
    saved = tiny.save(tmp_path, config("ModernBert", sep_token_id=0, **layers), kind=AutoModel)
    model, _ = load_encoder(tmp_path)
    with torch.no_grad():
        assert torch.equal(model(IDS).last_hidden_state, saved(IDS).last_hidden_state)


def test_an_encoder_with_a_decoder_loads_and_generates(tmp_path: Path) -> None:
    shape = {"vocab_size": 320, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2}
    made = transformers.T5Config(**shape, num_heads=4, decoder_start_token_id=1, pad_token_id=1)
    saved = tiny.save(tmp_path, made, kind=AutoModelForSeq2SeqLM)
    model, tokenizer = load_seq2seq(tmp_path)
    given = tokenizer("the patient was given", return_tensors="pt").input_ids
    both = [
        one.generate(input_ids=given, max_new_tokens=5, do_sample=False) for one in (model, saved)
    ]
    assert torch.equal(*both)


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_weights_come_in_the_dtype_asked_for(dtype: str, tmp_path: Path) -> None:
    tiny.save(tmp_path, config("Llama"), kind=AutoModelForCausalLM)
    model, _ = load_causal(tmp_path, dtype=dtype)
    assert next(model.parameters()).dtype == getattr(
        torch, {"bf16": "bfloat16", "fp16": "float16"}[dtype]
    )


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    saved = tiny.save(tmp_path, config("Llama"), kind=AutoModelForCausalLM)
    (tmp_path / "model.safetensors").unlink()
    torch.save(saved.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pickled weights only \(pytorch_model.bin\)"):
        load_causal(tmp_path)


def test_code_that_comes_with_weights_is_never_run(tmp_path: Path) -> None:
    tiny.save(tmp_path, config("Llama"), kind=AutoModelForCausalLM)
    told = json.loads((tmp_path / "config.json").read_text())
    told |= {
        "model_type": "mine",
        "auto_map": {"AutoConfig": "mine.C", "AutoModelForCausalLM": "mine.M"},
    }
    (tmp_path / "config.json").write_text(json.dumps(told))
    ran = tmp_path / "ran"
    (tmp_path / "mine.py").write_text(f"open({str(ran)!r}, 'w')\nclass C: ...\nclass M: ...\n")
    with pytest.raises(InputError, match="is not run"):
        load_causal(tmp_path)
    assert not ran.exists()


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such file or folder"):
        load_causal(tmp_path / "absent")
    with pytest.raises(InputError, match="neither safetensors nor a GGUF file"):
        load_causal(tmp_path)
    with pytest.raises(UsageError, match="no dtype 'fp8'; there are: fp32, bf16, fp16"):
        load_causal(tmp_path, dtype="fp8")
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(InputError, match="can't be loaded as decoder"):
        load_causal(tmp_path)
    (tmp_path / "weights.gguf").write_bytes(b"GGUF and no more")
    with pytest.raises(InputError, match="can't be turned into float weights"):
        trainable(tmp_path / "weights.gguf", tmp_path)
