"""Heads, pieces and wholes of clinical files as text, by `core.decode`."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, Final

from aegle.core.decode import guess_encoding, pieces_of, text_of
from aegle.core.errors import InputError

MAX_WHOLE_BYTES: Final = 64 * 1024 * 1024
"""The largest file that a reader which must see all of it takes."""


def peek(head: bytes) -> str:
    """The text of a file's head for sniffing; empty for what is no text."""
    try:
        return head.decode(guess_encoding(head), "replace").removeprefix("\ufeff")
    except InputError:
        return ""


def text_chunks(stream: BinaryIO) -> Iterator[str]:
    """The text of a stream, piece by piece, in bounded memory."""
    return pieces_of(stream)


def read_all(stream: BinaryIO, what: str) -> bytes:
    """All bytes of a file that has to be seen whole.

    Raises:
        InputError: it has more than `MAX_WHOLE_BYTES`.
    """
    parts, size = [], 0
    while data := stream.read(1 << 20):
        size += len(data)
        if size > MAX_WHOLE_BYTES:
            raise InputError(
                f"{what} is larger than {MAX_WHOLE_BYTES >> 20} MB, too large to read as one; "
                "split it into smaller files"
            )
        parts.append(data)
    return b"".join(parts)


def decode(data: bytes) -> str:
    """Text of bytes that are all here.

    Raises:
        InputError: this is no text.
    """
    return text_of(io.BytesIO(data))
