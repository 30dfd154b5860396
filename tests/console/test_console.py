"""The console in a real browser: ask, open a citation, explore the graph, read the status."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs the system's Chromium")

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


@pytest.fixture(scope="module")
def address(_built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("console") / "w"
    shutil.copytree(_built, root)
    command = [sys.executable, "-m", "aegle", "serve", "-w", str(root), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    found = next(word for word in server.stdout.readline().split() if word.startswith("http"))
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{found}readyz", timeout=2).close()
            break
        except OSError:
            time.sleep(0.2)
    yield found
    server.terminate()
    server.wait(timeout=60)
    server.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(params=[(1280, 860), (390, 844)], ids=["wide", "narrow"])
def page(browser, request, address) -> Iterator[object]:  # type: ignore[no-untyped-def]
    """A page that fails the test when it asks anything of another machine or logs an error."""
    width, height = request.param
    page = browser.new_page(viewport={"width": width, "height": height})
    outside: list[str] = []
    errors: list[str] = []
    page.on(
        "request",
        lambda r: (
            None
            if r.url.startswith((address, "ws://127", "data:", "blob:"))
            else outside.append(r.url)
        ),
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    assert outside == []
    assert errors == []
    page.close()


def fits(page) -> bool:  # type: ignore[no-untyped-def]
    """Whether nothing makes the page scroll sideways."""
    code = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    return bool(page.evaluate(code))


def ask(page, address: str, question: str) -> None:  # type: ignore[no-untyped-def]
    page.goto(address)
    page.get_by_label("Question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_text("What was found, and why").wait_for(timeout=60_000)


def test_a_citation_opens_the_source_at_its_span(page, address: str) -> None:  # type: ignore[no-untyped-def]
    ask(page, address, "Which devices are in ICU-3?")
    assert page.locator(".a-claim").count() >= 1
    assert page.locator(".a-chip").count() >= 1
    assert fits(page)
    claim = page.locator(".a-claim").first.inner_text()
    page.get_by_label("Open source 1", exact=True).click()
    mark = page.locator(".a-doc mark")
    mark.wait_for()
    assert mark.inner_text().strip()[:20] in claim
    page.wait_for_timeout(800)
    assert mark.is_visible()
    page.get_by_label("Close the source").click()


def test_a_refusal_says_so(page, address: str) -> None:  # type: ignore[no-untyped-def]
    ask(page, address, "Which firmware runs on PUMP-9999?")
    page.get_by_text("No answer").wait_for()
    assert page.locator(".a-claim").count() == 0


def test_the_graph_is_explored_and_paths_are_drawn(page, address: str) -> None:  # type: ignore[no-untyped-def]
    page.goto(f"{address}graph")
    page.get_by_label("From").fill("ICU-3")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("Every edge with its evidence").wait_for(timeout=30_000)
    page.locator("canvas").first.wait_for()
    assert page.locator(".a-edge").count() >= 1
    assert fits(page)
    page.get_by_role("button", name="Source").first.click()
    page.locator(".a-doc mark").wait_for()


def test_an_unknown_entity_is_told(page, address: str) -> None:  # type: ignore[no-untyped-def]
    page.goto(f"{address}graph")
    page.get_by_label("From").fill("no such thing anywhere")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("no entity of this name").wait_for()
    assert page.locator("canvas").count() == 0


def test_the_status_page_counts(page, address: str) -> None:  # type: ignore[no-untyped-def]
    page.goto(f"{address}status")
    page.get_by_text("documents", exact=True).wait_for()
    assert page.locator(".a-num").count() == 6
    assert fits(page)
