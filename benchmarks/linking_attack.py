"""The part of linking.py about ATT&CK: which technique a sentence of a threat report describes.

tram2's sentences, split by report as the recipe of the tagger splits them, so that what it learned
from is not asked. Candidates are the techniques of tram2, and, as ``open``, all of ATT&CK. Without
a model nothing is learned: a sentence is compared with names and descriptions by words (BM25) and,
with ``--dense``, by the packaged encoder; both together are ranked by the sum of their shares of
the best. With ``--model`` the tagger's class head answers. Intervals resample reports.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aegle.backends.encoder_onnx import OnnxEncoder
from aegle.core.artifacts import read_json
from aegle.core.examples import Example
from aegle.facts.candidates import plain
from aegle.lm import catalog
from aegle.lm.tagger import Tagger
from aegle.metrics.stats import mean
from aegle.train.data.formats import read_corpus
from aegle.train.data.split import split

_SHARES: Final = {"train": 0.8, "dev": 0.1, "test": 0.1}
_SEED: Final = 17
_COLUMNS: Final = {"text": "text", "class": "label", "group": "doc_title"}
_CITATION: Final = re.compile(r"\(Citation: [^)]*\)|\[([^\]]*)\]\([^)]*\)")
_DESCRIBED: Final = 600
"""Characters of a description: its first sentences say what the technique is."""
_HEAD: Final = "technique"

Scores = NDArray[np.floating[Any]]


def techniques() -> dict[str, str]:
    """Id -> name and the beginning of the description, of every technique in force."""
    file = next(catalog.resolve("attack").rglob("attack-patterns-lookup-*.json"))
    items = list(read_json(file)["attack_patterns"])
    parents = {item["external_id"]: item["name"] for item in items}
    told = {}
    for item in items:
        if not (item.get("revoked") or item.get("deprecated")):
            code = item["external_id"]
            above = parents[code.partition(".")[0]] + ": " if "." in code else ""
            text = _CITATION.sub(r"\1", item.get("description") or "")
            told[code] = f"{above}{item['name']}. {text[:_DESCRIBED]}"
    return told


def by_words(texts: Sequence[str], sentences: Sequence[str]) -> Scores:
    """(sentences, techniques) BM25 scores."""
    import bm25s

    index = bm25s.BM25()
    index.index([plain(text).split() for text in texts], show_progress=False)
    known = index.vocab_dict
    rows = [[word for word in plain(one).split() if word in known] for one in sentences]
    empty = np.zeros(len(texts), np.float32)
    return np.stack([index.get_scores(row) if row else empty for row in rows])


def by_meaning(texts: Sequence[str], sentences: Sequence[str]) -> Scores:
    """(sentences, techniques) cosines of the packaged encoder's vectors."""
    encoder = OnnxEncoder(catalog.resolve("minilm"), threads=1)
    cosines: Scores = encoder.embed(sentences) @ encoder.embed(texts).T
    return cosines


def together(*told: Scores) -> Scores:
    """The sum of scores, each as a share of the sentence's best."""
    return np.sum([one / np.maximum(one.max(1, keepdims=True), 1e-9) for one in told], axis=0)


def by_model(folder: Path, codes: Sequence[str], sentences: Sequence[str]) -> Scores:
    """(sentences, techniques) probabilities of the tagger's head; 0 for what it can't say."""
    tagger = Tagger(folder, threads=1)
    labels = tagger.classifiers[_HEAD].labels
    told = np.stack([one.classes(_HEAD) for one in tagger.read(sentences)])
    at = {label: place for place, label in enumerate(labels)}
    columns = [told[:, at[code]] if code in at else np.zeros(len(told)) for code in codes]
    return np.stack(columns, axis=1)


def accuracy(
    scores: Scores, codes: Sequence[str], examples: Sequence[Example], k: int
) -> list[float]:
    """The share of sentences whose technique is among the first ``k``, with its interval."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    hits = [
        one.classes[0] in {codes[at] for at in row} for one, row in zip(examples, best, strict=True)
    ]
    found = mean(hits, groups=[one.group for one in examples])
    return [round(value, 4) for value in (found.value, found.low, found.high)]


def attack(args: argparse.Namespace) -> dict[str, object]:
    """The tables of every way; the model's, else the best without, as the result."""
    path = args.data / "tram2" / "single_label.json"
    every = read_corpus(path, format="table", because="published reports", columns=_COLUMNS)
    parts = split(every, shares=_SHARES, seed=_SEED)
    examples = every if args.half == "all" else parts[args.half]
    if args.limit:
        examples = examples[: args.limit]
    told = techniques()
    asked = sorted({one.classes[0] for one in every})
    sentences = [str(one.text) for one in examples]
    ways = _ways(args, list(told), list(told.values()), sentences)
    tables: dict[str, Mapping[str, list[float]]] = {}
    places = [list(told).index(code) for code in asked if code in told]
    for name, scores in ways.items():
        closed = scores[:, places]
        codes = [list(told)[at] for at in places]
        tables[name] = {
            "@1": accuracy(closed, codes, examples, 1),
            "@5": accuracy(closed, codes, examples, 5),
            "open@1": accuracy(scores, list(told), examples, 1),
            "open@5": accuracy(scores, list(told), examples, 5),
        }
        print(name, tables[name])
    best = tables[list(ways)[-1]]
    return {"dataset": "tram2", "acc_at_1": best["@1"][0], "acc_at_5": best["@5"][0],
            "low": best["@1"][1], "high": best["@1"][2], "n": len(examples),
            "documents": len({one.group for one in examples}), "way": list(ways)[-1]}  # fmt: skip


def _ways(
    args: argparse.Namespace, codes: list[str], texts: list[str], sentences: list[str]
) -> dict[str, Scores]:
    ways = {"words": by_words(texts, sentences)}
    if args.dense:
        ways["meaning"] = by_meaning(texts, sentences)
        ways["together"] = together(ways["words"], ways["meaning"])
    if args.model:
        ways["model"] = by_model(args.model, codes, sentences)
    return ways
