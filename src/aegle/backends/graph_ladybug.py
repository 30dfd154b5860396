"""GraphStore by Ladybug (an embedded property graph), in this process, loaded in bulk.

The database is one file, named by ``graph.json`` beside it. Ladybug leaves deleted strings in its
file, so `retract` writes what is left into a new file and swaps it in: what was said is gone from
the disk, and a kill at any moment leaves the old file or the new one, never half of each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import ladybug
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # it ships neither stubs nor a marker
import pyarrow.compute as pc  # type: ignore[import-untyped]
from numpy.typing import NDArray

from aegle.backends.lock import FolderLock
from aegle.core.artifacts import read_json, write_json
from aegle.core.errors import BackendError, InputError, UsageError, WorkspaceError
from aegle.core.records import Edge, Node, content_id
from aegle.core.text import SafeText
from aegle.lm.terms import fold

_FORMAT: Final = 1
_POOL_BYTES: Final = 512 << 20
_MOST_BYTES: Final = 1 << 38
"""Address space that the engine reserves, not memory; its own default of 8 TB fails in containers
that limit it."""

_NODE: Final = "n.key AS key, n.type AS type, n.name AS name"
_EDGE: Final = (
    "a.key AS head, b.key AS tail, e.id AS id, e.type AS type, e.document_id AS document_id, "
    "e.start_at AS start_at, e.end_at AS end_at, e.assertion AS assertion, e.score AS score, "
    "e.time AS time, e.extractor AS extractor"
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
_EDGE_COLUMNS: Final = (
    ("head", pa.string()), ("tail", pa.string()), ("id", pa.int64()), ("type", pa.string()),
    ("document_id", pa.string()), ("start_at", pa.int64()), ("end_at", pa.int64()),
    ("assertion", pa.string()), ("score", pa.float64()), ("time", pa.string()),
    ("extractor", pa.string()),
)  # fmt: skip


def edge_id(edge: Edge) -> int:
    """64 bits that name an edge by all it says; its score is a measurement and names nothing."""
    places = (str(edge.start), str(edge.end))
    name = content_id(
        *(edge.head, edge.tail, edge.type, edge.document_id, *places),
        *(edge.assertion, edge.time, edge.extractor),
    )
    return int.from_bytes(bytes.fromhex(name), "little", signed=True)


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
            self._edge_ids = np.sort(table["id"].to_numpy()).astype(np.int64)
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
            self._run("COPY Node FROM $rows", rows=_node_rows(nodes))
        for node in named:
            row = {"key": node.key, "name": str(node.name), "folded": _folded(node)}
            self._run("MATCH (n:Node {key: $key}) SET n.name = $name, n.folded = $folded", **row)
        if edges:
            self._run("COPY Edge FROM $rows", rows=_edge_rows(edges, ids))

    def retract(self, document_ids: Sequence[str]) -> None:
        """Remove what some documents said, from the disk too; costs a rewrite of the graph."""
        wanted = _strings(sorted(set(document_ids)))
        with self._mutex:
            edges = self._table(f"{_EVERY} RETURN {_EDGE}")
            said = pc.is_in(edges["document_id"], value_set=wanted)
            lost = edges.filter(said)
            if not lost.num_rows:
                return
            kept = edges.filter(pc.invert(said))
            gone = _ends(lost) - _ends(kept)
            nodes = self._table(f"MATCH (n:Node) RETURN {_NODE}, n.folded AS folded")
            keys = _strings(sorted(gone))
            nodes = nodes.filter(pc.invert(pc.is_in(nodes["key"], value_set=keys)))
            self._rewrite(nodes, kept)

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
                return _nodes(self._table(f"MATCH (n:Node) RETURN {_NODE}").sort_by("key"))
            if not keys:
                return []
            asked = list(dict.fromkeys(keys))
            rows = pa.table({"asked": _strings(asked)})
            query = f"LOAD FROM $rows MATCH (n:Node {{key: asked}}) RETURN {_NODE}"
            found = {node.key: node for node in _nodes(self._table(query, rows=rows))}
            return [found[key] for key in asked if key in found]

    def edges(self, keys: Sequence[str] | None = None, *, limit: int = 0) -> list[Edge]:
        """The edges that touch any of ``keys``, in the order of their ids."""
        with self._mutex:
            if keys is None:
                return _edges(self._first(self._table(f"{_EVERY} RETURN {_EDGE}"), limit))
            asked = list(dict.fromkeys(keys))
            if len(asked) > _LOOKUPS:
                wanted = _strings(asked)
                table = self._table(f"{_EVERY} RETURN {_EDGE}")
                touches = [pc.is_in(table[end], value_set=wanted) for end in ("head", "tail")]
                return _edges(self._first(table.filter(pc.or_(*touches)), limit))
            tail = f"RETURN {_EDGE} ORDER BY id" + (f" LIMIT {int(limit)}" if limit else "")
            found: dict[int, Edge] = {}
            for key in asked:
                for end in (
                    "(a:Node {key: $key})-[e:Edge]->(b:Node)",
                    "(a:Node)-[e:Edge]->(b:Node {key: $key})",
                ):
                    table = self._table(f"MATCH {end} {tail}", key=key)
                    found |= zip(table["id"].to_pylist(), _edges(table), strict=True)
            ordered = [found[i] for i in sorted(found)]
            return ordered[:limit] if limit else ordered

    @staticmethod
    def _first(table: pa.Table, limit: int) -> pa.Table:
        table = table.sort_by("id")
        return table.slice(0, limit) if limit else table

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
            return _nodes(self._table(query, wanted=wanted, exact=f"\n{wanted}\n"))


def _open(file: Path) -> tuple[Any, Any]:
    database = ladybug.Database(file, buffer_pool_size=_POOL_BYTES, max_db_size=_MOST_BYTES)
    return database, ladybug.Connection(database)


def _strings(values: Sequence[str]) -> Any:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError as error:
        raise UsageError(
            "a text for the graph holds half a character (a lone surrogate)"
        ) from error


def _ends(edges: pa.Table) -> set[str]:
    return set(pc.unique(edges["head"]).to_pylist()) | set(pc.unique(edges["tail"]).to_pylist())


def _folded(node: Node) -> str:
    """What `match` searches: name and key, each a line of its own."""
    return "" if node.type == "chunk" else f"\n{fold(node.name)}\n{fold(node.key)}\n"


def _node_rows(nodes: Sequence[Node]) -> pa.Table:
    columns = {
        "key": [node.key for node in nodes],
        "type": [node.type for node in nodes],
        "name": [str(node.name) for node in nodes],
        "folded": [_folded(node) for node in nodes],
    }
    return pa.table({name: _strings(column) for name, column in columns.items()})


def _edge_rows(edges: Sequence[Edge], ids: NDArray[np.int64]) -> pa.Table:
    columns: dict[str, Any] = {"id": ids}
    for name, kind in _EDGE_COLUMNS:
        if name != "id":
            values = [getattr(edge, name.removesuffix("_at")) for edge in edges]
            columns[name] = _strings(values) if kind == pa.string() else pa.array(values, kind)
    return pa.table({name: columns[name] for name, _ in _EDGE_COLUMNS})


def _nodes(table: pa.Table) -> list[Node]:
    columns = (table[name].to_pylist() for name in ("key", "type", "name"))
    return [
        Node(key, kind, SafeText(name, by="graph"))
        for key, kind, name in zip(*columns, strict=True)
    ]


def _edges(table: pa.Table) -> list[Edge]:
    columns = (table[name].to_pylist() for name, _ in _EDGE_COLUMNS if name != "id")
    return [Edge(*row) for row in zip(*columns, strict=True)]
