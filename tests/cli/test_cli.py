"""The command line: JSON contracts, exit codes, stdin, help."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from aegle.cli import main
from aegle.core import errors

NOTE = "MRN: 4411\nASSESSMENT: heart failure. Denies chest pain. Takes warfarin 5 mg PO daily.\n"


def aegle(*words: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The command line in this process: what it prints and its exit code."""
    out, err = io.StringIO(), io.StringIO()
    piped = io.TextIOWrapper(io.BytesIO(stdin.encode()))
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(SystemExit) as ended,
    ):
        patch.setattr(sys, "argv", ["aegle", *words])
        patch.setattr(sys, "stdin", piped)
        main()
    code = ended.value.code
    assert code is None or isinstance(code, int)
    return subprocess.CompletedProcess(words, code or 0, out.getvalue(), err.getvalue())


def test_it_runs_as_a_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aegle", "status", "-w", "none"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (errors.NotFoundError.exit_code, "")
    assert run.stderr.startswith("error: none is not a workspace; run: aegle init")


def test_the_demo_says_what_to_do_next_and_may_be_run_again(tmp_path: Path) -> None:
    words = ("demo", "--folder", "d", "--patients", "5", "--days", "2", "--no-serve")
    (tmp_path / "d" / "sample" / "gold").mkdir(parents=True)
    (tmp_path / "d" / "sample" / "files").mkdir()
    (tmp_path / "d" / "sample" / "files" / "a.txt").write_text(NOTE)
    for documents in ("1", "0"):
        run = aegle(*words, cwd=tmp_path)
        assert run.returncode == 0, run.stderr
        assert f"documents  {documents}" in run.stdout
        assert "aegle ask -w d/workspace" in run.stderr


def result_of(*words: str, cwd: Path, stdin: str = "") -> object:
    run = aegle(*words, "--json", cwd=cwd, stdin=stdin)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_the_road_by_json(tmp_path: Path) -> None:
    assert aegle("init", "-w", "w", cwd=tmp_path).returncode == 0
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text(NOTE)
    (tmp_path / "notes" / "empty.txt").write_text("")
    counts = result_of("ingest", "notes", "-w", "w", cwd=tmp_path)
    assert isinstance(counts, dict)
    wanted = {"files", "documents", "quarantined", "chunks", "entities", "relations", "bytes"}
    assert set(counts) >= wanted | {"seconds"}
    assert (counts["documents"], counts["quarantined"]) == (1, 1)
    quarantine = result_of("quarantine", "-w", "w", cwd=tmp_path)
    assert isinstance(quarantine, list)
    assert set(quarantine[0]) == {"path", "reason"}
    answer = result_of("ask", "What does MRN 4411 take?", "-w", "w", cwd=tmp_path)
    assert isinstance(answer, dict)
    assert set(answer) >= {"answer", "claims", "refusal", "hits"}
    assert set(answer["claims"][0]["citations"][0]) == {"document_id", "start", "end", "text"}
    assert set(answer["hits"][0]) == {"chunk_id", "document_id", "score", "via"}
    facts = result_of("extract", "notes/a.txt", "-w", "w", cwd=tmp_path)
    assert isinstance(facts, dict)
    names = {"start", "end", "text", "type", "assertion", "concepts", "score"}
    assert all(set(one) >= names for one in facts["entities"])
    assert all(set(one) >= {"head", "tail", "type", "score"} for one in facts["relations"])
    takes = [one for one in facts["relations"] if one["type"] == "takes"]
    assert any(facts["entities"][one["tail"]]["text"].casefold() == "warfarin" for one in takes)
    gone = result_of("forget", "MRN 4411", "-w", "w", cwd=tmp_path)
    assert isinstance(gone, dict)
    assert gone["documents"] == 1
    for command in (("status", "-w", "w"), ("ask", "warfarin?", "-w", "w")):
        assert aegle(*command, cwd=tmp_path).returncode == 0


def test_stdin_and_default_workspace(tmp_path: Path) -> None:
    counts = result_of("ingest", "-", cwd=tmp_path, stdin=NOTE)
    assert isinstance(counts, dict)
    assert counts["documents"] == 1
    assert (tmp_path / "hospital" / "aegle.toml").exists()
    assert not list((tmp_path / "hospital" / "journal").glob(".stdin-*"))


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("status", "-w", "none"), errors.NotFoundError.exit_code, "aegle init"),
        (("ask", " ", "-w", "w"), errors.UsageError.exit_code, "1 to 2000"),
        (("ingest", "nowhere", "-w", "w"), errors.NotFoundError.exit_code, "nowhere"),
        (("ask", "x", "-w", "w", "--set", "retrieve.kk=1"), 2, "did you mean 'retrieve.k'"),
        (("ask", "x", "-w", "w", "--set", "nonsense"), 2, "KEY=VALUE"),
        (("forget", "none", "-w", "w"), errors.NotFoundError.exit_code, "nothing to forget"),
        (("dance",), 2, "No such command"),
        (("models", "--fetch", "none"), errors.NotFoundError.exit_code, "none"),
    ],
)
def test_errors_have_exit_codes_and_go_to_stderr(
    tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    aegle("init", "-w", "w", cwd=tmp_path)
    run = aegle(*words, cwd=tmp_path)
    assert run.returncode == code, run.stderr
    assert says in run.stderr
    assert run.stdout == ""


def test_help_has_examples_and_exit_codes(tmp_path: Path) -> None:
    top = aegle("--help", cwd=tmp_path).stdout
    assert "Exit codes" in top
    for command in ("init", "sample", "ingest", "ask", "search", "extract", "graph", "forget"):
        assert command in top
        assert "Examples:" in aegle(command, "--help", cwd=tmp_path).stdout


def test_sample_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    words = ("--patients", "5", "--days", "2", "--seed", "3")
    for out in ("a", "b"):
        result_of("sample", out, *words, cwd=tmp_path)
    for path in sorted((tmp_path / "a").rglob("*")):
        if path.is_file():
            assert (
                path.read_bytes()
                == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
            )


def test_models_lists_licences(tmp_path: Path) -> None:
    rows = result_of("models", cwd=tmp_path)
    assert isinstance(rows, list)
    assert all(row["licence"] for row in rows)
    assert {"minilm", "smollm2", "icd10cm"} <= {row["name"] for row in rows}
