"""`aegle tune` on a workspace: what it says, what it applies, and what a kill leaves."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from aegle.core.errors import InputError, SettingsError, UsageError
from aegle.core.ports import HoldsVectors, quiet
from aegle.core.records import Chunk, Document, Facts, Stored, content_id
from aegle.core.text import SafeText
from aegle.flows import commands, moving, tuning, workspace
from aegle.flows.derive import index_stored
from aegle.flows.kit import Kit, open_kit
from aegle.flows.workspace import Layout
from aegle.retrieve.tune import Candidate

if find_spec("faiss") is None:
    pytest.skip("tuning needs the extra 'faiss'", allow_module_level=True)

PUMP = {"question": "infusion pump PUMP-0043", "k": 5}
DRUGS = ("warfarin", "lisinopril", "metoprolol", "insulin", "heparin", "morphine", "albuterol")
SIGNS = ("fever", "chest pain", "rash", "vertigo", "nausea", "oedema", "cough", "syncope", "ache")


def fill(kit: Kit, count: int) -> None:
    """So many short notes, no two alike."""
    batch = []
    for n in range(count):
        text = f"{SIGNS[n % 9]} on day {n // 63}, {DRUGS[n % 7]} {n % 11} mg in ICU-{n % 13}"
        safe, none = SafeText(text, by="test"), SafeText("", by="test")
        document = Document(content_id(text, str(n)), "note", "healthcare", safe, none)
        chunk = Chunk(
            *(content_id("c", document.id), document.id, 0, len(text), safe, none),
            *("note", "healthcare"),
        )
        batch.append(Stored(document, (chunk,), Facts()))
    kit.corpus.put(batch)
    index_stored(kit, batch)


@pytest.fixture
def hospital(layout: Layout, notes: Path) -> Layout:
    commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    layout.settings.write_text("# ours\n[retrieve]\nk = 4 # few\n")
    return layout


def ids(layout: Layout) -> list[str]:
    return sorted(hit["chunk_id"] for hit in commands.run(layout.root, "search", PUMP)["hits"])


def test_few_chunks_are_told(hospital: Layout) -> None:
    with pytest.raises(UsageError, match="tuning needs at least 50"):
        commands.run(hospital.root, "tune", {})


def test_it_measures_chooses_and_applies(layout: Layout, tmp_path: Path) -> None:
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        fill(kit, 1100)
    file = tmp_path / "questions.txt"
    file.write_text("who had fever?\n\nwhich ward gives heparin\nwho had fever?\n" + "x" * 2001)
    steps: list[str] = []
    result: dict[str, Any] = commands.run(
        layout.root,
        "tune",
        {"recall": 0.9, "memory_mb": 1.0, "questions": str(file), "apply": True, "held_out": 60},
        progress=lambda step, done, total=None: steps.append(step),
    )
    assert (result["chunks"], result["measured_on"], result["held_out"]) == (1100, 1040, 60)
    assert (result["questions"], result["questions_left_out"]) == (2, 1)
    kinds = {one["kind"] for one in result["candidates"]}
    assert kinds == {"flat", "hnsw", "hnsw-sq", "binary"}
    assert {one["kind"] for one in result["skipped"]} == {"ivf-pq", "hnsw-pq"}
    (flat,) = [one for one in result["candidates"] if one["kind"] == "flat"]
    assert flat["recall"]["low"] == 1
    assert not flat["meets"], "1,040 vectors of 384 numbers are 1.6 MB"
    for one in result["candidates"]:
        assert 0 <= one["recall"]["low"] <= one["recall"]["value"] <= 1
        assert set(one["recalls"]) == {"chunks", "questions"}
        assert one["memory_mb"] > 0 < one["build_s"]
    assert {"fill", "tune", "reindex"} <= set(steps)
    assert result["meets"]
    assert result["applied"]
    (chosen,) = [one for one in result["candidates"] if one["chosen"]]
    now = workspace.load_settings(layout).backends
    assert (now.index, now.index_kind) == ("faiss", chosen["kind"])
    assert now.index_options == chosen["options"]
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        assert kit.index.count() == 1100
        assert kit.index.kind == chosen["kind"]  # type: ignore[attr-defined]
    assert not moving.scratch(layout).exists()
    assert not moving.building(layout).exists()


def test_what_none_meets_is_not_applied(layout: Layout) -> None:
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        fill(kit, 60)
    about = {"memory_mb": 0.001, "apply": True}
    result = commands.run(layout.root, "tune", about)
    assert not result["meets"]
    assert not result["applied"]
    assert result["choice"] == "flat"
    assert workspace.load_settings(layout).backends.index == "qdrant-edge"


@pytest.mark.parametrize("name", ["qdrant-edge", "faiss"])
def test_an_index_gives_back_what_it_was_given(name: str, layout: Layout) -> None:
    settings = workspace.load_settings(layout, {"backends.index": name})
    with open_kit(layout, settings) as kit:
        fill(kit, 70)
        assert isinstance(kit.index, HoldsVectors)
        held = {
            one: row
            for names, rows in kit.index.vectors()
            for one, row in zip(names, rows, strict=True)
        }
        chunks = [chunk for stored in kit.corpus.scan() for chunk in stored.chunks]
        embedded = kit.encoder.embed([str(chunk.text) for chunk in chunks])
        assert held.keys() == {chunk.id for chunk in chunks}
        for chunk, row in zip(chunks, embedded, strict=True):
            assert held[chunk.id] == pytest.approx(row, abs=1e-5)


KILLED = """
import os, sys
from pathlib import Path
from aegle.core.ports import quiet
from aegle.flows import commands, moving, tuning, workspace
from aegle.flows.kit import open_kit
from aegle.retrieve.tune import Candidate
def die(*args, **options):
    os.kill(os.getpid(), 9)
layout, where = workspace.check(Path(sys.argv[1])), sys.argv[2]
if where == "building":
    import aegle.backends.index_faiss as index
    index.FaissIndex.close = die
elif where == "built":
    moving.decide = die
elif where == "decided":
    moving.finish, finish = (lambda layout: die() if layout.moving.exists() else finish(layout)), moving.finish
elif where == "between":
    rename = Path.rename
    Path.rename = lambda old, new: die() if old.name == "index.next" else rename(old, new)
elif where == "moved":
    moving.rewritten, rewritten = (lambda layout, b: die() if layout.moving.exists() else rewritten(layout, b)), moving.rewritten
elif where == "written":
    unlink = Path.unlink
    Path.unlink = lambda path, **o: die() if path.name == "moving.json" else unlink(path, **o)
with open_kit(layout, workspace.load_settings(layout)) as kit:
    tuning.apply_choice(kit, Candidate("hnsw-sq", {"m": 16, "ef": 64}), progress=quiet)
"""  # noqa: E501


@pytest.mark.parametrize(
    ("where", "moved"),
    [
        ("building", False),
        ("built", False),
        ("decided", True),
        ("between", True),
        ("moved", True),
        ("written", True),
    ],
)
def test_killed_it_is_the_old_or_the_new_whole(where: str, moved: bool, hospital: Layout) -> None:
    before = ids(hospital)
    command = [sys.executable, "-c", KILLED, str(hospital.root), where]
    run = subprocess.run(command, check=False, capture_output=True)
    assert run.returncode == -9, run.stderr.decode()
    assert ids(hospital) == before
    now = workspace.load_settings(hospital)
    assert (now.backends.index == "faiss") == moved
    assert now.retrieve.k == 4
    assert ("k = 4 # few" in hospital.settings.read_text()) and hospital.settings.stat().st_size
    for folder in ("index.next", "index.former", "tuning", "moving.json"):
        assert not (hospital.journal / folder).exists()
    gone = commands.run(hospital.root, "forget", {"what": "MRN 88123402"})["document_ids"]
    assert ids(hospital)
    held = [one.read_bytes() for one in hospital.index.rglob("*") if one.is_file()]
    assert not any(gone[0].encode() in one for one in held)


def test_after_it_the_same_kit_goes_on(hospital: Layout) -> None:
    with open_kit(hospital, workspace.load_settings(hospital)) as kit:
        assert kit.index.count() > 0
        count = kit.index.count()
        tuning.apply_choice(kit, Candidate("binary", {"rescore": 8}), progress=quiet)
        assert type(kit.index).__name__ == "FaissIndex"
        assert kit.index.count() == count
        assert commands.call(kit, "search", PUMP)["hits"]


def test_the_environment_that_would_override_is_told(
    hospital: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGLE_BACKENDS__INDEX_KIND", "flat")
    settings = workspace.load_settings(hospital, {"backends.index_kind": "auto"})
    with (
        open_kit(hospital, settings) as kit,
        pytest.raises(SettingsError, match="AEGLE_BACKENDS__INDEX_KIND is set"),
    ):
        tuning.apply_choice(kit, Candidate("hnsw", {}), progress=quiet)
    assert "faiss" not in hospital.settings.read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('index_kind = "hnsw"', r"index_kind is 'hnsw', but qdrant-edge .*\"faiss\" takes each"),
        ('index_kind = "hsnw"', r"backends.index_kind.*got 'hsnw'"),
        ("index_options = { m = 3 }", "index_options"),
        ('index = "faiss"\nindex_options = { m = 3 }', "belong to a backends.index_kind"),
        ('index = "faiss"\nindex_kind = "hnsw"\nindex_options = { q = 3 }', "takes m, ef; got 'q'"),
        ('index = "faiss"\nindex_kind = "hnsw"\nindex_options = { m = "x" }', "index_options"),
    ],
)
def test_settings_that_no_index_has_are_told(text: str, told: str, layout: Layout) -> None:
    layout.settings.write_text(f"[backends]\n{text}\n")
    with pytest.raises(SettingsError, match=told):
        commands.run(layout.root, "search", PUMP)


def test_questions_that_cannot_be_read_are_told(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read as questions"):
        commands.run(layout.root, "tune", {"questions": str(tmp_path / "none.txt")})
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(InputError, match="holds no question"):
        commands.run(layout.root, "tune", {"questions": str(tmp_path / "empty.txt")})
