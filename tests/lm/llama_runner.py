"""llama.cpp with one file, and perhaps an adapter over it, asked for the odds of the next token."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xllamacpp

import tiny_models as tiny


class Runner:
    """A server with caches in floats, of the tiny vocabulary of 320 tokens."""

    def __init__(self, file: Path, adapter: Path | None = None) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(file)
        if adapter is not None:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
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
