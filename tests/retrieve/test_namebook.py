"""The name book gives back what it was given, replaces by document, and forgets to the byte."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from aegle.core.errors import WorkspaceError
from aegle.core.records import Chunk
from aegle.core.text import SafeText
from aegle.retrieve import marks
from aegle.retrieve.namebook import NameBook
from aegle.retrieve.names import key_of
from aegle.retrieve.passages import PassageGraph


def chunk(item, title, text, *, document="", group="", domain="general"):
    safe, name = (SafeText(one, by="test") for one in (text, title))
    return Chunk(item, document or item, 0, len(text), safe, name, "note", domain, group)


CHUNKS = [
    chunk("film", "Blood Street", "Blood Street was directed by Leo Fong."),
    chunk("plain", "", "nothing is said of anything here"),
    chunk("man", "Leo Fong", "Leo Fong comes from China.", group="patient:1", domain="healthcare"),
]
VECTORS = np.random.default_rng(0).normal(size=(3, 32)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)


@pytest.fixture
def book(tmp_path):
    made = NameBook(tmp_path / "names" / "names.sqlite")
    put(made, CHUNKS)
    yield made
    made.close()


def put(book, chunks):
    vectors = np.stack([VECTORS[[one.id for one in CHUNKS].index(chunk.id)] for chunk in chunks])
    book.put(chunks, [marks.read(one.title, one.text) for one in chunks], vectors)


def test_what_names_nothing_is_counted_and_not_walked(book):
    rows = book.rows(apart="patient:")
    graph = PassageGraph(rows)
    assert book.count() == 3
    assert [one.decode() for one in graph.ids] == ["film", "man"]
    assert rows.apart.tolist() == [False, True]
    assert rows.domains.tolist() == ["general", "healthcare"]
    assert not book.rows().apart.any()
    assert book.of_groups(["patient:1"]) == ["man"]


def test_cosines_are_near_those_of_the_vectors(book):
    rows = VECTORS[[0, 2]]
    near = book.cosines(np.array([b"film", b"man"]))(VECTORS[0], np.array([1, 0]))
    assert near == pytest.approx(rows[[1, 0]] @ VECTORS[0], abs=0.01)
    turned = book.cosines(np.array([b"gone", b"man", b"film"]))(VECTORS[0], np.arange(3))
    assert turned == pytest.approx([0, *near], abs=1e-6), "rows go by id"


def test_giving_the_same_again_changes_nothing_and_removing_leaves_no_byte(book, tmp_path):
    before = PassageGraph(book.rows())
    put(book, CHUNKS[:1])
    put(book, CHUNKS)
    after = PassageGraph(book.rows())
    assert before.ids.tolist() == after.ids.tolist()
    assert book.count() == 3
    trace = np.int64(marks.mark(key_of("Leo Fong"))).tobytes()
    book.remove(["film", "man", "unknown"])
    assert book.count() == 1
    assert len(PassageGraph(book.rows())) == 0
    book.close()
    left = b"".join(path.read_bytes() for path in (tmp_path / "names").iterdir())
    assert trace not in left


def test_vectors_of_two_encoders_are_told(book):
    one = chunk("other", "Acme Films", "Acme Films made silent pictures.")
    book.put([one], [marks.read(one.title, one.text)], np.ones((1, 16), np.float32))
    with pytest.raises(WorkspaceError, match="reindex"):
        book.cosines(np.array([b"film", b"man", b"other"]))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE chunks SET names = substr(names, 2) WHERE id = 'film'",
        "UPDATE chunks SET phrases = 'text' WHERE id = 'film'",
        "UPDATE chunks SET names = zeroblob(11) WHERE id = 'film'",
        "UPDATE chunks SET grp = x'00' WHERE id = 'film'",
        "DELETE FROM vectors WHERE place = (SELECT place FROM chunks WHERE id = 'film')",
        "UPDATE vectors SET vector = 'text'",
    ],
)
def test_a_damaged_row_is_told_with_the_remedy(book, tmp_path, damage):
    with closing(sqlite3.connect(tmp_path / "names" / "names.sqlite")) as db, db:
        db.execute(damage)
    with pytest.raises(WorkspaceError, match="aegle reindex"):
        book.rows()
        book.cosines(np.array([b"film", b"man"]))
