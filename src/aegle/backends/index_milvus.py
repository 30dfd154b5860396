"""Index by Milvus: a cluster by its URI, or the embedded edition in the index's folder.

A collection keeps vectors, hashed terms, ids and filter fields; never text. BM25 is the engine's
own, over terms written as numbers. The embedded edition never compacts when told to, so `remove`
writes a new collection, moves the alias over and drops the old one; a cluster deletes, and frees
the bytes when it has compacted and its garbage collector has run.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from pymilvus import DataType, Function, FunctionType, MilvusClient

from aegle.backends.index_rows import (
    FIELDS,
    K1,
    B,
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
from aegle.core.errors import BackendError, MissingExtraError, WorkspaceError
from aegle.core.ports import Found, Vectors
from aegle.core.records import Chunk
from aegle.lm.terms import terms

# It logs each failure with what was asked; ours say what failed and quote nothing.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)

_BATCH: Final = 1_000
_MOST: Final = 16_384
"""The most that one search returns."""

_MOST_CHARACTERS: Final = 65_535
"""The most that a text field holds: 6,553 terms, where a chunk has a few hundred."""

_ID_CHARACTERS: Final = 1_024
_ROW: Final = ("chunk_id", *FIELDS, "words", "vector")


class MilvusIndex:
    """An `Index` in a folder or a cluster, with one owner; safe to share between threads.

    Args:
        path: the index's folder; made when missing.
        width: of the vectors.
        url: of the cluster, ``http://host:19530``; empty for the embedded edition.
        name: of the collection's alias, which must be this workspace's alone.
        key: the cluster's token, ``user:password`` or an API key, if it wants one.

    Raises:
        WorkspaceBusyError: somebody else has the folder open.
        BackendError: the cluster does not answer.
        WorkspaceError: the folder was made by other settings.
    """

    def __init__(
        self, path: Path, *, width: int, url: str = "", name: str = "chunks", key: str = ""
    ) -> None:
        if not url and find_spec("milvus_lite") is None:
            raise MissingExtraError("milvus_lite", "milvus")
        self._width, self._name, self._embedded = width, name, not url
        self._where = url or str(path)
        self._mutex = threading.RLock()
        self._client: MilvusClient | None = None
        place = f"collection {name} at {url}" if url else ""
        self._folder = IndexFolder(path, made_by="milvus", width=width, place=place)
        try:
            advice = f"is {self._where} there? aegle reindex fills it anew"
            with telling("Milvus", advice, BackendError if url else WorkspaceError):
                self._client = MilvusClient(url or str(path / "milvus.db"), token=key)
                self._prepare(self._client)
        except BaseException:
            self.close()
            raise

    def _prepare(self, client: MilvusClient) -> None:
        """Keep the collection that the alias names; drop what a killed `remove` left."""
        named = client.list_aliases().get("aliases", [])
        current = ""
        if self._name in named:
            current = client.describe_alias(self._name)["collection_name"]
            if self._folder.is_new:
                client.drop_alias(self._name)
                current = ""
        for found in client.list_collections():
            if found.startswith(f"{self._name}_") and found != current:
                client.drop_collection(found)
        if self._folder.is_new:
            client.create_alias(self._create(client, 0), self._name)
            self._folder.mark()
        elif not current:
            raise WorkspaceError(f"{self._where} has no {self._name} any more; run aegle reindex")
        self._current = client.describe_alias(self._name)["collection_name"]
        client.load_collection(self._current)

    def _create(self, client: MilvusClient, number: int) -> str:
        name = f"{self._name}_{number}"
        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("chunk_id", DataType.VARCHAR, max_length=_ID_CHARACTERS, is_primary=True)
        for field in FIELDS:
            schema.add_field(field, DataType.VARCHAR, max_length=_ID_CHARACTERS)
        schema.add_field(
            "words",
            DataType.VARCHAR,
            max_length=_MOST_CHARACTERS,
            enable_analyzer=True,
            analyzer_params={"tokenizer": "standard"},
        )
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self._width)
        schema.add_field("text", DataType.SPARSE_FLOAT_VECTOR)
        bm25 = Function("bm25", FunctionType.BM25, ["words"], ["text"])
        schema.add_function(bm25)
        client.create_collection(
            name, schema=schema, index_params=_indexes(client), consistency_level="Strong"
        )
        return name

    @contextmanager
    def _opened(self) -> Iterator[MilvusClient]:
        with self._mutex:
            if self._client is None:
                raise BackendError("the index is closed")
            with telling("Milvus", f"is {self._where} there, with room on its disk?"):
                yield self._client

    def add(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Index chunks with their vectors; durable when it returns.

        Raises:
            UsageError: the vectors have another shape, or are not finite.
        """
        vectors = unit_rows(chunks, vectors, self._width)
        with self._opened() as client:
            once, kept = last_of_each(chunks, vectors)
            for start in range(0, len(once), _BATCH):
                part = zip(once[start : start + _BATCH], kept[start : start + _BATCH], strict=True)
                client.upsert(self._current, [_row(chunk, vector) for chunk, vector in part])

    def remove(self, document_ids: Sequence[str]) -> None:
        """Remove all chunks of some documents; in a folder, no file holds them afterwards."""
        with self._opened() as client:
            wanted = _where({"document_id": sorted(set(document_ids))})
            if not document_ids or not _count(client, self._current, wanted):
                return
            if self._embedded:
                self._write_anew(client, wanted)
            else:
                client.delete(self._current, filter=wanted)
                client.flush(self._current)
                client.compact(self._current)

    def _write_anew(self, client: MilvusClient, without: str) -> None:
        former, number = self._current, int(self._current.rpartition("_")[2]) + 1
        client.drop_collection(f"{self._name}_{number}")
        name = self._create(client, number)
        kept = client.query(former, filter=f"not ({without})", output_fields=["chunk_id"])
        ids = [row["chunk_id"] for row in kept]
        for start in range(0, len(ids), _BATCH):
            rows = client.get(former, ids[start : start + _BATCH], output_fields=list(_ROW))
            client.insert(name, [{key: row[key] for key in _ROW} for row in rows])
        client.flush(name)
        client.alter_alias(name, self._name)
        self._current = name
        client.drop_collection(former)

    def search_dense(
        self, vector: Vectors, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The ``k`` nearest chunks by cosine, best first, ties by id."""
        query = unit_query(vector, self._width)
        return self._search(None if query is None else query.tolist(), "vector", "IP", k, where)

    def search_text(
        self, query: str, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The ``k`` best chunks by BM25 that share a term with it, best first, ties by id."""
        return self._search(_written(terms(query)) or None, "text", "BM25", k, where)

    def _search(
        self,
        query: Any,
        field: str,
        metric: str,
        k: int,
        where: Mapping[str, Sequence[str]] | None,
    ) -> list[Found]:
        wanted = checked_filter(where)
        with self._opened() as client:
            if wanted is None or query is None or k < 1:
                return []

            def fetch(limit: int) -> list[Found]:
                (found,) = client.search(
                    *(self._current, [query]),
                    anns_field=field,
                    filter=_where(wanted),
                    limit=limit,
                    output_fields=["chunk_id"],
                    search_params={"metric_type": metric},
                )
                # milvus-lite 3.2 writes a minus before BM25 scores, best first all the same.
                sign = -1 if field == "text" and found and found[0]["distance"] < 0 else 1
                return [(hit["chunk_id"], sign * hit["distance"]) for hit in found]

            return best(fetch, k, most=_MOST)

    def count(self) -> int:
        """How many chunks are indexed."""
        with self._opened() as client:
            return _count(client, self._current, "")

    def close(self) -> None:
        """Close the connection and let go of the folder."""
        with self._mutex:
            if self._client is not None:
                self._client.close()
            self._client = None
            self._folder.release()


def _indexes(client: MilvusClient) -> Any:
    indexes = client.prepare_index_params()
    indexes.add_index("vector", index_type="FLAT", metric_type="IP")
    params = {"bm25_k1": K1, "bm25_b": B}
    indexes.add_index("text", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25", params=params)
    return indexes


def _count(client: MilvusClient, collection: str, wanted: str) -> int:
    (row,) = client.query(collection, filter=wanted, output_fields=["count(*)"])
    return int(row["count(*)"])


def _row(chunk: Chunk, vector: Vectors) -> dict[str, Any]:
    row = {"chunk_id": chunk.id} | {field: getattr(chunk, field) for field in FIELDS}
    return row | {"words": _written(words(chunk))[:_MOST_CHARACTERS], "vector": vector.tolist()}


def _written(found: Sequence[str]) -> str:
    return " ".join(f"t{term_id(term):08x}" for term in found)


def _where(wanted: Mapping[str, Sequence[str]]) -> str:
    """A filter as the engine's expression, whose strings are written as JSON's."""
    written = {
        field: json.dumps(list(values), ensure_ascii=False) for field, values in wanted.items()
    }
    return " and ".join(f"{field} in {values}" for field, values in written.items())
