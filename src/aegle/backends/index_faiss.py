"""Index by FAISS: every vector compared, in memory, with BM25 beside it; kept in one SQLite file.

FAISS has no deletion that reaches a file, no filter fields and no words. So SQLite holds what is
durable (ids, filter fields, vectors, hashed terms; never text) and overwrites what is removed;
FAISS and `Postings` are read from it when the index is opened.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import faiss
import numpy as np

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
from aegle.backends.postings import Postings
from aegle.core.errors import BackendError, WorkspaceError
from aegle.core.ports import Found, Vectors
from aegle.core.records import Chunk
from aegle.lm.terms import terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLUMNS: Final = ("chunk_id", *FIELDS, "vector", "terms", "weights")
_NAMES: Final = ", ".join(f'"{name}"' for name in _COLUMNS)
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS chunks (number INTEGER PRIMARY KEY, "
    f"{_NAMES.replace(',', ' NOT NULL,')} NOT NULL, UNIQUE (chunk_id))"
)
_INSERT: Final = (
    f"INSERT OR REPLACE INTO chunks ({_NAMES}) "  # noqa: S608
    f"VALUES ({', '.join('?' * len(_COLUMNS))})"
)
_BATCH: Final = 4_096


class _Rows:
    """What is searched, in memory, row for row."""

    def __init__(self, width: int) -> None:
        self.vectors = faiss.IndexFlatIP(width)
        self.postings = Postings()
        self.place: dict[str, int] = {}
        self.ids: list[str] = []
        self._values: dict[str, dict[str, int]] = {field: {} for field in FIELDS}
        self._codes: dict[str, list[NDArray[np.int32]]] = {field: [] for field in FIELDS}

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take rows of `_COLUMNS`, none of which is here yet."""
        columns = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
        for chunk_id in columns["chunk_id"]:
            self.place[chunk_id] = len(self.ids)
            self.ids.append(chunk_id)
        for field, values in self._values.items():
            codes = [values.setdefault(value, len(values)) for value in columns[field]]
            self._codes[field].append(np.array(codes, np.int32))
        read = {name: b"".join(columns[name]) for name in ("vector", "terms", "weights")}
        vectors = np.frombuffer(read["vector"], np.float32).reshape(len(rows), -1)
        self.vectors.add(vectors)
        lengths = np.array([len(blob) // 4 for blob in columns["terms"]], np.int64)
        term_ids = np.frombuffer(read["terms"], np.uint32)
        self.postings.add(term_ids, np.frombuffer(read["weights"], np.float32), lengths)

    def allowed(self, wanted: Mapping[str, Sequence[str]]) -> NDArray[np.bool_]:
        """Which rows a filter lets through."""
        mask = np.ones(len(self.ids), np.bool_)
        for field, values in wanted.items():
            self._codes[field] = [np.concatenate([np.empty(0, np.int32), *self._codes[field]])]
            known = self._values[field]
            codes = [known[value] for value in values if value in known]
            mask &= np.isin(self._codes[field][0], codes)
        return mask


class FaissIndex:
    """An `Index` in a folder, owned by one opener at a time; safe to share between threads.

    Args:
        path: the folder; made when missing.
        width: of the vectors.

    Raises:
        WorkspaceBusyError: somebody else has the folder open.
        WorkspaceError: the folder is damaged, or was made by other settings.
    """

    def __init__(self, path: Path, *, width: int) -> None:
        self._width = width
        self._mutex = threading.RLock()
        self._file: sqlite3.Connection | None = None
        self._folder = IndexFolder(path, made_by="faiss", width=width)
        try:
            advice = f"{path} may be damaged; run aegle reindex"
            with telling("the index's file", advice, WorkspaceError):
                self._file = self._open()
                self._rows = self._read()
        except BaseException:
            self.close()
            raise

    def _open(self) -> sqlite3.Connection:
        name = self._folder.path / "chunks.sqlite"
        if self._folder.is_new:
            for left in name.parent.glob(f"{name.name}*"):
                left.unlink()
        opened = sqlite3.connect(name, check_same_thread=False, isolation_level=None)
        opened.execute("PRAGMA secure_delete = ON")
        opened.execute("PRAGMA journal_mode = WAL")
        opened.execute("PRAGMA synchronous = FULL")
        opened.execute(_TABLE)
        opened.execute('CREATE INDEX IF NOT EXISTS by_document ON chunks ("document_id")')
        self._folder.mark()
        return opened

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with self._mutex:
            if self._file is None:
                raise BackendError("the index is closed")
            advice = f"is there room in {self._folder.path}? aegle reindex rebuilds the index"
            with telling("the index", advice):
                yield self._file

    def _read(self) -> _Rows:
        rows = _Rows(self._width)
        assert self._file is not None
        found = self._file.execute(f"SELECT {_NAMES} FROM chunks ORDER BY number")  # noqa: S608
        while batch := found.fetchmany(_BATCH):
            rows.add(batch)
        return rows

    def add(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Index chunks with their vectors; durable when it returns.

        Raises:
            UsageError: the vectors have another shape, or are not finite.
        """
        vectors = unit_rows(chunks, vectors, self._width)
        with self._opened() as file:
            if not chunks:
                return
            once, kept = last_of_each(chunks, vectors)
            rows = [_row(chunk, vector) for chunk, vector in zip(once, kept, strict=True)]
            self._write(file, _INSERT, rows)
            if any(chunk.id in self._rows.place for chunk in once):
                self._rows = self._read()
            else:
                self._rows.add(rows)

    def _write(
        self, file: sqlite3.Connection, statement: str, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Do it in one transaction and empty the log, which would go on holding what was."""
        file.execute("BEGIN IMMEDIATE")
        try:
            file.executemany(statement, rows)
            file.execute("COMMIT")
        except BaseException:
            file.execute("ROLLBACK")
            raise
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def remove(self, document_ids: Sequence[str]) -> None:
        """Remove all chunks of some documents; their bytes are overwritten."""
        with self._opened() as file:
            statement = 'DELETE FROM chunks WHERE "document_id" = ?'
            self._write(file, statement, [(document_id,) for document_id in set(document_ids)])
            (left,) = file.execute("SELECT count(*) FROM chunks").fetchone()
            if left != len(self._rows.ids):
                self._rows = self._read()

    def search_dense(
        self, vector: Vectors, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The ``k`` nearest chunks by cosine, exactly, best first, ties by id."""
        wanted, query = checked_filter(where), unit_query(vector, self._width)
        with self._opened():
            rows = self._rows
            if wanted is None or query is None or k < 1 or not rows.ids:
                return []
            params = _selecting(rows.allowed(wanted)) if wanted else None

            def fetch(limit: int) -> list[Found]:
                most = min(limit, len(rows.ids))
                scores, places = rows.vectors.search(query[None], most, params=params)
                pairs = zip(places[0].tolist(), scores[0].tolist(), strict=True)
                return [(rows.ids[place], score) for place, score in pairs if place >= 0]

            return best(fetch, k)

    def search_text(
        self, query: str, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The ``k`` best chunks by BM25 that share a term with it, best first, ties by id."""
        wanted, asked = checked_filter(where), hashed(Counter(terms(query)))
        with self._opened():
            rows = self._rows
            if wanted is None or not asked or k < 1 or not rows.ids:
                return []
            scores = rows.postings.score(asked)
            if wanted:
                scores[~rows.allowed(wanted)] = 0

            def fetch(limit: int) -> list[Found]:
                least = 0.0
                if limit < len(scores):
                    least = np.partition(scores, -limit)[-limit]
                places = np.flatnonzero((scores >= least) & (scores > 0)).tolist()
                return [(rows.ids[place], float(scores[place])) for place in places]

            return best(fetch, k)

    def count(self) -> int:
        """How many chunks are indexed."""
        with self._opened():
            return len(self._rows.ids)

    def close(self) -> None:
        """Let go of the folder."""
        with self._mutex:
            if self._file is not None:
                self._file.close()
            self._file = None
            self._folder.release()


def _row(chunk: Chunk, vector: Vectors) -> tuple[Any, ...]:
    weights = hashed(weigh(words(chunk)))
    fields = (str(getattr(chunk, field)) for field in FIELDS)
    term_ids = np.array(list(weights), np.uint32).tobytes()
    values = np.array(list(weights.values()), np.float32).tobytes()
    return (chunk.id, *fields, vector.tobytes(), term_ids, values)


def _selecting(mask: NDArray[np.bool_]) -> Any:
    return faiss.SearchParameters(sel=faiss.IDSelectorBatch(np.flatnonzero(mask)))
