"""The Milvus index in its embedded edition: the contract, and what only it can get wrong."""

from __future__ import annotations

import pytest

pytest.importorskip("pymilvus", reason="this index needs the extra 'milvus'")
pytest.importorskip("milvus_lite", reason="the embedded edition is in the extra 'milvus'")

from aegle.backends.index_milvus import MilvusIndex
from aegle.testing.index import CHECKS, WIDTH


def make(folder):
    return MilvusIndex(folder / "index", width=WIDTH)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, tmp_path):
    check(make, tmp_path)
