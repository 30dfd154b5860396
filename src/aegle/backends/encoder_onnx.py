"""Encoder by ONNX Runtime: INT8 on the processor, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aegle.core.ports import Vectors
from aegle.lm.catalog import resolve
from aegle.lm.encoder import SentenceEncoder


class OnnxEncoder:
    """An `aegle.core.ports.Encoder`.

    Args:
        model: a folder, or a reference for `aegle.lm.catalog.resolve`.
        threads: 0 for all cores.
        dimensions: only the first so many numbers of a vector are kept; 0 for all.
    """

    def __init__(self, model: Path | str, *, threads: int = 0, dimensions: int = 0) -> None:
        folder = model if isinstance(model, Path) else resolve(model)
        self._encoder = SentenceEncoder(folder, threads=threads, dimensions=dimensions)
        self.name = f"onnx:{model if isinstance(model, str) else model.name}"
        self.width = self._encoder.width
        if dimensions:
            self.name += f"/{dimensions}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors (len(texts), width), in the order given, whatever the batching."""
        return self._encoder.embed(texts)

    def count(self, text: str) -> int:
        """How many tokens a text has, without special tokens."""
        return self._encoder.count(text)

    def close(self) -> None:
        """Let go of the weights; calling it twice is harmless."""
        self._encoder.close()
