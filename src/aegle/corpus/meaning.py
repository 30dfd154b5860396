"""What of a chunk becomes its vector: all of it, or, for logs, the words without the numbers.

A log line is mostly stamps, addresses and ids. They carry no meaning that a small encoder knows,
cost most of its tokens, and make every line different; BM25 and the graph find them exactly.
"""

from __future__ import annotations

import re
from typing import Final

from aegle.core.records import Chunk

MACHINE_KINDS: Final = frozenset({"log", "event"})
_NUMBERED: Final = re.compile(r"\S*\d\S*")
_SIGNS: Final = re.compile(r"[^\w\s.,:/'-]+|(?<!\w)[\W_]+(?!\w)")


def meaning(chunk: Chunk) -> str:
    """The text to embed; equal for log chunks that differ only in numbers and order of repeats."""
    if chunk.kind not in MACHINE_KINDS:
        return f"{chunk.title}\n{chunk.text}" if chunk.title else str(chunk.text)
    lines = (_words(line) for line in (chunk.title, *chunk.text.split("\n")))
    return "\n".join(dict.fromkeys(line for line in lines if line)) or chunk.kind


def _words(line: str) -> str:
    return " ".join(_SIGNS.sub(" ", _NUMBERED.sub(" ", line)).split())
