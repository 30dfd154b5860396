"""One owner: other processes' commands go through its socket and behave the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegle.core.errors import NotFoundError, UsageError
from aegle.flows import commands, owner, workspace


def ready(address: str) -> bool:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{address}readyz", timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def served(_built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The small hospital with a real server on it: (workspace, address)."""
    small_hospital = tmp_path_factory.mktemp("served") / "w"
    shutil.copytree(_built, small_hospital)
    command = [sys.executable, "-m", "aegle", "serve", "-w", str(small_hospital), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    line = server.stdout.readline()
    address = next(word for word in line.split() if word.startswith("http"))
    assert ready(address), "it gets ready"
    yield small_hospital, address
    server.send_signal(signal.SIGINT)
    server.wait(timeout=60)
    server.stdout.close()


def test_commands_behave_the_same_through_the_owner(
    served: tuple[Path, str], tmp_path: Path
) -> None:
    root, _ = served
    layout = workspace.check(root)
    assert owner.listens(layout)
    assert workspace.owner(layout)["command"] == "serve"
    before = commands.run(root, "status", {})
    note = tmp_path / "new.txt"
    note.write_text("MRN: 5511\nASSESSMENT: gout. Takes colchicine 0.6 mg PO daily.\n")
    steps: list[str] = []
    counts = commands.run(
        root, "ingest", {"paths": [str(note)]}, progress=lambda step, *_: steps.append(step)
    )
    assert counts["documents"] == 1
    assert steps, "progress comes through the socket"
    assert commands.run(root, "status", {})["documents"] == before["documents"] + 1
    answer = commands.run(root, "ask", {"question": "What does MRN 5511 take?"})
    assert "colchicine" in answer["answer"]
    with pytest.raises(NotFoundError, match="nothing to forget"):
        commands.run(root, "forget", {"what": "no such thing"})
    with pytest.raises(UsageError, match="settings of its own"):
        commands.run(root, "status", {}, options={"seed": 3})


def test_http_and_socket_agree(served: tuple[Path, str]) -> None:
    root, address = served
    question = {"question": "Which devices are in ICU-3?"}
    request = urllib.request.Request(
        f"{address}v1/ask", json.dumps(question).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        over_http = json.load(reply)
    assert over_http == commands.run(root, "ask", question)


def test_the_socket_is_the_users_alone(served: tuple[Path, str]) -> None:
    path = owner.socket_path(workspace.check(served[0]))
    assert path.stat().st_mode & 0o077 == 0
    assert path.stat().st_uid == os.getuid()


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    layout = workspace.create(deep / "w")
    assert len(os.fsencode(owner.socket_path(layout))) <= 100
    server = owner.OwnerServer(layout, lambda command, params, progress: {"did": command})
    server.start()
    try:
        assert owner.ask_owner(layout, "status", {}) == (True, {"did": "status"})
    finally:
        server.stop()
    assert not owner.listens(layout)


def test_an_owner_that_fails_says_so_without_details(tmp_path: Path) -> None:
    layout = workspace.create(tmp_path / "w")

    def handler(command: str, params: object, progress: object) -> None:
        raise RuntimeError("Maria Lopez")

    server = owner.OwnerServer(layout, handler)
    server.start()
    try:
        with pytest.raises(Exception, match="RuntimeError") as caught:
            owner.ask_owner(layout, "status", {})
        assert "Maria" not in str(caught.value)
    finally:
        server.stop()
