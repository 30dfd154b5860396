"""Index by a Qdrant server or cluster: the concepts of qdrant-edge, one collection a workspace.

The collection keeps vectors, hashed terms, ids and filter fields; never text. A server frees what
was removed when its optimizer has run, which is set here to vacuum as early as it may; its own
log and snapshots are its keeper's.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from qdrant_client import QdrantClient, models

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
from aegle.core.errors import BackendError, SettingsError, WorkspaceError
from aegle.core.ports import Found, Vectors
from aegle.core.records import Chunk
from aegle.lm.terms import terms

_BATCH: Final = 500
"""Points in one request: some 2 MB of vectors, where servers take 32 MB."""

_EF: Final = 256
_TIMEOUT_S: Final = 120
_NAMESPACE: Final = uuid.UUID("6f2f1f0e-7a35-5e0c-9b57-ae61e0000001")

Connect = Callable[[str, str], QdrantClient]


def connect(url: str, key: str) -> QdrantClient:
    """A client of the server at a URL, with an API key or an empty text."""
    # Its version check is a request of its own in a thread, and a warning on stderr.
    return QdrantClient(url=url, api_key=key or None, timeout=_TIMEOUT_S, check_compatibility=False)


class QdrantIndex:
    """An `Index` on a server, with one owner of its folder; safe to share between threads.

    Args:
        path: the index's folder, which says what is on the server; made when missing.
        width: of the vectors.
        url: of the server, ``http://host:6333``.
        name: of the collection, which must be this workspace's alone.
        key: the server's API key, if it wants one.
        connect: makes the client; another one for a server reached in another way.

    Raises:
        WorkspaceBusyError: somebody else has the folder open.
        BackendError: the server does not answer.
        WorkspaceError: the folder was made by other settings.
    """

    def __init__(
        self,
        path: Path,
        *,
        width: int,
        url: str,
        name: str,
        key: str = "",
        connect: Connect = connect,
    ) -> None:
        if not url:
            raise SettingsError("qdrant needs backends.index_url, such as http://host:6333")
        self._width, self._name, self._url = width, name, url
        self._mutex = threading.RLock()
        self._client: QdrantClient | None = None
        place = f"collection {name} at {url}"
        self._folder = IndexFolder(path, made_by="qdrant", width=width, place=place)
        try:
            with telling("Qdrant", f"is a server running at {url}? aegle reindex fills it anew"):
                self._client = connect(url, key)
                if self._folder.is_new:
                    self._create(self._client)
                    self._folder.mark()
                elif not self._client.collection_exists(name):
                    raise WorkspaceError(f"{url} has no {name} any more; run aegle reindex")
        except BaseException:
            self.close()
            raise

    def _create(self, client: QdrantClient) -> None:
        client.delete_collection(self._name)
        dense = models.VectorParams(size=self._width, distance=models.Distance.COSINE)
        client.create_collection(
            self._name,
            vectors_config={"dense": dense},
            sparse_vectors_config={"text": models.SparseVectorParams(modifier=models.Modifier.IDF)},
            hnsw_config=models.HnswConfigDiff(m=16, ef_construct=128),
            # Removed means gone: the least that a server accepts before it vacuums.
            optimizers_config=models.OptimizersConfigDiff(
                deleted_threshold=0.001, vacuum_min_vector_number=100
            ),
        )
        for field in FIELDS:
            tenant = field == "group" or None  # a group's points lie together: most asks name one
            schema = models.KeywordIndexParams(
                type=models.KeywordIndexType.KEYWORD, is_tenant=tenant
            )
            client.create_payload_index(self._name, field, schema, wait=True)

    @contextmanager
    def _opened(self) -> Iterator[QdrantClient]:
        with self._mutex:
            if self._client is None:
                raise BackendError("the index is closed")
            with telling("Qdrant", f"is the server at {self._url} running, with room on its disk?"):
                yield self._client

    def add(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Index chunks with their vectors; the server has them when it returns.

        Raises:
            UsageError: the vectors have another shape, or are not finite.
        """
        vectors = unit_rows(chunks, vectors, self._width)
        with self._opened() as client:
            once, kept = last_of_each(chunks, vectors)
            for start in range(0, len(once), _BATCH):
                part = zip(once[start : start + _BATCH], kept[start : start + _BATCH], strict=True)
                points = [_point(chunk, vector) for chunk, vector in part]
                client.upsert(self._name, points, wait=True)

    def remove(self, document_ids: Sequence[str]) -> None:
        """Remove all chunks of some documents; the server vacuums their bytes afterwards."""
        with self._opened() as client:
            if document_ids:
                wanted = _filter({"document_id": sorted(set(document_ids))})
                selector = models.FilterSelector(filter=wanted)
                client.delete(self._name, points_selector=selector, wait=True)

    def search_dense(
        self, vector: Vectors, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The ``k`` nearest chunks by cosine, best first, ties by id; exact when filtered."""
        query = unit_query(vector, self._width)
        params = models.SearchParams(hnsw_ef=max(_EF, 2 * k), exact=bool(where))
        asked = None if query is None else query.tolist()
        return self._search(asked, "dense", params, k, where)

    def search_text(
        self, query: str, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The ``k`` best chunks by BM25 that share a term with it, best first, ties by id."""
        counts = Counter(terms(query))
        return self._search(_sparse(counts) if counts else None, "text", None, k, where)

    def _search(
        self,
        query: Any,
        using: str,
        params: models.SearchParams | None,
        k: int,
        where: Mapping[str, Sequence[str]] | None,
    ) -> list[Found]:
        wanted = checked_filter(where)
        with self._opened() as client:
            if wanted is None or query is None or k < 1:
                return []
            allowed = _filter(wanted) if wanted else None

            def fetch(limit: int) -> list[Found]:
                answer = client.query_points(
                    *(self._name, query),
                    using=using,
                    query_filter=allowed,
                    search_params=params,
                    limit=limit,
                    with_payload=["chunk_id"],
                )
                return [((point.payload or {})["chunk_id"], point.score) for point in answer.points]

            return best(fetch, k)

    def count(self) -> int:
        """How many chunks are indexed."""
        with self._opened() as client:
            return int(client.count(self._name, exact=True).count)

    def close(self) -> None:
        """Close the connection and let go of the folder."""
        with self._mutex:
            if self._client is not None:
                self._client.close()
            self._client = None
            self._folder.release()


def _filter(wanted: Mapping[str, list[str]]) -> models.Filter:
    conditions: list[Any] = [
        models.FieldCondition(key=field, match=models.MatchAny(any=values))
        for field, values in wanted.items()
    ]
    return models.Filter(must=conditions)


def _sparse(weights: Mapping[str, float]) -> models.SparseVector:
    entries = hashed(weights)
    return models.SparseVector(indices=list(entries), values=list(entries.values()))


def _point(chunk: Chunk, vector: Vectors) -> models.PointStruct:
    payload = {"chunk_id": chunk.id} | {field: getattr(chunk, field) for field in FIELDS}
    both: Any = {"dense": vector.tolist(), "text": _sparse(weigh(words(chunk)))}
    return models.PointStruct(
        id=str(uuid.uuid5(_NAMESPACE, chunk.id)), vector=both, payload=payload
    )
