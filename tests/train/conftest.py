"""A tiny encoder with random weights and a small corpus that it can learn by heart."""

from __future__ import annotations

import random
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 2 layers, 32 wide, with a word-piece tokenizer, as a Hugging Face folder."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("tiny-bert")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,'-"
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *("##" + one for one in letters)]
    tokenizer = Tokenizer(models.WordPiece({n: i for i, n in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(names),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two corpora: drugs begin with x, hosts look like ab01; splits by document."""
    folder = tmp_path_factory.mktemp("corpora")
    rng = random.Random(3)
    for name, count in (("train", 120), ("dev", 40), ("test", 40)):
        for task in ("drugs", "hosts"):
            lines = []
            for number in range(count):
                if number % 4 == 0:
                    lines += ["-DOCSTART- O", ""]
                words = ["".join(rng.choices("abcde", k=4)) for _ in range(5)]
                place = rng.randrange(5)
                words[place] = f"x{words[place]}" if task == "drugs" else f"{words[place]}01"
                label = "Drug" if task == "drugs" else "Host"
                lines += [f"{w} {'B-' + label if i == place else 'O'}" for i, w in enumerate(words)]
                lines.append("")
            (folder / f"{task}-{name}.txt").write_text("\n".join(lines))
    return folder
