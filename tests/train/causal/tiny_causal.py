"""A Llama with random weights, 2 layers of 32, and a tokenizer of letters; small corpora."""

from __future__ import annotations

import gc
import json
import os
import random
from pathlib import Path
from typing import Any

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:?!'-\n"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def tiny(folder: Path, *, context: int = 128, template: bool = False, **shape: Any) -> Path:
    """Write the model and its tokenizer as a Hugging Face folder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    names = [*SPECIAL, "<unk>", *LETTERS]
    tokenizer = Tokenizer(models.WordLevel({n: i for i, n in enumerate(names)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=SPECIAL[0],
        unk_token="<unk>",
        pad_token=SPECIAL[0],
        additional_special_tokens=SPECIAL[1:],
    )
    if template:
        from aegle.train.causal.chat import CHATML

        fast.chat_template = CHATML
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 2)))
    gc.freeze()  # Accelerate collects garbage at each start: what is imported is none
    told = {
        "vocab_size": len(names),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": context,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "initializer_range": 0.15,
        **shape,
    }
    LlamaForCausalLM(LlamaConfig(**told)).save_pretrained(folder)
    return folder


def corpus(path: Path, *, count: int = 24, seed: int = 3) -> Path:
    """Questions whose answer is their letter, three of a group."""
    rng = random.Random(seed)
    lines = []
    for number in range(count):
        word = "".join(rng.choices("abcdefgh", k=rng.randint(3, 12)))
        told = {
            "prompt": f"{number} {word}?",
            "completion": word[0] * 4,
            "group": f"g{number // 3}",
        }
        lines.append(json.dumps(told))
    path.write_text("\n".join(lines))
    return path


def recipe(base: Path, **more: Any) -> Any:
    """A recipe of the kind sft for the tiny model."""
    from aegle.train.causal.recipe import Recipe

    told = {
        "kind": "sft",
        "name": "tiny",
        "base": f"path:{base}",
        "max_tokens": 64,
        "data": [
            {"train": "train.jsonl", "share": 0.3, "licence": "ours", "safe_because": "made here"}
        ],
        "optimiser": {"lr": 0.02, "epochs": 2, "accumulation": 1},
        "precision": "fp32",  # whatever this processor computes in: tests compare to the digit
        "batches": {"tokens": 128},
        **more,
    }
    return Recipe.model_validate(told)
