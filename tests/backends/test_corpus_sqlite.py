"""The SQLite corpus: the contract, and what only SQLite can get wrong."""

import os
import sqlite3
from pathlib import Path

import pytest

from aegle.backends.corpus_sqlite import SCHEMA_VERSION, SqliteCorpus
from aegle.core.errors import BackendError, WorkspaceBusyError, WorkspaceError
from aegle.testing.corpus import CHECKS, stored


def make(folder: Path) -> SqliteCorpus:
    return SqliteCorpus(folder / "corpus" / "corpus.db")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, tmp_path):
    check(make, tmp_path)


def test_removal_survives_many_sizes_and_rebalancing(tmp_path):
    store = make(tmp_path)
    for step in range(12):
        names = [f"xyzzy-{step}-{i}" for i in range(25)]
        store.put([stored(name, f"{name} " * (i * i) + "\n..") for i, name in enumerate(names)])
        store.remove([one.document.id for one in list(store.scan())[: 10 + step]])
    store.remove([stored.document.id for stored in store.scan()])
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"xyzzy" not in path.read_bytes(), path.name
    store.close()


def test_counts_and_finding(tmp_path):
    store = make(tmp_path)
    assert store.counts()["documents"] == 0
    batch = [stored(str(i), "é\nx\n", group=f"patient:{i % 2}") for i in range(5)]
    store.put(batch)
    assert store.counts() == {
        "documents": 5, "chunks": 10, "entities": 10, "relations": 5, "bytes": 25, "groups": 2,
        "kind.note": 5, "domain.healthcare": 5,
    }  # fmt: skip
    of_group = [one for one in batch if one.document.group == "patient:1"]
    by_id = sorted(of_group, key=lambda one: one.document.id)
    assert list(store.scan(group="patient:1")) == by_id
    first = batch[0]
    assert list(store.scan([first.document.id, "absent"])) == [first]
    assert list(store.scan([first.document.id], group="patient:7")) == []
    store.close()


def test_thousands_of_ids_in_one_question(tmp_path):
    store = make(tmp_path)
    batch = [stored(str(i), "ab\n") for i in range(1203)]
    store.put(batch)
    ids = [one.document.id for one in batch]
    assert [doc.id for doc in store.get(ids)] == ids
    store.close()


def test_full_disk_is_told_and_changes_nothing(tmp_path):
    store = make(tmp_path)
    store.put([stored("a", "kept\n")])
    pages = store._connection().execute("PRAGMA page_count").fetchone()[0]
    store._connection().execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(WorkspaceError, match=r"disk is full.*free some space"):
        store.put([stored("b", "much " * 20_000)])
    assert [one.document.id for one in store.scan()] == [stored("a", "kept\n").document.id]
    store.close()


def test_a_damaged_file_is_told(tmp_path):
    path = tmp_path / "corpus.db"
    path.write_bytes(b"this is not a database, but it is long enough to be read as one" * 100)
    with pytest.raises(WorkspaceError, match="damaged"):
        SqliteCorpus(path)


def test_a_file_damaged_in_the_middle_is_told(tmp_path):
    store = make(tmp_path)
    store.put([stored(str(i), "words " * 500) for i in range(20)])
    store.close()
    path = tmp_path / "corpus" / "corpus.db"
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    store = SqliteCorpus(path)
    with pytest.raises(WorkspaceError):
        list(store.scan())
    store.close()


def test_a_newer_schema_is_refused(tmp_path):
    path = tmp_path / "corpus.db"
    SqliteCorpus(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(WorkspaceError, match="newer"):
        SqliteCorpus(path)


def test_another_writer_is_told_not_waited_for_endlessly(tmp_path):
    path = tmp_path / "corpus.db"
    store, other = SqliteCorpus(path), sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    impatient = SqliteCorpus(path, wait_s=0.05)
    with pytest.raises(WorkspaceBusyError):
        impatient.put([stored("a", "x\n.")])
    other.execute("ROLLBACK")
    impatient.put([stored("a", "x\n.")])
    assert store.counts()["documents"] == 1
    for one in (store, other, impatient):
        one.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="can't be opened"):
        SqliteCorpus(tmp_path / "file" / "corpus.db")


def test_a_closed_corpus_says_so(tmp_path):
    store = make(tmp_path)
    store.close()
    with pytest.raises(BackendError, match="closed"):
        store.get(["a"])
