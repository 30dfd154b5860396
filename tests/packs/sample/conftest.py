"""One small hospital, written once for all tests that only look at it."""

from __future__ import annotations

import pytest
from sample_files import SIZES, Sample

from aegle.packs.sample import write_sample


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    root = tmp_path_factory.mktemp("sample")
    return Sample(root, write_sample(root, **SIZES))
