"""A vector for each token of a text, and late interaction over them (MaxSim); no torch.

Letters: Q tokens of a question, T tokens of a passage, C width.

References:
    Khattab & Zaharia (2020), ColBERT: Efficient and effective passage search via contextualized
    late interaction over BERT.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from tokenizers import Encoding

from aegle.core.errors import BackendError, InputError, NotFoundError
from aegle.core.ports import Vectors
from aegle.lm.catalog import cache_folder
from aegle.lm.encoder import MAX_TOKENS, open_session, read_tokenizer
from aegle.lm.graphs import graph_file
from aegle.lm.pairs import depends_on_batch

_BATCH_TOKENS: Final = 512
"""Padded tokens in one run: what the wide layer makes of them stays in a core's cache (0010)."""
_MARKS: Final = re.compile(r"[^\w\s]+")


def maxsim(question_QC: Vectors, passage_TC: Vectors) -> float:
    """The mean over a question's tokens of their best cosine with a passage's tokens, in [-1, 1].

    ColBERT's sum divided by Q, so that questions of any length have scores of one range. A passage
    or question without tokens has -1.
    """
    if not len(question_QC) or not len(passage_TC):
        return -1.0
    return float((question_QC @ passage_TC.T).max(axis=1).mean())


class TokenEncoder:
    """Text to one unit vector a token, by a folder of an encoder's weights.

    Special tokens and punctuation have none: they match anything (ColBERT skips punctuation, too).

    Args:
        folder: ``tokenizer.json`` with ``model.onnx`` whose first output is (B, S, C), or with
            ``config.json`` and ``model.safetensors``.
        threads: 0 for all cores.
        max_tokens: longer texts are cut to this, special tokens included.

    Raises:
        NotFoundError: a file is missing.
        InputError: the graph has no vector for each token.
    """

    def __init__(self, folder: Path, *, threads: int = 0, max_tokens: int = MAX_TOKENS) -> None:
        if not (folder / "tokenizer.json").is_file():
            raise NotFoundError(f"{folder} is no encoder: it has no tokenizer.json")
        self._tokenizer = read_tokenizer(folder / "tokenizer.json")
        graph = folder / "model.onnx"
        if not graph.is_file():
            graph = graph_file(folder, pooling="none", cache=cache_folder())
        self.max_tokens = min(max_tokens, 512)
        self._session = open_session(graph, threads)
        self._inputs = {one.name for one in self._session.get_inputs()}
        self._output = self._session.get_outputs()[0]
        if len(self._output.shape) != 3:
            raise InputError(
                f"{folder}: late interaction needs a vector for each token, this graph's first "
                f"output has the shape {self._output.shape}"
            )
        self.width = int(self._output.shape[-1])
        self._alone = depends_on_batch(graph)
        marks = [n for one, n in self._tokenizer.get_vocab().items() if _MARKS.fullmatch(one)]
        self._marks = np.array(sorted(marks), np.int64)

    def vectors(self, texts: Sequence[str]) -> list[Vectors]:
        """Unit vectors (T, C) of each text's tokens, in the order given, whatever the batching."""
        if "_session" not in self.__dict__:
            raise BackendError("the encoder is closed; open it again")
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        found: list[Vectors] = [np.empty((0, self.width), np.float32)] * len(encodings)
        for rows in self._buckets([min(len(one.ids), self.max_tokens) for one in encodings]):
            each = self._run([encodings[row] for row in rows])
            for row, vectors_TC in zip(rows, each, strict=True):
                found[row] = vectors_TC
        return found

    def close(self) -> None:
        """Let go of the weights."""
        self.__dict__.pop("_session", None)

    def _buckets(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
        start = 0
        while start < len(order):
            size = 1 if self._alone else max(1, _BATCH_TOKENS // max(1, lengths[order[start]]))
            yield order[start : start + size]
            start += size

    def _run(self, encodings: list[Encoding]) -> list[Vectors]:
        longest = min(max(len(one.ids) for one in encodings), self.max_tokens)
        ids_BS = np.zeros((len(encodings), longest), np.int64)
        mask_BS, wanted_BS = np.zeros_like(ids_BS), np.zeros(ids_BS.shape, bool)
        for row, one in enumerate(encodings):
            last = min(len(one.ids), longest)
            ids_BS[row, :last] = one.ids[:last]
            ids_BS[row, last - 1] = one.ids[-1]  # keep the closing special token
            mask_BS[row, :last] = 1
            special = np.array(one.special_tokens_mask[: last - 1], bool)
            wanted_BS[row, : last - 1] = ~special & ~np.isin(ids_BS[row, : last - 1], self._marks)
        feed = {
            "input_ids": ids_BS,
            "attention_mask": mask_BS,
            "token_type_ids": np.zeros_like(ids_BS),
        }
        try:
            (states_BSC,) = self._session.run(
                [self._output.name], {name: feed[name] for name in self._inputs}
            )
        except Exception as error:  # ONNX Runtime's errors share no base class but this one
            raise BackendError(f"the encoder failed ({type(error).__name__})") from error
        return [_unit(states_BSC[row][wanted_BS[row]]) for row in range(len(encodings))]


def _unit(vectors_TC: Vectors) -> Vectors:
    lengths_T1 = np.maximum(np.linalg.norm(vectors_TC, axis=1, keepdims=True), 1e-9)
    return np.asarray(vectors_TC / lengths_T1, np.float32)
