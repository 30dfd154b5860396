"""The Qdrant index: the contract, on the client's own local mode, as no server can be had here."""

from __future__ import annotations

import hashlib

import pytest

pytest.importorskip("qdrant_client", reason="this index needs the extra 'qdrant'")

from beside_default import compare
from qdrant_client import QdrantClient

from aegle.backends.index_qdrant import QdrantIndex
from aegle.core.errors import BackendError, SettingsError, WorkspaceError
from aegle.testing.index import CHECKS, WIDTH, chunk, vectors

pytestmark = pytest.mark.filterwarnings(
    "ignore:Payload indexes have no effect", "ignore:Local mode"
)


class Local(QdrantClient):
    """A server that outlives its clients, as servers do."""

    def close(self, grpc_grace=None, **options):
        pass


@pytest.fixture
def make():
    local = Local(":memory:")

    def make(folder):
        name = "aegle_" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        options = {"url": "http://local", "connect": lambda url, key: local}
        return QdrantIndex(folder / "index", width=WIDTH, name=name, **options)

    return make


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, make, tmp_path):
    check(make, tmp_path)


def test_what_is_wrong_is_told(make, tmp_path):
    with pytest.raises(SettingsError, match=r"backends\.index_url"):
        QdrantIndex(tmp_path, width=WIDTH, url="", name="a")
    with pytest.raises(BackendError, match="is a server running"):
        QdrantIndex(tmp_path, width=WIDTH, url="http://127.0.0.1:9", name="a")
    make(tmp_path).close()
    local = Local(":memory:")
    with pytest.raises(WorkspaceError, match="aegle reindex"):
        QdrantIndex(
            *(tmp_path / "index",), width=WIDTH, url="http://other", name="a",
            connect=lambda url, key: local,
        )  # fmt: skip


def test_a_lost_marker_means_anew(make, tmp_path):
    index = make(tmp_path)
    index.add([chunk("a", "a")], vectors(1))
    index.close()
    (tmp_path / "index" / "index.json").unlink()
    index = make(tmp_path)
    assert index.count() == 0
    index.close()


def test_bm25_scores_are_the_defaults(make, tmp_path):
    shared, difference = compare(make, tmp_path)
    assert shared > 0.98
    assert difference < 1e-3
