"""A FHIR chart and the notes of its record number are one patient, in any order and run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aegle.core.records import Stored
from aegle.corpus import dates
from aegle.flows import commands, settle, workspace
from aegle.flows.kit import open_kit
from aegle.flows.workspace import Layout

MRN = "4471120"
NOTE = f"""\
Patient: Amara Diallo   MRN: {MRN}   DOB: 03/04/1961
Date of service: 05/06/2024

ASSESSMENT AND PLAN: heart failure. Amara Diallo takes warfarin 5 mg daily since 05/02/2024.
Infusion pump PUMP-0042 in ICU-3.
"""


def chart(resource_id: str, name: str, number: str, drug: str) -> list[dict[str, Any]]:
    subject = {"reference": f"Patient/{resource_id}"}
    given, family = name.split()
    return [
        {"resourceType": "Patient", "id": resource_id, "birthDate": "1961-03-04",
         "name": [{"family": family, "given": [given]}],
         "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:oid:2.25.4096",
                         "value": number}]},
        {"resourceType": "MedicationRequest", "id": f"{resource_id}-m", "status": "active",
         "intent": "order", "subject": subject, "authoredOn": "2024-05-07",
         "medicationCodeableConcept": {"text": drug}},
        {"resourceType": "Condition", "id": f"{resource_id}-c", "subject": subject,
         "recordedDate": "2024-05-06", "code": {"text": "atrial fibrillation"}},
    ]  # fmt: skip


def bundle(*resources: dict[str, Any]) -> str:
    entries = [{"resource": one} for one in resources]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A note, the chart with the number of the note, the chart's rest without, another's chart."""
    own = chart("p-17", "Amara Diallo", MRN, "lisinopril")
    texts = {
        "note.txt": NOTE,
        "chart.json": bundle(*own),
        "rest.json": bundle(*own[1:]),
        "other.json": bundle(*chart("p-18", "Amara Diallo", "5580001", "metoprolol")),
    }
    made = {}
    for name, text in texts.items():
        made[name.partition(".")[0]] = tmp_path / name
        (tmp_path / name).write_text(text)
    return made


def read_in(layout: Layout, *paths: Path) -> dict[str, Any]:
    result: dict[str, Any] = commands.run(
        layout.root, "ingest", {"paths": [str(one) for one in paths]}
    )
    return result


def stored(layout: Layout) -> list[Stored]:
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        return list(kit.corpus.scan())


def check_one_patient(layout: Layout, documents: int) -> str:
    """All documents but those of p-18 are one patient's, wherever one looks; which."""
    held = stored(layout)
    groups = {one.document.group for one in held if "metoprolol" not in one.document.text}
    (group,) = {one.document.group for one in held if "warfarin" in one.document.text}
    mine = [one for one in held if one.document.group == group]
    assert len(mine) == documents
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        nodes = {node.key for node in kit.graph.nodes() if node.type == "patient"}
        assert {edge.document_id for edge in kit.graph.edges([group])} == {
            one.document.id for one in mine
        }
        assert kit.index.count() == sum(len(one.chunks) for one in held)
        assert kit.ledger.pending() == kit.ledger.retired() == []
        assert kit.ledger.names.moves() == {}
    assert nodes == {one.document.group for one in held}
    assert group in groups
    status = commands.run(layout.root, "status", {})
    assert status["documents"] == len(held)
    assert status["unfinished"] == 0
    for question in (f"What does MRN {MRN} take?", f"drugs of MRN {MRN}"):
        found = commands.run(layout.root, "search", {"question": question, "k": 20})
        seen = {hit["document_id"] for hit in found["hits"]}
        assert {one.document.id for one in mine} <= seen
        assert not any("metoprolol" in hit["text"] for hit in found["hits"])
    return group


@pytest.mark.parametrize(
    "runs",
    [
        "note|chart",
        "chart|note",
        "note chart",
        "chart note",
        "rest|note|chart",
        "note|rest|chart",
        "rest note chart",
    ],
)
def test_a_chart_and_its_notes_are_one_patient(
    layout: Layout, files: dict[str, Path], runs: str
) -> None:
    read_in(layout, files["other"])
    for run in runs.split("|"):
        read_in(layout, *(files[name] for name in run.split()))
    check_one_patient(layout, 6 if "rest" in runs else 4)


def test_a_moved_document_reads_like_the_patients_others(
    layout: Layout, files: dict[str, Path]
) -> None:
    """Dates keep their order across the chart, the name is the same, citations lead back."""
    for name in ("rest", "note", "chart"):
        read_in(layout, files[name])
    held = stored(layout)
    (note,) = (one.document for one in held if "warfarin" in one.document.text)
    conditions = [one.document for one in held if "atrial fibrillation" in one.document.text]
    assert {one.time[:10] for one in conditions} == {note.time[:10]}
    assert note.time[:4] in note.text
    (person,) = (one.document for one in held if one.document.title == "Patient")
    name = person.text.splitlines()[0].removeprefix("Patient: ")
    assert note.text.count(name) == 2
    assert not {"Amara", "Diallo"} & set(name.split())
    for word in ("warfarin", "PUMP-0042", "ASSESSMENT"):
        start = note.text.index(word)
        raw = note.original(start, start + len(word))
        assert NOTE[raw.start : raw.end] == word
    (edit,) = (e for e in note.edits if NOTE[e.raw_start : e.raw_end] == "05/02/2024")
    (seen,) = (e for e in note.edits if NOTE[e.raw_start : e.raw_end] == "05/06/2024")
    first, last = (dates.day_of(note.text[e.start : e.end]) for e in (edit, seen))
    assert first is not None
    assert last is not None
    assert (last - first).days == 4
    assert last.isoformat() == note.time[:10]


STEPS = ("derive", "index_stored", "remove")


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_while_documents_move_is_mended(
    layout: Layout, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class KilledError(Exception):
        pass

    def die(*_: object) -> None:
        raise KilledError

    read_in(layout, files["other"])
    read_in(layout, files["rest"])
    read_in(layout, files["note"])
    with monkeypatch.context() as patch:
        patch.setattr(settle, step, die)
        with pytest.raises(KilledError):
            read_in(layout, files["chart"])
    commands.run(layout.root, "search", {"question": "pump", "k": 3})
    check_one_patient(layout, 6)


def test_a_forgotten_patient_stays_forgotten_by_every_name(
    layout: Layout, files: dict[str, Path]
) -> None:
    own = ("rest", "note", "chart")
    for name in ("other", *own):
        read_in(layout, files[name])
    group = check_one_patient(layout, 6)
    gone = commands.run(layout.root, "forget", {"what": f"MRN {MRN}"})
    assert gone["documents"] == 6
    assert gone["groups"] == [group]
    left = b"".join(one.read_bytes() for one in layout.root.rglob("*") if one.is_file())
    assert group.encode() not in left
    for name in reversed(own):
        counts = read_in(layout, files[name])
        assert (counts["documents"], counts["forgotten"]) == (
            0,
            {"note": 1, "rest": 2}.get(name, 3),
        )
    left = b"".join(one.read_bytes() for one in layout.root.rglob("*") if one.is_file())
    assert group.encode() not in left
    assert commands.run(layout.root, "status", {})["documents"] == 3
    paths = [str(files[name]) for name in own]
    back = commands.run(layout.root, "ingest", {"paths": paths, "restore": True})
    assert back["documents"] == 6
    check_one_patient(layout, 6)
    assert commands.run(layout.root, "status", {})["forgotten"] == 0
