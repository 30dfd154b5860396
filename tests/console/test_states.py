"""The console when there is nothing to show, when something went wrong, and when nobody answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegle.flows import commands, workspace

NOTE = "Patient: Ada Example   MRN: 4411\n\nHPI: Takes warfarin 5 mg daily in ICU-3.\n"
TOO_LONG = "Which pump does the patient have who " + "is very ill and " * 130 + "?"
FOLDER = "a-folder-with-a-name-that-nobody-shortened-when-the-department-moved"


@pytest.fixture(scope="module")
def empty(serve, tmp_path_factory: pytest.TempPathFactory) -> str:  # type: ignore[no-untyped-def]
    return str(serve(workspace.create(tmp_path_factory.mktemp("empty") / "w").root)[0])


@pytest.fixture(scope="module")
def mixed(serve, tmp_path_factory: pytest.TempPathFactory) -> str:  # type: ignore[no-untyped-def]
    """One note that was read, and three files that could not be."""
    folder = tmp_path_factory.mktemp("mixed")
    files = folder / FOLDER
    files.mkdir()
    (files / "note.txt").write_text(NOTE)
    (files / "empty.txt").write_text("")
    (files / "scan.pdf").write_bytes(b"%PDF-1.7 cut off")
    (files / "bundle.json").write_text('{"resourceType": "Bundle", "entry": [')
    layout = workspace.create(folder / "w")
    commands.run(layout.root, "ingest", {"paths": [str(files)]})
    return str(serve(layout.root)[0])


def ask(page, question: str) -> None:  # type: ignore[no-untyped-def]
    page.get_by_label("Question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()


def test_an_empty_workspace_says_what_to_do(page, empty: str) -> None:  # type: ignore[no-untyped-def]
    for path in ("", "graph", "status"):
        page.goto(f"{empty}{path}")
        page.get_by_text("Nothing has been read into this workspace yet").wait_for()
        assert page.locator(".a-code").first.inner_text().startswith("aegle ingest FILES -w /")
    assert page.get_by_text("Quarantine", exact=True).count() == 0
    page.goto(empty)
    page.get_by_text("Nothing has been read").wait_for()
    ask(page, "Which devices are in ICU-3?")
    page.get_by_text("Nothing in this workspace speaks of it").wait_for()
    assert page.get_by_text("What was found, and why").count() == 0


def test_what_could_not_be_read_is_listed_with_its_reason(page, mixed: str) -> None:  # type: ignore[no-untyped-def]
    page.goto(f"{mixed}status")
    page.get_by_text("Quarantine", exact=True).wait_for()
    rows = page.locator(".a-tr[role=row]:not(.a-th)")
    assert rows.count() == 3
    paths = [rows.nth(n).locator("[role=cell]").first for n in range(3)]
    reasons = [rows.nth(n).locator("[role=cell]").nth(1).inner_text() for n in range(3)]
    assert all(reasons)
    assert not any(FOLDER in reason for reason in reasons), "the path stands beside its reason"
    for path in paths:
        assert FOLDER in path.inner_text()
        box, card = path.bounding_box(), page.locator(".a-table").bounding_box()
        assert box["x"] + box["width"] <= card["x"] + card["width"] + 1, "a long path is not cut"
    assert page.get_by_text("MRN", exact=True).is_visible()


def test_an_error_replaces_the_old_answer_and_stays(page, mixed: str) -> None:  # type: ignore[no-untyped-def]
    page.goto(mixed)
    ask(page, "What does MRN 4411 take?")
    page.get_by_text("What was found, and why").wait_for(timeout=60_000)
    ask(page, TOO_LONG)
    alert = page.get_by_role("alert").filter(has_text="That did not work")
    alert.wait_for()
    assert "A question has 1 to 2000 characters" in alert.inner_text()
    assert page.locator(".a-claim").count() == 0, "an answer to another question"
    assert page.get_by_text("What was found, and why").count() == 0
    field = page.get_by_label("Question")
    assert 60 < field.bounding_box()["height"] < 200, "a long question can be read"
    page.get_by_role("button", name="Clear").click()
    field.fill("What does MRN 4411 take?")
    field.press("Enter")
    page.get_by_text("What was found, and why").wait_for(timeout=60_000)
    assert alert.count() == 0


def test_an_unknown_entity_replaces_the_old_graph(page, mixed: str) -> None:  # type: ignore[no-untyped-def]
    page.goto(f"{mixed}graph?entity=warfarin")
    page.get_by_text("Every edge with its evidence").wait_for(timeout=30_000)
    page.get_by_label("From").fill("no such thing anywhere")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("alert").filter(has_text="no entity of this name").wait_for()
    assert page.locator("canvas").count() == 0
    assert page.locator(".a-edge").count() == 0


def test_a_page_that_is_not_there_leads_back(page, mixed: str) -> None:  # type: ignore[no-untyped-def]
    assert page.goto(f"{mixed}nothing/here").status == 404
    page.get_by_text("There is no such page").wait_for()
    page.get_by_text("Ask a question").click()
    page.get_by_label("Question").wait_for()


def test_a_stopped_server_is_told(page, serve, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    address, server = serve(workspace.create(tmp_path / "w").root)
    page.goto(address)
    page.get_by_text("Nothing has been read").wait_for()
    assert not page.locator("#popup").is_visible()
    page.get_by_label("Question").fill("Who is in ICU-3?")
    server.kill()
    server.wait(timeout=60)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.locator("#popup").wait_for(timeout=30_000)
    told = "getComputedStyle(document.querySelector('#popup'), '::before').content"
    assert "Aegle does not answer" in page.evaluate(told)
    icon = page.locator(".q-field__append svg")
    assert icon.is_visible(), "the sign that clears the field needs nothing from the server"
