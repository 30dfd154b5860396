"""A real server process in a rollout: rolled back under load, killed, and begun again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from aegle.cli.app import app
from aegle.flows import commands
from rollouts import LONG, TEXT, Place, laid_out

pytest.importorskip("cryptography")


@contextmanager
def serving(place: Place) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "aegle", "serve", "-w", str(place.root), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        url = next(one for one in line.split() if one.startswith("http")).rstrip("/")
        until = time.monotonic() + 60
        while httpx.get(url + "/readyz").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.05)
        yield url, process
    finally:
        process.kill()
        process.wait(60)
        process.stdout.close()


def asked(url: str, text: str, unit: str) -> httpx.Response:
    body = {"text": text, "domain": "healthcare"}
    return httpx.post(f"{url}/v1/extract", json=body, headers={"x-aegle-unit": unit}, timeout=60)


def test_a_rollback_under_load_fails_no_request_and_outlives_a_kill(tmp_path: Path) -> None:
    place = laid_out(tmp_path, fails=True)
    run = CliRunner()
    where = ["-w", str(place.root), "--json"]
    with serving(place) as (url, process):
        line = ["rollout", "start", "taught", "--version", "1", "--share", "0.5", *where]
        line += ["--registry", str(place.registry), "--key", str(place.key)]
        begun = run.invoke(app, line)
        assert begun.exit_code == 0, begun.output
        seen: list[int] = []
        stop = threading.Event()

        def ask(who: int) -> None:
            n = 0
            while not stop.is_set():
                n += 1
                text = f"{LONG if n % 3 == 0 else TEXT} {who} {n}"
                seen.append(asked(url, text, f"{who}-{n}").status_code)

        asking = [threading.Thread(target=ask, args=(who,)) for who in range(3)]
        for one in asking:
            one.start()
        try:
            until = time.monotonic() + 60
            while commands.run(place.root, "rollout_status", {})["status"] != "rolled back":
                assert time.monotonic() < until
                time.sleep(0.05)
            after = len(seen)
            while len(seen) < after + 10:
                time.sleep(0.01)
        finally:
            stop.set()
            for one in asking:
                one.join(60)
        assert set(seen) == {200}
        told = commands.run(place.root, "rollout_status", {})
        assert told["reason"] == "errors"
        process.kill()
        process.wait(60)
    with serving(place) as (url, _):
        shown = run.invoke(app, ["rollout", "status", *where, "--page", str(tmp_path / "p.html")])
        assert "of units got the challenger" in (tmp_path / "p.html").read_text()
        again = json.loads(shown.output)
        assert again["status"] == "rolled back"
        assert again["figures"]["errors"] == told["figures"]["errors"]
        reply = asked(url, TEXT, "1-1")
        assert reply.status_code == 200
        assert "x-aegle-rollout" not in reply.headers
    page = (tmp_path / "p.html").read_text()
    assert "rolled back (errors)" in page
    assert page.count("<svg") >= 1
    assert "NaN" not in page
