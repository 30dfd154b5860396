"""Stretches of sentences that a model reads at a time beside a question or a claim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

WINDOW: Final = 64
"""Most words of a window that is more than one sentence."""


def windows(sentences: Sequence[str], *, words: int = WINDOW) -> list[tuple[int, int]]:
    """Stretches [start, end) of as many sentences as fit, none inside another.

    A sentence longer than ``words`` is a window of its own.
    """
    counts = [len(one.split()) for one in sentences]
    found: list[tuple[int, int]] = []
    for start in range(len(sentences)):
        end, total = start + 1, counts[start]
        while end < len(sentences) and total + counts[end] <= words:
            total += counts[end]
            end += 1
        if not found or end > found[-1][1]:
            found.append((start, end))
    return found
