"""Index by FAISS: vectors in one of six shapes, BM25 beside them; kept in one SQLite file.

FAISS has no deletion that reaches a file, no filter fields and no words. So SQLite holds what is
durable (ids, filter fields, vectors, hashed terms; never text) and overwrites what is removed;
`Postings` are read from it when the index is opened, and vectors get the shape that the settings
say (`faiss_vectors`), whose file is derived, too.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aegle.backends.faiss_vectors import ShapedVectors
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

_BESIDE: Final = ("chunk_id", *FIELDS, "terms", "weights")
_COLUMNS: Final = (*_BESIDE, "vector")
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
    """What is searched beside vectors, in memory, row for row, in the order of their numbers."""

    def __init__(self) -> None:
        self.postings = Postings()
        self.place: dict[str, int] = {}
        self.ids: list[str] = []
        self._numbers: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self._values: dict[str, dict[str, int]] = {field: {} for field in FIELDS}
        self._codes: dict[str, list[NDArray[np.int32]]] = {field: [] for field in FIELDS}

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take rows of a number and `_BESIDE`, none of which is here yet."""
        numbers, *values = zip(*rows, strict=True)
        columns = dict(zip(_BESIDE, values, strict=True))
        self._numbers.append(np.array(numbers, np.int64))
        for chunk_id in columns["chunk_id"]:
            self.place[chunk_id] = len(self.ids)
            self.ids.append(chunk_id)
        for field, known in self._values.items():
            codes = [known.setdefault(value, len(known)) for value in columns[field]]
            self._codes[field].append(np.array(codes, np.int32))
        lengths = np.array([len(blob) // 4 for blob in columns["terms"]], np.int64)
        term_ids = np.frombuffer(b"".join(columns["terms"]), np.uint32)
        weights = np.frombuffer(b"".join(columns["weights"]), np.float32)
        self.postings.add(term_ids, weights, lengths)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The rows' numbers, ascending."""
        if len(self._numbers) > 1:
            self._numbers = [np.concatenate(self._numbers)]
        return self._numbers[0]

    def named(self, numbers: NDArray[np.int64]) -> list[str]:
        """The chunks of some rows."""
        return [self.ids[place] for place in np.searchsorted(self.numbers, numbers).tolist()]

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
        path: the folder; made when missing. Opened with another kind, its vectors get that shape.
        width: of the vectors.
        kind: how vectors are kept in memory, one of `faiss_kinds.KINDS`; ``auto`` is ``flat``.
        options: of that kind, by name.
        least: with fewer vectors than this they are flat; 0: than the kind needs.

    Raises:
        WorkspaceBusyError: somebody else has the folder open.
        WorkspaceError: the folder is damaged, or was made by other settings.
        SettingsError: no such kind, or an option that it does not take.
    """

    def __init__(
        self,
        path: Path,
        *,
        width: int,
        kind: str = "auto",
        options: Mapping[str, int] | None = None,
        least: int = 0,
    ) -> None:
        self._width = width
        self._mutex = threading.RLock()
        self._file: sqlite3.Connection | None = None
        self._folder = IndexFolder(path, made_by="faiss", width=width)
        try:
            self._vectors = ShapedVectors(
                path / "shape.npz", width=width, kind=kind, options=options or {}, least=least
            )
            advice = f"{path} may be damaged; run aegle reindex"
            with telling("the index's file", advice, WorkspaceError):
                self._file = self._open()
                self._rows = self._read()
                self._vectors.open(self._file, self._rows.numbers)
        except BaseException:
            self._release()
            raise

    def _open(self) -> sqlite3.Connection:
        name = self._folder.path / "chunks.sqlite"
        self._vectors.forget_files(whole=self._folder.is_new)
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

    def _read(self, rows: _Rows | None = None) -> _Rows:
        """All rows, or those that came after the ones given, added to them."""
        rows = rows or _Rows()
        last = rows.numbers[-1] if rows.ids else -1
        assert self._file is not None
        names = ", ".join(f'"{name}"' for name in _BESIDE)
        statement = f"SELECT number, {names} FROM chunks WHERE number > ? ORDER BY number"  # noqa: S608
        found = self._file.execute(statement, (int(last),))
        while batch := found.fetchmany(_BATCH):
            rows.add(batch)
        return rows

    def memory_bytes(self) -> int:
        """Bytes of memory that vectors take; words and ids come on top, the same for each kind."""
        with self._opened():
            return self._vectors.shape.size_bytes

    @property
    def kind(self) -> str:
        """The kind that vectors have now: flat while they are too few for the one wanted."""
        with self._opened():
            return self._vectors.shape.kind

    def vectors(self) -> Iterator[tuple[list[str], Vectors]]:
        """All chunks with their vectors, some at a time."""
        with self._opened():
            numbers = self._rows.numbers
        for start in range(0, len(numbers), _BATCH):
            with self._opened():
                for found, vectors in self._vectors.portions(numbers[start : start + _BATCH]):
                    yield self._rows.named(found), vectors

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
            known = [self._rows.place[one.id] for one in once if one.id in self._rows.place]
            with self._letting_go(self._rows.numbers[np.array(known, np.int64)]):
                self._write(file, _INSERT, rows)
            self._rows = self._read(None if known else self._rows)
            self._vectors.catch_up(self._rows.numbers)

    @contextmanager
    def _letting_go(self, numbers: NDArray[np.int64]) -> Iterator[None]:
        """Take rows out of the shape, then out of the file; if that fails, have them back."""
        try:
            self._vectors.let_go(numbers.tolist())
            yield
        except BaseException:
            self._vectors.catch_up(self._rows.numbers)
            raise

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
            gone = self._rows.allowed({"document_id": document_ids})
            with self._letting_go(self._rows.numbers[gone]):
                self._write(file, statement, [(document_id,) for document_id in set(document_ids)])
            if gone.any():
                self._rows = self._read()
                self._vectors.catch_up(self._rows.numbers)

    def search_dense(
        self, vector: Vectors, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The ``k`` nearest chunks by cosine, best first, ties by id; exact when filtered or flat.

        Which chunks are found may be approximate with another kind; their scores never are.
        """
        wanted, query = checked_filter(where), unit_query(vector, self._width)
        with self._opened():
            rows = self._rows
            if wanted is None or query is None or k < 1 or not rows.ids:
                return []
            among = rows.numbers[rows.allowed(wanted)] if wanted else None

            def fetch(limit: int) -> list[Found]:
                most = min(limit, len(rows.ids))
                numbers, scores = self._vectors.nearest(query, most, among)
                return list(zip(rows.named(np.array(numbers, np.int64)), scores, strict=True))

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
            allowed = rows.allowed(wanted) if wanted else None

            def fetch(limit: int) -> list[Found]:
                places, scores = rows.postings.best(asked, limit, allowed)
                found = zip(places.tolist(), scores.tolist(), strict=True)
                return [(rows.ids[place], score) for place, score in found]

            return best(fetch, k)

    def count(self) -> int:
        """How many chunks are indexed."""
        with self._opened():
            return len(self._rows.ids)

    def close(self) -> None:
        """Write the vectors' shape if it changed, and let go of the folder."""
        with self._mutex:
            try:
                if self._file is not None:
                    with self._opened():
                        self._vectors.close()
            finally:
                self._release()

    def _release(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None
        self._folder.release()


def _row(chunk: Chunk, vector: Vectors) -> tuple[Any, ...]:
    weights = hashed(weigh(words(chunk)))
    fields = (str(getattr(chunk, field)) for field in FIELDS)
    term_ids = np.array(list(weights), np.uint32).tobytes()
    values = np.array(list(weights.values()), np.float32).tobytes()
    return (chunk.id, *fields, term_ids, values, vector.tobytes())
