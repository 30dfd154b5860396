"""Ingest: complete, idempotent, quarantining, and the questions that it makes possible."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegle.core.errors import NotFoundError, UsageError
from aegle.flows import commands, workspace
from aegle.flows.workspace import Layout

COUNTS = {
    "files",
    "documents",
    "quarantined",
    "chunks",
    "entities",
    "relations",
    "bytes",
    "seconds",
}


def ingest(layout: Layout, *paths: Path, **params: object) -> dict[str, int]:
    named = [str(path) for path in paths]
    result: dict[str, int] = commands.run(layout.root, "ingest", {"paths": named, **params})
    return result


def test_notes_become_documents_facts_and_cited_answers(layout: Layout, notes: Path) -> None:
    counts = ingest(layout, notes)
    assert set(counts) >= COUNTS
    assert counts["files"] == counts["documents"] == 3
    assert counts["quarantined"] == 0
    assert min(counts["chunks"], counts["entities"], counts["relations"]) > 0
    answer = commands.run(layout.root, "ask", {"question": "What does MRN 88123401 take?"})
    assert answer["refusal"] is None
    assert "warfarin" in answer["answer"]
    for claim in answer["claims"]:
        for one in claim["citations"]:
            document = commands.run(layout.root, "document", {"document_id": one["document_id"]})
            assert document["text"][one["start"] : one["end"]] == one["text"]


def test_a_question_about_one_patient_never_shows_another(layout: Layout, notes: Path) -> None:
    ingest(layout, notes)
    found = commands.run(
        layout.root, "search", {"question": "drugs of Marguerite Okonkwo", "k": 10}
    )
    groups = {hit["group"] for hit in found["hits"] if hit["group"].startswith("patient:")}
    assert len(groups) == 1
    assert "Okonkwo" not in found["question"]


def test_reading_again_changes_nothing(layout: Layout, notes: Path) -> None:
    first = ingest(layout, notes)
    before = commands.run(layout.root, "status", {})
    again = ingest(layout, notes)
    assert again["skipped"] == first["files"]
    assert again["documents"] == 0
    thorough = ingest(layout, notes, again=True)
    assert thorough["documents"] == first["documents"]
    after = commands.run(layout.root, "status", {})
    for what in ("documents", "chunks", "entities", "relations", "files"):
        assert after[what] == before[what], what


def test_reindex_from_the_corpus_gives_the_same_hits(layout: Layout, notes: Path) -> None:
    ingest(layout, notes)
    params = {"question": "infusion pump PUMP-0043", "k": 5}
    before = commands.run(layout.root, "search", params)
    result = commands.run(layout.root, "reindex", {})
    assert result["documents"] == 3
    after = commands.run(layout.root, "search", params)
    assert [hit["chunk_id"] for hit in after["hits"]] == [hit["chunk_id"] for hit in before["hits"]]


def test_a_bad_file_is_quarantined_until_it_is_mended(layout: Layout, notes: Path) -> None:
    bad = notes / "bundle.json"
    bad.write_text('{"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {')
    counts = ingest(layout, notes)
    assert counts["quarantined"] == 1
    assert counts["documents"] == 3
    (entry,) = commands.run(layout.root, "quarantine", {})
    assert entry["path"] == str(bad)
    assert entry["reason"]
    bad.write_text('{"resourceType": "Bundle", "type": "collection", "entry": []}')
    mended = ingest(layout, notes)
    assert mended["skipped"] == 3
    assert commands.run(layout.root, "quarantine", {}) == [] or mended["quarantined"] == 1


def test_the_override_is_audited(layout: Layout, notes: Path) -> None:
    layout.settings.write_text('[redact]\noverride_reason = "synthetic notes, ticket 7"\n')
    ingest(layout, notes)
    from aegle.flows.ledger import Ledger

    ledger = Ledger(layout.ledger)
    audits = ledger.audits()
    ledger.close()
    assert [one["action"] for one in audits] == ["redact.override"]
    assert audits[0]["reason"] == "synthetic notes, ticket 7"


def test_bad_requests_say_what_is_wrong(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="aegle init"):
        commands.run(tmp_path / "nowhere", "status", {})
    with pytest.raises(UsageError, match="1 to 2000"):
        commands.run(layout.root, "ask", {"question": "  "})
    with pytest.raises(UsageError, match="no command 'dance'"):
        commands.run(layout.root, "dance", {})
    with pytest.raises(NotFoundError, match="nothing to forget"):
        commands.run(layout.root, "forget", {"what": "patient:ffffffffffff"})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    with pytest.raises(UsageError, match="not empty"):
        workspace.create(tmp_path / "full")


def test_an_empty_workspace_refuses_to_answer(layout: Layout) -> None:
    answer = commands.run(layout.root, "ask", {"question": "Who is on warfarin?"})
    assert answer["claims"] == []
    assert answer["refusal"]


def test_a_folder_that_holds_the_workspace_is_read_without_it(tmp_path: Path) -> None:
    layout = workspace.create(tmp_path / "hospital")
    note = "MRN: 4411\nASSESSMENT: asthma. Takes albuterol.\n"
    (tmp_path / "a.txt").write_text(note)
    (layout.root / "mine.txt").write_text(note.replace("4411", "4412"))
    (tmp_path / "link").symlink_to(layout.journal)
    assert ingest(layout, tmp_path)["files"] == 2
    again = ingest(layout, tmp_path, tmp_path / "**" / "*")
    assert (again["files"], again["skipped"], again["quarantined"]) == (2, 2, 0)
    with pytest.raises(UsageError, match="the workspace's own"):
        ingest(layout, layout.journal)


def test_an_allergen_is_no_medication_and_what_is_denied_no_symptom(
    layout: Layout, tmp_path: Path
) -> None:
    note = tmp_path / "note.txt"
    note.write_text(
        "MRN: 7311\nPROGRESS NOTE\nALLERGIES: penicillin.\n"
        "MEDICATIONS: takes warfarin 5 mg daily.\n"
        "HPI: reports dizziness. Denies chest pain.\n"
    )
    ingest(layout, note)
    drugs = commands.run(layout.root, "ask", {"question": "Which medications does MRN 7311 take?"})
    assert "warfarin" in drugs["answer"]
    assert "penicillin" not in drugs["answer"]
    allergy = commands.run(layout.root, "ask", {"question": "What is MRN 7311 allergic to?"})
    assert "penicillin" in allergy["answer"]
    signs = commands.run(layout.root, "ask", {"question": "Which symptoms does MRN 7311 have?"})
    assert "chest pain" not in signs["answer"]
