"""Rows of a graph store: nodes and edges to Arrow tables and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # it ships neither stubs nor a marker
from numpy.typing import NDArray

from aegle.core.errors import UsageError
from aegle.core.records import Edge, Node, content_id
from aegle.core.text import SafeText
from aegle.lm.terms import fold

_COLUMNS: Final = (
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


def strings(values: Sequence[str]) -> Any:
    """A column of strings.

    Raises:
        UsageError: one of them is no Unicode text.
    """
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError as error:
        raise UsageError(
            "a text for the graph holds half a character (a lone surrogate)"
        ) from error


def numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column of numbers; pyarrow's own way to numpy loads pandas where there is one."""
    chunks = [np.from_dlpack(chunk) for chunk in column.chunks]
    return np.concatenate(chunks) if chunks else np.empty(0, np.int64)


def parted(table: pa.Table, names: Sequence[str], wanted: set[str]) -> tuple[pa.Table, pa.Table]:
    """The rows that hold a wanted value in some of the columns, and the rows that do not."""
    # Here: pyarrow's functions take 80 ms to load, and a question needs none of them.
    from pyarrow import compute

    values = strings(sorted(wanted))
    found = compute.is_in(table[names[0]], value_set=values)
    for name in names[1:]:
        found = compute.or_(found, compute.is_in(table[name], value_set=values))
    return table.filter(found), table.filter(compute.invert(found))


def ends(edges: pa.Table) -> set[str]:
    """The keys of the nodes that some edges tie."""
    return set(edges["head"].unique().to_pylist()) | set(edges["tail"].unique().to_pylist())


def folded(node: Node) -> str:
    """What `match` searches: name and key, each a line of its own."""
    return "" if node.type == "chunk" else f"\n{fold(node.name)}\n{fold(node.key)}\n"


def node_rows(nodes: Sequence[Node]) -> pa.Table:
    """Nodes as the store keeps them."""
    columns = {
        "key": [node.key for node in nodes],
        "type": [node.type for node in nodes],
        "name": [str(node.name) for node in nodes],
        "folded": [folded(node) for node in nodes],
    }
    return pa.table({name: strings(column) for name, column in columns.items()})


def edge_rows(edges: Sequence[Edge], ids: NDArray[np.int64]) -> pa.Table:
    """Edges as the store keeps them."""
    columns: dict[str, Any] = {"id": ids}
    for name, kind in _COLUMNS:
        if name != "id":
            values = [getattr(edge, name.removesuffix("_at")) for edge in edges]
            columns[name] = strings(values) if kind == pa.string() else pa.array(values, kind)
    return pa.table({name: columns[name] for name, _ in _COLUMNS})


def to_nodes(table: pa.Table) -> list[Node]:
    """The nodes of some rows."""
    columns = (table[name].to_pylist() for name in ("key", "type", "name"))
    return [
        Node(key, kind, SafeText(name, by="graph"))
        for key, kind, name in zip(*columns, strict=True)
    ]


def to_edges(table: pa.Table) -> list[Edge]:
    """The edges of some rows."""
    columns = (table[name].to_pylist() for name, _ in _COLUMNS if name != "id")
    return [Edge(*row) for row in zip(*columns, strict=True)]
