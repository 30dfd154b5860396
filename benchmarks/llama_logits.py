"""All logits of a text by llama.cpp, from the library in xllamacpp; its server tells only a few.

Parameters go by value and are not spelled out: the library fills them, and of the context's only
the first number, how many tokens it holds, is set here, with the two after it, the batch sizes.
"""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Any

import numpy as np
import xllamacpp.xllamacpp as library

MOST = 512
"""Tokens of a text."""


class _Any(ctypes.Structure):
    """Parameters of whatever fields, with room to spare."""

    _fields_ = (("numbers", ctypes.c_uint64 * 64),)


class _Batch(ctypes.Structure):
    """llama_batch."""

    _fields_ = (
        ("n_tokens", ctypes.c_int32),
        ("token", ctypes.POINTER(ctypes.c_int32)),
        ("embd", ctypes.c_void_p),
        ("pos", ctypes.POINTER(ctypes.c_int32)),
        ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
        ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
        ("logits", ctypes.POINTER(ctypes.c_int8)),
    )


class Llama:
    """A GGUF file in llama.cpp, on the processor."""

    def __init__(self, file: Path) -> None:
        self._lib: Any = ctypes.CDLL(library.__file__)
        pointer = ctypes.c_void_p
        for name, gives, takes in (
            ("llama_model_default_params", _Any, []),
            ("llama_context_default_params", _Any, []),
            ("llama_model_load_from_file", pointer, [ctypes.c_char_p, _Any]),
            ("llama_init_from_model", pointer, [pointer, _Any]),
            ("llama_model_get_vocab", pointer, [pointer]),
            ("llama_vocab_n_tokens", ctypes.c_int32, [pointer]),
            ("llama_batch_init", _Batch, [ctypes.c_int32] * 3),
            ("llama_decode", ctypes.c_int32, [pointer, _Batch]),
            ("llama_get_logits", ctypes.POINTER(ctypes.c_float), [pointer]),
            ("llama_get_memory", pointer, [pointer]),
            ("llama_memory_clear", None, [pointer, ctypes.c_bool]),
            ("llama_set_n_threads", None, [pointer, ctypes.c_int32, ctypes.c_int32]),
            ("llama_free", None, [pointer]),
            ("llama_model_free", None, [pointer]),
        ):
            function = getattr(self._lib, name)
            function.restype, function.argtypes = gives, takes
        self._model = self._lib.llama_model_load_from_file(
            str(file).encode(), self._lib.llama_model_default_params()
        )
        told = self._lib.llama_context_default_params()
        ctypes.cast(ctypes.pointer(told), ctypes.POINTER(ctypes.c_uint32 * 3))[0][:] = [MOST] * 3
        self._context = self._lib.llama_init_from_model(self._model, told)
        self._lib.llama_set_n_threads(self._context, 1, 2)
        self._words = self._lib.llama_vocab_n_tokens(self._lib.llama_model_get_vocab(self._model))
        self._batch = self._lib.llama_batch_init(MOST, 0, 1)

    def logits(self, ids: list[int]) -> np.ndarray[Any, Any]:
        """Of every position, (tokens, vocabulary)."""
        self._lib.llama_memory_clear(self._lib.llama_get_memory(self._context), True)
        self._read(ids, 0)
        return self._told(len(ids))

    def nats(self, ids: list[int]) -> float:
        """The sum over all tokens but the first of -log p."""
        found = self.logits(ids)[:-1].astype(np.float64)
        top = found.max(1)
        log_sum = top + np.log(np.exp(found - top[:, None]).sum(1))
        return float((log_sum - found[np.arange(len(found)), ids[1:]]).sum())

    def rate(self, ids: list[int], count: int = 48) -> float:
        """Tokens a second, each the likeliest after those before."""
        last = int(self.logits(ids)[-1].argmax())
        began = time.perf_counter()
        for at in range(count):
            self._read([last], len(ids) + at)
            last = int(self._told(1)[0].argmax())
        return count / (time.perf_counter() - began)

    def close(self) -> None:
        """Free its memory."""
        self._lib.llama_free(self._context)
        self._lib.llama_model_free(self._model)

    def _read(self, ids: list[int], start: int) -> None:
        batch = self._batch
        batch.n_tokens = len(ids)
        for number, token in enumerate(ids):
            batch.token[number], batch.pos[number] = token, start + number
            batch.n_seq_id[number], batch.seq_id[number][0] = 1, 0
            batch.logits[number] = 1
        if code := self._lib.llama_decode(self._context, batch):
            raise RuntimeError(f"llama_decode gave {code}")

    def _told(self, rows: int) -> np.ndarray[Any, Any]:
        found = self._lib.llama_get_logits(self._context)
        return np.ctypeslib.as_array(found, (rows, self._words)).copy()
