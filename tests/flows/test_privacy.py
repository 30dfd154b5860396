"""Nothing planted is left: every byte of a workspace is searched for every identifier."""

from __future__ import annotations

import base64
import gzip
import json
import re
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from aegle.corpus.surrogates import surrogate_names
from aegle.flows import commands, workspace
from aegle.flows.kit import open_kit

# What security texts keep: evidence (see packs.cybersecurity), and what names no person.
KEPT = frozenset({"ip", "url", "device", "account", "date", "place"})
# Dates shift and ages become classes: the same writing may stand for another day.
NOT_HUNTED = frozenset({"date", "age", "place"})
DEVICE = "infusion pump"
PATHS = ("files", "quarantine")
"""Tables of the ledger that name files, which `aegle quarantine` must; see decision 0005."""


def planted(sample: Path) -> dict[str, set[str]]:
    """Kind -> values that must be found nowhere."""
    rows = [
        json.loads(line)
        for line in (sample / "gold" / "identifiers.jsonl").read_text().splitlines()
    ]
    values: dict[str, set[str]] = defaultdict(set)
    kept: set[str] = set()
    for row in rows:
        security = row["path"].split("/")[0] in ("logs", "threat", "vulns", "sigma", "assets")
        if security and row["kind"] in KEPT:
            kept.add(row["text"])
        elif row["kind"] not in NOT_HUNTED and len(row["text"]) >= 5:
            values[row["kind"]].add(row["text"])
    return {kind: some - kept for kind, some in values.items()}


def unpacked(data: bytes) -> Iterator[bytes]:
    """Bytes as they are, and what they hold when they are packed."""
    yield data
    for head, unpack in ((b"\x1f\x8b", gzip.decompress), (b"x", zlib.decompress)):
        if data.startswith(head):
            try:
                yield unpack(data)
            except (OSError, zlib.error):
                continue


def cells(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every cell of a database, unpacked, except the ledger's paths."""
    with sqlite3.connect(path) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        for table in tables:
            cursor = db.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in cursor.description]
            for row in cursor:
                for name, value in zip(names, row, strict=True):
                    if path.name == "ledger.sqlite" and table in PATHS and name == "path":
                        continue
                    cell = value if isinstance(value, bytes) else str(value).encode()
                    for one in unpacked(cell):
                        yield f"{path.name}/{table}.{name}", one


def everything(root: Path) -> Iterator[tuple[str, bytes]]:
    """Whatever a workspace stores, as (where, bytes)."""
    for path in sorted(root.rglob("*")):
        if not path.is_file():
            continue
        if path.read_bytes()[:6] == b"SQLite":
            yield from cells(path)
        elif not path.name.startswith("ledger"):
            for data in unpacked(path.read_bytes()):
                yield str(path.relative_to(root)), data


def left(values: dict[str, set[str]], places: Iterator[tuple[str, bytes]]) -> dict[str, set[str]]:
    """Where a value stands as a word of its own."""
    kinds = {value.casefold(): kind for kind, some in values.items() for value in some}
    by_word: dict[str, list[str]] = defaultdict(list)
    for key in kinds:
        by_word[max(re.findall(r"[^\W_]+", key), key=len)].append(key)
    found: dict[str, set[str]] = defaultdict(set)
    for where, data in places:
        text = data.decode("utf-8", "replace").casefold()
        for word in by_word.keys() & set(re.findall(r"[^\W_]+", text)):
            for key in by_word[word]:
                if re.search(rf"(?<![^\W_]){re.escape(key)}(?![^\W_])", text):
                    found[kinds[key]].add(f"{key} in {where}")
    return found


def test_the_hunt_finds_what_is_there(small_sample: Path) -> None:
    values = planted(small_sample)
    assert {"name", "mrn", "ssn", "phone", "email", "health_plan", "account", "licence"} <= set(
        values
    )
    files = ((str(p), p.read_bytes()) for p in (small_sample / "files").rglob("*") if p.is_file())
    found = left(values, files)
    assert all(len(found[kind]) >= len(some) for kind, some in values.items())


def test_no_identifier_is_in_any_byte_of_the_workspace(
    small_sample: Path, small_hospital: Path
) -> None:
    places = list(everything(small_hospital))
    # The hunt itself must be able to read: a device that is kept stands in many cells.
    assert len(left({"device": {DEVICE}}, iter(places))["device"]) >= 3
    found = left(planted(small_sample), iter(places))
    assert {kind: sorted(some)[:9] for kind, some in found.items()} == {}


def test_no_identifier_is_in_any_document_or_fact(small_sample: Path, small_hospital: Path) -> None:
    layout = workspace.check(small_hospital)
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        places = [
            (stored.document.id, repr(stored).encode() + str(stored.document.text).encode())
            for stored in kit.corpus.scan()
        ]
    assert len(places) > 100
    assert left(planted(small_sample), iter(places)) == {}


def test_no_identifier_is_in_answer_or_event(
    small_sample: Path, small_hospital: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    values = planted(small_sample)
    mrn, name = sorted(values["mrn"])[0], next(one for one in sorted(values["name"]) if " " in one)
    answers: list[Any] = []
    for question in (f"What does MRN {mrn} take?", f"Who is {name}?", "Who cares for patients?"):
        for command in ("ask", "search"):
            answers.append(commands.run(small_hospital, command, {"question": question}))
    answers.append(commands.run(small_hospital, "status", {}))
    shown = capfd.readouterr()
    places = [("answers", json.dumps(answers, default=str).encode()), ("out", shown.out.encode()),
              ("err", shown.err.encode())]  # fmt: skip
    assert left(values, iter(places)) == {}


NOTE = "Progress note\n\nSeen with {who} today. Denies chest pain. Takes warfarin 5 mg daily.\n"


def bulk(folder: Path, patient: str, notes: dict[str, str]) -> None:
    """A FHIR bulk export: people in one file, notes in another that sorts before it."""
    folder.mkdir()
    person = {
        "resourceType": "Patient",
        "id": patient,
        "name": [{"family": "Quorbin", "given": ["Zelph"]}],
    }
    (folder / "Patient.ndjson").write_text(json.dumps(person) + "\n")
    lines = []
    for key, text in notes.items():
        data = base64.b64encode(text.encode()).decode()
        lines.append(json.dumps({
            "resourceType": "DocumentReference", "id": key, "status": "current",
            "subject": {"reference": f"Patient/{patient}"},
            "content": [{"attachment": {"contentType": "text/plain", "data": data}}],
        }))  # fmt: skip
    (folder / "DocumentReference.ndjson").write_text("\n".join(lines) + "\n")


def test_a_patients_names_are_hidden_in_notes_of_other_files(
    layout: workspace.Layout, tmp_path: Path
) -> None:
    bulk(tmp_path / "export", "p1", {"d1": NOTE.format(who="zelph quorbin")})
    commands.run(layout.root, "ingest", {"paths": [str(tmp_path / "export")]})
    assert left({"name": {"Zelph", "Quorbin"}}, everything(layout.root)) == {}


def test_a_later_run_knows_what_an_earlier_one_replaced(
    layout: workspace.Layout, tmp_path: Path
) -> None:
    bulk(tmp_path / "one", "p1", {"d1": NOTE.format(who="Mr. Will Fields")})
    bulk(tmp_path / "later", "p1", {"d2": "Plan: as agreed by Will Fields and 77123401."})
    (tmp_path / "later" / "Patient.ndjson").unlink()
    commands.run(layout.root, "ingest", {"paths": [str(tmp_path / "one")]})
    commands.run(layout.root, "ingest", {"paths": [str(tmp_path / "later")]})
    assert left({"name": {"Will Fields"}}, everything(layout.root)) == {}


def test_no_planted_name_is_a_surrogate() -> None:
    """Else a surrogate could be taken for the leak of another patient's name."""
    people = resources.files("aegle.packs.sample").joinpath("data", "people.json").read_text()
    words = {word.casefold() for word in re.findall(r"[\w'’-]+", people)}
    assert not words & {name.casefold() for name in surrogate_names()}
