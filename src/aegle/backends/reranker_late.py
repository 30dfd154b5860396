"""Reranker by late interaction: each word of the question finds its best word in the passage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aegle.core.ports import Scores, Vectors
from aegle.core.text import SafeText
from aegle.lm.catalog import resolve
from aegle.lm.token_vectors import TokenEncoder, maxsim


class LateReranker:
    """An `aegle.core.ports.Reranker` by the token vectors of an encoder: no weights of its own.

    Args:
        model: an encoder's folder, or a reference for `aegle.lm.catalog.resolve`.
        threads: 0 for all cores.
    """

    def __init__(self, model: Path | str, *, threads: int = 0) -> None:
        folder = model if isinstance(model, Path) else resolve(model)
        self._encoder = TokenEncoder(folder, threads=threads)
        self.name = f"late:{model if isinstance(model, str) else model.name}"

    def score(self, question: str, passages: Sequence[SafeText]) -> Scores:
        """MaxSim of each passage, in [-1, 1]."""
        asked, *told = self._encoder.vectors([question, *passages])
        return np.array([maxsim(asked, one) for one in told], np.float32)

    def vectors(self, texts: Sequence[str]) -> list[Vectors]:
        """Unit vectors (T, C) of each text's tokens, of which `score` is the MaxSim."""
        return self._encoder.vectors(texts)

    @property
    def width(self) -> int:
        """Numbers of a token's vector."""
        return self._encoder.width

    def close(self) -> None:
        """Let go of the weights; calling it twice is harmless."""
        self._encoder.close()
