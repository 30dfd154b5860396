"""gz, bz2, xz, zip and tar -> the streams inside, two levels deep, with every bomb defused."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import BinaryIO, Final, cast

from aegle.core.errors import AegleError, InputError, UnsafeInputError
from aegle.core.pack import Origin
from aegle.sources.events import Limits, Refused
from aegle.sources.stream import DAMAGE, Budget, Guarded, explain

DEEPEST: Final = 2
"""How many archives may stand in each other, and how many compressions around one file."""

_SPOOL_BYTES: Final = 4 << 20
_ENTRY_BYTES: Final = 256
"""What a zip's directory may hold for each allowed member: 46 bytes, its name and its extras."""

_SQUEEZED: Final = (
    (b"\x1f\x8b", (".gz", ".gzip", ".z"), lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", (".bz2",), bz2.BZ2File),
    (b"\xfd7zXZ\0", (".xz",), lzma.LZMAFile),
)

Part = tuple[Origin, Guarded]
"""One stream for a reader. It must be read before the next part is asked for."""


@dataclass(frozen=True, slots=True)
class Unpacker:
    """Opens one file on disk.

    Attributes:
        limits: what is refused.
        budget: how much this file may grow.
        whole: whether a reader wants a zip as it is (a docx is one).
    """

    limits: Limits
    budget: Budget
    whole: Callable[[bytes, Origin], bool]

    def open(
        self, stream: Guarded, origin: Origin, *, file: BinaryIO | None = None
    ) -> Iterator[Part | Refused]:
        """The streams in a stream: itself when it is not packed.

        Args:
            stream: at its beginning.
            origin: where it comes from.
            file: the same content, seekable, when it lies on disk as it is.

        Raises:
            InputError: the packing itself is damaged or unsafe; parts before it were yielded.
        """
        yield from self._open(stream, origin, file, archives=0, squeezed=0)

    def _open(
        self,
        stream: Guarded,
        origin: Origin,
        file: BinaryIO | None,
        *,
        archives: int,
        squeezed: int,
    ) -> Iterator[Part | Refused]:
        head = stream.head()
        for magic, suffixes, opener in _SQUEEZED:
            if head.startswith(magic):
                if squeezed >= DEEPEST:
                    raise UnsafeInputError(f"compressed more than {DEEPEST} times over")
                with opener(stream) as source:
                    inner = Guarded(cast(BinaryIO, source), self.limits, self.budget.spend)
                    name = _inner_name(origin, suffixes)
                    yield from self._open(
                        inner, name, None, archives=archives, squeezed=squeezed + 1
                    )
                return
        kind = _archive(head, origin)
        if not kind or (kind == "zip" and self.whole(head, origin)):
            yield origin, stream
            return
        if archives >= DEEPEST:
            raise UnsafeInputError(f"archives inside archives, more than {DEEPEST} deep")
        try:
            if kind == "zip":
                yield from self._zip(stream, origin, file, archives)
            else:
                yield from self._tar(stream, origin, archives)
        except DAMAGE as error:
            raise explain(error) from error

    def _zip(
        self, stream: Guarded, origin: Origin, file: BinaryIO | None, archives: int
    ) -> Iterator[Part | Refused]:
        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as spool:
            if file is None:
                while block := stream.read(1 << 20):
                    spool.write(block)
                file = cast(BinaryIO, spool)
            self._check_directory(file)
            with zipfile.ZipFile(file) as archive:
                infos = archive.infolist()
                if len(infos) > self.limits.max_members:
                    raise self._too_many()
                if any(info.filename in ("[Content_Types].xml", "mimetype") for info in infos):
                    raise InputError(
                        "an Office or e-book file of a kind that no reader reads; "
                        "save it as docx, PDF, HTML or CSV"
                    )
                for info in infos:
                    if not info.is_dir() and not self.budget.spent:
                        yield from self._member(archive, info, origin, archives)

    def _member(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, origin: Origin, archives: int
    ) -> Iterator[Part | Refused]:
        member = _inside(origin, info.filename, info.file_size)
        if member is None:
            return
        if info.flag_bits & 0x1:
            yield Refused(str(member), "encrypted; unpack it with its password first")
            return
        try:
            with archive.open(info) as source:
                inner = Guarded(cast(BinaryIO, source), self.limits, self.budget.spend)
                yield from self._open(inner, member, None, archives=archives + 1, squeezed=0)
        except (AegleError, *DAMAGE) as error:
            yield Refused(str(member), str(explain(error)))

    def _tar(self, stream: Guarded, origin: Origin, archives: int) -> Iterator[Part | Refused]:
        count = 0
        # A PAX header may rename a member to nonsense; names are labels here, never paths.
        with tarfile.open(fileobj=stream, mode="r|", errorlevel=1) as archive:
            for info in archive:
                # The list of members seen would grow with the archive.
                archive.members = []  # type: ignore[attr-defined]
                count += 1
                if count > self.limits.max_members:
                    raise self._too_many()
                member = _inside(origin, info.name, info.size)
                if member is None or info.isdir():
                    continue
                source = archive.extractfile(info) if info.isreg() else None
                if source is None:
                    yield Refused(str(member), "a link or device in an archive; it is not followed")
                    continue
                inner = Guarded(cast(BinaryIO, source), self.limits, self.budget.spend)
                try:
                    yield from self._open(inner, member, None, archives=archives + 1, squeezed=0)
                except InputError as error:
                    yield Refused(str(member), str(error))
                if self.budget.spent:
                    return

    def _check_directory(self, file: BinaryIO) -> None:
        """Refuse a zip whose directory alone would fill the memory: it is parsed in one go."""
        size = file.seek(0, 2)
        file.seek(max(0, size - 66_000))
        tail = file.read(66_000)
        file.seek(0)
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) < at + 22:
            raise InputError("a zip without its directory: cut off while written or copied")
        (directory,) = struct.unpack_from("<L", tail, at + 12)
        wide = tail.rfind(b"PK\x06\x06", 0, at)
        if directory == 0xFFFFFFFF and wide >= 0 and len(tail) >= wide + 56:
            (directory,) = struct.unpack_from("<Q", tail, wide + 40)
        if directory > _ENTRY_BYTES * self.limits.max_members + _SPOOL_BYTES:
            raise self._too_many()

    def _too_many(self) -> UnsafeInputError:
        return UnsafeInputError(
            f"an archive of more than {self.limits.max_members} members (sources.max_members)"
        )


def _archive(head: bytes, origin: Origin) -> str:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head[257:262] == b"ustar" or (origin.name.lower().endswith(".tar") and len(head) >= 512):
        return "tar"
    return ""


def _inner_name(origin: Origin, suffixes: tuple[str, ...]) -> Origin:
    """The origin of what a compressed file holds: its name without ``.gz`` tells the format."""
    name = PurePosixPath(origin.name).name if not origin.member else origin.member
    lower = name.lower()
    if lower.endswith(".tgz"):
        name = f"{name[:-4]}.tar"
    else:
        end = next((suffix for suffix in suffixes if lower.endswith(suffix)), "")
        name = name[: len(name) - len(end)] if end else name
    return replace(origin, member=name or "data", size=None)


def _inside(origin: Origin, name: str, size: int) -> Origin | None:
    """The origin of a member, or None for a hidden one. The name is a label: no path is made of it.

    ``..`` and absolute parts are dropped, control characters replaced, lest a log or a page be
    fooled by them.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    if not parts or any(part.startswith(".") or part == "__MACOSX" for part in parts):
        return None
    label = "".join(char if char.isprintable() else "?" for char in "/".join(parts))[-1000:]
    member = f"{origin.member}/{label}" if origin.member else label
    return Origin(origin.path, member, size)
