"""MLflow as a tracker: the contract, silence towards its makers, nothing imported unasked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlflow", reason="tracking needs the extra 'track'")

from aegle.backends.tracker_mlflow import MlflowTracker, flat
from aegle.core.errors import BackendError
from aegle.testing.tracker import CHECKS, Told

STATES = {"RUNNING": "running", "FINISHED": "done", "FAILED": "failed"}


def uri(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables: MLflow takes seconds to make them."""
    folder = tmp_path_factory.mktemp("mlflow")
    MlflowTracker(uri(folder)).close()
    return folder / "mlflow.db"


def read(folder: Path, run: str) -> Told:
    from mlflow.tracking import MlflowClient

    client: Any = MlflowClient(tracking_uri=uri(folder))
    found = client.get_run(run)
    figures = {
        name: [(one.step, one.value) for one in client.get_metric_history(run, name)]
        for name in found.data.metrics
    }
    return Told(found.data.params, found.data.tags, figures, STATES[found.info.status])


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Any, empty: Path, tmp_path: Path) -> None:
    shutil.copyfile(empty, tmp_path / "mlflow.db")
    check(lambda folder: MlflowTracker(uri(folder)), read, tmp_path)


def test_a_store_that_is_not_there_is_a_backends_error(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="open its store"):
        MlflowTracker("nowhere://x").start("a", params={}, tags={})


def test_lists_of_plain_values_stay_one_param() -> None:
    tree = {"labels": ["a", "b"], "tasks": {"t": {"x": 1}}, "corpora": [{"a": 1}, {"a": 2}]}
    assert flat(tree) == [
        ("labels", ["a", "b"]),
        ("tasks.t.x", 1),
        ("corpora.0.a", 1),
        ("corpora.1.a", 2),
    ]


def test_it_tells_its_makers_nothing_and_says_nothing(empty: Path, tmp_path: Path) -> None:
    """In a process of its own: MLflow is silent of itself where it sees that it is tested."""
    shutil.copyfile(empty, tmp_path / "mlflow.db")
    code = (
        "import sys\n"
        "from aegle.backends.tracker_mlflow import MlflowTracker\n"
        "assert 'mlflow' not in sys.modules\n"
        f"tracker = MlflowTracker({uri(tmp_path)!r})\n"
        "tracker.start('a', params={}, tags={}); tracker.end(); tracker.close()\n"
        "from mlflow.telemetry.client import get_telemetry_client\n"
        "sys.exit(get_telemetry_client() is not None)\n"
    )
    quiet = ("PYTEST", "CI", "GITHUB", "MLFLOW", "DO_NOT_TRACK")
    kept = {n: v for n, v in os.environ.items() if not n.startswith(quiet)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=kept, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
