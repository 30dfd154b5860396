"""Tiny models with random weights and a tokenizer, as folders on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModel, PreTrainedTokenizerFast

TEXTS = [
    "the patient was given aspirin and felt better after two days",
    "an attacker logged on to the host and read the password file",
    "the infusion pump reports to the nurse station every minute",
    "fever, cough and a raised white cell count: 12.3 x 10^9/L",
]
CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<|end|>", "<|pad|>", "<|user|>", "<|assistant|>", "<|system|>"]


def tokenizer(size: int = 320) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer: five special tokens, 256 bytes, a few merges."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(TEXTS * 4, trainer)
    whole = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|end|>", pad_token="<|pad|>", bos_token="<|end|>"
    )
    whole.chat_template = CHAT
    return whole


def save(folder: Path, config: Any, *, kind: Any = None, seed: int = 7) -> Any:
    """A model of a config with random weights, saved with a tokenizer; the model is returned."""
    torch.manual_seed(seed)
    model = (kind or AutoModel).from_config(config).eval()
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return model
