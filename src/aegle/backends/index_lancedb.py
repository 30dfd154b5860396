"""Index by LanceDB: vectors and BM25 in one versioned table, in a folder or in object storage.

The table keeps vectors, hashed terms, ids and filter fields; never text. `remove` writes the table
anew without what was removed and deletes every former version, because a deletion of the engine's
own only marks rows, and its full-text index goes on holding their terms.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import lancedb
import pyarrow as pa  # type: ignore[import-untyped]  # it ships neither stubs nor a marker
from lancedb.index import FTS, IvfFlat
from lancedb.query import MatchQuery

from aegle.backends.index_rows import (
    FIELDS,
    IndexFolder,
    best,
    checked_filter,
    last_of_each,
    telling,
    term_id,
    unit_query,
    unit_rows,
    words,
)
from aegle.core.errors import BackendError, WorkspaceError
from aegle.core.ports import Found, Vectors
from aegle.core.records import Chunk
from aegle.lm.terms import terms

_FLAT_BELOW: Final = 5_000
"""With fewer vectors the table is read for each question; more get an IVF index, in memory."""

_PROBES: Final = 64
"""Partitions of 4,096 vectors looked into: exact up to 260,000 vectors, and when filtered."""

_ALL: Final = 1 << 20

_BATCH: Final = 4_096


class LanceIndex:
    """An `Index` in a folder or bucket, with one owner at a time; safe to share between threads.

    Args:
        path: the index's folder; made when missing.
        width: of the vectors.
        url: where the table lies, such as ``s3://bucket/folder``; empty for the folder.
        name: of the table.

    Raises:
        WorkspaceBusyError: somebody else has the folder open.
        WorkspaceError: the folder is damaged, or was made by other settings.
    """

    def __init__(self, path: Path, *, width: int, url: str = "", name: str = "chunks") -> None:
        self._width = width
        self._name = name
        self._mutex = threading.RLock()
        self._table: Any = None
        self._loose = False
        place = f"table {name} in {url}" if url else ""
        self._folder = IndexFolder(path, made_by="lancedb", width=width, place=place)
        try:
            advice = f"is {url or path} there and not damaged? aegle reindex builds it anew"
            with telling("LanceDB", advice, BackendError if url else WorkspaceError):
                self._database = lancedb.connect(url or str(path / "lance"))
                self._table = self._open()
        except BaseException:
            self._folder.release()
            raise

    def _open(self) -> Any:
        if not self._folder.is_new:
            table = self._database.open_table(self._name)
            self._loose = len(table.list_versions()) > 1
            return table
        self._database.drop_table(self._name, ignore_missing=True)
        table = self._database.create_table(self._name, schema=_schema(self._width))
        self._folder.mark()
        return table

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        with self._mutex:
            if self._table is None:
                raise BackendError("the index is closed")
            advice = f"is there room in {self._folder.path}? aegle reindex rebuilds the index"
            with telling("LanceDB", advice):
                yield self._table

    def add(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Index chunks with their vectors; durable when it returns.

        Raises:
            UsageError: the vectors have another shape, or are not finite.
        """
        vectors = unit_rows(chunks, vectors, self._width)
        with self._opened() as table:
            if not chunks:
                return
            rows = _rows(*last_of_each(chunks, vectors), width=self._width)
            merge = table.merge_insert("chunk_id").when_matched_update_all()
            self._loose = True
            merge.when_not_matched_insert_all().execute(rows)

    def _settle(self, table: Any) -> None:
        """Bring the engine's indexes up to date and delete what is left of former versions.

        It takes a second at 50,000 chunks, so `add` leaves it to whoever asks or removes next.
        """
        if not self._loose:
            return
        built = {index.name for index in table.list_indices()}
        if "words" not in built:
            table.create_index("words", config=_full_text(), name="words")
        if "vector" not in built and table.count_rows() > _FLAT_BELOW:
            table.create_index("vector", config=IvfFlat(distance_type="dot"), name="vector")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # nobody reads former versions: one owner
            table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)
        self._loose = False

    def remove(self, document_ids: Sequence[str]) -> None:
        """Remove all chunks of some documents and write the table anew without them."""
        wanted = _where({"document_id": sorted(set(document_ids))})
        with self._opened() as table:
            if document_ids and table.count_rows(wanted):
                # One commit: killed before it, all is there; after it, the next opener settles.
                self._loose = True
                kept = table.search().where(f"NOT ({wanted})").to_batches(batch_size=_BATCH)
                self._table = table = self._database.create_table(
                    self._name, kept, schema=_schema(self._width), mode="overwrite"
                )
            self._settle(table)

    def search_dense(
        self, vector: Vectors, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The ``k`` nearest chunks by cosine, best first, ties by id; exact when filtered."""
        wanted, query = checked_filter(where), unit_query(vector, self._width)
        if wanted is None or query is None or k < 1:
            return []

        def fetch(limit: int) -> list[Found]:
            search = table.search(query, vector_column_name="vector").distance_type("dot")
            search = search.nprobes(_ALL if wanted else _PROBES)
            rows = _limited(search, wanted, limit, "_distance")
            return [(row["chunk_id"], 1 - row["_distance"]) for row in rows]

        with self._opened() as table:
            self._settle(table)
            return best(fetch, k)

    def search_text(
        self, query: str, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The ``k`` best chunks by BM25 that share a term with it, best first, ties by id."""
        wanted, asked = checked_filter(where), _written(terms(query))
        if wanted is None or not asked or k < 1:
            return []

        def fetch(limit: int) -> list[Found]:
            search = table.search(MatchQuery(asked, "words"), query_type="fts")
            rows = _limited(search, wanted, limit, "_score")
            return [(row["chunk_id"], row["_score"]) for row in rows]

        with self._opened() as table:
            self._settle(table)
            return best(fetch, k) if table.count_rows() else []

    def count(self) -> int:
        """How many chunks are indexed."""
        with self._opened() as table:
            return int(table.count_rows())

    def close(self) -> None:
        """Settle what was added and let go of the folder."""
        with self._mutex:
            try:
                if self._table is not None:
                    with self._opened() as table:
                        self._settle(table)
            finally:
                self._table = self._database = None
                self._folder.release()


def _schema(width: int) -> pa.Schema:
    texts = ("chunk_id", *FIELDS, "words")
    columns = [pa.field(name, pa.string()) for name in texts]
    return pa.schema([*columns, pa.field("vector", pa.list_(pa.float32(), width))])


def _rows(chunks: Sequence[Chunk], vectors: Vectors, *, width: int) -> pa.Table:
    columns: dict[str, Any] = {"chunk_id": [chunk.id for chunk in chunks]}
    columns |= {field: [getattr(chunk, field) for chunk in chunks] for field in FIELDS}
    columns["words"] = [_written(words(chunk)) for chunk in chunks]
    columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), width)
    return pa.table(columns, schema=_schema(width))


def _written(found: Sequence[str]) -> str:
    return " ".join(f"{term_id(term):08x}" for term in found)


def _full_text() -> FTS:
    return FTS(
        base_tokenizer="whitespace",
        lower_case=False,
        stem=False,
        remove_stop_words=False,
        ascii_folding=False,
    )


def _where(wanted: Mapping[str, Sequence[str]]) -> str:
    """A filter as the engine's SQL; quotes are doubled, which is all that its strings need."""
    return " AND ".join(
        f"`{field}` IN ({', '.join(_quoted(value) for value in values)})"
        for field, values in wanted.items()
    )


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _limited(
    search: Any, wanted: Mapping[str, Sequence[str]], limit: int, score: str
) -> list[dict[str, Any]]:
    if wanted:
        search = search.where(_where(wanted), prefilter=True)
    rows: list[dict[str, Any]] = search.select(["chunk_id", score]).limit(limit).to_list()
    return rows
