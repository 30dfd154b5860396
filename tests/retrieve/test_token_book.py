"""The token book gives back what it was given, replaces by document, and forgets to the byte."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from aegle.core.errors import WorkspaceError
from aegle.core.records import Chunk
from aegle.core.text import SafeText
from aegle.lm.token_vectors import maxsim
from aegle.retrieve import derived
from aegle.retrieve.token_book import TokenBook
from aegle.retrieve.token_codes import CODECS, codec

WIDTH = 64
ERROR = {"int8": 0.002, "4bit": 0.02, "2bit": 0.07, "1bit": 0.2}
MADE_BY = "tokens/1:4bit:minilm"


def units(rng, num):
    vectors = rng.normal(size=(num, WIDTH))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


RNG = np.random.default_rng(0)
PASSAGES = {f"d{n // 2}-{n}": units(RNG, num) for n, num in enumerate((3, 9, 0, 40))}
QUESTION = units(RNG, 5)


def chunk(item):
    text = SafeText("of a document", by="test")
    return Chunk(item, item.partition("-")[0], 0, 13, text, text.cut(0, 0), "note", "general")


def put(book, ids, *, how="4bit", made_by=MADE_BY):
    codes = (codec(how, WIDTH).encode(PASSAGES[item]) for item in ids)
    book.put([chunk(item) for item in ids], codes, made_by=made_by)


def scores(book, ids=tuple(PASSAGES), *, how="4bit", made_by=MADE_BY):
    return book.scores(QUESTION, ids, codec=codec(how, WIDTH), made_by=made_by)


@pytest.fixture
def book(tmp_path):
    made = TokenBook(tmp_path / "tokens" / "tokens.sqlite")
    put(made, PASSAGES)
    yield made
    made.close()


@pytest.mark.parametrize("how", CODECS)
def test_scores_are_those_of_the_vectors_up_to_the_codecs_error(tmp_path, how):
    with closing(TokenBook(tmp_path / "tokens.sqlite")) as book:
        put(book, PASSAGES, how=how)
        found = scores(book, [*PASSAGES, "unknown"], how=how)
    assert found.keys() == PASSAGES.keys()
    for item, vectors in PASSAGES.items():
        assert found[item] == pytest.approx(maxsim(QUESTION, vectors), abs=ERROR[how])
    assert found["d1-2"] == -1, "it has no token"


def test_what_something_else_made_is_not_read(book):
    assert scores(book, made_by="tokens/1:4bit:other") == {}
    put(book, ["d1-2", "d1-3"], made_by="tokens/1:4bit:other")
    assert book.counts() == {MADE_BY: 2, "tokens/1:4bit:other": 2}
    assert scores(book).keys() == {"d0-0", "d0-1"}


def test_giving_the_same_again_changes_nothing_and_a_document_is_replaced(book):
    before = scores(book)
    put(book, PASSAGES)
    put(book, ["d0-0", "d0-1"])
    assert scores(book) == before
    assert book.counts() == {MADE_BY: 4}
    put(book, ["d1-3"])
    assert scores(book).keys() == {"d0-0", "d0-1", "d1-3"}


def test_the_order_of_documents_does_not_matter(book, tmp_path):
    with closing(TokenBook(tmp_path / "other.sqlite")) as other:
        put(other, ["d1-2", "d1-3"])
        put(other, ["d0-1", "d0-0"])
        assert scores(other) == scores(book)


def test_removing_leaves_no_byte(book, tmp_path):
    code = codec("4bit", WIDTH).encode(PASSAGES["d1-3"])
    traces = [code[at : at + 16] for at in range(0, len(code), 16)][:-1]
    assert traces[0] in everything(tmp_path)
    book.remove(["d1", "unknown"])
    assert scores(book).keys() == {"d0-0", "d0-1"}
    assert not any(one in everything(tmp_path) for one in traces)


def everything(folder):
    return b"".join(path.read_bytes() for path in (folder / "tokens").iterdir())


def test_what_breaks_off_leaves_what_was_there(book):
    def codes():
        yield b""
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        book.put([chunk("d0-0"), chunk("d0-1")], codes(), made_by=MADE_BY)
    assert scores(book).keys() == PASSAGES.keys()


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM codes WHERE place = (SELECT place FROM chunks WHERE id = 'd0-1')",
        "UPDATE codes SET code = substr(code, 2) WHERE code <> x''",
        "UPDATE codes SET code = 'text'",
        "UPDATE codes SET code = x'ffff' || substr(code, 3) WHERE code <> x''",
    ],
)
def test_a_damaged_row_is_told_with_the_remedy(book, tmp_path, damage):
    with closing(sqlite3.connect(tmp_path / "tokens" / "tokens.sqlite")) as db, db:
        db.execute(damage)
    with pytest.raises(WorkspaceError, match="aegle reindex"):
        scores(book)


def test_a_file_that_is_none_is_damage(tmp_path):
    path = tmp_path / "tokens.sqlite"
    path.write_bytes(b"damaged" * 99)
    with pytest.raises(WorkspaceError, match="aegle reindex") as told:
        TokenBook(path)
    assert derived.is_damage(told.value)
    own = tmp_path / "mine.txt"
    own.write_text("a user's own")
    derived.unlink(path)
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]
