"""Reranker by a cross-encoder on ONNX Runtime: INT8 or float, on the processor, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aegle.core.ports import Scores
from aegle.core.text import SafeText
from aegle.lm.catalog import resolve
from aegle.lm.pairs import MAX_TOKENS, CrossEncoder


class OnnxReranker:
    """An `aegle.core.ports.Reranker`.

    Args:
        model: a folder, or a reference for `aegle.lm.catalog.resolve`.
        threads: 0 for all cores.
        max_tokens: longer pairs are cut to this: the passage, not the question.
    """

    def __init__(
        self, model: Path | str, *, threads: int = 0, max_tokens: int = MAX_TOKENS
    ) -> None:
        folder = model if isinstance(model, Path) else resolve(model)
        self._encoder = CrossEncoder(folder, threads=threads, max_tokens=max_tokens)
        self.name = f"onnx:{model if isinstance(model, str) else model.name}"

    def score(self, question: str, passages: Sequence[SafeText]) -> Scores:
        """The logit of each passage for the question."""
        return self._encoder.score(question, passages)

    def close(self) -> None:
        """Let go of the weights; calling it twice is harmless."""
        self._encoder.close()
