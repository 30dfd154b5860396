"""Bytes to text: byte order marks, UTF-8, UTF-16; what is neither is read as its likely charset."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO, Final

from charset_normalizer import from_bytes

from aegle.core.errors import InputError

MAX_WHOLE_BYTES: Final = 64 * 1024 * 1024
"""The largest file that a reader which must see all of it takes."""
CHUNK_BYTES: Final = 1 << 16

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LENIENT: Final = "aegle-cp1252"


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are not UTF-8 read as Windows-1252, the usual culprit in hospital exports."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return wrong.decode("cp1252", "replace"), error.end


codecs.register_error(_LENIENT, _as_cp1252)


def encoding_of(head: bytes) -> tuple[str, int]:
    """The Unicode encoding that a file's head shows, and the length of its byte order mark."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    # ASCII in UTF-16 without a mark: every second byte is zero.
    even, odd = head[0:200:2], head[1:200:2]
    if len(odd) >= 2 and not any(odd) and all(even):
        return "utf-16-le", 0
    if len(odd) >= 2 and not any(even) and all(odd):
        return "utf-16-be", 0
    return "utf-8", 0


def peek(head: bytes) -> str:
    """The text of a file's head for sniffing; a character cut at its end is replaced."""
    encoding, skip = encoding_of(head)
    return head[skip:].decode(encoding, "replace")


def text_chunks(stream: BinaryIO) -> Iterator[str]:
    """The text of a stream, piece by piece, in bounded memory."""
    data = stream.read(CHUNK_BYTES)
    encoding, skip = encoding_of(data)
    errors = _LENIENT if encoding == "utf-8" else "replace"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    data = data[skip:]
    while data:
        text = decoder.decode(data)
        if text:
            yield text
        data = stream.read(CHUNK_BYTES)
    tail = decoder.decode(b"", final=True)
    if tail:
        yield tail


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
    """Text of bytes that are all here: Unicode when it is, else the likeliest charset."""
    encoding, skip = encoding_of(data)
    body = data[skip:]
    if encoding != "utf-8":
        return body.decode(encoding, "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        pass
    # Short text tells too little for statistics: then Windows-1252 is the better guess.
    best = from_bytes(body[:200_000]).best() if len(body) >= 500 else None
    if best is not None and best.encoding not in ("utf_8", "ascii"):
        return body.decode(best.encoding, "replace")
    return body.decode("utf-8", _LENIENT)
