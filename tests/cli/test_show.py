"""What people see in a terminal, and how little a command loads before it says something."""

from __future__ import annotations

import io
import subprocess
import sys
import time

import pytest

from aegle.cli import show
from aegle.flows import commands, workspace

NOTE = "MRN: 4411\n\nHPI: Heart failure. Denies chest pain. Takes warfarin 5 mg PO daily.\n"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> workspace.Layout:
    folder = tmp_path_factory.mktemp("shown")
    (folder / "a.txt").write_text(NOTE)
    (folder / "empty.txt").write_text("")
    layout = workspace.create(folder / "w")
    commands.run(layout.root, "ingest", {"paths": [str(folder)]})
    return layout


def test_every_result_has_lines_for_people(
    filled: workspace.Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    note = str(filled.root.parent / "a.txt")
    for command, params, render, says in (
        ("ask", {"question": "What does MRN 4411 take?"}, show.answer, "warfarin"),
        ("ask", {"question": "What does PUMP-9999 do?"}, show.answer, "No answer: "),
        ("search", {"question": "warfarin"}, show.hits, " 1. "),
        ("extract", {"path": note}, show.facts, "chest pain (negated)"),
        ("graph", {"entity": "warfarin"}, show.graph, "--takes->"),
        ("status", {}, show.pairs, "     documents  1"),
    ):
        render(commands.run(filled.root, command, params))
        shown = capsys.readouterr().out
        assert says in shown
        assert "\x1b" not in shown, "styles are for terminals"
    show.table(commands.run(filled.root, "quarantine", {}), "path", "reason")
    shown = capsys.readouterr().out
    assert shown.startswith("path")
    assert "empty.txt" in shown


def test_a_long_path_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/".join(f"folder-{n}" for n in range(30))
    show.table([{"path": path, "reason": "empty"}], "path", "reason")
    lines = capsys.readouterr().out.splitlines()[1:]
    assert "".join(line.split()[0] for line in lines) == path


def test_terminals_get_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    show.fail("no [such] thing")
    assert terminal.getvalue() == "\x1b[1merror: no [such] thing\x1b[0m\n"


def test_only_a_long_step_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with show.bar() as report:
        report("embed", 1, 10)
        assert terminal.getvalue() == ""
        monkeypatch.setattr(show, "_SHOW_AFTER_S", 0.0)
        report("embed", 2, 10)
        time.sleep(0.2)
    assert "embed" in terminal.getvalue()
    assert "20%" in terminal.getvalue()


def loaded(*words: str) -> set[str]:
    """The top-level modules that a command has loaded when it ends."""
    code = (
        "import sys; from aegle.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('loaded', *{name.partition('.')[0] for name in sys.modules})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    return set(run.stdout.rpartition("loaded ")[2].split())


def test_help_loads_nothing_heavy() -> None:
    assert not loaded("--help") & {"numpy", "pydantic", "rich", "onnxruntime", "sqlite3"}


def test_status_loads_no_model(filled: workspace.Layout) -> None:
    heavy = {"numpy", "onnxruntime", "tokenizers", "ladybug", "qdrant_edge", "xllamacpp", "rich"}
    assert not loaded("status", "-w", str(filled.root)) & heavy


def test_a_question_loads_no_library_that_only_other_commands_need(
    filled: workspace.Layout,
) -> None:
    found = loaded("ask", "What does MRN 4411 take?", "-w", str(filled.root))
    assert "onnxruntime" in found
    assert not found & {"scipy", "onnx", "xllamacpp", "rich", "nicegui", "fastapi"}
