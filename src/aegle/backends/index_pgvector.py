"""Index by PostgreSQL with pgvector: one table a workspace, on a server that others may run.

The table keeps vectors, hashed terms with BM25 weights (a sparse vector), ids and filter fields;
never text. `remove` writes the table anew (VACUUM FULL) and, where it may, switches and checkpoints
the server's log, because PostgreSQL only marks a deleted row as dead. The server's archives,
replicas and, without ``wal_recycle = off``, spare log files are its keeper's.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from aegle.backends.index_rows import (
    FIELDS,
    IndexFolder,
    best,
    checked_filter,
    hashed,
    last_of_each,
    telling,
    unit_query,
    unit_rows,
    weigh,
    words,
)
from aegle.core.errors import BackendError, SettingsError, WorkspaceBusyError, WorkspaceError
from aegle.core.ports import Found, Vectors
from aegle.core.records import Chunk
from aegle.lm.terms import terms

_EXACT_BELOW: Final = 50_000
"""With fewer vectors every one is compared; an HNSW graph takes minutes to build anew."""

_TERMS: Final = 1_000_000_000
"""The most dimensions that pgvector's sparsevec has."""

_MOST_TERMS: Final = 16_000
"""The most entries that a sparsevec has; a chunk of 480 tokens has a few hundred terms."""

_PATIENCE: Final = 2.0
"""Seconds to wait for the lock of a connection just lost, which the server drops a moment later."""

_CREATE: Final = """
CREATE TABLE {table} (chunk_id text PRIMARY KEY, document_id text NOT NULL, "group" text NOT NULL,
    domain text NOT NULL, kind text NOT NULL, vector vector({width}) NOT NULL,
    words sparsevec({terms}) NOT NULL, terms int[] NOT NULL);
ALTER TABLE {table} ALTER vector SET STORAGE MAIN, ALTER words SET STORAGE MAIN;
CREATE INDEX ON {table} (document_id);
CREATE INDEX ON {table} ("group");
CREATE INDEX ON {table} USING gin (terms);
"""
_ADD: Final = """
INSERT INTO {table} SELECT * FROM adding ON CONFLICT (chunk_id) DO UPDATE SET
    (document_id, "group", domain, kind, vector, words, terms) = (excluded.document_id,
    excluded."group", excluded.domain, excluded.kind, excluded.vector, excluded.words,
    excluded.terms)
"""


class PgvectorIndex:
    """An `Index` on a server, owned by one opener at a time; safe to share between threads.

    Args:
        path: the index's folder, which says what is on the server; made when missing.
        width: of the vectors.
        url: of the database, ``postgresql://user@host:5432/database``; libpq's variables and
            password file are read.
        name: of the table, which must be this workspace's alone.

    Raises:
        WorkspaceBusyError: somebody else has the folder or the table open.
        BackendError: the server does not answer, or has no pgvector.
        WorkspaceError: the folder was made by other settings.
    """

    def __init__(self, path: Path, *, width: int, url: str, name: str) -> None:
        if not url:
            raise SettingsError(
                "pgvector needs backends.index_url: postgresql://user@host/database"
            )
        self._width, self._url, self._name = width, url, name
        self._mutex = threading.RLock()
        self._table = sql.Identifier(name)
        self._closed = False
        self._count: int | None = None
        self._held: dict[int, int] = {}  # how many chunks hold a term; only this owner changes it
        self._db = self._connect()
        self._folder: IndexFolder | None = None
        try:
            info = self._db.info
            place = f"table {name} in {info.dbname} on {info.host}:{info.port}"
            self._folder = IndexFolder(path, made_by="pgvector", width=width, place=place)
            self._prepare(self._folder)
        except BaseException:
            self.close()
            raise

    def _connect(self, *, patience: float = 0.0) -> psycopg.Connection[Any]:
        with telling("PostgreSQL", "is backends.index_url right and the server running?"):
            db = psycopg.connect(self._url, autocommit=True, connect_timeout=10)
            key = int.from_bytes(hashlib.sha256(self._name.encode()).digest()[:8], signed=True)
            if not _locked(db, key, patience):
                db.close()
                raise WorkspaceBusyError(
                    f"the table {self._name} is in use by another process; stop it, or let it work"
                )
            db.execute("SET hnsw.ef_search = 256") if _has_vector(db) else None
            return db

    def _prepare(self, folder: IndexFolder) -> None:
        try:
            self._db.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except psycopg.Error as error:
            raise BackendError(
                f"the server has no pgvector here ({type(error).__name__}); install it and run "
                "CREATE EXTENSION vector as an administrator of the database"
            ) from error
        with telling("PostgreSQL", "may this user create tables in the database?"):
            if folder.is_new:
                self._run("DROP TABLE IF EXISTS {table}")
                self._run(_CREATE, width=sql.Literal(self._width), terms=sql.Literal(_TERMS))
                folder.mark()
        try:
            self._run("SELECT 1 FROM {table} LIMIT 1")
        except psycopg.errors.UndefinedTable as error:
            raise WorkspaceError(
                f"the server has no table {self._name} any more; run aegle reindex"
            ) from error

    def _run(self, statement: str, values: Any = None, **parts: sql.Composable) -> Any:
        composed = sql.SQL(statement).format(table=self._table, **parts)
        return self._db.execute(composed, values)

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with self._mutex:
            if self._closed:
                raise BackendError("the index is closed")
            if self._db.closed:
                self._db = self._connect(patience=_PATIENCE)
            with telling("PostgreSQL", "is the server running, with room on its disk?"):
                yield

    def add(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Index chunks with their vectors; durable when it returns.

        Raises:
            UsageError: the vectors have another shape, or are not finite.
        """
        vectors = unit_rows(chunks, vectors, self._width)
        with self._opened():
            if not chunks:
                return
            once, kept = last_of_each(chunks, vectors)
            with self._db.transaction():
                self._run("CREATE TEMP TABLE adding (LIKE {table}) ON COMMIT DROP")
                with self._db.cursor() as cursor, cursor.copy("COPY adding FROM STDIN") as copy:
                    for chunk, vector in zip(once, kept, strict=True):
                        copy.write_row(_row(chunk, vector))
                both = "SELECT 1 FROM {table} JOIN adding USING (chunk_id) LIMIT 1"
                if self._run(both).fetchone():
                    self._note_dead_rows()
                self._run(_ADD)
            self._changed()
            self._draw_graph()

    def _note_dead_rows(self, there: bool = True) -> None:
        """Say beside the table, in the same transaction, that its files hold what is gone."""
        self._run("COMMENT ON TABLE {table} IS {what}", what=sql.Literal("dead" if there else ""))

    def _changed(self) -> None:
        self._count = None
        self._held.clear()

    def _draw_graph(self) -> None:
        """Build the HNSW graph once there is enough to search; the engine then keeps it."""
        if self.count() <= _EXACT_BELOW:
            return
        index = sql.Identifier(f"{self._name}_hnsw")
        self._run("CREATE INDEX IF NOT EXISTS {index} ON {table} USING hnsw (vector vector_ip_ops)",
                  index=index)  # fmt: skip

    def remove(self, document_ids: Sequence[str]) -> None:
        """Remove all chunks of some documents and write the table anew without them."""
        with self._opened():
            with self._db.transaction():
                wanted = [sorted(set(document_ids))]
                if self._run("DELETE FROM {table} WHERE document_id = ANY(%s)", wanted).rowcount:
                    self._note_dead_rows()
            self._changed()
            told = self._run("SELECT obj_description(%s::regclass)", [f'"{self._name}"']).fetchone()
            if told[0] != "dead":
                return
            self._run("VACUUM (FULL, ANALYZE) {table}")
            self._note_dead_rows(False)
            with suppress(psycopg.errors.InsufficientPrivilege):
                self._run("SELECT pg_switch_wal()")
                self._run("CHECKPOINT")

    def search_dense(
        self, vector: Vectors, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The ``k`` nearest chunks by cosine, best first, ties by id; exact when filtered."""
        wanted, query = checked_filter(where), unit_query(vector, self._width)
        with self._opened():
            if wanted is None or query is None or k < 1:
                return []
            # The graph cannot serve a sum, so that one compares every row.
            exact = sql.SQL(" + 0" if wanted or self.count() <= _EXACT_BELOW else "")
            statement = (
                "SELECT chunk_id, -(vector <#> %s::vector) FROM {table} WHERE {allowed} "
                "ORDER BY (vector <#> %s::vector){exact} LIMIT %s"
            )
            written = _written(query)

            def fetch(limit: int) -> list[Found]:
                values = [written, *wanted.values(), written, limit]
                found = self._run(statement, values, allowed=_allowed(wanted), exact=exact)
                return [(chunk_id, float(score)) for chunk_id, score in found]

            return best(fetch, k)

    def search_text(
        self, query: str, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The ``k`` best chunks by BM25 that share a term with it, best first, ties by id."""
        wanted, asked = checked_filter(where), hashed(Counter(terms(query)), below=_TERMS)
        with self._opened():
            if wanted is None or not asked or k < 1:
                return []
            written = _sparse({term: n * self._idf(term) for term, n in asked.items()})
            statement = (
                "SELECT chunk_id, -(words <#> %s::sparsevec) AS score FROM {table} "
                "WHERE terms && %s::int[] AND {allowed} ORDER BY score DESC LIMIT %s"
            )

            def fetch(limit: int) -> list[Found]:
                values = [written, list(asked), *wanted.values(), limit]
                found = self._run(statement, values, allowed=_allowed(wanted))
                return [(chunk_id, float(score)) for chunk_id, score in found]

            return best(fetch, k)

    def _idf(self, term: int) -> float:
        if term not in self._held:
            statement = "SELECT count(*) FROM {table} WHERE terms @> ARRAY[%s::int]"
            self._held[term] = int(self._run(statement, [term]).fetchone()[0])
        held = self._held[term]
        return math.log1p((self.count() - held + 0.5) / (held + 0.5))

    def count(self) -> int:
        """How many chunks are indexed."""
        with self._opened():
            if self._count is None:
                self._count = int(self._run("SELECT count(*) FROM {table}").fetchone()[0])
            return self._count

    def close(self) -> None:
        """Let go of the table and the folder."""
        with self._mutex:
            self._closed = True
            with suppress(psycopg.Error):  # the server drops the lock of a lost connection itself
                self._db.execute("SELECT pg_advisory_unlock_all()")
            self._db.close()
            if self._folder is not None:
                self._folder.release()


def _locked(db: psycopg.Connection[Any], key: int, patience: float) -> bool:
    until = time.monotonic() + patience
    while True:
        row = db.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone()
        if row and row[0]:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.02)


def _has_vector(db: psycopg.Connection[Any]) -> bool:
    return bool(db.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone())


def _allowed(wanted: Mapping[str, Sequence[str]]) -> sql.Composable:
    conditions = [sql.SQL("{} = ANY(%s)").format(sql.Identifier(field)) for field in wanted]
    return sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true")


def _row(chunk: Chunk, vector: Vectors) -> tuple[str | list[int], ...]:
    weights = hashed(weigh(words(chunk)), below=_TERMS)
    kept = dict(sorted(weights.items(), key=lambda pair: -pair[1])[:_MOST_TERMS])
    fields = (str(getattr(chunk, field)) for field in FIELDS)
    return (chunk.id, *fields, _written(vector), _sparse(kept), list(kept))


def _written(vector: Vectors) -> str:
    return f"[{','.join(map(repr, vector.tolist()))}]"


def _sparse(weights: Mapping[int, float]) -> str:
    entries = (f"{term + 1}:{weight!r}" for term, weight in sorted(weights.items()))
    return f"{{{','.join(entries)}}}/{_TERMS}"
