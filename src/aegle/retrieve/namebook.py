"""The name book: what each chunk names, and its vector in a quarter of the room, in SQLite.

It is derived from the corpus and holds no text: names are hashes (`marks`). A row lives and goes
with its chunk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.ports import Vectors
from aegle.core.records import Chunk
from aegle.core.sparse import Floats, Indices
from aegle.retrieve import marks
from aegle.retrieve.derived import Derived, in_parts
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

_MOST: Final = 127
"""Of a number of a vector: cosines of MiniLM's vectors move by .002 at most (0076)."""


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
        self._file = Derived(path, _SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def put(self, chunks: Sequence[Chunk], named: Sequence[Named], vectors: Vectors) -> None:
        """Keep what chunks name, with their vectors (len(chunks), width), in one transaction.

        What was kept of their documents is replaced, so give all chunks of a document together.
        """
        most = np.maximum(np.abs(vectors).max(axis=1, keepdims=True), 1e-12)
        whole = np.rint(vectors / most * _MOST).astype(np.int8)
        with self._file.writing() as db:
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
        with self._file.writing() as db:
            self._delete(db, document_ids)
        self._file.wipe()

    def _delete(self, db: sqlite3.Connection, document_ids: Sequence[str]) -> None:
        for ids, places in in_parts(document_ids):
            which = f"document_id IN ({places})"
            held = f"SELECT place FROM chunks WHERE {which}"  # noqa: S608 - only placeholders
            db.execute(f"DELETE FROM vectors WHERE place IN ({held})", ids)  # noqa: S608
            db.execute(f"DELETE FROM chunks WHERE {which}", ids)  # noqa: S608

    def count(self) -> int:
        """How many chunks it knows, those that name nothing among them."""
        return int(self._file.rows("SELECT count(*) FROM chunks")[0][0])

    def is_current(self) -> bool:
        """Whether all of it was made as it would be made now."""
        return {row[0] for row in self._file.rows("SELECT version FROM made_by")} <= {marks.VERSION}

    def rows(self, *, apart: str = "") -> Rows:
        """What the chunks name that name something, as `PassageGraph` takes it, in one reading.

        Args:
            apart: how the groups begin whose chunks not every question sees; empty for none.
        """
        found = self._file.rows(f"SELECT id, document_id, names, phrases, grp, domain {_NAMING}")
        if not all(isinstance(row[n], str) for row in found for n in (0, 4, 5)):
            raise self._file.damaged("passages without an id, a group or a domain")
        documents: dict[str, int] = {}
        numbers = [documents.setdefault(row[1], len(documents)) for row in found]
        names, name_ends = self._columns([row[2] for row in found], marks.NAME)
        phrases, phrase_ends = self._columns([row[3] for row in found], marks.PHRASE)
        if not (names["count"] > 0).all() or not (names["how"] <= marks.ABOUT).all():
            raise self._file.damaged("names that are none")
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
        found = self._file.rows(f"SELECT id, vector {_WITH_VECTORS}")
        vectors = [row[1] for row in found]
        if not all(isinstance(one, bytes) and one for one in vectors):
            raise self._file.damaged("passages without a vector")
        if len({len(one) for one in vectors}) > 1:
            raise self._file.damaged("vectors of several encoders")
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
        return [row[0] for row in self._file.rows(sql, groups)]

    def _columns(self, blobs: Sequence[bytes], kind: np.dtype[Any]) -> tuple[NDArray[Any], Indices]:
        if not all(isinstance(one, bytes) and len(one) % kind.itemsize == 0 for one in blobs):
            raise self._file.damaged("rows that are cut off")
        ends = np.cumsum([len(one) // kind.itemsize for one in blobs], dtype=np.int64)
        return np.frombuffer(b"".join(blobs), kind), ends
