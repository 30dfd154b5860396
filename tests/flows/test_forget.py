"""Forget leaves nothing: every file of the workspace is searched, byte by byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aegle.core.errors import UsageError
from aegle.corpus.meaning import meaning
from aegle.flows import commands, workspace
from aegle.flows.kit import open_kit
from aegle.flows.workspace import Layout


def bytes_of(root: Path) -> bytes:
    return b"\0".join(path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file())


def traces(layout: Layout, group: str) -> list[bytes]:
    """Words, ids and vectors that only one patient's documents have."""
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        mine = list(kit.corpus.scan(group=group))
        others = " ".join(s.document.text for s in kit.corpus.scan() if s.document.group != group)
        chunks = [chunk for stored in mine for chunk in stored.chunks]
        words = {w for s in mine for w in s.document.text.split() if len(w) > 6 and w not in others}
        of_others = {
            meaning(chunk)
            for stored in kit.corpus.scan()
            if stored.document.group != group
            for chunk in stored.chunks
        }
        own = [text for text in map(meaning, chunks) if text not in of_others]
        vectors = kit.encoder.embed(own)
    ids = [stored.document.id for stored in mine] + [one.id for one in chunks]
    halves = [np.asarray(v[:8], dtype="<f4").tobytes() for v in vectors]
    return [group.encode(), *(one.encode() for one in [*ids, *sorted(words)]), *halves]


def test_a_forgotten_patient_leaves_no_byte(layout: Layout, notes: Path) -> None:
    commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    answer = commands.run(layout.root, "search", {"question": "MRN 88123402", "k": 3})
    group = answer["hits"][0]["group"]
    wanted = traces(layout, group)
    before = bytes_of(layout.root)
    assert sum(one in before for one in wanted) >= 6, "the search itself must be able to find"
    gone = commands.run(layout.root, "forget", {"what": "MRN 88123402"})
    assert gone["documents"] == 1
    assert gone["groups"] == [group]
    after = bytes_of(layout.root)
    document_id = gone["document_ids"][0].encode()
    left = [one for one in wanted if one in after and one != document_id]
    assert left == []
    assert after.count(document_id) == 1, "only the tombstone knows the id"


def test_the_others_stay_and_the_forgotten_does_not_come_back(layout: Layout, notes: Path) -> None:
    commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    commands.run(layout.root, "forget", {"what": str(notes / "88123402.txt")})
    status = commands.run(layout.root, "status", {})
    assert (status["documents"], status["forgotten"]) == (2, 1)
    again = commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    assert (again["documents"], again["forgotten"]) == (0, 1)
    back = commands.run(layout.root, "ingest", {"paths": [str(notes)], "restore": True})
    assert back["documents"] == 3
    found = commands.run(layout.root, "ask", {"question": "What does MRN 88123402 take?"})
    assert "lisinopril" in found["answer"]


def with_clinician(notes: Path) -> None:
    """Every note is signed by one clinician, and gives the ward's phone number."""
    for note in notes.iterdir():
        signed = "\nAttending: Dr. Priya Sandoval. Phone: 617-555-0142.\n"
        note.write_text(note.read_text() + signed)


@pytest.mark.parametrize(
    "what", ["Dr. Priya Sandoval", "Priya Sandoval", "617-555-0142", "Is Marguerite Okonkwo ill?"]
)
def test_what_is_not_the_patients_own_forgets_nobody(
    layout: Layout, notes: Path, what: str
) -> None:
    with_clinician(notes)
    commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    charts = 1 if "Okonkwo" in what else 3
    with pytest.raises(UsageError, match=rf"{charts} chart.*record number") as raised:
        commands.run(layout.root, "forget", {"what": what})
    assert not {"sandoval", "okonkwo", "617"} & set(str(raised.value).casefold().split())
    assert commands.run(layout.root, "status", {})["documents"] == 3


@pytest.mark.parametrize(
    "what",
    ["Marguerite Okonkwo", "okonkwo, marguerite", "patient Okonkwo", "MRN: 88123401", "88123401"],
)
def test_the_patients_own_name_or_number_forgets_the_chart(
    layout: Layout, notes: Path, what: str
) -> None:
    with_clinician(notes)
    commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    assert commands.run(layout.root, "forget", {"what": what})["documents"] == 1
    found = commands.run(layout.root, "search", {"question": "warfarin", "k": 9})
    assert not any("warfarin" in hit["text"] for hit in found["hits"])


def test_a_path_is_a_path_before_it_is_a_name(
    layout: Layout, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = "note, Marguerite Okonkwo, 2.txt"
    (notes / named).write_text("MRN: 88123409\nASSESSMENT: gout.\n")
    monkeypatch.chdir(notes)
    commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    assert commands.run(layout.root, "forget", {"what": named})["documents"] == 1
    found = commands.run(layout.root, "search", {"question": "warfarin gout", "k": 9})
    texts = " ".join(hit["text"] for hit in found["hits"])
    assert "warfarin" in texts and "gout" not in texts
