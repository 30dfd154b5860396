"""The command evaluate: JSON alone on stdout, a table for people, a page on request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aegle.cli.app import app

QUESTIONS = [
    {"id": "q1", "question": "Which devices are in ICU-3?", "gold": [{"text": "PUMP"}]},
    {"id": "q2", "question": "What does the moon weigh?"},
]


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "q.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in QUESTIONS))
    return path


def test_json_a_page_and_a_table(small_hospital: Path, questions: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    words = ["evaluate", str(questions), "-w", str(small_hospital), "--k", "3"]
    run = CliRunner().invoke(app, [*words, "--against", "text", "--json", "--out", str(out)])
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert told["evaluation"]["k"] == 3
    assert told["evaluation"]["entailment"] == "aegle-support"
    assert told["baseline"]["system"] == "text"
    html = out.read_text()
    assert html.startswith("<!doctype html>")
    assert "<svg" in html
    assert "moon" not in html + run.stdout
    run = CliRunner().invoke(app, words, env={"AEGLE_ANSWERS__VERIFIER": "none"})
    assert "2 questions by graph, k = 3" in run.stdout
    assert "judged by words" in run.stderr


def test_help_shows_the_format() -> None:
    run = CliRunner().invoke(app, ["evaluate", "--help"])
    assert '"gold": [{"document"' in run.output
    assert "aegle evaluate questions.jsonl --against hybrid" in run.output
