"""A killed ingest leaves a workspace that opens, and the next run completes it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aegle.core.errors import AegleError, WorkspaceError
from aegle.flows import commands, workspace
from aegle.flows.ingest import ingest
from aegle.flows.kit import open_kit
from aegle.flows.workspace import Layout

INGEST = """
import sys
from pathlib import Path
from aegle.flows import commands
import aegle.flows.ingest as ingest
ingest._BATCH_DOCUMENTS = 5
commands.run(Path(sys.argv[1]), "ingest", {"paths": [sys.argv[2]]})
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Eighteen notes of as many patients: four batches of five."""
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(18):
        text = f"MRN: 77{n:03}\nASSESSMENT: asthma. Takes albuterol. Pump PUMP-{n:04} in ICU-3.\n"
        (folder / f"{n:02}.txt").write_text(text)
    return folder


def start(layout: Layout, files: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", INGEST, str(layout.root), str(files)]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def totals(layout: Layout) -> tuple[int, ...]:
    status = commands.run(layout.root, "status", {})
    return tuple(status[name] for name in ("documents", "chunks", "entities", "relations"))


def documents_on_disk(layout: Layout) -> int:
    import sqlite3

    if not layout.corpus.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{layout.corpus}?mode=ro", uri=True) as db:
            return int(db.execute("SELECT count(*) FROM documents").fetchone()[0])
    except sqlite3.Error:
        return 0


def test_kill_9_in_the_middle_loses_nothing(layout: Layout, files: Path, tmp_path: Path) -> None:
    whole = workspace.create(tmp_path / "whole")
    shutil.copy(layout.journal / "secret.txt", whole.journal)  # else surrogates differ in length
    commands.run(whole.root, "ingest", {"paths": [str(files)]})
    for least in (1, 8):
        run = start(layout, files)
        deadline = time.monotonic() + 120
        while documents_on_disk(layout) < least and run.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        assert commands.run(layout.root, "status", {})["documents"] >= 0, "it opens"
        commands.run(layout.root, "search", {"question": "pump", "k": 3})
    commands.run(layout.root, "ingest", {"paths": [str(files)]})
    assert totals(layout) == totals(whole)
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        assert kit.ledger.pending() == []
        chunks = [chunk.id for stored in kit.corpus.scan() for chunk in stored.chunks]
        assert kit.index.count() == len(chunks)
        assert {n.key for n in kit.graph.nodes() if n.type == "chunk"} == set(chunks)


def test_two_ingests_at_once_both_complete(layout: Layout, notes: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "b.txt").write_text(
        "MRN: 77\nAssessment: asthma, on albuterol. Plan: discharge home.\n"
    )
    runs = [start(layout, notes), start(layout, other)]
    for run in runs:
        _, errors = run.communicate(timeout=180)
        assert run.returncode == 0, errors.decode()
    assert commands.run(layout.root, "status", {})["documents"] == 4


def test_a_busy_workspace_is_told_not_hung(layout: Layout, notes: Path) -> None:
    with workspace.try_own(layout, "serve") as owned:
        assert owned
        started = time.monotonic()
        with pytest.raises(AegleError, match=rf"process {os.getpid()} \(serve\)"):
            commands.run(layout.root, "status", {}, options={"wait_s": 0.3})
        assert time.monotonic() - started < 5
    assert commands.run(layout.root, "status", {})["documents"] == 0


@pytest.mark.parametrize("size", ["60k", "600k", "30m"])
def test_a_full_disk_is_told_and_mended(notes: Path, tmp_path: Path, size: str) -> None:
    """On a real small file system; needs the right to mount one."""
    small = tmp_path / "disk"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(small)]
    if (
        not shutil.which("mount")
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("no right to mount a small file system")
    try:
        with pytest.raises(WorkspaceError, match="the disk is full"):
            home = workspace.create(small / "w")
            commands.run(home.root, "ingest", {"paths": [str(notes)]})
        subprocess.run(["mount", "-o", "remount,size=200m", str(small)], check=True)
        home = workspace.create(small / "w")
        counts = commands.run(home.root, "ingest", {"paths": [str(notes)]})
        assert counts["documents"] == 3
        assert commands.run(home.root, "status", {})["documents"] == 3
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)


@pytest.mark.parametrize("store", ["index", "graph"])
def test_damaged_stores_are_told_with_the_remedy(layout: Layout, notes: Path, store: str) -> None:
    commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    for path in (layout.root / store).rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    with pytest.raises(WorkspaceError, match="aegle reindex"):
        commands.run(layout.root, "search", {"question": "pump"})
    commands.run(layout.root, "reindex", {})
    assert commands.run(layout.root, "search", {"question": "pump"})["hits"]


def test_a_later_format_is_refused(layout: Layout) -> None:
    layout.manifest.write_text('{"format": 99}')
    with pytest.raises(WorkspaceError, match="upgrade Aegle"):
        commands.run(layout.root, "status", {})


def test_progress_that_fails_stops_the_run_and_keeps_what_was_stored(
    layout: Layout, small_sample: Path
) -> None:
    class HungUpError(Exception):
        pass

    def hang_up(step: str, done: int, total: int | None = None) -> None:
        if done > 200_000:
            raise HungUpError

    with open_kit(layout, workspace.load_settings(layout)) as kit, pytest.raises(HungUpError):
        ingest(kit, [str(small_sample / "files")], progress=hang_up)
    assert commands.run(layout.root, "status", {})["unfinished"] == 0
