"""A cross-encoder of two small layers with random weights, as a folder, and its reference."""

import json

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

WORDS = "[PAD] [UNK] [CLS] [SEP] the pump lost its connection patient chest pain ward which".split()
CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 96,
    "layer_norm_eps": 1e-12,
    "vocab_size": len(WORDS),
    "type_vocab_size": 2,
    "num_labels": 1,
}


def write_tokenizer(folder):
    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def weights(labels=1, seed=5):
    """The weights of `BertForSequenceClassification`, at random."""
    rng = np.random.default_rng(seed)
    width, wide = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    matrices = {
        "bert.embeddings.word_embeddings": (len(WORDS), width),
        "bert.embeddings.position_embeddings": (CONFIG["max_position_embeddings"], width),
        "bert.embeddings.token_type_embeddings": (2, width),
    }
    layers = {"bert.pooler.dense": (width, width), "classifier": (labels, width)}
    norms = ["bert.embeddings.LayerNorm"]
    for n in range(CONFIG["num_hidden_layers"]):
        at = f"bert.encoder.layer.{n}"
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            layers[f"{at}.attention.{name}"] = (width, width)
        layers[f"{at}.intermediate.dense"] = (wide, width)
        layers[f"{at}.output.dense"] = (width, wide)
        norms += [f"{at}.attention.output.LayerNorm", f"{at}.output.LayerNorm"]
    made = {f"{name}.weight": rng.normal(0, 0.3, shape) for name, shape in matrices.items()}
    for name, shape in layers.items():
        made[f"{name}.weight"] = rng.normal(0, 0.3, shape)
        made[f"{name}.bias"] = rng.normal(0, 0.1, shape[0])
    for name in norms:
        made[f"{name}.weight"] = 1 + rng.normal(0, 0.1, width)
        made[f"{name}.bias"] = rng.normal(0, 0.1, width)
    return {name: value.astype(np.float32) for name, value in made.items()}


def write_folder(folder, labels=1):
    """``config.json``, ``model.safetensors`` and ``tokenizer.json`` in a folder; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    (folder / "config.json").write_text(json.dumps({**CONFIG, "num_labels": labels}))
    save_file(weights(labels), folder / "model.safetensors")
    return folder
