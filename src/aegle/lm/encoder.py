"""ONNX Runtime encoder: tokenise, length-bucket, run, pool; the hot path, without torch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]  # it ships no types
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from aegle.core.artifacts import read_json
from aegle.core.errors import BackendError, InputError, NotFoundError, UsageError
from aegle.core.ports import Vectors
from aegle.lm.catalog import cache_folder
from aegle.lm.graphs import graph_file
from aegle.lm.signed import fitted

MAX_TOKENS: Final = 256
"""Longer texts are cut: the length to which most small encoders were trained. 512 at most."""

_BATCH_TOKENS: Final = 512
"""Padded tokens in one run: what the wide layer makes of them stays in a core's cache (0010)."""


class SentenceEncoder:
    """Text to unit vectors by a folder of weights.

    The folder holds ``tokenizer.json`` and either ``model.onnx`` or ``config.json`` with
    ``model.safetensors`` (then an INT8 graph is built once, see `aegle.lm.bert`). How tokens are
    pooled stands in ``1_Pooling/config.json``; without it they are averaged.

    Args:
        folder: the weights.
        threads: 0 for all cores.
        max_tokens: longer texts are cut to this, special tokens included.
        dimensions: only the first so many numbers of a vector are kept, made a unit vector again;
            0 for all. Good with models trained for it (Matryoshka, Kusupati et al. 2022).

    Raises:
        NotFoundError: a file is missing.
        InputError: a file is damaged or of another architecture.
        UsageError: the vectors are shorter than ``dimensions``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        threads: int = 0,
        max_tokens: int = MAX_TOKENS,
        dimensions: int = 0,
    ) -> None:
        for name in ("tokenizer.json", "config.json"):
            if not (folder / name).is_file():
                raise NotFoundError(f"{folder} is no encoder: it has no {name}")
        self.max_tokens = min(max_tokens, 512)
        self._pooling = read_pooling(folder)
        self._tokenizer = read_tokenizer(folder / "tokenizer.json")
        graph = folder / "model.onnx"
        if not graph.is_file():
            graph = graph_file(folder, pooling=self._pooling, cache=cache_folder())
        self._session = open_session(graph, threads)
        self._inputs = {one.name for one in self._session.get_inputs()}
        self._output = self._session.get_outputs()[0]
        self._whole = int(self._output.shape[-1])
        if not 0 <= dimensions <= self._whole:
            raise UsageError(
                f"{folder} gives vectors of {self._whole} numbers; {dimensions} of them can't be "
                "kept: give 0 for all, or fewer"
            )
        self.width = dimensions or self._whole
        # Where one scale serves all activations of a run, a text's vector depends on its
        # neighbours (cosine down to 0.99): such graphs get one text at a time.
        self._alone = not _is_ours(self._session)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors (len(texts), width) in the order given, the same whatever the batching."""
        vectors = np.empty((len(texts), self.width), np.float32)
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        for rows in self._buckets([len(one.ids) for one in encodings]):
            whole_BC = self._run([encodings[row] for row in rows])
            vectors[rows] = first(whole_BC, self.width) if self.width < self._whole else whole_BC
        return vectors

    def count(self, text: str) -> int:
        """How many tokens a text has, without special tokens and before it is cut."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def close(self) -> None:
        """Let go of the weights."""
        self.__dict__.pop("_session", None)

    def _buckets(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Row numbers, texts of like length together, so that little is padded."""
        order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
        start = 0
        while start < len(order):
            longest = min(lengths[order[start]], self.max_tokens)
            size = 1 if self._alone else max(1, _BATCH_TOKENS // longest)
            yield order[start : start + size]
            start += size

    def _run(self, encodings: list[Encoding]) -> Vectors:
        longest = min(max(len(one.ids) for one in encodings), self.max_tokens)
        ids_BS = np.zeros((len(encodings), longest), np.int64)
        mask_BS = np.zeros_like(ids_BS)
        for row, one in enumerate(encodings):
            ids = one.ids
            if len(ids) > longest:  # keep the closing special token
                ids = [*ids[: longest - 1], ids[-1]]
            ids_BS[row, : len(ids)] = ids
            mask_BS[row, : len(ids)] = 1
        feed = {
            "input_ids": ids_BS,
            "attention_mask": mask_BS,
            "token_type_ids": np.zeros_like(ids_BS),
        }
        if "_session" not in self.__dict__:
            raise BackendError("the encoder is closed; open it again")
        try:
            (out,) = self._session.run(
                [self._output.name], {name: feed[name] for name in self._inputs}
            )
        except Exception as error:  # ONNX Runtime's errors share no base class but this one
            raise BackendError(f"the encoder failed ({type(error).__name__})") from error
        return out if out.ndim == 2 else pool(out, mask_BS, self._pooling)


def pool(states_BSC: NDArray[np.float32], mask_BS: NDArray[np.int64], pooling: str) -> Vectors:
    """Token states (B, S, C) to unit vectors (B, C); ``pooling`` is ``mean`` or ``cls``."""
    if pooling == "cls":
        vectors_BC = states_BSC[:, 0]
    else:
        vectors_BC = np.einsum("bsc,bs->bc", states_BSC, mask_BS.astype(np.float32))
    lengths_B1 = np.maximum(np.linalg.norm(vectors_BC, axis=1, keepdims=True), 1e-9)
    return np.asarray(vectors_BC / lengths_B1, np.float32)


def first(vectors_BC: Vectors, dimensions: int) -> Vectors:
    """The first so many numbers of each vector (B, C), made a unit vector again."""
    kept = vectors_BC[:, :dimensions]
    lengths_B1 = np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-9)
    return np.asarray(kept / lengths_B1, np.float32)


def read_pooling(folder: Path) -> str:
    """How a folder's vectors are pooled, ``mean`` or ``cls``: what ``1_Pooling/config.json`` says.

    Raises:
        InputError: it says something else.
    """
    config = folder / "1_Pooling" / "config.json"
    if not config.is_file():
        return "mean"
    told: dict[str, Any] = read_json(config)
    on = {name for name, value in told.items() if name.startswith("pooling_mode_") and value}
    if on == {"pooling_mode_cls_token"}:
        return "cls"
    if on == {"pooling_mode_mean_tokens"}:
        return "mean"
    raise InputError(f"{config}: pooling by mean or by the first token is known, not {sorted(on)}")


def read_tokenizer(path: Path) -> Tokenizer:
    """A ``tokenizer.json`` that neither cuts nor pads.

    Raises:
        InputError: it is none.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise InputError(f"{path} is no tokenizer ({type(error).__name__})") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def open_session(graph: Path, threads: int) -> Any:
    """A session of ONNX Runtime on this machine's processor; 0 threads for all cores.

    Raises:
        InputError: the file is no graph that it can run.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or os.cpu_count() or 1
    options.inter_op_num_threads = 1
    # Threads that spin while idle starve the generator and the index on small machines.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        content = str(fitted(graph, cache_folder()))
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no base class but this one
        raise InputError(f"{graph} can't be loaded ({type(error).__name__})") from error


def _is_ours(session: Any) -> bool:
    return bool(session.get_modelmeta().producer_name == "aegle")
