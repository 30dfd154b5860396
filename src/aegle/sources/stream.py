"""Streams that refuse to grow: limits on lines, on whole reads and on what unpacking gives."""

from __future__ import annotations

import errno
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import BinaryIO, Final, cast

from aegle.core.decode import HEAD_BYTES
from aegle.core.errors import AegleError, InputError, UnsafeInputError
from aegle.sources.events import Limits

WHOLE_TEXTS: Final = 4
"""A read of everything may give this many times the largest text: one JSON or XML document."""

SLACK_BYTES: Final = 1 << 20
"""A file may always unpack to this much: a few lines of a log compress a thousand times."""

DAMAGE: Final = (
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    NotImplementedError,
)
"""What the standard library raises for data that can't be unpacked or read."""


def explain(error: Exception) -> AegleError:
    """One of `DAMAGE` as an error of ours, without the data that it may quote."""
    if isinstance(error, AegleError):
        return error
    if isinstance(error, EOFError):
        return InputError("it ends too early: cut off while it was written or copied")
    if isinstance(error, NotImplementedError):
        return InputError("packed by a method that can't be unpacked here")
    if isinstance(error, OSError) and error.errno is not None:
        name = errno.errorcode.get(error.errno, type(error).__name__)
        return InputError(f"it can't be read ({name})")
    return InputError(f"damaged: its packed data can't be unpacked ({type(error).__name__})")


class Budget:
    """How much one file on disk may grow, counted over all layers and members inside it."""

    def __init__(self, size_bytes: int, limits: Limits) -> None:
        self._ratio = limits.max_ratio
        self._left = max(SLACK_BYTES, int(size_bytes * limits.max_ratio))

    @property
    def spent(self) -> bool:
        """Whether the file was found to be a bomb: nothing more of it is read."""
        return self._left < 0

    def spend(self, size_bytes: int) -> None:
        """Count unpacked bytes.

        Raises:
            UnsafeInputError: the file has grown too much.
        """
        self._left -= size_bytes
        if self.spent:
            raise UnsafeInputError(
                f"it grows more than {self._ratio:g} times when unpacked, as a decompression bomb "
                "does; the rest was not read (sources.max_ratio)"
            )


class _Raw(io.RawIOBase):
    """The source below `Guarded`: counts, translates errors, keeps what came before an error."""

    def __init__(self, source: BinaryIO, spend: Callable[[int], None], most: int) -> None:
        self._read: Callable[[int], bytes] = getattr(source, "read1", source.read)
        self._spend, self._most, self._size = spend, most, 0
        self._late: AegleError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._late is not None:
            raise self._late
        filled = 0
        while filled < len(buffer):
            try:
                block = self._read(len(buffer) - filled)
                self._count(len(block))
            except (AegleError, *DAMAGE) as error:
                self._late = explain(error)
                if filled:
                    return filled
                raise self._late from error
            if not block:
                break
            buffer[filled : filled + len(block)] = block
            filled += len(block)
        return filled

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self._most:
            raise InputError(f"larger than {self._most / 1e6:.4g} MB (sources.max_file_mb)")
        self._spend(size)


class Guarded(io.BufferedReader):
    """What readers get: a forward-only stream whose every call is bounded in memory.

    ``readline``, iteration and `io.TextIOWrapper` give lines up to ``limits.max_text_bytes``, a
    read without a size gives up to `WHOLE_TEXTS` times that, a read with a size what was asked for.
    All raise `InputError` beyond, and for damaged data after giving what came before.
    """

    def __init__(
        self, source: BinaryIO, limits: Limits, spend: Callable[[int], None] = lambda size: None
    ) -> None:
        super().__init__(_Raw(source, spend, limits.max_file_bytes), HEAD_BYTES)
        self._line_limit = limits.max_text_bytes
        self._open_line = 0
        self._late: AegleError | None = None

    def head(self) -> bytes:
        """The first `HEAD_BYTES`, which stay to be read; call it before reading."""
        return self.peek(HEAD_BYTES)[:HEAD_BYTES]

    def readline(self, size: int | None = -1, /) -> bytes:
        """The next line; a longer one than the limit is refused, not returned in parts."""
        if size is not None and size >= 0:
            return super().readline(size)
        line = super().readline(self._line_limit + 1)
        if len(line) > self._line_limit:
            raise self._too_long("a line")
        return line

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def read1(self, size: int = -1, /) -> bytes:
        """Some bytes; counts the open line, as `io.TextIOWrapper` reads lines by this."""
        block = super().read1(size)
        last = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self._open_line = self._open_line + len(block) if last < 0 else len(block) - last - 1
        if self._open_line > self._line_limit:
            raise self._too_long("a line")
        return block

    def read(self, size: int | None = -1, /) -> bytes:
        """So many bytes, or all; before an error, what there is."""
        if self._late is not None:
            raise self._late
        everything = size is None or size < 0
        wanted = self._line_limit * WHOLE_TEXTS + 1 if everything else cast(int, size)
        left = wanted
        parts: list[bytes] = []
        while left > 0:
            try:
                block = super().read1(left)
            except AegleError as error:
                if everything or not parts:
                    raise
                self._late = error
                break
            if not block:
                break
            parts.append(block)
            left -= len(block)
        if everything and left == 0:
            raise self._too_long("a document in one piece", WHOLE_TEXTS)
        return b"".join(parts)

    def _too_long(self, what: str, times: int = 1) -> InputError:
        most = self._line_limit * times / 1e6
        return InputError(f"{what} of more than {most:.4g} MB; split it (sources.max_text_mb)")
