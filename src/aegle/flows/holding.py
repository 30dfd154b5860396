"""The ledger's account of which file holds which documents, and which are held by none.

A document stays as long as one file holds it. ``sources`` says in which reading of a file's content
a document was met last; ``begun`` are files whose reading has not come to its end (yet).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS files (
  sha256 TEXT, path TEXT, size_bytes INTEGER, documents INTEGER, at REAL,
  PRIMARY KEY (sha256, path));
CREATE TABLE IF NOT EXISTS sources (
  document_id TEXT, sha256 TEXT, reading INTEGER DEFAULT 0,
  PRIMARY KEY (document_id, sha256)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sources_by_file ON sources (sha256);
CREATE TABLE IF NOT EXISTS begun (
  sha256 TEXT, path TEXT, PRIMARY KEY (sha256, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS retired (document_id TEXT PRIMARY KEY) WITHOUT ROWID;
"""

UNDER: Final = "(path = ?1 OR substr(path, 1, length(?1) + 1) = ?1 || '!')"
"""A file and what is packed in it."""


@dataclass(frozen=True, slots=True)
class Met:
    """A document as it was met in a file; ``marks`` tell it when it was forgotten.

    ``path`` may name the part of an archive (``a.zip!b.txt``).
    """

    document_id: str
    sha256: str
    path: str
    reading: int
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """A file that was read to its end, or is known by its content (``documents`` is None).

    Attributes:
        reading: the number of this reading; those of later readings are higher.
        replaces: what was met in former readings of the content, and under its path in former
            contents, is not held by this file any more.
        stream: the path names no file: what it held before says nothing of what it holds now.
    """

    path: str
    sha256: str
    size_bytes: int
    documents: int | None
    reading: int
    replaces: bool = True
    stream: bool = False


def meet(db: sqlite3.Connection, met: Sequence[Met]) -> None:
    """Record documents where they were met."""
    sources = [(one.document_id, one.sha256, one.reading) for one in met]
    db.executemany("INSERT OR REPLACE INTO sources VALUES (?, ?, ?)", sources)
    begun = sorted({(one.sha256, one.path) for one in met})
    db.executemany("INSERT OR IGNORE INTO begun VALUES (?, ?)", begun)
    ids = [(one.document_id,) for one in met]
    db.executemany("DELETE FROM retired WHERE document_id = ?", ids)


def end(db: sqlite3.Connection, ended: Ended) -> None:
    """Record that a file was read to its end, and retire what no file holds any more."""
    path, sha256 = ended.path, ended.sha256
    row = (sha256, path, ended.size_bytes, ended.documents, time.time())
    db.execute("DELETE FROM begun WHERE sha256 = ?", (sha256,))
    db.execute(
        "INSERT OR REPLACE INTO files VALUES (?1, ?2, ?3, coalesce(?4, "
        "(SELECT max(documents) FROM files WHERE sha256 = ?1), 0), ?5)",
        row,
    )
    if not ended.replaces:
        return
    left = set() if ended.stream else _contents_left(db, path, sha256)
    release(db, "sha256 = ? AND reading < ?", (sha256, ended.reading))
    for one in sorted(left):
        release(db, "sha256 = ?", (one,))


def _contents_left(db: sqlite3.Connection, path: str, sha256: str) -> set[str]:
    """Take a file's former contents from it; those that no other file has."""
    left: set[str] = set()
    for table in ("files", "begun"):
        former = f"FROM {table} WHERE {UNDER} AND sha256 <> ?2"
        left |= {row[0] for row in db.execute(f"SELECT sha256 {former}", (path, sha256))}
        db.execute(f"DELETE {former}", (path, sha256))
    held = "SELECT 1 FROM files WHERE sha256 = ?1 UNION ALL SELECT 1 FROM begun WHERE sha256 = ?1"
    return {one for one in left if not db.execute(held, (one,)).fetchone()}


def release(db: sqlite3.Connection, which: str, values: Sequence[Any]) -> None:
    """Delete some sources, and retire the documents that had no other."""
    freed = db.execute(f"SELECT document_id FROM sources WHERE {which}", values).fetchall()  # noqa: S608 - callers give constants
    db.execute(f"DELETE FROM sources WHERE {which}", values)  # noqa: S608 - callers give constants
    db.executemany(
        "INSERT OR IGNORE INTO retired "
        "SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM sources WHERE document_id = ?1)",
        freed,
    )
