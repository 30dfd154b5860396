"""`aegle train`: from a recipe to scores and a served model, followed, stopped and gone on with."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the extra 'train'")
pytest.importorskip("mlflow", reason="tracking needs the extra 'track'")

from aegle.cli import main
from aegle.core.artifacts import check_manifest
from aegle.core.errors import NotFoundError, UsageError
from aegle.flows import model

RECIPE = """
name: tiny
base: path:{base}
max_pieces: 40
overlap: 8
tasks: {{drugs: {{labels: [Drug]}}}}
corpora:
  - {{task: drugs, train: drugs-train.txt, dev: drugs-dev.txt, test: drugs-test.txt,
     names: {{Drug: Drug}}, licence: made here, safe_because: made here}}
optimiser: {{lr: 3.0e-3, head_lr: 1.0e-2, epochs: 3, batch_words: 512}}
search: {{optimiser.lr: [1e-3, 1e-2, log]}}
"""


def aegle(*words: str) -> tuple[int, str, str]:
    """The command line in this process: exit code, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(SystemExit) as ended,
    ):
        patch.setattr(sys, "argv", ["aegle", *words])
        main()
    return int(ended.value.code or 0), out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def recipe(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    file.write_text(RECIPE.format(base=tiny))
    return str(file)


@pytest.fixture(scope="module")
def trained(recipe: str, corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run by the command line: the folder of runs, its result, what it told."""
    out = tmp_path_factory.mktemp("runs")
    code, printed, told = aegle(
        *("train", recipe, "--data", str(corpora), "--out", str(out), "--seed", "3", "--json")
    )
    assert code == 0, told
    return out, json.loads(printed), told


def test_one_object_on_stdout_scores_and_a_model(trained: Any) -> None:
    out, result, told = trained
    assert result["test"]["drugs"]["f1"]["value"] > 0.8
    for part in (result["dev"]["drugs"], result["test"]["drugs"]["f1"]):
        assert part["low"] <= part["value"] <= part["high"]
    assert check_manifest(Path(result["model"]) / "manifest.json")
    assert result["peak_bytes"] > 1e7
    assert result["tokens_per_s"] > 0
    assert json.loads((out / "tiny" / "result.json").read_text()) == result
    epochs = [line for line in told.splitlines() if line.startswith("epoch")]
    assert len(epochs) == result["epochs"] == 3
    assert f"dev {max(one['mean'] for one in result['history']):.4f}" in told


def test_the_tracker_knows_settings_figures_hashes_and_the_challenger(trained: Any) -> None:
    from mlflow.tracking import MlflowClient

    out, result, _ = trained
    client: Any = MlflowClient(model.tracker_in(out))
    about = json.loads((out / "tiny" / "run.json").read_text())
    run = client.get_run(about["run"])
    assert (run.data.params["seed"], run.data.params["optimiser.lr"]) == ("3", "0.003")
    assert run.data.tags["data.0.drugs.train"] == about["hashes"]["data.0.drugs.train"]
    assert len(client.get_metric_history(about["run"], "dev/mean")) == 3
    assert run.data.metrics["test/drugs"] == result["test"]["drugs"]["f1"]["value"]
    version = client.get_model_version_by_alias("tiny", "challenger")
    assert version.source == f"path:{Path(result['model']).resolve()}"
    assert str(version.version) == result["version"]


def test_a_finished_run_is_not_overwritten(trained: Any, recipe: str, corpora: Path) -> None:
    where = ("--data", str(corpora), "--out", str(trained[0]))
    for more in ((), ("--resume",)):
        code, printed, told = aegle("train", recipe, *where, *more)
        assert (code, printed) == (UsageError.exit_code, "")
        assert "finished run" in told


def test_people_get_a_table(recipe: str, corpora: Path, tmp_path: Path) -> None:
    code, printed, told = aegle(
        *("train", recipe, "--data", str(corpora), "--out", str(tmp_path), "--no-track"),
        *("--set", "optimiser.epochs=1"),
    )
    assert code == 0, told
    assert "interval" in printed
    assert "tokens per s" in printed
    assert str(tmp_path / "tiny" / "model") in printed
    assert not list(tmp_path.rglob("mlflow.db"))


def test_ctrl_c_while_a_line_is_written_is_no_error() -> None:
    """The handler runs inside the write, and a stream can't be entered twice."""
    from aegle.cli.training import stopping

    class Signals(io.RawIOBase):
        sent = False

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            if not self.sent:
                self.sent = True
                signal.raise_signal(signal.SIGINT)
            return len(data)

    slow = io.TextIOWrapper(io.BufferedWriter(Signals()), line_buffering=True)
    with pytest.MonkeyPatch.context() as patch, stopping() as stop:
        patch.setattr("sys.stderr", slow)
        assert not stop()
        slow.write("epoch 1\n")
        assert stop()


def test_interrupted_it_says_how_to_go_on_and_ends_at_the_same_scores(
    trained: Any, recipe: str, corpora: Path, tmp_path: Path
) -> None:
    words = ["train", recipe, "--data", str(corpora), "--out", str(tmp_path), "--seed", "3"]
    code = (
        "import sys\n"
        f"sys.argv = ['aegle', *{[*words, '--no-track']!r}]\n"
        "from aegle.cli import main\n"
        "try: main()\n"
        "finally: sys.stderr.write(str({'mlflow', 'optuna'} & set(sys.modules)))\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    run = subprocess.Popen([sys.executable, "-c", code], env=environment, **pipes)
    for line in run.stderr or ():
        if line.startswith("epoch 1"):
            break
    run.send_signal(signal.SIGINT)
    printed, told = run.communicate(timeout=300)
    assert (run.returncode, printed) == (130, "")
    assert told.endswith("set()"), "what is not used is not imported"
    again = next(line for line in told.splitlines() if line.startswith("  aegle train"))
    assert again.endswith("--resume")
    assert (tmp_path / "tiny" / "checkpoint.json").is_file()
    code, _, told = aegle(*words, "--no-track")
    assert (code, "--resume" in told) == (UsageError.exit_code, True)
    code, _, told = aegle(*words, "--no-track", "--resume", "--set", "dropout=0.2")
    assert (code, "another dropout" in told) == (UsageError.exit_code, True)
    code, printed, told = aegle(*words, "--no-track", "--resume", "--json")
    assert code == 0, told
    result = json.loads(printed)
    assert result["history"] == trained[1]["history"]
    assert result["test"] == trained[1]["test"]


def test_a_stopped_run_is_one_run_for_the_tracker(recipe: str, corpora: Path, trained: Any) -> None:
    from aegle.core.errors import StoppedError

    out = trained[0]
    how: Any = {"data": corpora, "out": out, "tracker": model.tracker_in(out)}
    how["changes"] = {"name": "two", "optimiser.epochs": 2}
    steps: list[int] = []
    with pytest.raises(StoppedError):
        model.train(
            Path(recipe),
            progress=lambda step, done, total=None: steps.append(done),
            stop=lambda: len(steps) == 5,
            **how,
        )
    first = json.loads((out / "two" / "run.json").read_text())["run"]
    model.train(Path(recipe), resume=True, **how)
    assert json.loads((out / "two" / "run.json").read_text())["run"] == first
    from mlflow.tracking import MlflowClient

    client: Any = MlflowClient(model.tracker_in(out))
    assert client.get_run(first).info.status == "FINISHED"
    assert len(client.get_metric_history(first, "dev/mean")) == 2


def test_a_search_writes_a_recipe_that_trains(recipe: str, corpora: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="searching needs the extra 'search'")
    where = ("--data", str(corpora), "--out", str(tmp_path), "--no-track")
    code, printed, told = aegle(
        *("train", recipe, *where, "--search", "2", "--set", "optimiser.epochs=1", "--json")
    )
    assert code == 0, told
    result = json.loads(printed)
    assert set(result) == {"name", "recipe", "best", "trials"}
    assert set(result["best"]) == {"trial", "dev", "pruned", "optimiser.lr"}
    assert len(result["trials"]) == 2
    assert told.count("trial") == 2
    code, printed, told = aegle("train", result["recipe"], *where, "--json")
    assert code == 0, told
    assert json.loads(printed)["history"][0]["mean"] == result["best"]["dev"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("none", "--data", "."), NotFoundError.exit_code, "no recipe named 'none'"),
        (("none.yaml", "--data", "."), NotFoundError.exit_code, "no such file"),
        (("tagger", "--data", "nowhere"), NotFoundError.exit_code, "nowhere is no folder"),
        (("tagger", "--data", ".", "--search", "2"), 2, "declares nothing to search"),
        (("tagger", "--data", ".", "--search", "2", "--resume"), 2, "by itself"),
        (("tagger", "--data", ".", "--set", "optimiser.epoch=1"), 4, "did you mean 'epochs'"),
        (("tagger",), 2, "--data"),
    ],
)
def test_errors_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Any, code: int, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found, printed, told = aegle("train", *words)
    assert (found, printed) == (code, ""), told
    assert says in told
    assert not (tmp_path / "runs").is_dir() or not list((tmp_path / "runs").rglob("*.json"))


@pytest.mark.parametrize(
    ("package", "extra"), [("torch", "train"), ("mlflow", "track"), ("optuna", "search")]
)
def test_a_missing_package_names_its_extra(
    package: str, extra: str, recipe: str, corpora: Path, tmp_path: Path
) -> None:
    """In a process that can't import it."""
    words = ["train", recipe, "--data", str(corpora), "--out", str(tmp_path)]
    words += ["--search", "2"] if package == "optuna" else []
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name.partition('.')[0] == {package!r}:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        f"sys.argv = ['aegle', *{words!r}]\n"
        "from aegle.cli import main\n"
        "main()\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 9, run.stderr
    assert f"pip install 'aegle[{extra}]'" in run.stderr
    assert ("--no-track" in run.stderr) == (package == "mlflow")


def test_shipped_recipes_have_names() -> None:
    assert model.recipe_file("tagger").name == "tagger.yaml"
    with pytest.raises(NotFoundError, match="tagger"):
        model.recipe_file("taggr")
