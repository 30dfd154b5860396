"""The LanceDB index: the contract, and what only it can get wrong."""

from __future__ import annotations

import pytest

pytest.importorskip("lancedb", reason="this index needs the extra 'lancedb'")

from aegle.backends.index_lancedb import LanceIndex
from aegle.testing.index import CHECKS, WIDTH


def make(folder):
    return LanceIndex(folder / "index", width=WIDTH)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, tmp_path):
    check(make, tmp_path)
