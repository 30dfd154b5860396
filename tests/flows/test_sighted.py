"""Ingest with a tagger of identifiers: it reads prose before anything is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aegle.flows import commands, workspace
from aegle.flows.kit import open_kit
from aegle.flows.workspace import Layout
from taught import teach

NOTE = """\
Patient: Marguerite Okonkwo   MRN: 88123401   DOB: 03/04/1961

HPI: was brought in by bruszt after a fall in zsombolya. Denies fever.
"""
KNOWN = {"identifiers": {"bruszt": "person", "zsombolya": "place", "fever": "title"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A note, and a table that a machine wrote."""
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "88123401.txt").write_text(NOTE)
    (folder / "stock.csv").write_text("item,count\nbruszt,4\npump,5\n")
    return folder


def told(layout: Layout, folder: Path, **options: Any) -> dict[str, tuple[str, str]]:
    """kind -> (text, who vouches for it), after an ingest."""
    commands.run(layout.root, "ingest", {"paths": [str(folder)]}, options=options)
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        documents = [one.document for one in kit.corpus.scan()]
        return {one.kind: (str(one.text), kit.ledger.account(one.id)["by"]) for one in documents}


def test_what_only_the_tagger_knows_is_stored_nowhere(
    layout: Layout, folder: Path, tmp_path: Path
) -> None:
    tagger = teach(tmp_path / "tagger", KNOWN)
    stored = told(layout, folder, **{"knowledge.tagger": f"path:{tagger}"})
    text, by = stored["note"]
    assert "bruszt" not in text and "zsombolya" not in text and "Denies fever." in text
    assert by.startswith("redact/1 taught/1+")
    for file in layout.root.rglob("*"):
        if file.is_file():
            assert b"zsombolya" not in file.read_bytes()


def test_what_machines_write_is_left_to_the_recognisers(
    layout: Layout, folder: Path, tmp_path: Path
) -> None:
    tagger = teach(tmp_path / "tagger", KNOWN)
    text, by = told(layout, folder, **{"knowledge.tagger": f"path:{tagger}"})["table"]
    assert "bruszt" in text and by == "redact/1"


@pytest.mark.parametrize("known", [KNOWN, {"biomedical": {"bruszt": "chemical"}}])
def test_without_the_tagger_or_its_label_set_the_recognisers_do_it_alone(
    layout: Layout, folder: Path, tmp_path: Path, known: dict[str, dict[str, str]]
) -> None:
    tagger = teach(tmp_path / "tagger", known)
    options = {"knowledge.tagger": f"path:{tagger}"}
    if "identifiers" in known:
        options["redact.tagger"] = "none"
    text, by = told(layout, folder, **options)["note"]
    assert "bruszt" in text and by == "redact/1"
    assert "Okonkwo" not in text and "88123401" not in text
