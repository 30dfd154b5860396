"""A file that is read again holds what it holds now: what it held before and no more is gone."""

from __future__ import annotations

import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import pytest

from aegle.backends.corpus_sqlite import SqliteCorpus
from aegle.backends.graph_ladybug import LadybugGraph
from aegle.corpus.redact import redact
from aegle.flows import commands, holding, settle, workspace
from aegle.flows import ingest as ingesting
from aegle.flows.kit import open_kit
from aegle.flows.ledger import Ledger
from aegle.flows.workspace import Layout

NOTE = "MRN: {mrn}\nASSESSMENT: {what}. Takes {drug} daily. Pump PUMP-0042 in ICU-3.\n"
ASTHMA = NOTE.format(mrn=771001, what="asthma", drug="albuterol")
ANGINA = NOTE.format(mrn=771002, what="angina", drug="metoprolol")
GOUT = NOTE.format(mrn=771001, what="gout", drug="allopurinol")


def read_in(layout: Layout, *paths: Path, **params: Any) -> dict[str, Any]:
    named = {"paths": [str(one) for one in paths], **params}
    result: dict[str, Any] = commands.run(layout.root, "ingest", named)
    return result


def drugs(layout: Layout) -> list[str]:
    """The drugs of the documents that are stored, after checking that all stores agree."""
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        held = list(kit.corpus.scan())
        chunks = {chunk.id for one in held for chunk in one.chunks}
        assert {node.key for node in kit.graph.nodes() if node.type == "chunk"} == chunks
        assert kit.index.count() == len(chunks)
        assert {edge.document_id for edge in kit.graph.edges()} <= {one.document.id for one in held}
        assert kit.ledger.pending() == kit.ledger.retired() == []
    status = commands.run(layout.root, "status", {})
    assert status["documents"] == len(held)
    assert status["chunks"] == len(chunks)
    assert status["unfinished"] == 0
    with sqlite3.connect(layout.ledger) as db:
        told = {row[0] for row in db.execute("SELECT document_id FROM redactions")}
        holders = {row[0] for row in db.execute("SELECT document_id FROM sources")}
    assert told == holders == {one.document.id for one in held}
    names = ("albuterol", "metoprolol", "allopurinol", "ibuprofen")
    return sorted(name for one in held for name in names if name in one.document.text)


def zipped(path: Path, **members: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"{name}.txt", text)


def test_a_changed_file_holds_what_it_says_now(layout: Layout, tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text(ASTHMA)
    read_in(layout, file)
    before = commands.run(layout.root, "status", {})
    file.write_text(GOUT)
    counts = read_in(layout, file)
    assert (counts["files"], counts["documents"], counts["skipped"]) == (1, 1, 0)
    assert drugs(layout) == ["allopurinol"]
    after = commands.run(layout.root, "status", {})
    assert (after["files"], after["redacted.mrn"]) == (before["files"], before["redacted.mrn"])
    gone = b"".join(one.read_bytes() for one in layout.root.rglob("*") if one.is_file())
    assert b"albuterol" not in gone
    found = commands.run(layout.root, "search", {"question": "albuterol", "k": 5})
    assert not any("albuterol" in hit["text"] for hit in found["hits"])


def test_documents_stay_while_one_file_holds_them(layout: Layout, tmp_path: Path) -> None:
    """Two archives share a note; it goes with the last of them that changes."""
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    zipped(one, a=ASTHMA, b=ANGINA)
    zipped(two, b=ANGINA, c=GOUT)
    read_in(layout, one, two)
    assert drugs(layout) == ["albuterol", "allopurinol", "metoprolol"]
    zipped(one, a=ASTHMA)
    read_in(layout, one)
    assert drugs(layout) == ["albuterol", "allopurinol", "metoprolol"]
    zipped(two, c=GOUT)
    read_in(layout, two)
    assert drugs(layout) == ["albuterol", "allopurinol"]


def test_copies_of_a_file_hold_its_documents_each(layout: Layout, tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text(ASTHMA)
    read_in(layout, one)
    two.write_text(ASTHMA)
    assert read_in(layout, two)["skipped"] == 1
    assert commands.run(layout.root, "status", {})["files"] == 1, "one content"
    one.write_text(GOUT)
    read_in(layout, one)
    assert drugs(layout) == ["albuterol", "allopurinol"]
    two.write_text(GOUT)
    assert read_in(layout, two)["skipped"] == 1
    assert drugs(layout) == ["allopurinol"]


def test_a_file_that_is_gone_leaves_its_documents(layout: Layout, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text(ASTHMA)
    (folder / "b.txt").write_text(ANGINA)
    read_in(layout, folder)
    (folder / "a.txt").unlink()
    counts = read_in(layout, folder)
    assert (counts["files"], counts["skipped"]) == (1, 1)
    assert drugs(layout) == ["albuterol", "metoprolol"]


@pytest.fixture
def upgraded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Aegle that lays every document out otherwise than before, to call for."""

    def otherwise(*args: Any, **named: Any) -> Any:
        from dataclasses import replace

        from aegle.core.text import SafeText

        doc, account = redact(*args, **named)
        text = SafeText(f"{doc.text}-- laid out anew\n", by="testing")
        made = replace(doc, text=text, id=f"{int(doc.id, 16) ^ 1:016x}")
        return made, replace(account, document_id=made.id)

    monkeypatch.setattr(ingesting, "redact", otherwise)


def test_after_an_upgrade_the_former_documents_go(
    layout: Layout, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    zipped(tmp_path / "one.zip", a=ASTHMA, b=ANGINA)
    (tmp_path / "b.txt").write_text(ANGINA)
    read_in(layout, tmp_path / "one.zip", tmp_path / "b.txt")
    commands.run(layout.root, "forget", {"what": "MRN 771001"})
    request.getfixturevalue("upgraded")
    assert read_in(layout, tmp_path / "one.zip")["skipped"] == 1
    counts = read_in(layout, tmp_path / "one.zip", again=True)
    assert (counts["documents"], counts["forgotten"]) == (1, 1), "the forgotten stays forgotten"
    assert drugs(layout) == ["metoprolol", "metoprolol"], "the other file still holds the old one"
    read_in(layout, tmp_path / "b.txt", again=True)
    assert drugs(layout) == ["metoprolol"]
    assert commands.run(layout.root, "status", {})["forgotten"] == 1


def test_what_says_more_than_before_is_indexed_anew(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same document of which a new version understands less: no fact of the old one is left."""
    from dataclasses import replace

    from aegle.core.records import Facts
    from aegle.flows.derive import derive

    (tmp_path / "a.txt").write_text(ASTHMA)
    (tmp_path / "b.txt").write_text(ANGINA)
    read_in(layout, tmp_path / "a.txt", tmp_path / "b.txt")
    monkeypatch.setattr(
        ingesting, "derive", lambda k, ds: [replace(one, facts=Facts()) for one in derive(k, ds)]
    )
    read_in(layout, tmp_path / "a.txt", again=True)
    assert drugs(layout) == ["albuterol", "metoprolol"]
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        (mine,) = (s.document.id for s in kit.corpus.scan() if "albuterol" in s.document.text)
        about = {edge.extractor for edge in kit.graph.edges() if edge.document_id == mine}
    assert about == {"about"}


def test_a_file_that_can_be_read_less_far_gives_nothing_up(layout: Layout, tmp_path: Path) -> None:
    file = tmp_path / "one.zip"
    zipped(file, a=ASTHMA, b=ANGINA)
    read_in(layout, file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("b.txt", ANGINA)
        archive.writestr("a.txt", b"\x00\x01\x02" * 99)
    assert read_in(layout, file)["quarantined"] == 1
    assert drugs(layout) == ["albuterol", "metoprolol"]
    zipped(file, b=ANGINA)
    assert read_in(layout, file)["quarantined"] == 0
    assert drugs(layout) == ["metoprolol"]
    assert commands.run(layout.root, "status", {})["quarantined"] == 0


def test_streams_are_not_one_file(layout: Layout, tmp_path: Path) -> None:
    for n, text in enumerate((ASTHMA, ANGINA)):
        spool = tmp_path / f"{n}"
        spool.write_text(text)
        commands.run(layout.root, "ingest", {"paths": ["-"], "spool": str(spool)})
    assert drugs(layout) == ["albuterol", "metoprolol"]


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    ("where", "step"),
    [
        (ingesting, "index_stored"),
        (ingesting, "settle"),
        (holding, "end"),
        (settle, "remove"),
        (settle, "without_documents"),
    ],
)
def test_a_crash_leaves_the_old_or_the_new(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: Any, step: str
) -> None:
    """Both, until the new is whole; the next run has the new alone."""

    def die(*_: object, **__: object) -> None:
        raise KilledError

    file = tmp_path / "one.zip"
    zipped(file, a=ASTHMA, b=ANGINA)
    read_in(layout, file)
    zipped(file, b=ANGINA, c=GOUT)
    with monkeypatch.context() as patch:
        patch.setattr(where, step, die)
        with pytest.raises(KilledError):
            read_in(layout, file)
    commands.run(layout.root, "search", {"question": "gout", "k": 3})
    assert drugs_in_corpus(layout) >= {"metoprolol"}
    read_in(layout, file)
    assert drugs(layout) == ["allopurinol", "metoprolol"]


def drugs_in_corpus(layout: Layout) -> set[str]:
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        texts = " ".join(one.document.text for one in kit.corpus.scan())
    return {name for name in ("albuterol", "metoprolol", "allopurinol") if name in texts}


def test_a_reading_that_broke_off_is_taken_up_again(
    layout: Layout, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A known file, read again by a newer version that was killed before the file's end."""
    zipped(tmp_path / "one.zip", a=ASTHMA, b=ANGINA)
    read_in(layout, tmp_path / "one.zip")
    request.getfixturevalue("upgraded")

    def die(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(holding, "end", die)
        with pytest.raises(KilledError):
            read_in(layout, tmp_path / "one.zip", again=True)
    assert read_in(layout, tmp_path / "one.zip")["skipped"] == 0, "it is read without --again"
    assert drugs(layout) == ["albuterol", "metoprolol"]


def test_a_running_ingest_is_not_repaired(layout: Layout, tmp_path: Path) -> None:
    """Questions go on while files are read; what waits is settled once, by the run itself."""
    (tmp_path / "a.txt").write_text(ASTHMA)
    read_in(layout, tmp_path / "a.txt")
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        (mine,) = kit.corpus.scan()
        kit.ledger.begin([mine.document.id])
        with kit.filling:
            assert settle.repair(kit) == 0
            assert kit.ledger.pending() == [mine.document.id]
        assert settle.repair(kit) == 1
        assert kit.ledger.pending() == []


def test_a_ledger_of_the_first_version_is_read(layout: Layout, tmp_path: Path) -> None:
    with sqlite3.connect(layout.ledger) as db:
        db.executescript(
            "CREATE TABLE sources (document_id TEXT, sha256 TEXT, "
            "PRIMARY KEY (document_id, sha256)) WITHOUT ROWID;"
            "CREATE TABLE forgotten (document_id TEXT PRIMARY KEY, at REAL) WITHOUT ROWID;"
        )
    (tmp_path / "a.txt").write_text(ASTHMA)
    read_in(layout, tmp_path / "a.txt")
    assert drugs(layout) == ["albuterol"]
    commands.run(layout.root, "forget", {"what": "MRN 771001"})
    assert commands.run(layout.root, "status", {})["forgotten"] == 1


def test_a_document_that_was_stored_but_not_recorded_is_its_files(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed right after the corpus had it; the file says something else by the next run."""
    file = tmp_path / "a.txt"
    file.write_text(ASTHMA)
    with monkeypatch.context() as patch:
        put = SqliteCorpus.put

        def put_and_die(*args: Any) -> None:
            put(*args)
            raise KilledError

        patch.setattr(SqliteCorpus, "put", put_and_die)
        with pytest.raises(KilledError):
            read_in(layout, file)
    commands.run(layout.root, "search", {"question": "pump", "k": 3})  # which repairs
    assert drugs(layout) == ["albuterol"], "it is told whose it is"
    file.write_text(GOUT)
    read_in(layout, file)
    assert drugs(layout) == ["allopurinol"]


def test_what_was_noted_but_never_stored_leaves_no_row(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text(ASTHMA)
    with monkeypatch.context() as patch:
        patch.setattr(SqliteCorpus, "put", killed)
        with pytest.raises(KilledError):
            read_in(layout, tmp_path / "a.txt")
    commands.run(layout.root, "search", {"question": "pump", "k": 3})  # which repairs
    assert drugs(layout) == []
    read_in(layout, tmp_path / "a.txt")
    assert drugs(layout) == ["albuterol"]


def killed(*_: object, **__: object) -> None:
    raise KilledError


@pytest.mark.parametrize(
    ("where", "step"),
    [
        (LadybugGraph, "retract"),
        (SqliteCorpus, "remove"),
        (Ledger, "drop"),
    ],
)
def test_a_killed_forget_is_finished_by_the_next_command(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: Any, step: str
) -> None:
    (tmp_path / "a.txt").write_text(ASTHMA)
    (tmp_path / "b.txt").write_text(ANGINA)
    read_in(layout, tmp_path / "a.txt", tmp_path / "b.txt")
    with monkeypatch.context() as patch:
        patch.setattr(where, step, killed)
        with pytest.raises(KilledError):
            commands.run(layout.root, "forget", {"what": "MRN 771001"})
    assert commands.run(layout.root, "status", {})["forgotten"] == 1
    commands.run(layout.root, "search", {"question": "pump", "k": 3})  # which repairs
    assert drugs(layout) == ["metoprolol"]
    assert read_in(layout, tmp_path / "a.txt", again=True)["forgotten"] == 1
    assert drugs(layout) == ["metoprolol"]
    with sqlite3.connect(layout.ledger) as db:
        for table in ("aliases", "names"):
            assert len(db.execute(f"SELECT DISTINCT grp FROM {table}").fetchall()) == 1
