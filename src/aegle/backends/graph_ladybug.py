"""GraphStore by Ladybug (an embedded property graph), in this process, loaded in bulk.

The database is one file, named by ``graph.json`` beside it. Ladybug leaves deleted strings in its
file, so `retract` writes what is left into a new file and swaps it in: what was said is gone from
the disk, and a kill at any moment leaves the old file or the new one, never half of each.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import ladybug
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # it ships neither stubs nor a marker
from numpy.typing import NDArray

from aegle.backends.graph_rows import (
    edge_id,
    edge_rows,
    ends,
    folded,
    node_rows,
    numbers,
    parted,
    strings,
    to_edges,
    to_nodes,
)
from aegle.backends.lock import FolderLock
from aegle.core.artifacts import read_json, write_json
from aegle.core.errors import BackendError, InputError, UsageError, WorkspaceError
from aegle.core.ports import Whole
from aegle.core.records import Edge, Node
from aegle.lm.terms import fold

with contextlib.suppress(ImportError):
    # Ladybug loads its library with RTLD_GLOBAL: its C++ symbols then replace those of libraries
    # that are loaded later, and llama.cpp ends the process (std::bad_alloc). This comes before it.
    import ladybug._lbug

_FORMAT: Final = 1
_POOL_BYTES: Final = 512 << 20
_MOST_BYTES: Final = 1 << 38
"""Address space that the engine reserves, not memory; its own default of 8 TB fails in containers
that limit it."""

_PERTURB: Final = -6
"""glibc's M_PERTURB (mallopt(3)): memory is filled when it is handed out and when it is freed."""

_NODE: Final = "n.key AS key, n.type AS type, n.name AS name"
_EDGE: Final = (
    "a.key AS head, b.key AS tail, e.id AS id, e.type AS type, e.document_id AS document_id, "
    "e.start_at AS start_at, e.end_at AS end_at, e.assertion AS assertion, e.score AS score, "
    "e.time AS time, e.extractor AS extractor"
)
_WALKED: Final = (
    "offset(id(a)) AS head, offset(id(b)) AS tail, e.id AS id, e.type AS type, "
    "e.assertion AS assertion, e.score AS score"
)
_EVERY: Final = "MATCH (a:Node)-[e:Edge]->(b:Node)"
_LOOKUPS: Final = 200
"""Up to so many keys are looked up one by one (0.3 ms each); for more, one scan is faster. A join
of the keys with the edges is neither: the engine materialises it and runs out of memory."""

_SCHEMA: Final = (
    "CREATE NODE TABLE Node(key STRING PRIMARY KEY, type STRING, name STRING, folded STRING)",
    "CREATE REL TABLE Edge(FROM Node TO Node, id INT64, type STRING, document_id STRING, "
    "start_at INT64, end_at INT64, assertion STRING, score DOUBLE, time STRING, extractor STRING)",
)


class LadybugGraph:
    """A `GraphStore` in a folder, owned by one opener at a time; safe to share between threads.

    Raises:
        WorkspaceBusyError: somebody else has the folder open.
        WorkspaceError: the folder is damaged, or too new for this version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.RLock()
        self._database: Any = None
        self._connection: Any = None
        self._edge_ids: NDArray[np.int64] | None = None
        self._lock = FolderLock(path)
        try:
            self._file = self._current()
            self._attach(self._path / self._file)
            self._sweep()
        except BaseException:
            self.close()
            raise

    # files

    @property
    def _marker(self) -> Path:
        return self._path / "graph.json"

    def _current(self) -> str:
        if not self._marker.exists():
            if any(self._path.glob("*.lbug")):
                raise self._damaged()
            name = "graph-0.lbug"
            database, connection = _open(self._path / name)
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.close()
            database.close()
            write_json(self._marker, {"format": _FORMAT, "file": name})
            return name
        try:
            about = read_json(self._marker)
            number, name = int(about["format"]), str(about["file"])
        except (InputError, KeyError, TypeError, ValueError) as error:
            raise self._damaged() from error
        if number != _FORMAT:
            raise WorkspaceError(
                f"{self._path} is a graph of format {number}, this version reads {_FORMAT}; "
                "run aegle reindex"
            )
        if not (self._path / name).is_file():
            raise self._damaged()
        return name

    def _damaged(self) -> WorkspaceError:
        return WorkspaceError(f"the graph in {self._path} is damaged; run aegle reindex")

    def _attach(self, file: Path) -> None:
        try:
            self._database, self._connection = _open(file)
            self._connection.execute("MATCH (n:Node) RETURN n.folded LIMIT 1")
            self._connection.execute("MATCH (:Node)-[e:Edge]->(:Node) RETURN e.extractor LIMIT 1")
        except (RuntimeError, ValueError, IndexError, MemoryError) as error:
            raise self._damaged() from error
        self._edge_ids = None

    def _detach(self) -> None:
        for held in (self._connection, self._database):
            if held is not None:
                held.close()
        self._connection = self._database = None

    def _sweep(self) -> None:
        """Delete what an interrupted rewrite left behind."""
        for file in self._path.glob("*.lbug*"):
            if not file.name.startswith(self._file):
                file.unlink()

    def close(self) -> None:
        """Close the database and let go of the folder."""
        with self._mutex:
            try:
                self._detach()
            finally:
                self._lock.release()

    # queries

    def _run(self, query: str, **given: Any) -> Any:
        if self._connection is None:
            raise BackendError("the graph is closed")
        try:
            return self._connection.execute(query, given)
        except (RuntimeError, ValueError, MemoryError) as error:
            # The engine's message may quote a value, so its class alone is passed on.
            raise BackendError(
                f"the graph in {self._path} failed ({type(error).__name__}); is the disk full? "
                "aegle reindex rebuilds it"
            ) from error

    def _table(self, query: str, **given: Any) -> pa.Table:
        result = self._run(query, **given)
        try:
            return result.get_as_arrow(chunk_size=-1)
        finally:
            result.close()

    def _transact(self, step: Callable[[], None]) -> None:
        self._run("BEGIN TRANSACTION")
        try:
            step()
        except BaseException:
            self._run("ROLLBACK")
            raise
        self._run("COMMIT")

    # the port

    def add(self, nodes: Sequence[Node], edges: Sequence[Edge]) -> None:
        """Add in bulk, in one transaction, durable when it returns.

        A node that exists keeps its type and name; only a name that merely repeats the key gives
        way to a real one.

        Raises:
            UsageError: an edge names a node that is neither known nor given.
        """
        with self._mutex:
            given = {node.key: node for node in reversed(nodes)}
            ends = {edge.head for edge in edges} | {edge.tail for edge in edges}
            known = {node.key: node for node in self.nodes(sorted(ends | set(given)))}
            if missing := ends - set(given) - set(known):
                raise UsageError(
                    f"{len(missing)} of {len(ends)} nodes that edges name are neither known nor "
                    "given; pass them with the edges"
                )
            fresh = [node for key, node in given.items() if key not in known]
            named = [
                node
                for key, node in given.items()
                if key in known and known[key].name == key and node.name not in ("", key)
            ]
            ids, rows = self._unknown(edges)
            if fresh or rows or named:
                self._transact(lambda: self._write(fresh, named, rows, ids))
                self._edge_ids = np.sort(np.concatenate([self._known_ids(), ids]))

    def _known_ids(self) -> NDArray[np.int64]:
        if self._edge_ids is None:
            table = self._table("MATCH (:Node)-[e:Edge]->(:Node) RETURN e.id AS id")
            self._edge_ids = np.sort(numbers(table["id"]))
        return self._edge_ids

    def _unknown(self, edges: Sequence[Edge]) -> tuple[NDArray[np.int64], list[Edge]]:
        every = np.fromiter((edge_id(edge) for edge in edges), np.int64, len(edges))
        ids, first = np.unique(every, return_index=True)
        unknown = ~np.isin(ids, self._known_ids())
        return ids[unknown], [edges[i] for i in first[unknown]]

    def _write(
        self,
        nodes: Sequence[Node],
        named: Sequence[Node],
        edges: Sequence[Edge],
        ids: NDArray[np.int64],
    ) -> None:
        if nodes:
            self._run("COPY Node FROM $rows", rows=node_rows(nodes))
        for node in named:
            row = {"key": node.key, "name": str(node.name), "folded": folded(node)}
            self._run("MATCH (n:Node {key: $key}) SET n.name = $name, n.folded = $folded", **row)
        if edges:
            self._run("COPY Edge FROM $rows", rows=edge_rows(edges, ids))

    def retract(self, document_ids: Sequence[str]) -> None:
        """Remove what some documents said, from the disk too; costs a rewrite of the graph."""
        wanted = set(document_ids)
        _fill_memory()
        with self._mutex:
            edges = self._table(f"{_EVERY} RETURN {_EDGE}")
            lost, kept = parted(edges, ("document_id",), wanted)
            if not lost.num_rows:
                return
            gone = ends(lost) - ends(kept)
            nodes = self._table(f"MATCH (n:Node) RETURN {_NODE}, n.folded AS folded")
            self._rewrite(parted(nodes, ("key",), gone)[1], kept)

    def _rewrite(self, nodes: pa.Table, edges: pa.Table) -> None:
        number = int(self._file.removeprefix("graph-").removesuffix(".lbug")) + 1
        name = f"graph-{number}.lbug"
        self._detach()
        try:
            self._attach_new(self._path / name)
            if nodes.num_rows:
                self._run("COPY Node FROM $rows", rows=nodes)
            if edges.num_rows:
                self._run("COPY Edge FROM $rows", rows=edges)
            self._run("CHECKPOINT")
            write_json(self._marker, {"format": _FORMAT, "file": name})
            self._file = name
        finally:
            self._detach()
            self._sweep()
            self._attach(self._path / self._file)

    def _attach_new(self, file: Path) -> None:
        self._database, self._connection = _open(file)
        for statement in _SCHEMA:
            self._run(statement)

    def nodes(self, keys: Sequence[str] | None = None) -> list[Node]:
        """The nodes that exist among ``keys``, each once, in that order; all by key for None."""
        with self._mutex:
            if keys is None:
                every = to_nodes(self._table(f"MATCH (n:Node) RETURN {_NODE}"))
                return sorted(every, key=lambda node: node.key)
            if not keys:
                return []
            asked = list(dict.fromkeys(keys))
            rows = pa.table({"asked": strings(asked)})
            query = f"LOAD FROM $rows MATCH (n:Node {{key: asked}}) RETURN {_NODE}"
            found = {node.key: node for node in to_nodes(self._table(query, rows=rows))}
            return [found[key] for key in asked if key in found]

    def edges(self, keys: Sequence[str] | None = None, *, limit: int = 0) -> list[Edge]:
        """The edges that touch any of ``keys``, in the order of their ids."""
        with self._mutex:
            if keys is None:
                return to_edges(self._first(self._table(f"{_EVERY} RETURN {_EDGE}"), limit))
            asked = list(dict.fromkeys(keys))
            if len(asked) > _LOOKUPS:
                table = self._table(f"{_EVERY} RETURN {_EDGE}")
                touching, _ = parted(table, ("head", "tail"), set(asked))
                return to_edges(self._first(touching, limit))
            tail = f"RETURN {_EDGE} ORDER BY id" + (f" LIMIT {int(limit)}" if limit else "")
            found: dict[int, Edge] = {}
            for key in asked:
                for end in (
                    "(a:Node {key: $key})-[e:Edge]->(b:Node)",
                    "(a:Node)-[e:Edge]->(b:Node {key: $key})",
                ):
                    table = self._table(f"MATCH {end} {tail}", key=key)
                    found |= zip(table["id"].to_pylist(), to_edges(table), strict=True)
            ordered = [found[i] for i in sorted(found)]
            return ordered[:limit] if limit else ordered

    @staticmethod
    def _first(table: pa.Table, limit: int) -> pa.Table:
        table = table.sort_by("id")
        return table.slice(0, limit) if limit else table

    def whole(self) -> Whole:
        """Every node and edge in columns; edges in the order of their ids."""
        with self._mutex:
            nodes = self._table(f"MATCH (n:Node) RETURN offset(id(n)) AS place, {_NODE}")
            edges = self._table(f"{_EVERY} RETURN {_WALKED}")
        known = to_nodes(nodes)
        order = sorted(range(len(known)), key=lambda i: known[i].key)
        offsets = numbers(nodes["place"])
        places = np.zeros(int(offsets.max(initial=-1)) + 1, np.int64)
        places[offsets[order]] = np.arange(len(order))
        rows = np.argsort(numbers(edges["id"]))
        pairs = zip(edges["type"].to_pylist(), edges["assertion"].to_pylist(), strict=True)
        codes: dict[tuple[str, str], int] = {}
        kind = np.array([codes.setdefault(pair, len(codes)) for pair in pairs], np.int64)
        return Whole(
            [known[i] for i in order],
            places[numbers(edges["head"])[rows]],
            places[numbers(edges["tail"])[rows]],
            tuple(codes),
            kind[rows],
            numbers(edges["score"])[rows],
        )

    def match(self, text: str, *, limit: int) -> list[Node]:
        """Nodes (not chunks) whose name or key holds ``text``; exact first, then shortest name."""
        wanted = fold(text).strip()
        if not wanted or limit < 1:
            return []
        query = (
            "MATCH (n:Node) WHERE n.type <> 'chunk' AND contains(n.folded, $wanted) "
            f"RETURN {_NODE}, (contains(n.folded, $exact)) AS exact, size(n.name) AS width "
            f"ORDER BY exact DESC, width, key LIMIT {int(limit)}"
        )
        with self._mutex:
            return to_nodes(self._table(query, wanted=wanted, exact=f"\n{wanted}\n"))


def _fill_memory() -> None:
    """Have the C library fill what it hands out, from now on.

    The engine does not clear the ends of its pages: rows of a forgotten document, freed but still
    in this process's memory, came to stand in the new file in 8 of 12 runs.
    """
    with contextlib.suppress(AttributeError, OSError):  # other systems than Linux with glibc
        ctypes.CDLL(None).mallopt(_PERTURB, 0xFF)


def _open(file: Path) -> tuple[Any, Any]:
    database = ladybug.Database(file, buffer_pool_size=_POOL_BYTES, max_db_size=_MOST_BYTES)
    return database, ladybug.Connection(database)
