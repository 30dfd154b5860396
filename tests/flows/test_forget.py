"""Forget leaves nothing: every file of the workspace is searched, byte by byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np

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
