"""The token book: each chunk's token vectors in few bytes, in SQLite, for late interaction.

It is derived from the corpus and holds no text. A row lives and goes with its chunk, depends on
that chunk and the settings alone, and says what made it: what something else made is not read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from aegle.core.ports import Vectors
from aegle.core.records import Chunk
from aegle.lm.token_vectors import maxsim
from aegle.retrieve.derived import Derived, in_parts
from aegle.retrieve.token_codes import Codec

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS chunks (
  place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, document_id TEXT NOT NULL,
  made_by TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS chunks_of_document ON chunks (document_id);
CREATE TABLE IF NOT EXISTS codes (place INTEGER PRIMARY KEY, code BLOB NOT NULL);
"""


class TokenBook:
    """Token vectors of chunks in the SQLite file ``path``; safe to use from several threads.

    Raises:
        WorkspaceError: the file is damaged or can't be written; also from its methods.
    """

    def __init__(self, path: Path) -> None:
        self._file = Derived(path, _SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def put(self, chunks: Sequence[Chunk], codes: Iterable[bytes], *, made_by: str) -> None:
        """Keep a code for each chunk, in one transaction, all chunks of a document together.

        What was kept of their documents is replaced. ``codes`` are taken one by one, so that they
        need not all be in memory.
        """
        with self._file.writing() as db:
            _delete(db, list(dict.fromkeys(one.document_id for one in chunks)))
            for chunk, code in zip(chunks, codes, strict=True):
                place = db.execute(
                    "INSERT INTO chunks (id, document_id, made_by) VALUES (?, ?, ?)",
                    (chunk.id, chunk.document_id, made_by),
                ).lastrowid
                db.execute("INSERT INTO codes VALUES (?, ?)", (place, code))

    def remove(self, document_ids: Sequence[str]) -> None:
        """Remove the chunks of some documents, leaving no byte of them."""
        with self._file.writing() as db:
            _delete(db, document_ids)
        self._file.wipe()

    def counts(self) -> dict[str, int]:
        """How many chunks are kept, by what made them."""
        return dict(self._file.rows("SELECT made_by, count(*) FROM chunks GROUP BY made_by"))

    def scores(
        self, question_QC: Vectors, chunk_ids: Sequence[str], *, codec: Codec, made_by: str
    ) -> dict[str, float]:
        """MaxSim of a question's token vectors with each chunk that is kept as ``made_by`` says.

        Args:
            question_QC: unit vectors by the encoder that made those of the chunks.
            codec: which wrote the codes.

        Returns:
            Chunk id -> about what `aegle.lm.token_vectors.maxsim` says of the vectors themselves.
        """
        turned_QC = codec.turn(question_QC)
        found: dict[str, float] = {}
        for ids, marks in in_parts(chunk_ids):
            rows = self._file.rows(
                "SELECT id, code FROM chunks LEFT JOIN codes USING (place) "  # noqa: S608 - only placeholders are put in
                f"WHERE id IN ({marks}) AND made_by = ?",
                (*ids, made_by),
            )
            for item, code in rows:
                if not isinstance(code, bytes):
                    raise self._file.damaged("chunks without token vectors")
                try:
                    found[item] = maxsim(turned_QC, codec.decode(code))
                except ValueError as error:
                    raise self._file.damaged("token vectors that are none") from error
        return found


def _delete(db: sqlite3.Connection, document_ids: Sequence[str]) -> None:
    for ids, marks in in_parts(document_ids):
        which = f"document_id IN ({marks})"
        held = f"SELECT place FROM chunks WHERE {which}"  # noqa: S608 - only placeholders
        db.execute(f"DELETE FROM codes WHERE place IN ({held})", ids)  # noqa: S608
        db.execute(f"DELETE FROM chunks WHERE {which}", ids)  # noqa: S608
