"""HyDE: a passage that a generator imagines as the answer, whose meaning is searched for, too.

The passage is looked for, not believed: only its vector leaves this module. It is never shown,
kept, indexed or logged.

References:
    Gao, Ma, Lin & Callan (2022), Precise zero-shot dense retrieval without relevance labels.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

import numpy as np

from aegle.core.errors import AegleError, BackendError
from aegle.core.ports import Vectors
from aegle.core.text import SafeText

_ASK: Final = (
    "Write one short passage, as it would stand in a document, that answers the question. State "
    "facts only; no greeting, no list, no remark about yourself."
)
_LEAST_WORDS: Final = 5
"""A shorter passage says less than the question."""

_FREE: Final = threading.Semaphore(1)
"""Held while a generator writes: one that is silent keeps one thread, not one a question."""


class Stream(Protocol):
    """The half of an `aegle.core.ports.Generator` that writes in pieces."""

    def __call__(
        self, messages: Sequence[Mapping[str, str]], *, max_tokens: int, seed: int = 0
    ) -> Iterator[str]:
        """The reply in pieces."""


def messages(question: SafeText) -> list[dict[str, str]]:
    """The conversation that asks for a passage."""
    return [
        {"role": "system", "content": _ASK},
        {"role": "user", "content": f"Question: {question}\nPassage:"},
    ]


_Heard = queue.SimpleQueue[str | AegleError | None]
"""Pieces of a passage, then its end or why there is none."""


def _work(pieces: Callable[[], Iterator[str]], heard: _Heard, left: threading.Event) -> None:
    """Put pieces where they are heard, till nobody listens."""
    try:
        for piece in pieces():
            heard.put(piece)
            if left.is_set():
                return
        heard.put(None)
    except AegleError as error:
        heard.put(error)
    except Exception as error:  # a thread has nobody else to tell
        # Its message may quote the question, so only its type is told.
        heard.put(BackendError(f"the generator failed ({type(error).__name__})"))
    finally:
        _FREE.release()


def write(
    question: SafeText, stream: Stream, *, max_tokens: int, limit_s: float, seed: int = 0
) -> str:
    """What the generator has written after ``limit_s`` seconds, if not before; it is then left.

    One passage is written at a time in a process. A generator that was left may be busy for longer:
    whoever comes next waits for it, of its own time, and goes without a passage when that is over.

    Raises:
        AegleError: the generator failed before the time was over; a BackendError with the type's
            name for what is not raised on purpose.
    """
    until = time.monotonic() + limit_s
    if not _FREE.acquire(timeout=max(0.0, limit_s)):
        return ""
    heard: _Heard = queue.SimpleQueue()
    left = threading.Event()

    def pieces_of() -> Iterator[str]:
        return stream(messages(question), max_tokens=max_tokens, seed=seed)

    try:
        threading.Thread(
            target=_work, args=(pieces_of, heard, left), name="aegle-hyde", daemon=True
        ).start()
    except RuntimeError as error:
        _FREE.release()
        raise BackendError("the generator failed (no thread can be started)") from error
    pieces: list[str] = []
    try:
        while True:
            piece = heard.get(timeout=max(0.0, until - time.monotonic()))
            if isinstance(piece, AegleError):
                raise piece
            if piece is None:
                break
            pieces.append(piece)
    except queue.Empty:
        pass
    finally:
        left.set()
    return "".join(pieces)


def imagined(
    question: str, passages: Sequence[str], embed: Callable[[Sequence[str]], Vectors]
) -> Vectors:
    """The unit vector (width,) of the mean of a question's and its imagined passages' vectors.

    Passages of less than five words are left out; without any it is the question's own vector.
    """
    kept = [one for one in passages if len(one.split()) >= _LEAST_WORDS]
    vectors_NW = embed([question, *kept])
    mean_W = vectors_NW.mean(axis=0)
    length = float(np.linalg.norm(mean_W))
    # Vectors that point against each other mean nothing together.
    return np.asarray(mean_W / length if length > 0 else vectors_NW[0], np.float32)
