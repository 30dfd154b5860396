"""The qdrant-edge index: the contract, BM25 against a reference, and what only it can get wrong."""

import json
import subprocess
import sys

import bm25s
import numpy as np
import pytest
import qdrant_edge as edge

from aegle.backends import index_qdrant_edge
from aegle.backends.index_qdrant_edge import QdrantEdgeIndex
from aegle.backends.index_rows import AVERAGE_TERMS, K1, B
from aegle.core.errors import WorkspaceError
from aegle.lm.terms import terms
from aegle.testing.index import CHECKS, WIDTH, chunk, files_holding, vectors


def make(folder):
    return QdrantEdgeIndex(folder / "index", width=WIDTH)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, tmp_path):
    check(make, tmp_path)


def corpus(rng, count, low, high):
    """Texts of made-up words in Zipf's proportions."""
    words = np.array([f"w{i}x" for i in range(300)])
    odds = 1 / np.arange(1, 301)
    return [
        " ".join(rng.choice(words, size=rng.integers(low, high), p=odds / odds.sum()))
        for _ in range(count)
    ]


def reference(texts, query, *, k):
    """BM25 by bm25s, on our terms."""
    retriever = bm25s.BM25(method="lucene", k1=K1, b=B)
    retriever.index([terms(text) for text in texts], show_progress=False)
    found, scores = retriever.retrieve([terms(query)], k=k, show_progress=False)
    return found[0].tolist(), scores[0]


def test_bm25_scores_are_those_of_bm25s_where_lengths_are_average(tmp_path):
    rng = np.random.default_rng(3)
    texts = corpus(rng, 200, AVERAGE_TERMS, AVERAGE_TERMS + 1)
    chunks = [chunk(str(i), text) for i, text in enumerate(texts)]
    index = make(tmp_path)
    index.add(chunks, vectors(200))
    for query in corpus(rng, 10, 2, 5):
        query = " ".join(sorted(set(query.split())))
        _, expected = reference(texts, query, k=20)
        ours = [score for _, score in index.search_text(query, k=20)]
        # bm25s leaves out the factor k1 + 1, which moves no rank.
        np.testing.assert_allclose(ours, expected * (K1 + 1), rtol=1e-3)
    index.close()


def test_bm25_ranks_like_bm25s_where_lengths_differ(tmp_path):
    rng = np.random.default_rng(4)
    texts = corpus(rng, 300, 20, 160)
    chunks = [chunk(str(i), text) for i, text in enumerate(texts)]
    index = make(tmp_path)
    index.add(chunks, vectors(300))
    shared = []
    for query in corpus(rng, 20, 2, 5):
        query = " ".join(sorted(set(query.split())))
        expected = {chunks[i].id for i in reference(texts, query, k=10)[0]}
        shared.append(len(expected & {item for item, _ in index.search_text(query, k=10)}) / 10)
    assert np.mean(shared) > 0.9
    index.close()


def test_with_codes_recall_scores_and_removal_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(index_qdrant_edge, "_EXACT_BELOW", 400)
    known = vectors(1200)
    chunks = [chunk(str(i), f"text {i}", document=f"document-{i // 10}-") for i in range(1200)]
    index = make(tmp_path)
    for start in range(0, 1200, 300):
        index.add(chunks[start : start + 300], known[start : start + 300])
    assert list(tmp_path.rglob("quantized.data*")), "no codes were made"
    shared = []
    for query in vectors(20, seed=9):
        expected = {chunks[i].id for i in np.argsort(-(known @ query))[:10]}
        found = index.search_dense(query, k=10)
        shared.append(len(expected & {item for item, _ in found}) / 10)
        assert found[0][1] == pytest.approx(float(np.max(known @ query)), abs=1e-5)
    assert np.mean(shared) >= 0.98
    index.remove(["document-3-"])
    assert index.count() == 1190
    assert (
        files_holding(tmp_path, [b"document-3-", *(known[i].tobytes() for i in range(30, 40))])
        == []
    )
    index.close()


def test_an_index_with_codes_of_a_byte_is_read_and_coded_anew(tmp_path, monkeypatch):
    """As it was made before codes had four bits."""
    monkeypatch.setattr(index_qdrant_edge, "_EXACT_BELOW", 400)
    known = vectors(900)
    chunks = [chunk(str(i), f"text {i}", document=f"document-{i // 10}-") for i in range(900)]
    with monkeypatch.context() as before:
        byte = edge.ScalarQuantizationConfig(edge.ScalarType.Int8, always_ram=True)
        before.setattr(edge, "TurboQuantQuantizationConfig", lambda **told: byte)
        index = make(tmp_path)
        index.add(chunks, known)
        index.close()
    marker = next(tmp_path.rglob("index.json"))
    about = json.loads(marker.read_text())
    del about["codes"]
    marker.write_text(json.dumps({**about, "coded": True}))
    index = make(tmp_path)
    expected = {chunks[i].id for i in np.argsort(-(known @ known[5]))[:10]}
    assert {item for item, _ in index.search_dense(known[5], k=10)} == expected
    index.remove(["document-3-"])  # compacts
    assert json.loads(marker.read_text())["codes"] == "turbo4"
    kept = known.copy()
    kept[30:40] = 0
    expected = {chunks[i].id for i in np.argsort(-(kept @ known[5]))[:10]}
    assert {item for item, _ in index.search_dense(known[5], k=10)} == expected
    index.close()


KILLED = """
import os, sys
from pathlib import Path
from aegle.backends.index_qdrant_edge import QdrantEdgeIndex
from aegle.testing.index import WIDTH, chunk, vectors
index = QdrantEdgeIndex(Path(sys.argv[1]) / "index", width=WIDTH)
chunks = [chunk(str(i), f"text {i}", document=f"d{i // 10}") for i in range(100)]
index.add(chunks, vectors(100))
if sys.argv[2] == "remove":
    index.remove(["d1", "d2"])
if sys.argv[2] == "removing":
    index._compact = lambda: os.kill(os.getpid(), 9)
    index.remove(["d1", "d2"])
if sys.argv[2] == "half-way":
    index._describe = index._index_what_is_loose = lambda: None
    call = index._call
    def die_before_flush(method, *args):
        return os.kill(os.getpid(), 9) if method == "flush" else call(method, *args)
    index._call = die_before_flush
    index.add([chunk(f"late {i}", f"text {i}") for i in range(3000)], vectors(3000))
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(("last", "left"), [("add", 100), ("remove", 80)])
def test_kill_after_return_loses_nothing(tmp_path, last, left):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), last], check=False)
    assert done.returncode == -9
    index = make(tmp_path)
    assert index.count() == left
    assert len(index.search_dense(vectors(1)[0], k=200)) == left
    assert len(index.search_text("text", k=200)) == left
    index.close()


def test_a_removal_killed_half_way_is_finished_by_the_next(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), "removing"], check=False)
    assert done.returncode == -9
    gone = [chunk(str(i), "x").id.encode() for i in range(10, 30)]
    assert files_holding(tmp_path, gone), "there must be something to finish"
    index = make(tmp_path)
    index.remove(["d1", "d2"])
    assert index.count() == 80
    assert files_holding(tmp_path, gone) == []
    index.close()


def test_kill_half_way_keeps_what_was_there_and_a_repeat_completes(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), "half-way"], check=False)
    assert done.returncode == -9
    index = make(tmp_path)
    assert index.count() >= 100
    index.add([chunk(f"late {i}", f"text {i}") for i in range(3000)], vectors(3000))
    assert index.count() == 3100
    assert len(index.search_text("text", k=4000)) == 3100
    index.close()


def test_another_width_is_told(tmp_path):
    make(tmp_path).close()
    with pytest.raises(WorkspaceError, match="aegle reindex"):
        QdrantEdgeIndex(tmp_path / "index", width=WIDTH + 1)
    make(tmp_path).close()


@pytest.mark.parametrize("damage", ["marker", "config", "segment", "no marker", "not json"])
def test_damage_is_told(tmp_path, damage):
    index = make(tmp_path)
    index.add([chunk(str(i), f"text {i}") for i in range(30)], vectors(30))
    index.close()
    folder = tmp_path / "index"
    if damage == "marker":
        (folder / "index.json").write_text("{}")
    elif damage == "not json":
        (folder / "index.json").write_bytes(b"\xff\x00")
    elif damage == "no marker":
        (folder / "index.json").unlink()
    elif damage == "config":
        (folder / "shard" / "edge_config.json").write_text("{")
    else:
        for file in (folder / "shard" / "segments").rglob("segment.json"):
            file.write_bytes(b"")
    with pytest.raises(WorkspaceError, match="aegle reindex"):
        make(tmp_path)
    # The folder is let go of, so that reindex can replace it.
    with pytest.raises(WorkspaceError, match="aegle reindex"):
        make(tmp_path)
