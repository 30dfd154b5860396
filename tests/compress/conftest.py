"""One set of small models for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from small_encoders import write_all


@pytest.fixture(scope="session")
def small_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind -> folder; nobody writes there."""
    return write_all(tmp_path_factory.mktemp("small-models"))
