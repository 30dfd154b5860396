"""What many tests share: real data when there is some, a small hospital, a private environment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# The gate must say the same twice: the same examples each run, no clock; `make fuzz` draws anew.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("fuzz", deadline=None, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own AEGLE_ settings must not change what tests see."""
    for name in list(os.environ):
        if name.startswith("AEGLE_") and name not in ("AEGLE_DATA", "AEGLE_CACHE"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of public data sets."""
    folder = os.environ.get("AEGLE_DATA")
    if not folder:
        pytest.skip("AEGLE_DATA is not set: it names the folder of the public data sets")
    return Path(folder)


@pytest.fixture(scope="session")
def small_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample hospital at its smallest: 5 patients, 2 days."""
    from aegle.packs.sample import write_sample

    out = tmp_path_factory.mktemp("sample")
    write_sample(out, patients=5, days=2, seed=3)
    return out


@pytest.fixture(scope="session")
def _built(small_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from aegle.flows import commands, workspace

    root = tmp_path_factory.mktemp("workspaces") / "hospital"
    workspace.create(root)
    commands.run(root, "ingest", {"paths": [str(small_sample / "files")]})
    return root


@pytest.fixture
def small_hospital(_built: Path, tmp_path: Path) -> Iterator[Path]:
    """A workspace with the small sample read in, a fresh copy for each test."""
    root = tmp_path / "small-hospital"
    shutil.copytree(_built, root, ignore=shutil.ignore_patterns("owner.sock"))
    yield root
    shutil.rmtree(root, ignore_errors=True)
