"""Kinds at a size where they matter: what they find, filter, forget and keep when killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aegle.core import plugins
from aegle.core.errors import SettingsError
from aegle.core.ports import Vectors
from aegle.core.records import Chunk
from aegle.testing.index import chunk, files_holding

if find_spec("faiss") is None:
    pytest.skip("this index needs the extra 'faiss'", allow_module_level=True)

from aegle.backends import faiss_kinds

WIDTH, COUNT = 32, 3000
KINDS: dict[str, dict[str, int]] = {
    "flat": {},
    "ivf-pq": {"bits": 5, "code": 16, "probes": 24},
    "hnsw": {},
    "hnsw-sq": {},
    "hnsw-pq": {"bits": 5, "code": 16},
    "binary": {"rescore": 16},
}


def clustered(count: int, seed: int = 0) -> Vectors:
    """Unit vectors around forty centres, as those of texts are."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(40, WIDTH))
    drawn = centres[rng.integers(0, 40, count)] + 0.6 * rng.normal(size=(count, WIDTH))
    unit: Vectors = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return unit


def chunks_of(count: int) -> list[Chunk]:
    return [chunk(f"c{n}", f"text {n}", document=f"d{n // 10}-", group=f"g{n % 7}")
            for n in range(count)]  # fmt: skip


def opened(folder: Path, kind: str, **more: Any) -> Any:
    options = more.pop("options", KINDS.get(kind, {}))
    return plugins.find("index", "faiss")(
        folder / "index", width=WIDTH, kind=kind, options=options, **more
    )


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def filled(kind: str, tmp_path: Path) -> Iterator[Any]:
    index = opened(tmp_path, kind)
    index.add(chunks_of(COUNT), clustered(COUNT))
    yield index
    index.close()


def exact(known: Vectors, query: Vectors, k: int) -> list[int]:
    best: list[int] = np.argsort(-(known @ query), kind="stable")[:k].tolist()
    return best


def test_finds_most_of_the_nearest_and_says_how_near(filled: Any, kind: str) -> None:
    known, ids = clustered(COUNT), [one.id for one in chunks_of(COUNT)]
    assert filled.kind == kind
    found = 0
    for query in clustered(50, seed=1):
        told = filled.search_dense(query, k=10)
        assert len(told) == 10
        for chunk_id, score in told:
            assert score == pytest.approx(float(known[ids.index(chunk_id)] @ query), abs=2e-6)
        found += len({ids[n] for n in exact(known, query, 10)} & {one for one, _ in told})
    assert found / 500 >= (1.0 if kind == "flat" else 0.9)


def test_filtered_is_exact(filled: Any) -> None:
    known, chunks = clustered(COUNT), chunks_of(COUNT)
    allowed = [n for n, one in enumerate(chunks) if one.group in ("g1", "g4")]
    for query in clustered(10, seed=2):
        expected = [chunks[allowed[n]].id for n in exact(known[allowed], query, 20)]
        found = filled.search_dense(query, k=20, where={"group": ["g1", "g4"]})
        assert [one for one, _ in found] == expected


def test_more_than_a_short_cut_is_for_is_exact(filled: Any) -> None:
    found = filled.search_dense(clustered(1, seed=3)[0], k=COUNT)
    assert len(found) == COUNT


def test_many_copies_hide_nothing(kind: str, tmp_path: Path) -> None:
    """Log lines repeat by the hundred: what lies beside a heap of them is still found."""
    known = clustered(COUNT)
    known[:900] = known[0]
    index = opened(tmp_path, kind)
    index.add(chunks_of(COUNT), known)
    ids = [one.id for one in chunks_of(COUNT)]
    found = sum(index.search_dense(known[n], k=1)[0][0] == ids[n] for n in range(900, COUNT, 21))
    assert found / 100 >= 0.9
    copies = index.search_dense(known[0], k=5)
    assert [one for one, _ in copies] == sorted(ids[:900])[:5]
    index.close()


def test_what_is_removed_is_found_nowhere(filled: Any, kind: str, tmp_path: Path) -> None:
    known, chunks = clustered(COUNT), chunks_of(COUNT)
    gone = list(range(40, 60))
    filled.remove(["d4-", "d5-"])
    for _ in range(2):
        assert filled.count() == COUNT - 20
        for n in gone:
            found = {one for one, _ in filled.search_dense(known[n], k=10)}
            assert not found & {chunks[n].id for n in gone}
        needles = [chunks[n].id.encode() for n in gone]
        needles += [known[n].tobytes()[at : at + 16] for n in gone for at in (0, 64)]
        if kind == "hnsw-sq":  # its codes of a vector are bytes between each dimension's extremes
            low, high = known.min(0), known.max(0)
            codes = [((known[n] - low) / (high - low) * 255).astype(np.uint8) for n in gone]
            needles += [one.tobytes()[:12] for one in codes]
        assert files_holding(tmp_path, needles) == []
        filled.close()
        filled.__init__(tmp_path / "index", width=WIDTH, kind=kind, options=KINDS.get(kind, {}))


def test_codes_are_where_the_test_above_looks(tmp_path: Path) -> None:
    """Else it would prove nothing: before the removal the codes of SQ are in the file."""
    known = clustered(COUNT)
    low, high = known.min(0), known.max(0)
    index = opened(tmp_path, "hnsw-sq")
    index.add(chunks_of(COUNT), known)
    codes = [((one - low) / (high - low) * 255).astype(np.uint8) for one in known[40:60]]
    assert files_holding(tmp_path, [one.tobytes()[:12] for one in codes]) == ["shape.npz"]
    index.close()


def test_reopened_it_is_the_same_and_not_made_again(
    filled: Any, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = clustered(1, seed=5)[0]
    before = filled.search_dense(query, k=10)
    filled.close()
    assert (tmp_path / "index" / "shape.npz").exists() == (kind != "flat")
    monkeypatch.setattr(faiss_kinds.Shape, "built", None)
    again = opened(tmp_path, kind)
    assert again.kind == kind
    assert again.search_dense(query, k=10) == before
    again.close()


def test_another_kind_needs_no_other_index(tmp_path: Path) -> None:
    for kind in KINDS:
        index = opened(tmp_path, kind)
        if not index.count():
            index.add(chunks_of(COUNT), clustered(COUNT))
        assert (index.kind, index.count()) == (kind, COUNT)
        index.close()


def test_a_damaged_shape_is_made_anew(tmp_path: Path) -> None:
    index = opened(tmp_path, "hnsw")
    index.add(chunks_of(COUNT), clustered(COUNT))
    index.close()
    file = tmp_path / "index" / "shape.npz"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    for damaged in (bytes(content), bytes(content[:5000]), b"", b"damaged"):
        file.write_bytes(damaged)
        index = opened(tmp_path, "hnsw")
        assert index.kind == "hnsw"
        assert len(index.search_dense(clustered(1)[0], k=5)) == 5
        index.close()


def test_few_vectors_stay_flat_until_there_are_enough(tmp_path: Path) -> None:
    index = opened(tmp_path, "ivf-pq", options={"bits": 5})
    least = 39 * 32
    chunks, known = chunks_of(least), clustered(least)
    index.add(chunks[:-1], known[:-1])
    assert index.kind == "flat"
    index.add(chunks[-1:], known[-1:])
    assert index.kind == "ivf-pq"
    index.close()


def test_memory_is_less_as_promised(tmp_path: Path) -> None:
    sizes = {}
    for kind in KINDS:
        index = opened(tmp_path, kind)
        if not index.count():
            index.add(chunks_of(COUNT), clustered(COUNT))
        sizes[kind] = index.memory_bytes()
        index.close()
    assert sizes["flat"] >= COUNT * WIDTH * 4
    assert sizes["binary"] < sizes["ivf-pq"] < sizes["hnsw-pq"] < sizes["hnsw-sq"] < sizes["hnsw"]


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_faiss_kinds import COUNT, chunks_of, clustered, opened
from aegle.backends import index_faiss, faiss_vectors
index = opened(Path(sys.argv[1]), sys.argv[2])
index.add(chunks_of(COUNT), clustered(COUNT))
def die(*args, **options):
    os.kill(os.getpid(), 9)
index_faiss.FaissIndex._write = die
index.remove(["d4-", "d5-"])
"""


def test_a_removal_killed_half_way_loses_nothing_else(kind: str, tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", KILLED, str(tmp_path), kind, here]
    assert subprocess.run(command, check=False).returncode == -9
    index = opened(tmp_path, kind)
    assert index.count() == COUNT
    known, ids = clustered(COUNT), [one.id for one in chunks_of(COUNT)]
    assert index.search_dense(known[45], k=1)[0][0] == ids[45]
    index.remove(["d4-", "d5-"])
    assert index.count() == COUNT - 20
    index.close()


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("hsnw", {}, "no index kind 'hsnw'; there are: flat"),
        ("flat", {"m": 3}, "flat takes none; got 'm'"),
        ("hnsw", {"probes": 3}, "hnsw takes m, ef; got 'probes'"),
        ("hnsw-pq", {"code": 5}, "must divide the vectors' width 32, got 5"),
        ("hnsw-pq", {"bits": 12}, "bits is 4 to 8, got 12"),
        ("hnsw", {"ef": 0}, "ef is at least 1, got 0"),
    ],
)
def test_nonsense_is_told(kind: str, options: dict[str, int], told: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=told):
        opened(tmp_path, kind, options=options)
    opened(tmp_path, "flat").close()
