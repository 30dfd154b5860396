"""The contract of a graph store, as checks over a factory, for built-in and foreign backends.

``for check in CHECKS: check(make, folder)`` with an empty folder for each; ``make(folder)`` opens
the graph that lives there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from aegle.core.errors import AegleError, WorkspaceError
from aegle.core.ports import GraphStore
from aegle.core.records import Edge, Node
from aegle.core.text import SafeText
from aegle.testing.index import files_holding

Make = Callable[[Path], GraphStore]


def node(key: str, name: str = "", kind: str = "") -> Node:
    """A node whose type is the start of its key."""
    return Node(key, kind or key.partition(":")[0], SafeText(name or key, by="testing"))


PUMP: Final = node("device:pump-0042", "PUMP-0042")
WARD: Final = node("ward:icu-3", "ICU-3")
FEVER: Final = node("SNOMED:386661006", "Fever", "symptom")
NOTE: Final = Node("00c0ffee00c0ffee", "chunk", SafeText("", by="testing"))
NODES: Final = (PUMP, WARD, FEVER, NOTE)
EDGES: Final = (
    Edge(PUMP.key, WARD.key, "located_in", "doc-a", 4, 9, time="2024-01-02", extractor="rules/1"),
    Edge(PUMP.key, WARD.key, "located_in", "doc-b", 0, 5, score=0.25),
    Edge(NOTE.key, PUMP.key, "mentions", "doc-b", 1, 3),
    Edge(NOTE.key, FEVER.key, "mentions", "doc-b", 7, 12, assertion="negated"),
)


def same(a: Iterable[Edge], b: Iterable[Edge]) -> bool:
    """Whether two lists hold the same edges, however often and in whatever order asked."""
    return sorted(map(repr, a)) == sorted(map(repr, b))


def returns_what_was_added(make: Make, folder: Path) -> None:
    """Nodes in the order asked for, edges by what they touch, both with every field; reopened."""
    store = make(folder)
    store.add(NODES, EDGES)
    for _ in range(2):
        assert sorted(store.nodes(), key=lambda n: n.key) == sorted(NODES, key=lambda n: n.key)
        assert store.nodes([WARD.key, "none", PUMP.key]) == [WARD, PUMP]
        assert store.nodes([]) == []
        assert same(store.edges(), EDGES)
        assert same(store.edges([WARD.key]), EDGES[:2])
        assert same(store.edges([PUMP.key, FEVER.key]), EDGES)
        assert store.edges([]) == [] == store.edges(["none"])
        assert len(store.edges(limit=3)) == 3
        assert len(store.edges([PUMP.key], limit=2)) == 2
        store.close()
        store = make(folder)
    store.close()


def gives_the_whole_in_columns(make: Make, folder: Path) -> None:
    """All nodes by key and all edges between their places, in the same order however added."""
    wholes = []
    for name, edges in (("a", EDGES), ("b", EDGES[::-1])):
        store = make(folder / name)
        assert not len(store.whole().nodes) + len(store.whole().heads)
        for edge in edges:
            store.add(NODES, [edge])
        wholes.append(store.whole())
        store.close()
    for whole in wholes:
        assert list(whole.nodes) == sorted(NODES, key=lambda n: n.key)
        rows = [
            (whole.nodes[head].key, whole.nodes[tail].key, *whole.kinds[kind], float(score))
            for head, tail, kind, score in zip(
                whole.heads, whole.tails, whole.kind, whole.scores, strict=True
            )
        ]
        told = [(e.head, e.tail, e.type, e.assertion, e.score) for e in EDGES]
        assert sorted(rows) == sorted(told)
        assert whole.scores.tolist() == wholes[0].scores.tolist()


def adds_once(make: Make, folder: Path) -> None:
    """Adding the same again, alone, twice in a batch or after reopening, changes nothing."""
    store = make(folder)
    store.add([*NODES, *NODES], [*EDGES, *EDGES])
    store.add(NODES, EDGES)
    store.close()
    store = make(folder)
    store.add([], EDGES[1:])
    store.add([replace(PUMP, name=SafeText("another name", by="testing"))], [])
    assert same(store.edges(), EDGES)
    assert store.nodes([PUMP.key]) == [PUMP]
    store.close()


def names_what_had_no_name(make: Make, folder: Path) -> None:
    """A name that only repeats the key gives way to a real one, and is found by it."""
    store = make(folder)
    patient = node("patient:0123abcd")
    store.add([patient, NOTE], [Edge(NOTE.key, patient.key, "mentions", "doc-a", 0, 1)])
    store.add([node(patient.key, "Ada Example")], [])
    assert store.nodes([patient.key])[0].name == "Ada Example"
    assert [one.key for one in store.match("ada", limit=5)] == [patient.key]
    store.add([patient], [])
    assert store.nodes([patient.key])[0].name == "Ada Example"
    store.close()


def refuses_loose_ends(make: Make, folder: Path) -> None:
    """An edge to a node that is neither known nor given is refused with its whole batch."""
    store = make(folder)
    try:
        store.add([PUMP], [EDGES[0], Edge(PUMP.key, "ward:nowhere", "located_in", "doc-a", 0, 1)])
    except AegleError as error:
        assert "nowhere" not in str(error)
    else:
        raise AssertionError("an edge to nowhere was stored")
    assert store.nodes() == [] == store.edges()
    store.close()


def retracts_every_byte(make: Make, folder: Path) -> None:
    """What a document said goes, with each node that nothing else speaks of, from the disk, too."""
    store = make(folder)
    secret = node("condition:xyzzyplugh and some more words", "Xyzzyplugh and some more words")
    heard = Node("0ddba110ddba1100", "chunk", SafeText("", by="testing"))
    said = [
        Edge(heard.key, secret.key, "mentions", "doc-secret", 3, 9),
        Edge(heard.key, PUMP.key, "mentions", "doc-secret", 11, 14),
    ]
    store.add([*NODES, secret, heard], [*EDGES, *said])
    store.retract(["doc-secret", "never-seen"])
    needles = [b"xyzzyplugh", b"Xyzzyplugh", b"doc-secret", heard.key.encode()]
    for _ in range(2):
        assert same(store.edges(), EDGES)
        assert {one.key for one in store.nodes()} == {one.key for one in NODES}
        assert store.match("xyzzy", limit=5) == []
        assert files_holding(folder, needles) == []
        store.close()
        store = make(folder)
    store.retract(["doc-b"])
    assert same(store.edges(), EDGES[:1])
    assert {one.key for one in store.nodes()} == {PUMP.key, WARD.key}
    store.retract(["doc-a"])
    assert store.nodes() == [] == store.edges()
    store.add([*NODES, secret, heard], [*EDGES, *said])
    assert same(store.edges(), [*EDGES, *said])
    store.close()


def matches_names(make: Make, folder: Path) -> None:
    """In any case, by name or key, exact first, then shorter names; never a chunk."""
    store = make(folder)
    names = ["Fever", "Fever of unknown origin", "Hay fever", "Éclair", "Straße", "100% (odd) .*_"]
    given = [node(f"condition:{i}", name) for i, name in enumerate(names)]
    store.add([*given, NOTE], [Edge(NOTE.key, one.key, "mentions", "d", 0, 1) for one in given])

    def found(text: str, limit: int = 9) -> list[str]:
        return [str(one.name) for one in store.match(text, limit=limit)]

    assert found("FEVER") == ["Fever", "Hay fever", "Fever of unknown origin"]
    assert found("fever", 1) == ["Fever"]
    assert found("hay fever") == ["Hay fever"]
    assert found("éclair") == found("ÉCLAIR") == ["Éclair"]
    assert found("STRASSE") == ["Straße"]
    assert found(".*") == found("100%") == ["100% (odd) .*_"]
    assert found("condition:3") == ["Éclair"]
    assert found("") == found("zebra") == found(NOTE.key) == []
    store.close()


def takes_any_text(make: Make, folder: Path) -> None:
    """Quotes, backslashes, query words and other scripts are values, never part of a query."""
    store = make(folder)
    odd = ["'; DROP TABLE Node; //", '"\\"', "a\nb\tc", "日本語", "{key: $x}", "%_[a-z]*", "\u200b"]
    given = [node(f"ioc:{text}", text) for text in odd]
    edges = [Edge(one.key, given[0].key, f"type {one.name}", one.name, 0, 1) for one in given]
    store.add(given, edges)
    assert store.nodes([one.key for one in given]) == given
    assert same(store.edges(), edges)
    for one in given[:6]:
        assert one in store.match(str(one.name), limit=20)
        assert edges[given.index(one)] in store.edges([one.key])
    store.retract([str(given[1].name)])
    assert same(store.edges(), [edges[0], *edges[2:]])
    store.close()


def has_one_owner(make: Make, folder: Path) -> None:
    """A second opener is told, at once; after `close` it may."""
    store = make(folder)
    try:
        make(folder)
    except WorkspaceError:
        pass
    else:
        raise AssertionError("two openers of one folder")
    store.close()
    store.close()
    make(folder).close()


CHECKS: Final[tuple[Callable[[Make, Path], None], ...]] = (
    returns_what_was_added,
    gives_the_whole_in_columns,
    adds_once,
    names_what_had_no_name,
    refuses_loose_ends,
    retracts_every_byte,
    matches_names,
    takes_any_text,
    has_one_owner,
)
"""Every promise of a `GraphStore`."""
