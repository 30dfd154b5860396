"""The run over all files: hash, skip what is known, unpack, pick a reader, pass documents on."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, cast

from aegle.core.decode import guess_encoding
from aegle.core.errors import AegleError, UsageError
from aegle.core.observe import Label, event
from aegle.core.pack import Origin, Reader
from aegle.core.ports import Progress, quiet
from aegle.sources.discover import STDIN, File, discover
from aegle.sources.events import Event, FileDone, Got, Limits, Refused
from aegle.sources.stream import Budget, Guarded
from aegle.sources.unpack import Unpacker

SUREST: Final = 0.9
"""A reader this sure takes a zip as it is."""

LEAST: Final = 0.1
"""A reader less sure than this does not read."""

_BLOCK: Final = 1 << 20
_STEP: Final = "read"


def read(
    paths: Iterable[str | Path],
    readers: Sequence[Reader],
    *,
    limits: Limits,
    seen: Callable[[str], bool],
    progress: Progress = quiet,
    stdin: BinaryIO | None = None,
    skip: Sequence[Path] = (),
) -> Iterator[Event]:
    """Read files, folders, patterns and ``-`` (stdin) through the surest of some readers.

    What can't be read is `Refused` with a reason that never quotes it, and the run goes on. A file
    is the unit of resuming: its content's SHA-256 is asked of ``seen`` before anything is read.

    Args:
        paths: what the user named.
        readers: asked in this order; of two that are equally sure the first reads.
        limits: what is refused.
        seen: whether a file with this SHA-256 was read to its end before.
        progress: told the bytes of files dealt with, over their total.
        stdin: what ``-`` means.
        skip: files and folders that are never read.

    Raises:
        NotFoundError: a path does not exist.
        UsageError: ``-`` is named and there is no stdin, or a path names what is never read.
    """
    found = discover(paths, skip=skip)
    if stdin is None and any(isinstance(one, File) and one.path == STDIN for one in found):
        raise UsageError("- means standard input, and there is none here; name a file")
    return _Run(tuple(readers), limits, seen, progress, stdin).over(found)


class _Run:
    def __init__(
        self,
        readers: Sequence[Reader],
        limits: Limits,
        seen: Callable[[str], bool],
        progress: Progress,
        stdin: BinaryIO | None,
    ) -> None:
        self._readers, self._limits, self._seen = readers, limits, seen
        self._progress, self._stdin = progress, stdin
        self._done = self._total = 0

    def over(self, found: Sequence[File | Refused]) -> Iterator[Event]:
        self._total = sum(one.size_bytes for one in found if isinstance(one, File))
        self._progress(_STEP, 0, self._total)
        for one in found:
            if isinstance(one, Refused):
                yield Refused(label_of(one.path), one.reason)
                continue
            try:
                yield from self._piped() if one.path == STDIN else self._on_disk(one)
            except OSError as error:
                gone = isinstance(error, FileNotFoundError)
                why = "it vanished during the run" if gone else f"it can't be read ({_name(error)})"
                yield Refused(label_of(one.path), why)
            self._done += one.size_bytes
            self._progress(_STEP, self._done, self._total)

    def _on_disk(self, found: File) -> Iterator[Event]:
        label = label_of(found.path)
        if found.size_bytes > self._limits.max_file_bytes:
            yield Refused(label, self._too_large())
            return
        # Non-blocking: a named pipe that took the file's place must not hang the run.
        handle = os.open(found.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                yield Refused(label, "it is no regular file any more")
                return
            digest = hashlib.sha256()
            size = 0
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
            done = yield from self._file(file, label, digest.hexdigest(), size)
            after = os.fstat(file.fileno())
            if (before.st_mtime_ns, size) != (after.st_mtime_ns, after.st_size):
                yield Refused(label, "it changed while it was read; run the command again")
            else:
                yield done

    def _piped(self) -> Iterator[Event]:
        """Stdin is written to a file without a name first, to be hashed and to be seekable."""
        digest = hashlib.sha256()
        size = 0
        with tempfile.SpooledTemporaryFile(8 * _BLOCK) as spool:
            while block := cast(BinaryIO, self._stdin).read(_BLOCK):
                digest.update(block)
                size += len(block)
                if size > self._limits.max_file_bytes:
                    yield Refused(STDIN, self._too_large())
                    return
                spool.write(block)
            self._total += size
            file = cast(BinaryIO, spool)
            yield (yield from self._file(file, STDIN, digest.hexdigest(), size))
            self._done += size

    def _file(
        self, file: BinaryIO, path: str, sha256: str, size: int
    ) -> Generator[Event, None, FileDone]:
        if self._seen(sha256):
            return FileDone(path, sha256, size, 0, skipped=True)
        file.seek(0)
        documents = refused = 0
        for one in self._parts(file, path, size):
            documents += isinstance(one, Got)
            refused += isinstance(one, Refused)
            yield one
            self._progress(_STEP, self._done + min(file.tell(), size), self._total)
        return FileDone(path, sha256, size, documents, refused=refused)

    def _parts(self, file: BinaryIO, path: str, size: int) -> Iterator[Event]:
        """The documents of a file and of what is packed in it."""
        budget = Budget(size, self._limits)
        unpacker = Unpacker(self._limits, budget, self._is_whole)
        try:
            stream = Guarded(cast(BinaryIO, _Kept(file)), self._limits)
            for part in unpacker.open(stream, Origin(path, size=size), file=file):
                if isinstance(part, Refused):
                    yield part
                else:
                    yield from _documents(self._readers, *part)
        except AegleError as error:
            yield Refused(path, str(error))
        except Exception as error:  # an archive can break its library in ways nobody listed
            yield Refused(path, f"it can't be unpacked ({type(error).__name__})")

    def _is_whole(self, head: bytes, origin: Origin) -> bool:
        return pick(self._readers, head, origin)[1] >= SUREST

    def _too_large(self) -> str:
        return f"larger than {self._limits.max_file_bytes / 1e6:.4g} MB (sources.max_file_mb)"


class _Kept:
    """A file that closing a stream over it leaves open."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read


def label_of(path: str) -> str:
    """A path as it can be stored and shown: what is no text or would break a line is escaped.

    A name on disk is bytes. Those that are no UTF-8 can't be written to a store, and a line break
    in a name would let a file forge lines of a list.
    """
    return "".join(
        char if char.isprintable() else ascii(char)[1:-1].replace("\\udc", "\\x") for char in path
    )


def pick(readers: Sequence[Reader], head: bytes, origin: Origin) -> tuple[Reader | None, float]:
    """The surest reader of a stream that starts like this, and how sure it is."""
    best: tuple[Reader | None, float] = (None, 0.0)
    for reader in readers:
        try:
            score = reader.sniff(head, origin)
        except Exception as error:
            name, kind = Label(reader.name), Label(type(error).__name__)
            event("sniff.failed", level="warning", reader=name, error=kind)
            continue
        if score > best[1]:
            best = (reader, score)
    return best if best[1] >= LEAST else (None, best[1])


def _documents(readers: Sequence[Reader], origin: Origin, stream: Guarded) -> Iterator[Event]:
    """What one reader makes of one stream: documents, then why it ended before the end."""
    path = str(origin)
    count = 0
    reader: Reader | None = None
    try:
        head = stream.head()
        if not head:
            yield Refused(path, "empty")
            return
        reader, _ = pick(readers, head, origin)
        if reader is None:
            guess_encoding(head)  # names what it is when it is no text
            yield Refused(path, "text of a kind that no reader reads")
            return
        for document in reader.read(stream, origin):
            count += 1
            yield Got(document, path)
        if not count:
            yield Refused(path, f"the reader {reader.name!r} found nothing to read in it")
    except Exception as error:
        yield Refused(path, _reason(error, reader, count))


def _reason(error: Exception, reader: Reader | None, count: int) -> str:
    """Why reading ended, without a word of what was read."""
    if isinstance(error, AegleError):
        reason = str(error)
    elif isinstance(error, RecursionError):
        reason = "nested too deep to be read"
    elif isinstance(error, MemoryError):
        reason = "it needs more memory than there is"
    else:
        name = repr(reader.name) if reader is not None else "of its head"
        reason = f"the reader {name} failed ({type(error).__name__}); please report this"
    return f"{reason} ({count} documents before that were kept)" if count else reason


def _name(error: OSError) -> str:
    return error.strerror or type(error).__name__
