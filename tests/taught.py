"""A tagger that knows a few words by heart: its graph is built here, no training and no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from aegle.lm.bert import Shape
from aegle.lm.tag_graph import build_tagger

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def teach(
    folder: Path,
    known: Mapping[str, Mapping[str, str]],
    *,
    asserted: Mapping[str, str] | None = None,
    tied: tuple[str, str, str] | None = None,
    version: str = "taught/1",
) -> Path:
    """A tagger's folder; its states tell words apart and nothing else.

    Args:
        folder: where to write it.
        known: label set -> word in lower case -> label.
        asserted: word -> assertion, for a head ``assertion`` (``present`` for others).
        tied: (label, kind, kind) that a head ``relation`` says of each such pair.
        version: as the card says it.
    """
    words = sorted({word for told in known.values() for word in told} | set(asserted or {}))
    names = {name: place for place, name in enumerate((*SPECIAL, *words))}
    width = 2 * ((len(names) + 1) // 2)
    folder.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(names, folder)
    labels = {task: tuple(dict.fromkeys(told.values())) for task, told in known.items()}
    weights = _encoder(len(names), width)
    for task, told in known.items():
        table = np.zeros((1 + 2 * len(labels[task]), width), np.float32)
        for word, label in told.items():
            table[1 + 2 * labels[task].index(label), names[word]] = 4
        weights[f"heads.{task}.weight"] = table
        weights[f"heads.{task}.bias"] = np.eye(1, len(table), dtype=np.float32)[0]
    shape = Shape(width, 1, 0, 512, 1e-12)
    model = build_tagger(shape, weights, tasks=list(known), int8=False)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    heads, small = _classifiers(names, width, asserted or {}, tied)
    save_file(small or {"none": np.zeros(1, np.float32)}, folder / "heads.safetensors")
    card = {
        "version": version,
        "max_pieces": 128,
        "overlap": 16,
        "special_ids": [2, 3, 0],
        "heads": {task: _scale(labels=told) for task, told in labels.items()},
        "classifiers": heads,
    }
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def _scale(**more: object) -> dict[str, object]:
    return {"temperature": 1.0, "bias": 0.0, **more}


def _write_tokenizer(names: Mapping[str, int], folder: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel(dict(names), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))


def _encoder(count: int, width: int) -> dict[str, np.ndarray]:
    return {
        "encoder.embeddings.word_embeddings.weight": np.eye(count, width, dtype=np.float32),
        "encoder.embeddings.position_embeddings.weight": np.zeros((512, width), np.float32),
        "encoder.embeddings.token_type_embeddings.weight": np.zeros((2, width), np.float32),
        "encoder.embeddings.LayerNorm.weight": np.ones(width, np.float32),
        "encoder.embeddings.LayerNorm.bias": np.zeros(width, np.float32),
    }


def _classifiers(
    names: Mapping[str, int], width: int, asserted: Mapping[str, str],
    tied: tuple[str, str, str] | None,
) -> tuple[dict[str, object], dict[str, np.ndarray]]:  # fmt: skip
    heads: dict[str, object] = {}
    small: dict[str, np.ndarray] = {}
    if asserted:
        labels = ["present", *dict.fromkeys(asserted.values())]
        out = np.zeros((len(labels), width), np.float32)
        for word, label in asserted.items():
            out[labels.index(label), names[word]] = 4
        heads["assertion"] = _scale(kind="span", labels=labels, things=[])
        small |= _dense("assertion.hidden", np.eye(width, dtype=np.float32))
        small |= _dense("assertion.out", out, np.eye(1, len(labels), dtype=np.float32)[0] * 5)
    if tied:
        label, *kinds = tied
        things = sorted(set(kinds))
        wide = len(things) ** 2
        table = np.zeros((wide, wide), np.float32)
        low, high = sorted(things.index(kind) for kind in kinds)
        table[low * len(things) + high, 0] = 1
        heads["relation"] = _scale(kind="pair", labels=[label], things=things)
        small |= _dense("relation.ask", np.eye(width, dtype=np.float32))
        small |= _dense("relation.hidden", np.zeros((wide, 4 * width), np.float32))
        small |= {"classifiers.relation.kinds.weight": table}
        small |= {"classifiers.relation.near.weight": np.zeros((10, wide), np.float32)}
        out = np.zeros((2, wide), np.float32)
        out[1, 0] = 8
        small |= _dense("relation.out", out, np.array([4, 0], np.float32))
    return heads, small


def _dense(name: str, weight: np.ndarray, bias: np.ndarray | None = None) -> dict[str, np.ndarray]:
    told = np.zeros(len(weight), np.float32) if bias is None else bias
    return {f"classifiers.{name}.weight": weight, f"classifiers.{name}.bias": told}
