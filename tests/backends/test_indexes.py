"""The embedded indexes beside the default one: the contract, kills, settings, what is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from beside_default import compare

from aegle.core import plugins
from aegle.core.errors import MissingExtraError, WorkspaceError
from aegle.core.ports import Index
from aegle.testing.index import CHECKS, WIDTH, Make, chunk, files_holding, vectors

KINDS: dict[str, dict[str, int]] = {
    "flat": {},
    "ivf-pq": {"code": 8, "bits": 4, "lists": 3},
    "hnsw": {},
    "hnsw-sq": {},
    "hnsw-pq": {"code": 8, "bits": 4},
    "binary": {},
}
"""Of faiss; with options that fit the contract's few narrow vectors."""

NEEDS = {
    "lancedb": ("lancedb",),
    **{f"faiss:{kind}": ("faiss",) for kind in KINDS},
    "milvus": ("pymilvus", "milvus_lite"),
}


def opener(name: str) -> Make:
    name, _, kind = name.partition(":")
    # So that a contract of forty chunks meets the kind and not the few that are flat.
    shaped = {"kind": kind, "options": KINDS[kind], "least": 30} if kind else {}

    def make(folder: Path) -> Index:
        index: Index = plugins.find("index", name)(folder / "index", width=WIDTH, **shaped)
        return index

    return make


@pytest.fixture(params=NEEDS)
def name(request: pytest.FixtureRequest) -> str:
    if not all(map(find_spec, NEEDS[request.param])):
        pytest.skip(f"this index needs the extra {request.param.partition(':')[0]!r}")
    chosen: str = request.param
    return chosen


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Callable[[Make, Path], None], name: str, tmp_path: Path) -> None:
    check(opener(name), tmp_path)


def test_bm25_ranks_like_the_defaults(name: str, tmp_path: Path) -> None:
    shared, difference = compare(opener(name), tmp_path)
    assert shared > 0.85, "LanceDB and Milvus know the true lengths, the default a constant"
    if name.startswith("faiss"):
        assert difference < 1e-3


KILLED = """
import os, sys
from pathlib import Path
from aegle.core import plugins
from aegle.testing.index import WIDTH, chunk, vectors
name, _, kind = sys.argv[2].partition(":")
shaped = {"kind": kind, "options": eval(sys.argv[4]), "least": 30} if kind else {}
index = plugins.find("index", name)(Path(sys.argv[1]) / "index", width=WIDTH, **shaped)
chunks = [chunk(str(i), f"text {i}", document=f"d{i // 10}") for i in range(100)]
index.add(chunks, vectors(100))
if sys.argv[3] == "remove":
    index.remove(["d1", "d2"])
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(("last", "left"), [("add", 100), ("remove", 80)])
def test_kill_after_return_loses_nothing(name: str, last: str, left: int, tmp_path: Path) -> None:
    options = repr(KINDS.get(name.partition(":")[2], {}))
    command = [sys.executable, "-c", KILLED, str(tmp_path), name, last, options]
    assert subprocess.run(command, check=False).returncode == -9
    index = opener(name)(tmp_path)
    assert index.count() == left
    assert len(index.search_dense(vectors(1)[0], k=200)) == left
    assert len(index.search_text("text", k=200)) == left
    index.close()


HALF_WAY = """
import os, sys
from pathlib import Path
from aegle.core import plugins
from aegle.testing.index import WIDTH, chunk, vectors
index = plugins.find("index", sys.argv[2])(Path(sys.argv[1]) / "index", width=WIDTH)
chunks = [chunk(str(i), f"text {i}", document=f"note{i // 10}-") for i in range(100)]
index.add(chunks, vectors(100))
index.search_text("text", k=1)
def die(*args, **options):
    os.kill(os.getpid(), 9)
if sys.argv[2] == "lancedb":
    index._settle = die
else:
    alter = index._client.alter_alias
    index._client.alter_alias = lambda *args: die(alter(*args))
index.remove(["note1-", "note2-"])
"""


def test_a_removal_killed_half_way_is_finished_by_the_next(name: str, tmp_path: Path) -> None:
    if name.startswith("faiss"):
        pytest.skip("its removal is one transaction of SQLite")
    command = [sys.executable, "-c", HALF_WAY, str(tmp_path), name]
    assert subprocess.run(command, check=False).returncode == -9
    gone = [chunk(str(i), "x").id.encode() for i in range(10, 30)]
    index, known = opener(name)(tmp_path), vectors(100)[10:30]
    index.remove(["note1-", "note2-"])
    assert index.count() == len(index.search_text("text", k=100)) == 80
    assert (
        files_holding(tmp_path, [b"note1-", b"note2-", *gone, *(v.tobytes() for v in known)]) == []
    )
    if name == "milvus":  # its files are compressed: look for a collection that was left behind
        assert len(list((tmp_path / "index" / "milvus.db" / "collections").iterdir())) == 1
    index.close()


def test_batches_rank_as_one_does(name: str, tmp_path: Path) -> None:
    """In whatever portions chunks come, also after a removal, searches find the same."""
    known, make = vectors(90), opener(name)
    chunks = [
        chunk(str(i), "pump " * (i % 4) + "fever " * (i % 3) + "x", document=f"d{i % 3}")
        for i in range(90)
    ]
    whole, parts = make(tmp_path / "whole"), make(tmp_path / "parts")
    left = [i for i in range(90) if i % 3]
    whole.add([chunks[i] for i in left], known[left])
    for start in range(0, 90, 30):
        parts.add(chunks[start : start + 30], known[start : start + 30])
        parts.search_text("pump", k=3)
    parts.remove(["d0"])
    for query in ("pump", "fever pump", "x"):
        found = [index.search_text(query, k=25) for index in (whole, parts)]
        assert [item for item, _ in found[0]] == [item for item, _ in found[1]]
    dense = [index.search_dense(known[5], k=25) for index in (whole, parts)]
    assert dense[0] == dense[1]
    whole.close()
    parts.close()


def test_names_with_quotes_are_filtered_by(name: str, tmp_path: Path) -> None:
    index, group = opener(name)(tmp_path), "O'Neill \"\\ \n %s é"
    one = chunk("a", "words", document="d'1\"", group=group)
    index.add([one, chunk("b", "words", group="other")], vectors(2))
    assert [item for item, _ in index.search_text("words", k=5, where={"group": [group]})] == [
        one.id
    ]
    index.remove(["d'1\""])
    assert index.count() == 1
    index.close()


def test_other_settings_are_told(name: str, tmp_path: Path) -> None:
    plain = name.partition(":")[0]
    opener(name)(tmp_path).close()
    with pytest.raises(WorkspaceError, match=r"width 16.*aegle reindex"):
        plugins.find("index", plain)(tmp_path / "index", width=WIDTH + 1)
    with pytest.raises(WorkspaceError, match=f"made by {plain}.*aegle reindex"):
        opener("qdrant-edge")(tmp_path)
    opener("qdrant-edge")(tmp_path / "edge").close()
    with pytest.raises(WorkspaceError, match=r"made by qdrant-edge.*aegle reindex"):
        opener(name)(tmp_path / "edge")
    opener(name)(tmp_path).close()


def test_a_damaged_marker_is_told_and_a_lost_one_means_anew(name: str, tmp_path: Path) -> None:
    make, marker = opener(name), tmp_path / "index" / "index.json"
    index = make(tmp_path)
    index.add([chunk("a", "a")], vectors(1))
    index.close()
    marker.write_text("{")
    with pytest.raises(WorkspaceError, match="aegle reindex"):
        make(tmp_path)
    marker.unlink()
    index = make(tmp_path)
    assert index.count() == 0
    index.close()


PACKAGES = {
    "lancedb": "lancedb",
    "faiss": "faiss",
    "pgvector": "psycopg",
    "qdrant": "qdrant_client",
    "milvus": "pymilvus",
}


@pytest.mark.parametrize(("name", "package"), PACKAGES.items())
def test_a_missing_package_names_its_extra(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for module in (f"index_{name}", "faiss_kinds", "faiss_vectors"):
        monkeypatch.delitem(sys.modules, f"aegle.backends.{module}", raising=False)
    with pytest.raises(MissingExtraError, match=rf"pip install 'aegle\[{name}\]'"):
        plugins.find("index", name)


def test_lancedb_keeps_its_table_elsewhere_when_told(tmp_path: Path) -> None:
    if find_spec("lancedb") is None:
        pytest.skip("this index needs the extra 'lancedb'")
    make, options = plugins.find("index", "lancedb"), {"width": WIDTH, "name": "aegle_x"}
    url = str(tmp_path / "elsewhere")
    index = make(tmp_path / "index", url=url, **options)
    index.add([chunk("a", "words")], vectors(1))
    index.close()
    assert {one.name for one in (tmp_path / "index").iterdir()} == {"index.json", "lock"}
    with pytest.raises(WorkspaceError, match=r"table aegle_x in .*elsewhere"):
        make(tmp_path / "index", **options)
    index = make(tmp_path / "index", url=url, **options)
    assert len(index.search_text("words", k=3)) == 1
    index.close()
