"""Training retrievers by the flow: what is refused, and which settings reach the reranker."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aegle.cli.app import app
from aegle.core.errors import NotFoundError, StoppedError, UsageError
from aegle.core.settings import load
from aegle.flows import rerankers, retrievers


def test_what_is_no_pairs_folder_and_what_is_no_setting(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"corpus\.jsonl"):
        retrievers.embedder(tmp_path, out=tmp_path / "run")
    with pytest.raises(UsageError, match="no setting stepz; there are: alpha"):
        retrievers.embedder(tmp_path, out=tmp_path / "run", changes={"stepz": 3})
    assert not (tmp_path / "run").exists()


def test_a_run_is_begun_once_gone_on_with_and_finished_once(tmp_path: Path) -> None:
    source = tmp_path / "pairs" / "one"
    source.mkdir(parents=True)
    (source / "corpus.jsonl").write_text("")
    with pytest.raises(UsageError, match="no run to go on with"):
        retrievers.embedder(tmp_path / "pairs", out=tmp_path / "run", resume=True)
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoint.json").write_text("{}")
    with pytest.raises(UsageError, match="--resume"):
        retrievers.embedder(tmp_path / "pairs", out=run)
    (run / "result.json").write_text("{}")
    with pytest.raises(UsageError, match="finished"):
        retrievers.reranker(tmp_path / "pairs", out=run, resume=True)


def test_ctrl_c_ends_a_run_with_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command hands on that it was asked to stop; 130, as an interrupted command ends."""
    (tmp_path / "pairs").mkdir()

    def train(pairs: Path, *, stop: Callable[[], bool], **how: object) -> None:
        assert not stop()
        signal.raise_signal(signal.SIGINT)
        assert stop()
        raise StoppedError("stopped at step 3; resume goes on from there")

    monkeypatch.setattr(retrievers, "embedder", train)
    told = CliRunner().invoke(
        app, ["train-embedder", str(tmp_path / "pairs"), "--out", str(tmp_path)]
    )
    assert told.exit_code == 130
    assert "step 3" in told.stderr


def test_minutes_and_asking_end_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(retrievers.time, "monotonic", lambda: now[0])
    ended, never = retrievers._until(2, lambda: False), retrievers._until(0, lambda: False)
    assert not ended()
    now[0] = 121
    assert ended()
    assert not never()
    assert retrievers._until(0, lambda: True)()


class _Kit:
    late = property(rerankers.late)

    def __init__(self, **options: object) -> None:
        self.settings = load(environ={}, options=options)
        self.opened: list[object] = []

    def _model(self, name: str) -> Path:
        return Path(name)

    def _open(self, port: str, name: str, *args: object, **options: object) -> object:
        self.opened.append((port, name, args, options))
        return self


def test_a_cross_encoder_is_told_how_much_to_read() -> None:
    kit = _Kit(**{"retrieve.rerank": "some", "retrieve.rerank_tokens": 96})
    rerankers.opened(kit)
    assert kit.opened == [("reranker", "onnx", (Path("some"),), {"threads": 0, "max_tokens": 96})]
    late = _Kit(**{"retrieve.rerank": "late"})
    rerankers.opened(late)
    assert late.opened == [("reranker", "late", (Path("minilm"),), {"threads": 0})]


@pytest.mark.parametrize("layers", ["2,0", "0,0", "-1,2"])
def test_layers_out_of_order_are_refused_at_the_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layers: str
) -> None:
    def train(pairs: Path, **how: object) -> None:
        raise AssertionError("training began")

    monkeypatch.setattr(retrievers, "reranker", train)
    words = ["train-reranker", str(tmp_path), "--out", str(tmp_path / "run"), f"--layers={layers}"]
    told = CliRunner().invoke(app, words)
    assert isinstance(told.exception, UsageError) or told.exit_code == UsageError.exit_code
    assert "ascending" in str(told.exception) + told.stderr
    assert not (tmp_path / "run").exists()


def test_what_was_left_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"model": "run/model", "dev": {}, "dropped": {"small": 2, "tiny": 5}}
    monkeypatch.setattr(retrievers, "reranker", lambda pairs, **how: found)
    told = CliRunner().invoke(app, ["train-reranker", str(tmp_path)])
    assert told.exit_code == 0
    assert "2 of small, 5 of tiny" in told.stdout
