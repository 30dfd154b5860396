"""Cross-encoder by ONNX Runtime: a question and a passage read together, to one score; no torch."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding

from aegle.core.artifacts import read_json
from aegle.core.errors import BackendError, InputError, NotFoundError
from aegle.core.ports import Scores
from aegle.lm.catalog import cache_folder
from aegle.lm.encoder import open_session, read_tokenizer
from aegle.lm.graphs import graph_file

MAX_TOKENS: Final = 512

_BATCH_TOKENS: Final = 512
"""Padded tokens in one run: what the wide layer makes of them stays in a core's cache (0010)."""
_LEAST_PASSAGE: Final = 64
"""Tokens that a passage keeps beside an over-long question: without it there is no pair."""


class CrossEncoder:
    """Pairs to scores by a folder of weights.

    The folder holds ``tokenizer.json`` and ``model.onnx``, or ``config.json`` and
    ``model.safetensors`` of a BERT with a classifier (then an INT8 graph is built once). The graph
    gives one logit a pair, or two: not relevant, relevant.

    Args:
        folder: the weights.
        threads: 0 for all cores.
        max_tokens: longer pairs are cut to this, special tokens included.

    Raises:
        NotFoundError: a file is missing.
        InputError: a file is damaged, or the graph gives no such logits.
    """

    def __init__(self, folder: Path, *, threads: int = 0, max_tokens: int = MAX_TOKENS) -> None:
        graph = folder / "model.onnx"
        if not (folder / "tokenizer.json").is_file():
            raise NotFoundError(f"{folder} is no reranker: it has no tokenizer.json")
        if not graph.is_file():
            for name in ("model.safetensors", "config.json"):
                if not (folder / name).is_file():
                    raise NotFoundError(
                        f"{folder} is no reranker: it has no model.onnx, nor {name} to build it of"
                    )
            graph = graph_file(folder, pooling="pair", cache=cache_folder())
        self._tokenizer = read_tokenizer(folder / "tokenizer.json")
        self.max_tokens = min(max_tokens, _positions(folder / "config.json"))
        self._session = open_session(graph, threads)
        self._inputs = {one.name for one in self._session.get_inputs()}
        self._output = self._session.get_outputs()[0]
        shape = self._output.shape
        if len(shape) > 2 or (len(shape) == 2 and shape[1] not in (1, 2)):
            raise InputError(
                f"{folder}: a reranker gives one or two numbers a pair, this graph's shape is "
                f"{shape}; is it an encoder or a classifier?"
            )
        self._alone = depends_on_batch(graph)

    def score(self, question: str, passages: Sequence[str]) -> Scores:
        """One score a passage (len(passages),), the same whatever the batching."""
        if "_session" not in self.__dict__:
            raise BackendError("the reranker is closed; open it again")
        encodings = self._tokenizer.encode_batch_fast([(question, text) for text in passages])
        kept = [fit(one, self.max_tokens) for one in encodings]
        scores_N = np.empty(len(kept), np.float32)
        for rows in self._buckets([len(one) for one in kept]):
            scores_N[rows] = self._run(
                [encodings[row] for row in rows], [kept[row] for row in rows]
            )
        return scores_N

    def close(self) -> None:
        """Let go of the weights."""
        self.__dict__.pop("_session", None)

    def _buckets(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Row numbers, pairs of like length together, so that little is padded."""
        order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
        start = 0
        while start < len(order):
            size = 1 if self._alone else max(1, _BATCH_TOKENS // lengths[order[start]])
            yield order[start : start + size]
            start += size

    def _run(self, encodings: list[Encoding], kept: list[list[int]]) -> Scores:
        shape = (len(kept), max(len(one) for one in kept))
        feed = {name: np.zeros(shape, np.int64) for name in ("input_ids", "token_type_ids")}
        feed["attention_mask"] = np.zeros(shape, np.int64)
        for row, (one, places) in enumerate(zip(encodings, kept, strict=True)):
            ids, types = one.ids, one.type_ids
            feed["input_ids"][row, : len(places)] = [ids[place] for place in places]
            feed["token_type_ids"][row, : len(places)] = [types[place] for place in places]
            feed["attention_mask"][row, : len(places)] = 1
        try:
            (logits,) = self._session.run(
                [self._output.name], {name: feed[name] for name in self._inputs}
            )
        except Exception as error:  # ONNX Runtime's errors share no base class but this one
            raise BackendError(f"the reranker failed ({type(error).__name__})") from error
        return _relevance(logits)


def fit(one: Encoding, most: int) -> list[int]:
    """The places of a pair's tokens that are kept: first the passage is cut, then the question.

    An over-long question leaves the passage its first 64 tokens; special tokens always stay.
    """
    over = len(one.ids) - most
    places = list(range(len(one.ids)))
    if over <= 0:
        return places
    parts = one.sequence_ids
    asked = [place for place in places if parts[place] == 0]
    told = [place for place in places if parts[place] == 1]
    from_told = min(over, max(0, len(told) - min(_LEAST_PASSAGE, most // 4)))
    dropped = set(told[len(told) - from_told :])
    dropped |= set(asked[max(0, len(asked) - (over - from_told)) :] if over > from_told else ())
    return [place for place in places if place not in dropped]


def _relevance(logits: NDArray[np.float32]) -> Scores:
    if logits.ndim == 1:
        return np.asarray(logits, np.float32)
    if logits.shape[1] == 2:  # log odds of relevant against not
        return np.asarray(logits[:, 1] - logits[:, 0], np.float32)
    return np.asarray(logits[:, 0], np.float32)


def _positions(config: Path) -> int:
    told: dict[str, Any] = read_json(config) if config.is_file() else {}
    known = told.get("max_position_embeddings")
    # RoBERTa numbers its 514 positions from 2, so that all models here have 512 at most.
    return min(MAX_TOKENS, known) if isinstance(known, int) else MAX_TOKENS


def depends_on_batch(graph: Path) -> bool:
    """Whether a graph scales activations by all of a run, so that neighbours change a result.

    Such graphs get one text at a time. The names of a graph's operators stand in its file as they
    are; reading it by the onnx package would take as long as loading it.
    """
    with graph.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b"DynamicQuantizeLinear") >= 0
