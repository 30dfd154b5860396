"""Text classifier by ONNX Runtime: one BERT with a classifier, a text to its class; no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.artifacts import read_json
from aegle.core.errors import BackendError, InputError, NotFoundError
from aegle.lm.catalog import cache_folder
from aegle.lm.encoder import open_session, read_tokenizer
from aegle.lm.graphs import graph_file
from aegle.lm.heads import softmax
from aegle.lm.pairs import depends_on_batch

MAX_TOKENS: Final = 256
_BATCH_TOKENS: Final = 512
"""Padded tokens in one run: what the wide layer makes of them stays in a core's cache (0010)."""


class TextClassifier:
    """A folder of ``config.json`` (with ``id2label``), ``tokenizer.json`` and weights.

    The weights are ``model.onnx``, or ``model.safetensors`` of a BERT with a classifier, as
    ``BertForSequenceClassification`` saves it (then an INT8 graph is built once).

    Attributes:
        labels: in the order of the outputs.

    Raises:
        NotFoundError: a file is missing.
        InputError: a file is damaged, or the labels don't fit the graph.
    """

    def __init__(self, folder: Path, *, threads: int = 0, max_tokens: int = MAX_TOKENS) -> None:
        for name in ("tokenizer.json", "config.json"):
            if not (folder / name).is_file():
                raise NotFoundError(f"{folder} is no classifier: it has no {name}")
        self.labels = read_labels(folder / "config.json")
        graph = folder / "model.onnx"
        if not graph.is_file():
            if not (folder / "model.safetensors").is_file():
                raise NotFoundError(
                    f"{folder} is no classifier: it has neither model.onnx nor model.safetensors"
                )
            graph = graph_file(folder, pooling="pair", cache=cache_folder())
        self.max_tokens = max_tokens
        self._tokenizer = read_tokenizer(folder / "tokenizer.json")
        self._session: Any = open_session(graph, threads)
        self._inputs = {one.name for one in self._session.get_inputs()}
        self._alone = depends_on_batch(graph)
        width = self._session.get_outputs()[0].shape[-1]
        if width != len(self.labels):
            raise InputError(
                f"{folder}: the graph has {width} outputs and config.json {len(self.labels)} labels"
            )

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(len(texts), labels), the same whatever the batching."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        rows = [cut(one.ids, self.max_tokens) for one in encodings]
        out = np.empty((len(rows), len(self.labels)), np.float32)
        order = sorted(range(len(rows)), key=lambda n: len(rows[n]), reverse=True)
        start = 0
        while start < len(order):
            size = 1 if self._alone else max(1, _BATCH_TOKENS // len(rows[order[start]]))
            group = order[start : start + size]
            out[group] = self._run([rows[n] for n in group])
            start += size
        return out

    def classify(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """The best label of each text, and its probability by the softmax."""
        told = softmax(self.logits(texts))
        return [(self.labels[n], float(row[n])) for row in told for n in [int(row.argmax())]]

    def close(self) -> None:
        """Let go of the weights."""
        self._session = None

    def _run(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        if self._session is None:
            raise BackendError("the classifier is closed; open it again")
        feed = batch(rows)
        try:
            (found,) = self._session.run(["logits"], {name: feed[name] for name in self._inputs})
        except Exception as error:  # ONNX Runtime's errors share no base class but this one
            raise BackendError(f"the classifier failed ({type(error).__name__})") from error
        return np.asarray(found, np.float32)


def cut(ids: Sequence[int], most: int) -> list[int]:
    """At most so many ids; the closing special token stays."""
    return [*ids] if len(ids) <= most else [*ids[: most - 1], ids[-1]]


def batch(rows: Sequence[Sequence[int]]) -> dict[str, NDArray[np.int64]]:
    """The inputs of single texts, padded with 0, (B, S) each."""
    shape = (len(rows), max(len(one) for one in rows))
    names = ("input_ids", "attention_mask", "token_type_ids")
    feed = {name: np.zeros(shape, np.int64) for name in names}
    for place, ids in enumerate(rows):
        feed["input_ids"][place, : len(ids)] = ids
        feed["attention_mask"][place, : len(ids)] = 1
    return feed


def read_labels(config: Path) -> tuple[str, ...]:
    """The labels of ``id2label``, in the order of their numbers.

    Raises:
        InputError: there are none, or their numbers aren't 0, 1, 2, ...
    """
    told = read_json(config).get("id2label")
    try:
        named = {int(number): str(label) for number, label in dict(told).items()}
        return tuple(named[number] for number in range(len(named)))
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"{config}: id2label must name the labels 0, 1, 2, ...") from error
