"""The name book: what each chunk names, and its vector in a quarter of the room, in SQLite.

It is derived from the corpus and holds no text: names are hashes (`marks`). A row lives and goes
with its chunk.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.errors import WorkspaceError
from aegle.core.ports import Vectors
from aegle.core.records import Chunk
from aegle.core.sparse import Floats, Indices
from aegle.retrieve import marks
from aegle.retrieve.marks import Named
from aegle.retrieve.passages import Rows

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS made_by (version TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chunks (
  place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, document_id TEXT NOT NULL,
  grp TEXT NOT NULL, domain TEXT NOT NULL, names BLOB NOT NULL, phrases BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS chunks_of_document ON chunks (document_id);
CREATE INDEX IF NOT EXISTS chunks_of_group ON chunks (grp);
CREATE TABLE IF NOT EXISTS vectors (place INTEGER PRIMARY KEY, vector BLOB NOT NULL);
"""
_NAMING: Final = "FROM chunks WHERE names <> x'' ORDER BY place"
"""Chunks that name something. The others have a row, so that what is missing can be told."""
_WITH_VECTORS: Final = (
    "FROM chunks LEFT JOIN vectors USING (place) WHERE names <> x'' ORDER BY place"
)

_TOGETHER: Final = 500
_MOST: Final = 127
"""Of a number of a vector: cosines of MiniLM's vectors move by .002 at most (0076)."""

_DAMAGE: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")
"""What SQLite says of a file that is no database, a broken one, or one with other tables."""


def files(path: Path) -> list[Path]:
    """Every file that a name book at ``path`` has, whether it is there or not."""
    return [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))]


def is_damage(error: WorkspaceError) -> bool:
    """Whether the file itself is broken: not a full disk, nor one that can't be written."""
    return getattr(error.__cause__, "sqlite_errorname", "").startswith(_DAMAGE)


class Cosines:
    """Vectors in whole numbers of eight bits, a row for each passage of a graph."""

    def __init__(self, rows: NDArray[np.int8]) -> None:
        self._rows = rows
        squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float32)
        self._lengths = np.sqrt(np.maximum(squares, 1))

    def __call__(self, vector: Vectors, places: Indices) -> Floats:
        """The cosines of some passages to a unit vector."""
        products = self._rows[places].astype(np.float32) @ np.asarray(vector, np.float32)
        return np.asarray(products / self._lengths[places], np.float64)


class NameBook:
    """What chunks name, in the SQLite file ``path``; safe to use from several threads.

    Raises:
        WorkspaceError: the file is damaged or can't be written; also from its methods.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.RLock()
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            try:
                self._db.execute("PRAGMA secure_delete = ON")
                self._db.execute("PRAGMA journal_mode = WAL").fetchone()
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._db.executescript(_SCHEMA)
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def put(self, chunks: Sequence[Chunk], named: Sequence[Named], vectors: Vectors) -> None:
        """Keep what chunks name, with their vectors (len(chunks), width), in one transaction.

        What was kept of their documents is replaced, so give all chunks of a document together.
        """
        most = np.maximum(np.abs(vectors).max(axis=1, keepdims=True), 1e-12)
        whole = np.rint(vectors / most * _MOST).astype(np.int8)
        with self._writing() as db:
            self._delete(db, list(dict.fromkeys(one.document_id for one in chunks)))
            db.execute("INSERT OR IGNORE INTO made_by VALUES (?)", (marks.VERSION,))
            for chunk, one, vector in zip(chunks, named, whole, strict=True):
                row = (chunk.id, chunk.document_id, chunk.group, chunk.domain)
                blobs = one.names.tobytes(), one.phrases.tobytes()
                place = db.execute(
                    "INSERT INTO chunks (id, document_id, grp, domain, names, phrases) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (*row, *blobs),
                ).lastrowid
                if blobs[0]:
                    db.execute("INSERT INTO vectors VALUES (?, ?)", (place, vector.tobytes()))

    def remove(self, document_ids: Sequence[str]) -> None:
        """Remove what the chunks of some documents name, leaving no byte of it."""
        with self._writing() as db:
            self._delete(db, document_ids)
        with self._told():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _delete(self, db: sqlite3.Connection, document_ids: Sequence[str]) -> None:
        for start in range(0, len(document_ids), _TOGETHER):
            ids = document_ids[start : start + _TOGETHER]
            which = f"document_id IN ({', '.join('?' * len(ids))})"
            places = f"SELECT place FROM chunks WHERE {which}"  # noqa: S608 - only placeholders
            db.execute(f"DELETE FROM vectors WHERE place IN ({places})", ids)  # noqa: S608
            db.execute(f"DELETE FROM chunks WHERE {which}", ids)  # noqa: S608

    def count(self) -> int:
        """How many chunks it knows, those that name nothing among them."""
        return int(self._rows("SELECT count(*) FROM chunks")[0][0])

    def is_current(self) -> bool:
        """Whether all of it was made as it would be made now."""
        return {row[0] for row in self._rows("SELECT version FROM made_by")} <= {marks.VERSION}

    def rows(self, *, apart: str = "") -> Rows:
        """What the chunks name that name something, as `PassageGraph` takes it, in one reading.

        Args:
            apart: how the groups begin whose chunks not every question sees; empty for none.
        """
        found = self._rows(f"SELECT id, document_id, names, phrases, grp, domain {_NAMING}")
        if not all(isinstance(row[n], str) for row in found for n in (0, 4, 5)):
            raise self._damaged("passages without an id, a group or a domain")
        documents: dict[str, int] = {}
        numbers = [documents.setdefault(row[1], len(documents)) for row in found]
        names, name_ends = self._columns([row[2] for row in found], marks.NAME)
        phrases, phrase_ends = self._columns([row[3] for row in found], marks.PHRASE)
        if not (names["count"] > 0).all() or not (names["how"] <= marks.ABOUT).all():
            raise self._damaged("names that are none")
        return Rows(
            [row[0] for row in found],
            np.array(numbers, np.int64),
            names,
            name_ends,
            phrases,
            phrase_ends,
            np.array([bool(apart) and row[4].startswith(apart) for row in found], bool),
            np.array([row[5] for row in found], np.str_),
        )

    def cosines(self, ids: NDArray[np.bytes_]) -> Cosines:
        """Of some passages, in their order; one that is gone by now is like no question."""
        found = self._rows(f"SELECT id, vector {_WITH_VECTORS}")
        vectors = [row[1] for row in found]
        if not all(isinstance(one, bytes) and one for one in vectors):
            raise self._damaged("passages without a vector")
        if len({len(one) for one in vectors}) > 1:
            raise self._damaged("vectors of several encoders")
        width = len(vectors[0]) if vectors else 0
        rows: NDArray[np.int8] = np.frombuffer(b"".join(vectors), np.int8)
        rows = rows.reshape(len(vectors), width)
        held = [row[0].encode() for row in found]
        if held != ids.tolist():
            place = {item: n for n, item in enumerate(held)}
            rows = np.concatenate([rows, np.zeros((1, width), np.int8)])
            rows = rows[[place.get(item, -1) for item in ids.tolist()]]
        return Cosines(rows)

    def of_groups(self, groups: Sequence[str]) -> list[str]:
        """The ids of the chunks of some groups."""
        which = ", ".join("?" * len(groups))
        sql = f"SELECT id FROM chunks WHERE grp IN ({which}) ORDER BY place"  # noqa: S608 - only placeholders are put in
        return [row[0] for row in self._rows(sql, groups)]

    def _columns(self, blobs: Sequence[bytes], kind: np.dtype[Any]) -> tuple[NDArray[Any], Indices]:
        if not all(isinstance(one, bytes) and len(one) % kind.itemsize == 0 for one in blobs):
            raise self._damaged("rows that are cut off")
        ends = np.cumsum([len(one) // kind.itemsize for one in blobs], dtype=np.int64)
        return np.frombuffer(b"".join(blobs), kind), ends

    def _damaged(self, what: str) -> WorkspaceError:
        return WorkspaceError(
            f"{self._path} holds {what}; it holds nothing of its own: run: aegle reindex"
        )

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock, self._told():
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as error:
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            if name.startswith("SQLITE_FULL") or name == "SQLITE_IOERR_SHMSIZE":
                raise WorkspaceError(
                    f"the disk is full: the last change to {self._path} was not made; free some "
                    "space and run the command again"
                ) from error
            raise WorkspaceError(
                f"{self._path} is damaged or can't be used ({name}); it holds nothing of its own: "
                "run: aegle reindex"
            ) from error
