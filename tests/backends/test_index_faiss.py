import pytest
pytest.importorskip("faiss")
from aegle.backends.index_faiss import FaissIndex
from aegle.testing.index import CHECKS, WIDTH

@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, tmp_path):
    check(lambda folder: FaissIndex(folder / "index", width=WIDTH), tmp_path)
