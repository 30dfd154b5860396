"""What llama.cpp computes from an exported file is what the decoder computes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from llama_runner import Runner
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
)

import tiny_models as tiny
from aegle.backends.generator_llamacpp import LlamaCppGenerator
from aegle.core.errors import InputError, UsageError
from aegle.lm.decoder import AegleDecoderConfig
from aegle.lm.gguf import export, interleaved
from aegle.lm.gguf_tokenizer import CUTS
from aegle.lm.shape import ALIBI, dial
from aegle.train.causal.load import load_causal, trainable

SMALL: dict[str, Any] = {
    "vocabulary": 320,
    "width": 64,
    "layers": 2,
    "mlp_width": 96,
    "context": 256,
    "heads": 4,
    "kv_heads": 2,
    "head_width": 16,
}
HF: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "tie_word_embeddings": False,
}
WORDS = "fever and a raised white cell count: 12.3 x 10^9/L; it's the host's 2nd log-on\n\n  at"


def ours(**changes: Any) -> AegleDecoderConfig:
    experts = changes.pop("experts", None)
    shape = dial("nano", **{**SMALL, **changes})
    shape = shape.with_experts(*experts[:2], shared=experts[2]) if experts else shape
    return AegleDecoderConfig.of(shape, bos_token_id=0, eos_token_id=0)


NETWORKS: dict[str, Any] = {
    "gqa": lambda: ours(),
    "mqa": lambda: ours(kv_heads=1),
    "wide heads, untied": lambda: ours(head_width=32, tied=False),
    "linear": lambda: ours(scaling="linear", factor=4.0, original=64),
    "yarn": lambda: ours(scaling="yarn", factor=4.0, original=64),
    "llama3": lambda: ours(scaling="llama3", factor=4.0, original=64),
    "experts": lambda: ours(experts=(4, 2, 0)),
    "Llama": lambda: LlamaConfig(**HF),
    "Mistral": lambda: MistralConfig(**HF, sliding_window=None),
    "Mixtral": lambda: MixtralConfig(**HF, num_local_experts=4, num_experts_per_tok=2),
}


def saved(folder: Path, config: Any) -> Any:
    model = tiny.save(folder, config, kind=AutoModelForCausalLM)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4.0) if weight.ndim > 1 else weight.add_(0.1)
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_llama_cpp_computes_the_same(name: str, tmp_path: Path) -> None:
    model = saved(tmp_path, NETWORKS[name]())
    file = export(tmp_path, tmp_path / "model.gguf", dtype="fp32")
    ids = tiny.tokenizer()(WORDS).input_ids
    with torch.no_grad():
        wanted = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1).numpy()
    runner = Runner(file)
    for prompt in (ids, WORDS):
        found, read = runner.odds(prompt)
        assert read == len(ids)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("name", CUTS)
def test_text_is_cut_alike(name: str, tmp_path: Path) -> None:
    """To llama.cpp and back through its file, each known way of cutting text stays what it is."""
    tiny.save(tmp_path, ours(), kind=AutoModelForCausalLM)
    told(tmp_path, "tokenizer.json", pre_tokenizer=CUTS[name])
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    ids = tokenizer(WORDS).input_ids
    file = export(tmp_path, tmp_path / "model.gguf")
    runner = Runner(file)
    assert runner.odds(WORDS)[1] == len(ids)
    np.testing.assert_array_equal(runner.odds(WORDS)[0], runner.odds(ids)[0])
    again = AutoTokenizer.from_pretrained(trainable(file, tmp_path / "cache"))
    assert again(WORDS).input_ids == ids


def test_halves_compute_nearly_the_same_and_the_generator_talks(tmp_path: Path) -> None:
    model = saved(tmp_path, NETWORKS["gqa"]())
    file = export(tmp_path, tmp_path / "half.gguf")
    assert file.stat().st_size < 0.7 * (tmp_path / "model.safetensors").stat().st_size
    ids = tiny.tokenizer()(WORDS).input_ids
    with torch.no_grad():
        wanted = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1).numpy()
    np.testing.assert_allclose(Runner(file).odds(ids)[0], wanted, atol=0.02)
    generator = LlamaCppGenerator(file, threads=1, context=128)
    try:
        said = [{"role": "user", "content": "fever"}]
        assert isinstance(generator.generate(said, max_tokens=3), str)
    finally:
        generator.close()


@pytest.mark.parametrize("name", ["gqa", "wide heads, untied"])
def test_a_gguf_file_is_trained_on_from_what_it_computes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGLE_CACHE", str(tmp_path / "cache"))
    model = saved(tmp_path / "saved", NETWORKS[name]())
    file = export(tmp_path / "saved", tmp_path / "one" / "model.gguf", dtype="fp32")
    loaded, tokenizer = load_causal(file.parent)
    ids = tokenizer(WORDS, return_tensors="pt").input_ids
    assert ids[0].tolist() == tiny.tokenizer()(WORDS).input_ids
    with torch.no_grad():
        torch.testing.assert_close(loaded(ids).logits, model(ids).logits, atol=0.02, rtol=0.01)
    made = list((tmp_path / "cache" / "trainable").glob("*/model.safetensors"))
    when = [one.stat().st_mtime_ns for one in made]
    assert len(made) == 1
    load_causal(file)
    assert [one.stat().st_mtime_ns for one in made] == when


@pytest.mark.parametrize(
    ("name", "lost"),
    [("linear", "RoPE scaling"), ("llama3", "RoPE scaling"), ("experts", "experts")],
)
def test_a_gguf_file_that_transformers_reads_in_part_is_refused(
    name: str, lost: str, tmp_path: Path
) -> None:
    saved(tmp_path, NETWORKS[name]())
    file = export(tmp_path, tmp_path / "model.gguf")
    with pytest.raises(InputError, match=f"leaves out its {lost}"):
        trainable(file, tmp_path / "cache")
    assert not list((tmp_path / "cache" / "trainable").glob("*"))


def test_shards_and_bfloat16_are_read(tmp_path: Path) -> None:
    model = saved(tmp_path / "a", NETWORKS["gqa"]())
    halves = model.to(torch.bfloat16)
    halves.save_pretrained(tmp_path / "b", max_shard_size="100KB")
    tiny.tokenizer().save_pretrained(tmp_path / "b")
    assert (tmp_path / "b" / "model.safetensors.index.json").is_file()
    halves.float().save_pretrained(tmp_path / "a")
    whole, split = (
        export(tmp_path / one, tmp_path / f"{one}.gguf", dtype="fp32", name="x") for one in "ab"
    )
    assert whole.read_bytes() == split.read_bytes()


REFUSED = [
    ({"kind": ALIBI}, "no kind: alibi"),
    ({"window": 8}, "no window: 8"),
    ({"block": 8}, "no block: 8"),
    ({"experts": (4, 2, 1)}, "no shared_width: 32"),
    ({"window": 8, "kind": ALIBI}, "no kind: alibi, no window: 8"),
]


@pytest.mark.parametrize(("changes", "complaint"), REFUSED)
def test_what_llama_cpp_cannot_compute_is_refused_by_name(
    changes: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    ours(**changes).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=complaint):
        export(tmp_path, tmp_path / "model.gguf")
    assert not (tmp_path / "model.gguf").exists()


def told(folder: Path, name: str, **changes: Any) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"model_type": "gpt2"}, "model type 'gpt2' has not Llama's layout"),
        ({"attention_bias": True}, "attention_bias True"),
        ({"hidden_act": "gelu"}, "hidden_act 'gelu'"),
        ({"rope_parameters": {"rope_type": "longrope"}}, "rope_type 'longrope' is not written"),
        (
            {"rope_parameters": {"rope_type": "yarn", "factor": 2.0, "beta_fast": 9}},
            "beta_fast of RoPE scaling yarn is written only as 32",
        ),
    ],
)
def test_other_networks_are_refused_by_name(
    changes: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    LlamaConfig(**HF).save_pretrained(tmp_path)
    told(tmp_path, "config.json", **changes)
    with pytest.raises(UsageError, match=complaint):
        export(tmp_path, tmp_path / "model.gguf")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"model": {"type": "Unigram", "vocab": []}}, "no byte-level BPE"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "no name for how this tokenizer cuts"),
        ({"normalizer": {"type": "Lowercase"}}, "normalises text is not written"),
    ],
)
def test_other_tokenizers_are_refused(
    changes: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    tiny.save(tmp_path, ours(), kind=AutoModelForCausalLM)
    told(tmp_path, "tokenizer.json", **changes)
    with pytest.raises(UsageError, match=complaint):
        export(tmp_path, tmp_path / "model.gguf")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    tiny.save(tmp_path, ours(), kind=AutoModelForCausalLM)
    with pytest.raises(UsageError, match="no dtype 'int4'; there are: fp32, fp16"):
        export(tmp_path, tmp_path / "model.gguf", dtype="int4")
    told(tmp_path, "config.json", vocab_size=100)
    with pytest.raises(InputError, match=r"has token \d+, the embedding table 100 rows"):
        export(tmp_path, tmp_path / "model.gguf")
    told(tmp_path, "config.json", vocab_size=320, num_hidden_layers=3)
    with pytest.raises(InputError, match=r"has no weight 'model.layers.2.input_layernorm.weight'"):
        export(tmp_path, tmp_path / "model.gguf")
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"has no tokenizer.json"):
        export(tmp_path, tmp_path / "model.gguf")


def test_rows_are_put_in_pairs() -> None:
    rows = np.arange(8.0)[:, None].repeat(3, 1)
    assert interleaved(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
