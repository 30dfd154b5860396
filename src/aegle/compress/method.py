"""What a compression method is: files in, smaller files out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aegle.core.ports import Progress


@dataclass(frozen=True)
class Made:
    """What a method left in a folder: its size, and what it chose, for the card."""

    folder: Path
    bytes: int
    about: dict[str, Any] = field(default_factory=dict)


class Method(Protocol):
    """Writes a smaller model of ``source`` into ``out`` (a new folder).

    ``texts`` are de-identified texts of the model's own domain that calibrate; ``settings`` are the
    method's own keys (bits, kept layers). Raises InputError for a model that it can't take.
    """

    def __call__(  # noqa: D102 - the class says it
        self,
        source: Path,
        out: Path,
        *,
        texts: Sequence[str],
        settings: Mapping[str, Any],
        progress: Progress,
    ) -> Made: ...
