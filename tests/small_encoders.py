"""Small encoders of each kind with random weights, as folders that Aegle's runtime opens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from aegle.lm.bert import Shape
from aegle.lm.tag_graph import build_tagger

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDS = (
    "the a patient host was given aspirin read file fever cough pump reports nurse attacker logged "
    "on to and password two days minute raised count white cell"
).split()
WIDTH, HEADS, LAYERS, INNER = 32, 4, 3, 64
CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "intermediate_size": INNER,
    "max_position_embeddings": 64,
    "layer_norm_eps": 1e-12,
    "vocab_size": 400,
    "type_vocab_size": 2,
}


def encoder(seed: int = 5) -> dict[str, np.ndarray]:
    """Random weights of a BERT by their Hugging Face names."""
    rng = np.random.default_rng(seed)
    out: dict[str, np.ndarray] = {}

    def table(name: str, rows: int, scale: float) -> None:
        out[name] = rng.normal(0, scale, (rows, WIDTH)).astype(np.float32)

    def norm(name: str) -> None:
        out[f"{name}.weight"] = rng.normal(1, 0.05, WIDTH).astype(np.float32)
        out[f"{name}.bias"] = rng.normal(0, 0.05, WIDTH).astype(np.float32)

    def dense(name: str, outs: int, ins: int) -> None:
        out[f"{name}.weight"] = rng.normal(0, 0.15, (outs, ins)).astype(np.float32)
        out[f"{name}.bias"] = rng.normal(0, 0.05, outs).astype(np.float32)

    table("embeddings.word_embeddings.weight", 400, 1.0)
    table("embeddings.position_embeddings.weight", 64, 0.1)
    table("embeddings.token_type_embeddings.weight", 2, 0.1)
    norm("embeddings.LayerNorm")
    for n in range(LAYERS):
        stem = f"encoder.layer.{n}"
        for part in ("query", "key", "value"):
            dense(f"{stem}.attention.self.{part}", WIDTH, WIDTH)
        dense(f"{stem}.attention.output.dense", WIDTH, WIDTH)
        norm(f"{stem}.attention.output.LayerNorm")
        dense(f"{stem}.intermediate.dense", INNER, WIDTH)
        dense(f"{stem}.output.dense", WIDTH, INNER)
        norm(f"{stem}.output.LayerNorm")
    return out


def texts(count: int, *, seed: int = 1) -> list[str]:
    """Texts of 4 to 20 known words."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(4, 20))) for _ in range(count)]


def write_tokenizer(folder: Path) -> None:
    """A word is a token."""
    names = {name: place for place, name in enumerate((*SPECIAL, *WORDS))}
    made = Tokenizer(models.WordLevel(names, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    made.save(str(folder / "tokenizer.json"))


def hugging_face(folder: Path, *, labels: Sequence[str] = (), **config: Any) -> Path:
    """A folder as transformers saves it, with a classifier where there are labels."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(9)
    weights = {f"bert.{name}": value for name, value in encoder().items()}
    if labels:
        weights["bert.pooler.dense.weight"] = np.eye(WIDTH, dtype=np.float32)
        weights["bert.pooler.dense.bias"] = np.zeros(WIDTH, np.float32)
        weights["classifier.weight"] = rng.normal(0, 1, (len(labels), WIDTH)).astype(np.float32)
        weights["classifier.bias"] = np.zeros(len(labels), np.float32)
        config.setdefault("id2label", dict(enumerate(labels)))
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    write_tokenizer(folder)
    return folder


def tagger(folder: Path, *, int8: bool = False) -> Path:
    """A tagger's folder of two label sets, as `aegle.train.export` writes it."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(3)
    weights = {f"encoder.{name}": value for name, value in encoder().items()}
    weights["cases.weight"] = rng.normal(0, 0.2, (8, WIDTH)).astype(np.float32)
    labels = {"clinical": ["drug", "sign"], "security": ["host"]}
    for name, some in labels.items():
        size = 1 + 2 * len(some)
        weights[f"heads.{name}.weight"] = rng.normal(0, 0.6, (size, WIDTH)).astype(np.float32)
        weights[f"heads.{name}.bias"] = np.zeros(size, np.float32)
    shape = Shape(WIDTH, HEADS, LAYERS, 64, 1e-12)
    graph = build_tagger(shape, weights, tasks=sorted(labels), int8=int8)
    (folder / "model.onnx").write_bytes(graph.SerializeToString())
    save_file({"none": np.zeros(1, np.float32)}, folder / "heads.safetensors")
    write_tokenizer(folder)
    heads = {n: {"labels": some, "temperature": 1.0, "bias": 0.0} for n, some in labels.items()}
    card = {"version": "tiny/1", "max_pieces": 40, "overlap": 8, "special_ids": [2, 3, 0]}
    (folder / "card.json").write_text(json.dumps({**card, "heads": heads, "classifiers": {}}))
    return folder


def write_all(root: Path) -> dict[str, Path]:
    """Kind -> folder."""
    return {
        "tagger": tagger(root / "tagger"),
        "encoder": hugging_face(root / "encoder"),
        "pair": hugging_face(root / "pair", labels=["relevance"]),
        "classifier": hugging_face(root / "classifier", labels=["care", "attack", "device"]),
    }
