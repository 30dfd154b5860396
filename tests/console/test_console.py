"""The console in a real browser: ask, open a citation, explore the graph, read the status."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def address(_built: Path, serve, tmp_path_factory: pytest.TempPathFactory) -> str:  # type: ignore[no-untyped-def]
    root = tmp_path_factory.mktemp("console") / "w"
    shutil.copytree(_built, root)
    return str(serve(root)[0])


def ask(page, address: str, question: str) -> None:  # type: ignore[no-untyped-def]
    page.goto(address)
    page.get_by_label("Question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_text("What was found, and why").wait_for(timeout=60_000)


def test_a_citation_opens_the_source_at_its_span(page, address: str) -> None:  # type: ignore[no-untyped-def]
    ask(page, address, "Which devices are in ICU-3?")
    assert page.locator(".a-claim").count() >= 1
    assert page.locator(".a-chip").count() >= 1
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
