"""Ingest with a tagger: prose is tagged in batches; another tagger makes facts and graph anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aegle.core import observe
from aegle.core.errors import NotFoundError
from aegle.core.records import Stored
from aegle.flows import commands, upkeep, workspace
from aegle.flows.kit import open_kit
from aegle.flows.workspace import Layout
from aegle.lm.tagger import Tagger
from taught import teach

NOTE = """\
Patient: {name}   MRN: {mrn}   DOB: 03/04/1961

HPI: {name} was given zorblax for gleepitis, then quackoid. Denies fever.
"""
PEOPLE = (("Marguerite Okonkwo", "88123401"), ("Bartholomew Quillfeather", "88123402"))
FIRST = {"biomedical": {"zorblax": "chemical"}}
SECOND = {"biomedical": {"zorblax": "chemical", "quackoid": "chemical", "gleepitis": "disease"}}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Two notes, and a table that names the same drug."""
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, mrn in PEOPLE:
        (folder / f"{mrn}.txt").write_text(NOTE.format(name=name, mrn=mrn))
    (folder / "stock.csv").write_text("item,count\nzorblax,4\nquackoid,5\n")
    return folder


def run(layout: Layout, command: str, tagger: Path | None, **params: Any) -> Any:
    name = f"path:{tagger}" if tagger else "none"
    return commands.run(layout.root, command, params, options={"knowledge.tagger": name})


def held(layout: Layout) -> dict[str, Stored]:
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        return {one.document.id: one for one in kit.corpus.scan()}


def tagged(stored: dict[str, Stored]) -> set[tuple[str, str]]:
    return {
        (one.document.kind, entity.key)
        for one in stored.values()
        for entity in one.facts.entities
        if entity.extractor.startswith("taught/")
    }


def nodes(layout: Layout) -> set[str]:
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        return {one.key for one in kit.graph.nodes() if one.type in ("medication", "condition")}


def test_another_tagger_changes_facts_and_graph_and_nothing_else(
    layout: Layout, notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = teach(tmp_path / "first", FIRST), teach(tmp_path / "second", SECOND)
    reads: list[int] = []
    read = Tagger.read

    def counted(self: Tagger, texts: Any, **how: Any) -> Any:
        reads.append(len(texts))
        return read(self, texts, **how)

    monkeypatch.setattr(Tagger, "read", counted)
    run(layout, "ingest", first, paths=[str(notes)])
    assert reads == [2], "the notes of a batch are read together, and a table isn't"
    before = held(layout)
    assert tagged(before) == {("note", "medication:zorblax")}
    assert nodes(layout) == {"medication:zorblax"}

    events: list[str] = []
    monkeypatch.setattr(observe, "_sinks", [])
    monkeypatch.setattr("aegle.flows.kit.watch", lambda _: None)
    observe._sinks.append(lambda event: events.append(str(event["event"])))
    run(layout, "graph", first, entity="medication:zorblax")
    assert events == []
    run(layout, "graph", second, entity="medication:zorblax")
    assert events == ["facts.former"]

    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "index_stored", None)  # calling it would fail
        told = run(layout, "reindex", second)
    assert (told["documents"], told["changed"]) == (3, 2)
    after = held(layout)
    assert nodes(layout) == {"medication:zorblax", "medication:quackoid", "condition:gleepitis"}
    assert {i: (one.document, one.chunks) for i, one in after.items()} == {
        i: (one.document, one.chunks) for i, one in before.items()
    }
    run(layout, "graph", second, entity="medication:quackoid")
    assert events == ["facts.former"]
    assert run(layout, "reindex", second)["changed"] == 0

    run(layout, "reindex", None)
    assert nodes(layout) == set()


def test_a_general_document_is_tagged_for_the_domains_whose_words_it_uses(
    layout: Layout, tmp_path: Path
) -> None:
    seen = {"biomedical": {"zorblax": "chemical"}, "security": {"zorblax": "malware"}}
    tagger = teach(tmp_path / "t", seen)
    for about, type in (
        ("Asthma and hypertension were treated with zorblax.", "medication"),
        ("Mimikatz and Cobalt Strike came with zorblax on 2024-01-01.", "malware"),
        ("The weather was fine and zorblax was late.", None),
    ):
        page = tmp_path / "page.md"
        page.write_text(f"# Report\n\n{about}\n")
        found = run(layout, "extract", tagger, path=str(page))["entities"]
        assert {one["type"] for one in found if one["text"] == "zorblax"} == {type} - {None}


def test_extract_tells_score_and_maker(layout: Layout, notes: Path, tmp_path: Path) -> None:
    tagger = teach(tmp_path / "t", SECOND, asserted={"gleepitis": "negated"})
    found = run(layout, "extract", tagger, path=str(notes / "88123401.txt"))
    by_key = {one["key"]: one for one in found["entities"]}
    one = by_key["medication:quackoid"]
    assert one["extractor"].startswith("taught/1+")
    assert 0.99 < one["score"] <= 1
    assert by_key["condition:gleepitis"]["assertion"] == "negated"


def test_auto_without_weights_is_none_and_a_wrong_name_is_told(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str, **_: Any) -> Path:
        raise NotFoundError(f"no model named {name!r}")

    monkeypatch.setattr("aegle.flows.kit.catalog.resolve", missing)
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        assert (kit.tagger, kit.tagger_version) == (None, "")
    chosen = workspace.load_settings(layout, {"knowledge.tagger": "nowhere"})
    with open_kit(layout, chosen) as kit, pytest.raises(NotFoundError, match="nowhere"):
        kit.tagger  # noqa: B018 - opened here
