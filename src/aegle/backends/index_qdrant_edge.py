"""Index by qdrant-edge: vectors and BM25 in one shard, in this process, no server.

Many vectors are compared by a code of four bits a number first, and the best of these exactly.
There is no graph over them: whatever is removed must leave the disk at once, and a graph would have
to be built anew each time, for minutes.

The shard keeps vectors, hashed terms, ids and filter fields; never text. It runs without the
engine's write-ahead log, whose file would go on holding removed points: `add` and `remove` flush
before they return instead, and `remove` compacts the segments that held what was removed.
"""

from __future__ import annotations

import shutil
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import qdrant_edge as edge

from aegle.backends.index_rows import (
    FIELDS,
    FORMAT,
    best,
    check_marker,
    checked_filter,
    hashed,
    weigh,
    words,
)
from aegle.backends.lock import FolderLock
from aegle.core.artifacts import read_json, write_json
from aegle.core.errors import AegleError, BackendError, UsageError, WorkspaceError
from aegle.core.ports import Found, Vectors
from aegle.core.records import Chunk
from aegle.lm.terms import terms

_NAME: Final = "qdrant-edge"
_EXACT_BELOW: Final = 20_000
"""With fewer vectors every one is compared as it is: 3 ms at width 384. Beyond, codes take a third
of the time, and a rebuild 2.5 s at 100,000 (docs/decisions/0078-search-at-size.md)."""

_CODES: Final = "turbo4"
"""A turned vector's numbers in four bits each (TurboQuant): half the memory of bytes, two thirds of
the time, the same chunks found (docs/decisions/0078-search-at-size.md)."""

_OVERSAMPLING: Final = 4.0
"""So many times as many as asked for are chosen by their codes, then compared exactly."""

_BATCH: Final = 2_000
_SPARE_BYTES: Final = 24 << 20
"""Free space that a change must leave. The engine writes through mapped files: where the disk ends
in the middle of one, the kernel kills the process, so there must be room before it starts."""

_NAMESPACE: Final = uuid.UUID("6f2f1f0e-7a35-5e0c-9b57-ae61e0000001")


def _point_id(chunk_id: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, chunk_id))


def _sparse(counts: Mapping[str, float]) -> edge.SparseVector:
    weights = hashed(counts)
    return edge.SparseVector(list(weights), list(weights.values()))


def _filter(wanted: Mapping[str, Sequence[str]]) -> edge.Filter:
    conditions: list[Any] = [
        edge.FieldCondition(key=field, match=edge.MatchAny(list(values)))
        for field, values in wanted.items()
    ]
    return edge.Filter(must=conditions)


class QdrantEdgeIndex:
    """An `Index` in a folder, owned by one opener at a time; safe to share between threads.

    Args:
        path: the folder; made when missing.
        width: of the vectors.

    Raises:
        WorkspaceBusyError: somebody else has the folder open.
        WorkspaceError: the folder is damaged, or holds vectors of another width.
    """

    def __init__(self, path: Path, *, width: int) -> None:
        self._path = path
        self._width = width
        self._built = 0
        self._removing = False  # noted in the marker, so that the next opener compacts
        self._mutex = threading.RLock()
        self._shard: Any = None
        self._lock = FolderLock(path)
        try:
            self._shard = self._open()
        except BaseException:
            self._lock.release()
            raise

    def _open(self) -> Any:
        marker, shard = self._path / "index.json", self._path / "shard"
        if not marker.exists() and not shard.exists():
            self._need(0)
            created = _create(shard, self._width)
            self._describe()
            return created
        try:
            about = read_json(marker)
            self._built = int(about["built"]) if "made_by" not in about else 0
            self._removing = bool(about.get("removing", False))
            check_marker(
                self._path, about, {"format": FORMAT, "made_by": _NAME, "width": self._width}
            )
            # What was made with other codes, or none, has these when it is compacted next.
            config = None if about.get("codes") == _CODES else _config(self._width)
            loaded = edge.EdgeShard.load(str(shard), config)
            loaded.count(edge.CountRequest(exact=True))
        except WorkspaceError:
            raise
        except BaseException as error:
            # The engine answers damage with bare Exception, or with a panic that is none.
            if not _is_engine_error(error):
                raise
            raise WorkspaceError(f"the index in {self._path} is damaged; run aegle reindex") from (
                error
            )
        return loaded

    def add(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Index chunks with their vectors; durable when it returns.

        Raises:
            UsageError: the vectors have another shape, or are not finite.
        """
        if vectors.shape != (len(chunks), self._width):
            raise UsageError(
                f"{len(chunks)} chunks need vectors of shape ({len(chunks)}, {self._width}), "
                f"got {vectors.shape}"
            )
        if not np.isfinite(vectors).all():
            raise UsageError("a vector holds NaN or infinity; check the encoder")
        if not chunks:
            return
        with self._mutex:
            self._need(4 * vectors.nbytes + sum(8 * len(chunk.text) for chunk in chunks))
            for start in range(0, len(chunks), _BATCH):
                part = zip(
                    chunks[start : start + _BATCH],
                    vectors[start : start + _BATCH].tolist(),
                    strict=True,
                )
                points = [_point(chunk, vector) for chunk, vector in part]
                self._call("update", edge.UpdateOperation.upsert_points(points))
            self._call("flush")
            self._index_what_is_loose()

    def _index_what_is_loose(self) -> None:
        count = self.count()
        # Coding again after each growth by an eighth codes each chunk nine times over all. What is
        # loose is found all the same, so a disk without room for a second copy may wait.
        if count > max(_EXACT_BELOW, self._built + self._built // 8):
            free = shutil.disk_usage(self._path).free
            if free > _held(self._path) + _SPARE_BYTES:
                self._compact()

    def _compact(self) -> None:
        self._call("optimize")
        self._call("flush")
        self._built, self._removing = self.count(), False
        self._describe()

    def _describe(self) -> None:
        about: dict[str, Any] = {"format": FORMAT, "width": self._width, "built": self._built}
        about["codes"] = _CODES
        about |= {"removing": True} if self._removing else {}
        write_json(self._path / "index.json", about)

    def remove(self, document_ids: Sequence[str]) -> None:
        """Remove all chunks of some documents and compact, so that no file holds them."""
        wanted = _filter({"document_id": sorted(set(document_ids))})
        with self._mutex:
            request = edge.CountRequest(exact=True, filter=wanted)
            held = document_ids and self._call("count", request)
            if not held and not self._removing:
                return
            self._need(_held(self._path))
            self._removing = True
            self._describe()
            delete = edge.UpdateOperation.delete_points_by_filter(wanted)
            self._call("update", delete)
            self._call("flush")
            self._compact()

    def search_dense(
        self, vector: Vectors, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The ``k`` nearest chunks by cosine, best first, ties by id; exact when filtered or few.

        Which chunks are found may be approximate where there are many; their scores never are.
        """
        if vector.shape != (self._width,):
            raise UsageError(f"a query vector has shape ({self._width},), got {vector.shape}")
        points_somewhere = np.isfinite(vector).all() and vector.any()
        codes = edge.QuantizationSearchParams(rescore=True, oversampling=_OVERSAMPLING)
        params = edge.SearchParams(exact=bool(where), quantization=codes)
        query = edge.Query.Nearest(vector.tolist(), using="dense") if points_somewhere else None
        return self._search(query, params, k, where)

    def search_text(
        self, query: str, *, k: int, where: Mapping[str, Sequence[str]] | None = None
    ) -> list[Found]:
        """The ``k`` best chunks by BM25 that share a term with it, best first, ties by id."""
        counts = Counter(terms(query))
        nearest = edge.Query.Nearest(_sparse(counts), using="text") if counts else None
        return self._search(nearest, edge.SearchParams(), k, where)

    def _search(
        self,
        query: Any,
        params: Any,
        k: int,
        where: Mapping[str, Sequence[str]] | None,
    ) -> list[Found]:
        wanted = checked_filter(where)
        if query is None or wanted is None or k < 1:
            return []
        allowed = _filter(wanted) if wanted else None

        def fetch(limit: int) -> list[Found]:
            request = edge.QueryRequest(
                limit, query=query, filter=allowed, params=params, with_payload=["chunk_id"]
            )
            with self._mutex:
                points = self._call("query", request)
            return [(p.payload["chunk_id"], float(p.score)) for p in points]

        return best(fetch, k)

    def vectors(self) -> Iterator[tuple[list[str], Vectors]]:
        """All chunks with their vectors, some at a time."""
        offset: Any = None
        while True:
            request = edge.ScrollRequest(
                offset=offset, limit=_BATCH, with_payload=["chunk_id"], with_vector=["dense"]
            )
            with self._mutex:
                points, offset = self._call("scroll", request)
            if points:
                rows = np.array([point.vector["dense"] for point in points], np.float32)
                yield [point.payload["chunk_id"] for point in points], rows
            if offset is None:
                return

    def _need(self, size_bytes: int) -> None:
        """Refuse a change that the disk may not have room for."""
        free = shutil.disk_usage(self._path).free
        if free < size_bytes + _SPARE_BYTES:
            raise WorkspaceError(
                f"the disk is full: the index needs {(size_bytes + _SPARE_BYTES) / 1e6:.0f} MB, "
                f"{free / 1e6:.0f} MB are free; free some space and run the command again"
            )

    def count(self) -> int:
        """How many chunks are indexed."""
        request = edge.CountRequest(exact=True)
        with self._mutex:
            return int(self._call("count", request))

    def close(self) -> None:
        """Flush, close and let go of the folder."""
        with self._mutex:
            if self._shard is not None:
                try:
                    self._call("flush")
                    self._call("close")
                finally:
                    self._shard = None
                    self._lock.release()

    def _call(self, method: str, *args: Any) -> Any:
        if self._shard is None:
            raise BackendError("the index is closed")
        try:
            return getattr(self._shard, method)(*args)
        except BaseException as error:
            if not _is_engine_error(error):
                raise
            raise BackendError(
                f"the index in {self._path} failed ({type(error).__name__}); is the disk full? "
                "aegle reindex rebuilds it"
            ) from error


def _held(folder: Path) -> int:
    """Bytes that a folder takes on the disk; its files have holes."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def _is_engine_error(error: BaseException) -> bool:
    if isinstance(error, AegleError):
        return type(error).__name__ == "InputError"
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _point(chunk: Chunk, vector: list[float]) -> Any:
    payload = {"chunk_id": chunk.id} | {field: getattr(chunk, field) for field in FIELDS}
    return edge.Point(
        _point_id(chunk.id), {"dense": vector, "text": _sparse(weigh(words(chunk)))}, payload
    )


def _config(width: int) -> Any:
    kilobytes = max(1, _EXACT_BELOW * width * 4 // 1024)
    codes = edge.TurboQuantQuantizationConfig(bits=edge.TurboQuantBitSize.Bits4, always_ram=True)
    return edge.EdgeConfig(
        vectors={"dense": edge.EdgeVectorParams(width, edge.Distance.Cosine)},
        sparse_vectors={"text": edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
        quantization_config=codes,
        # m = 0: no links, all codes are compared.
        hnsw_config=edge.HnswIndexConfig(m=0, ef_construct=16, full_scan_threshold=kilobytes),
        # Any deletion at all is reason enough to vacuum: removed means gone from the disk.
        optimizers=edge.EdgeOptimizersConfig(
            deleted_threshold=1e-9,
            vacuum_min_vector_number=1,
            default_segment_number=1,
            indexing_threshold=kilobytes,
        ),
        wal_enabled=False,
    )


def _create(path: Path, width: int) -> Any:
    path.mkdir(parents=True, exist_ok=True)
    shard = edge.EdgeShard.create(str(path), _config(width))
    for field in FIELDS:
        keyword = edge.PayloadSchemaType.Keyword
        shard.update(edge.UpdateOperation.create_field_index(field, keyword))
    shard.flush()
    return shard
