"""The Ladybug graph: the contract, a model that it must agree with, and what only it gets wrong."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aegle.backends import graph_ladybug
from aegle.backends.graph_ladybug import LadybugGraph
from aegle.core.errors import BackendError, UsageError, WorkspaceError
from aegle.core.records import Edge
from aegle.testing.graph import CHECKS, EDGES, NODES, PUMP, WARD, node, same


def make(folder):
    return LadybugGraph(folder / "graph")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, tmp_path):
    check(make, tmp_path)


class MemoryGraph:
    """What a graph store promises, in a few lines of Python."""

    def __init__(self):
        self.by_key, self.said = {}, set()

    def add(self, nodes, edges):
        for one in nodes:
            self.by_key.setdefault(one.key, one)
        self.said |= set(edges)

    def retract(self, documents):
        gone = {edge for edge in self.said if edge.document_id in documents}
        self.said -= gone
        touched = {key for edge in self.said for key in (edge.head, edge.tail)}
        for edge in gone:
            for key in {edge.head, edge.tail} - touched:
                self.by_key.pop(key, None)


KEYS = [f"condition:{name}" for name in "abcdef"]
edges_of = st.builds(
    Edge,
    head=st.sampled_from(KEYS),
    tail=st.sampled_from(KEYS),
    type=st.sampled_from(["causes", "treats"]),
    document_id=st.sampled_from(["d1", "d2", "d3"]),
    start=st.integers(0, 2),
    end=st.integers(3, 4),
    assertion=st.sampled_from(["present", "negated"]),
)


class AgreesWithTheModel(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.model = MemoryGraph()
        self.store = make(Path(self.folder.name))

    @rule(edges=st.lists(edges_of, max_size=6))
    def add(self, edges):
        nodes = [node(key) for edge in edges for key in (edge.head, edge.tail)]
        self.model.add(nodes, edges)
        self.store.add(nodes, edges)

    @rule(documents=st.lists(st.sampled_from(["d1", "d2", "d3", "d4"]), max_size=2))
    def retract(self, documents):
        self.model.retract(documents)
        self.store.retract(documents)

    @rule()
    def reopen(self):
        self.store.close()
        self.store = make(Path(self.folder.name))

    @invariant()
    def agree(self):
        assert same(self.store.edges(), self.model.said)
        assert {one.key for one in self.store.nodes()} == set(self.model.by_key)
        asked = KEYS[:2]
        touching = [edge for edge in self.model.said if {edge.head, edge.tail} & set(asked)]
        assert same(self.store.edges(asked), touching)

    def teardown(self):
        self.store.close()
        self.folder.cleanup()


TestAgreesWithTheModel = AgreesWithTheModel.TestCase
TestAgreesWithTheModel.settings = settings(max_examples=8, stateful_step_count=8, deadline=None)


def test_many_keys_by_a_scan_and_few_by_lookups_give_the_same(tmp_path, monkeypatch):
    store = make(tmp_path)
    store.add(NODES, EDGES)
    few = store.edges([PUMP.key, WARD.key])
    cut = store.edges([PUMP.key, WARD.key], limit=2)
    monkeypatch.setattr(graph_ladybug, "_LOOKUPS", 0)
    assert store.edges([PUMP.key, WARD.key]) == few
    assert store.edges([PUMP.key, WARD.key], limit=2) == cut
    store.close()


KILLED = """
import os, sys
from pathlib import Path
from aegle.backends import graph_ladybug
from aegle.backends.graph_ladybug import LadybugGraph
from aegle.testing.graph import EDGES, NODES
store = LadybugGraph(Path(sys.argv[1]) / "graph")
store.add(NODES, EDGES)
if sys.argv[2] == "retract":
    store.retract(["doc-b"])
if sys.argv[2] == "half-way":
    graph_ladybug.write_json = lambda *_: os.kill(os.getpid(), 9)
    store.retract(["doc-b"])
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(("when", "left"), [("add", 4), ("retract", 1), ("half-way", 4)])
def test_kill_leaves_the_old_graph_or_the_new_one(tmp_path, when, left):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), when], check=False)
    assert done.returncode == -9
    store = make(tmp_path)
    assert len(store.edges()) == left
    assert len(list(tmp_path.rglob("*.lbug"))) == 1
    store.retract(["doc-b"])
    assert same(store.edges(), EDGES[:1])
    store.close()


@pytest.mark.parametrize("damage", ["cut", "random", "empty", "gone", "marker", "no marker"])
def test_damage_is_told(tmp_path, damage):
    store = make(tmp_path)
    store.add(NODES, EDGES)
    store.close()
    file = next(tmp_path.rglob("*.lbug"))
    marker = file.with_name("graph.json")
    if damage == "cut":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])
    elif damage == "random":
        file.write_bytes(os.urandom(file.stat().st_size))
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "gone":
        file.unlink()
    elif damage == "marker":
        marker.write_text('{"format": 1}')
    else:
        marker.unlink()
    for _ in range(2):
        with pytest.raises(WorkspaceError, match="aegle reindex"):
            make(tmp_path)


def test_a_newer_format_is_told(tmp_path):
    make(tmp_path).close()
    (tmp_path / "graph" / "graph.json").write_text('{"format": 99, "file": "graph-0.lbug"}')
    with pytest.raises(WorkspaceError, match="format 99"):
        make(tmp_path)


def test_errors_quote_no_value(tmp_path):
    store = make(tmp_path)
    store.close()
    with pytest.raises(BackendError, match="closed"):
        store.nodes()
    store = make(tmp_path)
    bad = node("host:xyzzy\ud800")
    with pytest.raises(UsageError) as caught:
        store.add([bad], [])
    assert "xyzzy" not in str(caught.value)
    store.close()


def test_a_library_loaded_after_it_lives(tmp_path: Path) -> None:
    """Ladybug's symbols must not replace those of llama.cpp: that ended the process."""
    code = (
        "import sys, pathlib\n"
        "from aegle.backends.graph_ladybug import LadybugGraph\n"
        "store = LadybugGraph(pathlib.Path(sys.argv[1]))\n"
        "import xllamacpp\n"
        "store.close()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "graph")]
    subprocess.run(command, check=True, timeout=120)
