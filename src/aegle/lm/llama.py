"""All log-probabilities of a text by llama.cpp, from the library in xllamacpp.

Its server tells only the few likeliest of what it writes itself; a score of given texts needs those
of every token. So its C interface is called. Parameters go by value and are not spelled out: the
library fills them, and of the context's only the first number, how many tokens it holds, is set
here, with the two after it, the batch sizes.

Letters: T tokens, V words of the vocabulary.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import xllamacpp.xllamacpp as library  # type: ignore[import-untyped]  # it ships no types
from numpy.typing import NDArray

from aegle.core.errors import BackendError, InputError

MOST: Final = 512
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


_POINTER: Final = ctypes.c_void_p
_LOG: Final = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_FUNCTIONS: Final[tuple[tuple[str, Any, list[Any]], ...]] = (
    ("llama_log_set", None, [_LOG, _POINTER]),
    ("llama_model_default_params", _Any, []),
    ("llama_context_default_params", _Any, []),
    ("llama_model_load_from_file", _POINTER, [ctypes.c_char_p, _Any]),
    ("llama_init_from_model", _POINTER, [_POINTER, _Any]),
    ("llama_model_get_vocab", _POINTER, [_POINTER]),
    ("llama_vocab_n_tokens", ctypes.c_int32, [_POINTER]),
    (
        "llama_tokenize",
        ctypes.c_int32,
        [
            *(_POINTER, ctypes.c_char_p, ctypes.c_int32, ctypes.POINTER(ctypes.c_int32)),
            *(ctypes.c_int32, ctypes.c_bool, ctypes.c_bool),
        ],
    ),
    ("llama_batch_init", _Batch, [ctypes.c_int32] * 3),
    ("llama_batch_free", None, [_Batch]),
    ("llama_decode", ctypes.c_int32, [_POINTER, _Batch]),
    ("llama_get_logits", ctypes.POINTER(ctypes.c_float), [_POINTER]),
    ("llama_get_memory", _POINTER, [_POINTER]),
    ("llama_memory_clear", None, [_POINTER, ctypes.c_bool]),
    ("llama_set_n_threads", None, [_POINTER, ctypes.c_int32, ctypes.c_int32]),
    ("llama_adapter_lora_init", _POINTER, [_POINTER, ctypes.c_char_p]),
    (
        "llama_set_adapters_lora",
        ctypes.c_int32,
        [
            *(_POINTER, ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t),
            ctypes.POINTER(ctypes.c_float),
        ],
    ),
    ("llama_free", None, [_POINTER]),
    ("llama_model_free", None, [_POINTER]),
)
_SILENT: Final = _LOG(lambda level, text, more: None)


@dataclass(frozen=True)
class Told:
    """Of every token of a text but the first: its log-probability (nats), the likeliest one."""

    log_p_T: NDArray[np.float64]
    best_T: NDArray[np.int64]


class Llama:
    """A GGUF file in llama.cpp, on the processor; for one thread of the program at a time.

    Args:
        file: the model.
        threads: 0 for all cores.
        adapter: a LoRA over it, as `aegle.lm.lora.as_gguf` writes it.

    Raises:
        InputError: a file can't be loaded.
        BackendError: this xllamacpp lacks a function that is needed.
    """

    def __init__(self, file: Path, threads: int = 0, *, adapter: Path | None = None) -> None:
        self._model = self._context = self._batch = None
        self._lib = _library()
        self._lib.llama_log_set(_SILENT, None)  # it tells of every tensor, on standard error
        told = self._lib.llama_model_default_params()
        self._model = self._lib.llama_model_load_from_file(str(file).encode(), told)
        if not self._model:
            raise InputError(f"{file}: llama.cpp can't load it; is it a whole GGUF file?")
        told = self._lib.llama_context_default_params()
        ctypes.cast(ctypes.pointer(told), ctypes.POINTER(ctypes.c_uint32 * 3))[0][:] = [MOST] * 3
        self._context = self._lib.llama_init_from_model(self._model, told)
        if not self._context:
            self.close()
            raise BackendError(f"{file}: llama.cpp has no memory for {MOST} tokens of context")
        if adapter is not None:
            self._adapt(adapter)
        many = threads or os.cpu_count() or 1
        # One token at a time is bound by memory: half the threads are as fast, and don't spin.
        self._lib.llama_set_n_threads(self._context, threads or max(1, many // 2), many)
        self._vocabulary = self._lib.llama_model_get_vocab(self._model)
        self._words: int = self._lib.llama_vocab_n_tokens(self._vocabulary)
        self._batch = self._lib.llama_batch_init(MOST, 0, 1)

    def encode(self, text: str, *, start: bool = True) -> list[int]:
        """A text as tokens; ``start``: after whatever the model begins texts with."""
        raw = text.encode()
        room = len(raw) + 8
        out = (ctypes.c_int32 * room)()
        args = (self._vocabulary, raw, len(raw), out, room, start, False)
        count = self._lib.llama_tokenize(*args)
        if count < 0:
            raise BackendError(f"llama.cpp wants {-count} tokens for {len(raw)} bytes")
        return list(out[:count])

    def told(self, ids: list[int]) -> Told:
        """Log-probabilities of a text of 2 to `MOST` tokens.

        Raises:
            InputError: fewer tokens or more.
        """
        found = self.logits(ids)[:-1]
        best_T = found.argmax(1)
        rows_T = np.arange(len(found))
        top_T, right_T = found[rows_T, best_T], found[rows_T, ids[1:]]
        total_T = np.log(np.exp(found - top_T[:, None]).sum(1, dtype=np.float64))
        return Told((right_T - top_T).astype(np.float64) - total_T, best_T)

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """Of every position, (T, V); raises InputError for fewer than 2 tokens, or too many."""
        if not 2 <= len(ids) <= MOST:
            raise InputError(f"a text of {len(ids)} tokens; 2 to {MOST} can be scored")
        self._clear()
        self._read(ids, 0)
        return self._answers(len(ids))

    def write(self, ids: list[int], count: int) -> list[int]:
        """So many tokens after a text, each the likeliest after those before."""
        last = int(self.logits(ids)[-1].argmax())
        found = [last]
        for at in range(len(ids), len(ids) + count - 1):
            self._read([last], at)
            last = int(self._answers(1)[0].argmax())
            found.append(last)
        return found

    def close(self) -> None:
        """Free its memory; calling it twice is harmless."""
        if self._batch is not None:
            self._lib.llama_batch_free(self._batch)
        if self._context:
            self._lib.llama_free(self._context)
        if self._model:
            self._lib.llama_model_free(self._model)
        self._model = self._context = self._batch = None

    def _adapt(self, adapter: Path) -> None:
        """The adapter is the model's: it is freed with it."""
        found = self._lib.llama_adapter_lora_init(self._model, str(adapter).encode())
        one, scale = (ctypes.c_void_p * 1)(found), (ctypes.c_float * 1)(1.0)
        if not found or self._lib.llama_set_adapters_lora(self._context, one, 1, scale):
            self.close()
            raise InputError(f"{adapter}: llama.cpp can't put it on this model")

    def _clear(self) -> None:
        self._lib.llama_memory_clear(self._lib.llama_get_memory(self._context), True)

    def _read(self, ids: list[int], start: int) -> None:
        batch: Any = self._batch
        batch.n_tokens = len(ids)
        for number, token in enumerate(ids):
            batch.token[number], batch.pos[number] = token, start + number
            batch.n_seq_id[number], batch.seq_id[number][0] = 1, 0
            batch.logits[number] = 1
        if code := self._lib.llama_decode(self._context, batch):
            raise BackendError(f"llama.cpp could not read {len(ids)} tokens (llama_decode: {code})")

    def _answers(self, rows: int) -> NDArray[np.float32]:
        found = self._lib.llama_get_logits(self._context)
        out: NDArray[np.float32] = np.ctypeslib.as_array(found, (rows, self._words)).copy()
        return out


def _library() -> Any:
    try:
        found = ctypes.CDLL(library.__file__)
        for name, gives, takes in _FUNCTIONS:
            function = getattr(found, name)
            function.restype, function.argtypes = gives, takes
    except (OSError, AttributeError) as error:
        raise BackendError(
            f"this xllamacpp does not export llama.cpp's own functions ({error}); install a "
            "version of the range in pyproject.toml"
        ) from error
    return found
