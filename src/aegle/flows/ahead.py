"""A question's vector, computed while its words are already searched for.

The encoder works outside Python, so that what the graph and the terminologies know of a question
can be looked up meanwhile: of the two, only the longer takes time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from aegle.core.ports import Vectors

Embed = Callable[[Sequence[str]], Vectors]


class Ahead:
    """An `Encoder.embed` that can be told beforehand what it will be asked.

    Args:
        embed: texts -> unit vectors.
    """

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._begun: dict[str, Future[Vectors]] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="aegle-embed")

    def begin(self, text: str) -> None:
        """Begin with a text that will be asked for alone; once begun, it is not begun again."""
        if text not in self._begun:
            self._begun = {text: self._pool.submit(self._embed, [text])}

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of texts, in their order; the errors of `Encoder.embed`."""
        if len(texts) == 1 and (coming := self._begun.pop(texts[0], None)) is not None:
            return coming.result()
        return self._embed(texts)

    def close(self) -> None:
        """End the thread, after what it has begun."""
        self._pool.shutdown()
