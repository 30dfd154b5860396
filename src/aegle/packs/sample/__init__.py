"""The sample hospital: seeded patients, wards, devices, hosts, logs, an intrusion, gold labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from aegle.core.artifacts import read_json, write_json
from aegle.core.errors import UsageError
from aegle.core.ports import Progress, quiet
from aegle.packs.sample import (
    assets,
    fhir,
    hl7,
    intrusion,
    intrusion_lines,
    logs_clinical,
    logs_hosts,
    logs_network,
    notes,
    papers,
    threat,
)
from aegle.packs.sample.chain import chain, impact
from aegle.packs.sample.formats import Entry, zeek_header
from aegle.packs.sample.gold import Shelf
from aegle.packs.sample.intrusion import Intrusion
from aegle.packs.sample.questions import questions
from aegle.packs.sample.world import World, build


def write_sample(
    out: Path, *, patients: int, days: int, seed: int, progress: Progress = quiet
) -> dict[str, int]:
    """Write a hospital under ``out``: ``files/`` to ingest, ``gold/`` with labels.

    The same arguments give the same bytes.

    Args:
        out: a folder without another hospital; one of the same sizes and seed is written anew.
        patients: at least 5.
        days: how many days the logs and stays cover, at least 2.
        seed: which of the many hospitals.
        progress: told before each of four steps, and at the end.

    Returns:
        How many patients, days, files, bytes, notes, log lines, identifiers, entities, relations
        and questions there are.

    Raises:
        UsageError: too few patients or days, or the folder holds something else.
    """
    world = build(patients=patients, days=days, seed=seed)
    _claim(out, {"patients": patients, "days": days, "seed": seed})
    story, shelf = intrusion.plan(world), Shelf(out)
    counts = {"patients": patients, "days": days}
    for done, write in enumerate(_STEPS):
        progress("sample", done, len(_STEPS))
        counts |= write(world, story, shelf)
    progress("sample", len(_STEPS), len(_STEPS))
    return counts | {
        "files": shelf.num_files,
        "bytes": shelf.num_bytes,
        "identifiers": len(shelf.identifiers),
        "entities": len(shelf.entities),
        "relations": len(shelf.relations),
    }


def _claim(out: Path, sizes: dict[str, int]) -> None:
    """Make sure that two hospitals never mix in one folder."""
    mark = out / "gold" / "sample.json"
    if mark.is_file() and read_json(mark) == sizes:
        return
    for folder in (out / "files", out / "gold"):
        if folder.is_dir() and any(folder.iterdir()):
            raise UsageError(
                f"{folder} is not empty and is not the hospital of these sizes and seed; "
                "name another folder, or remove it"
            )
    write_json(mark, sizes)


def _put_all(shelf: Shelf, files: Iterable[tuple[str, str]]) -> None:
    for path, text in files:
        shelf.put(path, text)


def _put_papers(world: World, story: Intrusion, shelf: Shelf) -> dict[str, int]:
    """Tables of the computers, what is known of the attacker, mail and papers."""
    _put_all(shelf, assets.write(world))
    _put_all(shelf, threat.write(world, story))
    _put_all(shelf, papers.write(world, story))
    return {}


def _put_patients(world: World, story: Intrusion, shelf: Shelf) -> dict[str, int]:
    """FHIR bundle, notes and, for two in three, HL7 messages of each patient."""
    num_notes = 0
    for number, patient in enumerate(world.patients):
        shelf.put(f"fhir/{patient.mrn}.json", fhir.bundle(world, patient))
        alarm = story.times["alarm"] if patient is story.victim else None
        for note in notes.stay(world, patient, alarm):
            shelf.put(f"notes/{note.name}", note.text)
            num_notes += 1
        if number % 3 != 2:
            _put_all(shelf, ((f"hl7/{name}", text) for name, text in hl7.messages(world, patient)))
    return {"notes": num_notes}


def _put_logs(world: World, story: Intrusion, shelf: Shelf) -> dict[str, int]:
    """Every log, its ordinary lines and the intrusion's in the order of time."""
    files: dict[str, list[Entry]] = defaultdict(list)
    sources = (
        logs_hosts.lines(world),
        logs_network.lines(world),
        logs_clinical.lines(world),
        intrusion_lines.lines(world, story),
    )
    for lines in sources:
        for entry in lines:
            if world.start <= entry.when < world.end:
                files[entry.path].append(entry)
    for path, entries in sorted(files.items()):
        # Sorting is stable: lines of one moment stay in the order in which they were made.
        entries.sort(key=lambda entry: entry.when)
        stem = Path(path).stem
        head = zeek_header(stem) if "/zeek/" in path else ""
        shelf.put(path, head + "".join(f"{entry.text}\n" for entry in entries))
    return {"log_lines": sum(len(entries) for entries in files.values())}


def _put_gold(world: World, story: Intrusion, shelf: Shelf) -> dict[str, int]:
    """The labels; last, for they quote what was written."""
    asked = questions(world, story, shelf)
    told = {"chain.json": chain(world, story, shelf), "impact.json": impact(world, story)}
    shelf.write_gold({**told, "questions.json": asked})
    return {"questions": len(asked)}


_STEPS: Final[tuple[Callable[[World, Intrusion, Shelf], dict[str, int]], ...]] = (
    _put_patients,
    _put_papers,
    _put_logs,
    _put_gold,
)
