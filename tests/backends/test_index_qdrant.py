"""The Qdrant index: the contract, on the client's own local mode, as no server can be had here."""

from __future__ import annotations

import hashlib

import pytest

pytest.importorskip("qdrant_client", reason="this index needs the extra 'qdrant'")

from qdrant_client import QdrantClient

from aegle.backends.index_qdrant import QdrantIndex
from aegle.core.errors import BackendError, SettingsError, WorkspaceError
from aegle.testing.index import CHECKS, WIDTH, chunk, vectors

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect")


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
