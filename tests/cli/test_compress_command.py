"""`aegle compress` in the shell: its table, JSON, exit codes and errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aegle.cli.app import app
from aegle.core.errors import InputError, UsageError
from small_encoders import hugging_face, texts

RUN = CliRunner()


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("compress")
    data = root / "texts.jsonl"
    data.write_text("\n".join(json.dumps({"text": one}) for one in texts(24)))
    return hugging_face(root / "model"), data


def told(given: tuple[Path, Path], out: Path, *more: str) -> list[str]:
    model, data = given
    line = ["compress", str(model), "--data", str(data), "--because", "made", "--out", str(out)]
    return [*line, "--threads", "1", "--method", "int8", *more]


def test_a_table_and_a_model(given: tuple[Path, Path], tmp_path: Path) -> None:
    done = RUN.invoke(app, told(given, tmp_path / "out", "--target", "size=90%", "--keep", "0.2"))
    assert done.exit_code == 0, done.output
    assert "choice  int8" in done.output
    assert (tmp_path / "out" / "model" / "model.onnx").is_file()
    assert (tmp_path / "out" / "report.html").is_file()


def test_json_and_the_exit_code_where_nothing_meets(
    given: tuple[Path, Path], tmp_path: Path
) -> None:
    done = RUN.invoke(app, told(given, tmp_path / "out", "--target", "size=1%", "--json"))
    assert done.exit_code == 1
    result = json.loads(done.stdout)
    assert result["meets"] is False
    assert {"choice", "trials", "float", "target", "page"} <= set(result)
    assert {"size", "retention", "speedup", "labels_failed"} <= set(result["trials"][0])


def test_errors_say_what_to_do(given: tuple[Path, Path], tmp_path: Path) -> None:
    done = RUN.invoke(app, told(given, tmp_path / "out", "--target", "half"))
    assert isinstance(done.exception, UsageError)
    assert "size=50%" in str(done.exception)
    done = RUN.invoke(app, told(given, tmp_path / "out", "--method", "int9"))
    assert "did you mean 'int8'" in str(done.exception)
    done = RUN.invoke(app, [*told(given, tmp_path / "out"), "--because", " "])
    assert isinstance(done.exception, InputError)
    assert "say why" in str(done.exception)
    (tmp_path / "notes.md").write_text("x")
    done = RUN.invoke(app, [*told(given, tmp_path / "out"), "--data", str(tmp_path / "notes.md")])
    assert "--format json" in str(done.exception)
