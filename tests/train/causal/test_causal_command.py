"""`aegle train` on a recipe with a kind: one object on stdout, stopped and gone on with."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason="training needs the extra 'train'")

from tiny_causal import corpus, tiny

from aegle.cli import main, watching
from aegle.core.artifacts import sha256_file
from aegle.train.causal import run as running

RECIPE = """
kind: sft
name: tiny
base: path:{base}
max_tokens: 64
data: [{{train: train.jsonl, share: 0.3, licence: ours, safe_because: made here}}]
adapter: {{method: lora, dropout: 0.1}}
optimiser: {{lr: 0.02, epochs: 2}}
batches: {{tokens: 128}}
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
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    tiny(folder / "base")
    corpus(folder / "train.jsonl", count=30)
    (folder / "tiny.yaml").write_text(RECIPE.format(base=folder / "base"))
    return folder


def words(made: Path, out: Path) -> tuple[str, ...]:
    return ("train", str(made / "tiny.yaml"), "--data", str(made), "--out", str(out), "--no-track")


def test_stopped_by_a_signal_it_goes_on_to_the_same_file(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, printed, told = aegle(*words(made, tmp_path / "whole"), "--json")
    assert code == 0, told
    whole: dict[str, Any] = json.loads(printed)
    wanted = {"run_id", "artifact", "steps", "seconds", "tokens_per_s", "peak_memory_bytes"}
    assert wanted | {"metrics"} <= set(whole)
    assert "dev loss" in told
    assert json.loads((tmp_path / "whole" / "tiny" / "result.json").read_text()) == whole

    plain = running.Tuner.compute_loss

    def killed(self: Any, *given: Any, **more: Any) -> Any:
        if self.state.global_step == 3:
            signal.raise_signal(signal.SIGTERM)
        return plain(self, *given, **more)

    monkeypatch.setattr(running.Tuner, "compute_loss", killed)
    code, printed, told = aegle(*words(made, tmp_path / "half"))
    assert (code, printed) == (130, "")
    assert "stopped at step 4" in told
    assert "--resume" in told
    monkeypatch.undo()
    code, _, told = aegle(*words(made, tmp_path / "half"), "--resume", "--seed", "4")
    assert (code, "another seed" in told) == (2, True)
    code, printed, told = aegle(*words(made, tmp_path / "half"), "--resume", "--json")
    assert code == 0, told
    resumed = json.loads(printed)
    assert resumed["metrics"] == whole["metrics"]
    assert resumed["run_id"] == whole["run_id"], "by recipe and data, where no tracker names it"
    files = [Path(one["artifact"]) / "adapter_model.safetensors" for one in (whole, resumed)]
    assert len({sha256_file(file) for file in files}) == 1
    code, _, told = aegle(*words(made, tmp_path / "half"))
    assert (code, "finished run" in told) == (2, True)


def test_processes_that_a_signal_stops_go_on(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (*words(made, tmp_path), "--set", "optimiser.accumulation=2", "--device", "cpu")
    plain = watching.Watch.progress

    def killed(self: Any, step: str, done: int, total: int | None = None) -> None:
        if done == 2:
            signal.raise_signal(signal.SIGTERM)
        plain(self, step, done, total)

    monkeypatch.setattr(watching.Watch, "progress", killed)
    code, printed, told = aegle(*given, "--processes", "2")
    assert (code, printed) == (130, "")
    assert "stopped at step" in told and "--processes 2 --resume" in told
    monkeypatch.undo()
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    ended = subprocess.run(  # as a job of a cluster goes on
        (sys.executable, *launch, "-m", "aegle", *given, "--resume-if-any", "--json"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    ran = json.loads(ended.stdout)["parallel"]
    assert (ran["asked"], ran["wrapper"]) == ("ddp", "DistributedDataParallel")
    assert json.loads((tmp_path / "tiny" / "run.json").read_text())["parallel"] == ran


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (("--set", "adaptor=lora"), 4, "did you mean 'adapter'"),
        (("--set", "kind=sfd"), 4, "did you mean 'sft'"),
        (("--set", "base=path:nowhere"), 3, "no such file or folder"),
        (("--search", "2"), 2, "declares nothing to search"),
        (("--search", "2", "--folds", "2"), 2, "name one"),
        (("--folds", "99"), 4, "too few for 99 folds"),
        (("--learning-curve", "1,0.5"), 2, "ascending shares"),
        (("--learning-curve", "half"), 2, "takes shares"),
        (("--processes", "2"), 4, "2 processes can't share"),
        (("--device", "cuda"), 4, "torch sees no GPU"),
    ],
)
def test_errors_say_what_to_do(made: Path, tmp_path: Path, more: Any, code: int, says: str) -> None:
    import torch

    if "cuda" in more and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    found, printed, told = aegle(*words(made, tmp_path), *more)
    assert (found, printed) == (code, ""), told
    assert says in told


def test_a_training_begins_with_no_library_s_warning() -> None:
    """What a library warns of while it is imported would be the first line that a user reads."""
    code = "import aegle.train.causal.adapters"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
