"""A question's vector, computed while its words are already searched for.

The encoder works outside Python, so that what the graph and the terminologies know of a question
can be looked up meanwhile: of the two, only the longer takes time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from aegle.core.errors import BackendError
from aegle.core.ports import Vectors

Embed = Callable[[Sequence[str]], Vectors]


class Ahead:
    """An `Encoder.embed` that is told beforehand what it will be asked; for one asker at a time.

    Args:
        embed: texts -> unit vectors.
    """

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._text = ""
        self._coming: Future[Vectors] | None = None
        self._closed = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="aegle-embed")

    def begin(self, text: str) -> None:
        """Begin with a text that will be asked for alone; once begun, it is not begun again.

        What was begun before and not asked for is given up: its question came to nothing.

        Raises:
            BackendError: closed.
        """
        if self._closed:
            raise BackendError("the encoder is closed; open it again")
        if self._coming is not None and self._text == text and not _failed(self._coming):
            return
        if self._coming is not None:
            self._coming.cancel()
        self._text, self._coming = text, self._pool.submit(self._embed, [text])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of texts, in their order; the errors of `Encoder.embed`."""
        if self._coming is not None and list(texts) == [self._text]:
            coming, self._coming = self._coming, None
            return coming.result()
        return self._embed(texts)

    def close(self) -> None:
        """End the thread, after what it is at."""
        self._closed = True
        self._pool.shutdown(cancel_futures=True)


def _failed(coming: Future[Vectors]) -> bool:
    return coming.done() and (coming.cancelled() or coming.exception() is not None)
