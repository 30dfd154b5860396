"""What reading says: a document, a refusal with its reason, a file that was read to its end."""

from __future__ import annotations

from dataclasses import dataclass

from aegle.core.records import RawDocument


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused. Sizes in bytes; ``max_ratio`` is unpacked over packed."""

    max_file_bytes: int = 2_048_000_000
    max_text_bytes: int = 16_000_000
    max_ratio: float = 200.0
    max_members: int = 100_000

    def __post_init__(self) -> None:
        if min(self.max_file_bytes, self.max_text_bytes, self.max_members) < 1:
            raise ValueError(f"limits are at least 1, got {self}")
        if self.max_ratio <= 1:
            raise ValueError(f"max_ratio is more than 1, got {self.max_ratio}")


@dataclass(frozen=True, slots=True)
class Got:
    """A document that was read from ``path`` (``archive.zip!member`` inside an archive)."""

    document: RawDocument
    path: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A file or a member of an archive that was not read, or not to its end; never quotes it."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class FileDone:
    """A file was dealt with: how many documents it gave and how many of its parts were refused.

    ``skipped`` files were read before, by their content. A file that could not be opened, or that
    changed while it was read, has a `Refused` and no `FileDone`.
    """

    path: str
    sha256: str
    size_bytes: int
    documents: int
    skipped: bool = False
    refused: int = 0


Event = Got | Refused | FileDone
