"""What llama.cpp computes from an exported file is what the decoder computes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models as tiny
import torch
import xllamacpp
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, MixtralConfig

from aegle.backends.generator_llamacpp import LlamaCppGenerator
from aegle.core.errors import InputError, UsageError
from aegle.lm.decoder import AegleDecoderConfig
from aegle.lm.gguf import export, interleaved
from aegle.lm.shape import ALIBI, dial
from aegle.train.causal.load import load_causal

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
WORDS = "fever and a raised white cell count: 12.3 x 10^9/L; it's the host's 2nd log-on\n\n  at ward"


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


class Runner:
    """llama.cpp with one file, asked for the odds of the next token."""

    def __init__(self, file: Path) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(file)
        params.n_ctx, params.n_parallel, params.verbosity, params.warmup = 256, 1, -1, False
        params.cpuparams.n_threads = 1
        params.cpuparams.poll = params.cpuparams_batch.poll = 0
        # Half precision, the default of its cache, would be the largest difference.
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.server = xllamacpp.Server(params)

    def odds(self, prompt: list[int] | str) -> tuple[np.ndarray, int]:
        """Log-probabilities of every token to follow, before any sampling; the prompt's length."""
        # Whichever token is drawn, all odds are told; one that ends a character tells them at once.
        drawn = {"logit_bias": [[tiny.tokenizer().convert_tokens_to_ids("a"), 1000.0]]}
        asked = {"prompt": prompt, "n_predict": 1, "temperature": 0.0, "n_probs": 320}
        reply = self.server.handle_completions({**asked, **drawn, "cache_prompt": False})
        told = reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        found = np.full(320, np.nan)
        for one in told:
            found[one["id"]] = one["logprob"]
        return found, reply["usage"]["prompt_tokens"]


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
        print(name, np.nanmax(np.abs(found-wanted)), np.ptp(wanted), np.isfinite(found).sum())
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, wanted, atol=1e-4)
