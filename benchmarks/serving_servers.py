"""The servers that serving.py measures, each in processes of its own; what they cost."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psutil

import aegle as source
from aegle.flows import workspace

START_S: Final = 180.0
PEERS: Final = Path(__file__).with_name("serving_peers.py")


@dataclass(frozen=True)
class Running:
    """A server that answers at ``url``."""

    url: str
    process: subprocess.Popen[bytes]

    def core_seconds(self) -> float:
        """Of its processes that live, since they began."""
        return sum(sum(one.cpu_times()[:2]) for one in self._all())

    def rss_bytes(self) -> int:
        """Held by its processes."""
        return sum(one.memory_info().rss for one in self._all())

    def _all(self) -> list[psutil.Process]:
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]


@contextmanager
def aegle(root: Path, options: Sequence[str] = ()) -> Iterator[Running]:
    """`aegle serve` on an empty workspace, made if it isn't there."""
    if not root.exists():
        workspace.create(root)
    port = _free()
    sets = [part for one in options for part in ("--set", one)]
    command = [sys.executable, "-m", "aegle", "serve", "-w", str(root), "--port", str(port), *sets]
    with _started(command, port, "/readyz") as running:
        yield running


@contextmanager
def peer(name: str, python: str, about: Mapping[str, str]) -> Iterator[Running]:
    """A peer of serving_peers.py, in a Python that has it."""
    port = _free()
    more = [part for key, value in about.items() for part in (f"--{key}", value)]
    command = [python, str(PEERS), name, "--port", str(port), *more]
    with _started(command, port, "/health") as running:
        yield running


@contextmanager
def _started(command: list[str], port: int, ready: str) -> Iterator[Running]:
    ours = [str(Path(__file__).parent), str(Path(source.__file__).parents[1])]
    paths = [*ours, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    )
    running = Running(f"http://127.0.0.1:{port}", process)
    try:
        _wait(running, ready)
        yield running
    finally:
        _end(process)


def _wait(running: Running, path: str) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if running.process.poll() is not None:
            told = running.process.stderr.read().decode(errors="replace")  # type: ignore[union-attr]
            raise SystemExit(f"a server ended before it was ready:\n{told[-2000:]}")
        try:
            if httpx.get(running.url + path, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{running.process.args!r} was not ready after {START_S:.0f} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.terminate()
    try:
        process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    for one in family:
        if one.is_running():
            one.kill()


def _free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
