"""A server in a process of its own, and pages of a real browser in two widths."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]

Serve = Callable[[Path], tuple[str, "subprocess.Popen[str]"]]


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Serve a workspace until the module's tests are done: its address, and the process."""
    running: list[subprocess.Popen[str]] = []

    def start(root: Path) -> tuple[str, subprocess.Popen[str]]:
        command = [sys.executable, "-m", "aegle", "serve", "-w", str(root), "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(server)
        assert server.stdout is not None
        address = next(word for word in server.stdout.readline().split() if word.startswith("http"))
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}readyz", timeout=2).close()
                break
            except OSError:
                time.sleep(0.2)
        return address, server

    yield start
    for server in running:
        server.terminate()
        server.wait(timeout=60)
        if server.stdout:
            server.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs the system's Chromium")
    with playwright.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(params=[(1280, 860), (390, 844)], ids=["wide", "narrow"])
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page that fails the test when it asks another machine, logs an error or scrolls aside."""
    width, height = request.param
    page = browser.new_page(viewport={"width": width, "height": height})
    outside: list[str] = []
    errors: list[str] = []
    here = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(here) else outside.append(r.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0, "the page scrolls sideways"
    assert outside == []
    assert errors == []
    page.close()
