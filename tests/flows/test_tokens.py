"""Token vectors in a workspace: made at ingest, compared when read again, gone when forgotten."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aegle.core.errors import AegleError, WorkspaceError
from aegle.core.ports import Vectors
from aegle.flows import commands, tokens, workspace
from aegle.flows.kit import Kit, open_kit
from aegle.flows.workspace import Layout
from aegle.lm.token_vectors import TokenEncoder
from aegle.retrieve import derived

PLAIN = """\
packs = ["general"]
[knowledge]
tagger = "none"
[redact]
tagger = "none"
[retrieve]
rerank_weight = 1
"""
NOTES = {
    "a": "Heart failure. Denies chest pain. Takes warfarin 5 mg daily.",
    "b": "The infusion pump of the second bed alarmed twice at night.",
    "c": "Lisinopril was stopped. She coughs less and sleeps well again.",
}
QUESTION = "Who takes warfarin?"


def set_to(layout: Layout, kept: str = "4bit", rerank: str = "late") -> None:
    layout.settings.write_text(f'{PLAIN}token_vectors = "{kept}"\nrerank = "{rerank}"\n')


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Three notes with token vectors of 4 bits a number, which nothing reads yet."""
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "notes").mkdir()
    for name, text in NOTES.items():
        (folder / "notes" / f"{name}.txt").write_text(text)
    layout = workspace.create(folder / "w")
    set_to(layout, rerank="none")
    commands.run(layout.root, "ingest", {"paths": [str(folder / "notes")]})
    return layout


@pytest.fixture
def filled(kept: Layout, tmp_path: Path) -> Layout:
    """A copy of it, in which hits are read again."""
    root = tmp_path / "w"
    shutil.copytree(kept.root, root, ignore=shutil.ignore_patterns("owner.sock"))
    layout = workspace.check(root)
    set_to(layout)
    return layout


@pytest.fixture
def notes(kept: Layout) -> Path:
    """The files of it."""
    return kept.root.parent / "notes"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The texts of which token vectors are made."""
    seen: list[str] = []
    whole = TokenEncoder.vectors

    def vectors(self: TokenEncoder, texts: Sequence[str]) -> list[Vectors]:
        seen.extend(texts)
        return whole(self, texts)

    monkeypatch.setattr(TokenEncoder, "vectors", vectors)
    yield seen


def search(layout: Layout) -> list[dict[str, Any]]:
    how = {"question": QUESTION, "mode": "hybrid", "k": 20}
    hits: list[dict[str, Any]] = commands.run(layout.root, "search", how)["hits"]
    return hits


def in_kit(layout: Layout, ask: Callable[[Kit], Any]) -> Any:
    with open_kit(layout, workspace.load_settings(layout)) as kit:
        return ask(kit)


def order(hits: Sequence[dict[str, Any]]) -> list[str]:
    return [hit["chunk_id"] for hit in hits]


def test_first_hits_are_compared_by_what_is_kept(filled: Layout, read: list[str]) -> None:
    hits = search(filled)
    assert len(read) == 1, "the question alone"
    assert any(mark.startswith("rerank#") for hit in hits for mark in hit["via"])
    set_to(filled, "none")
    anew = search(filled)
    assert len(read) > 2, "the texts, too"
    assert {*order(anew)} == {*order(hits)}


@pytest.mark.parametrize(("codec", "error"), [("int8", 0.002), ("4bit", 0.01), ("1bit", 0.08)])
def test_the_score_is_that_of_reading_up_to_the_codecs_error(
    filled: Layout, codec: str, error: float
) -> None:
    set_to(filled, codec)
    with open_kit(filled, workspace.load_settings(filled)) as kit:
        assert kit.reranker is not None
        chunks = [chunk for stored in kit.corpus.scan() for chunk in stored.chunks]
        tokens.note(kit, chunks)
        assert kit.token_book.counts() == {f"tokens/1:{codec}:minilm": len(chunks)}
        found = tokens.scores(kit, kit.reranker, QUESTION, chunks)
        exact = kit.reranker.score(QUESTION, [tokens.passage(one) for one in chunks])
        assert not np.array_equal(found, exact)
        np.testing.assert_allclose(found, exact, atol=error)


def test_nothing_is_kept_unless_it_is_asked_for(filled: Layout) -> None:
    shutil.rmtree(filled.tokens.parent)
    set_to(filled, "none")
    with open_kit(filled, workspace.load_settings(filled)) as kit:
        tokens.note(kit, [chunk for stored in kit.corpus.scan() for chunk in stored.chunks])
        tokens.remove(kit, ["unknown"])
        assert tokens.is_whole(kit)
    assert not filled.tokens.parent.exists()


def test_forgotten_documents_leave_none_also_where_it_was_switched_off(
    filled: Layout, notes: Path
) -> None:
    before = codes(filled)
    set_to(filled, "none")
    commands.run(filled.root, "forget", {"what": str(min(notes.iterdir()))})
    data = b"".join(path.read_bytes() for path in derived.files(filled.tokens) if path.exists())
    left = codes(filled)
    gone = [one for item, one in before.items() if item not in left and one not in left.values()]
    gone = [one[-64:] for one in gone]
    assert gone and not any(one in data for one in gone)
    set_to(filled)
    assert in_kit(filled, tokens.is_whole)


def codes(layout: Layout) -> dict[str, bytes]:
    """Chunk id -> code, as the file has it."""

    def found(kit: Kit) -> dict[str, bytes]:
        return dict(
            kit.token_book._file.rows("SELECT id, code FROM chunks JOIN codes USING (place)")
        )

    kept: dict[str, bytes] = in_kit(layout, found)
    return kept


def test_reading_in_again_changes_nothing(filled: Layout, notes: Path) -> None:
    once = codes(filled)
    commands.run(filled.root, "ingest", {"paths": [str(notes)], "again": True})
    assert codes(filled) == once


def test_reindex_drops_them_where_they_are_switched_off_and_makes_them_where_on(
    filled: Layout, read: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    own = filled.tokens.parent / "mine.txt"
    own.write_text("a user's own")
    set_to(filled, "none")
    commands.run(filled.root, "reindex", {})
    assert [path.name for path in own.parent.iterdir()] == [own.name]
    set_to(filled, "2bit")
    capsys.readouterr()
    search(filled)
    assert "aegle reindex" in capsys.readouterr().err, "what is missing is told, and read"
    commands.run(filled.root, "reindex", {})
    read.clear()
    search(filled)
    assert len(read) == 1
    assert "token vectors" not in capsys.readouterr().err
    assert in_kit(filled, tokens.is_whole)
    set_to(filled, "int8")
    assert not in_kit(filled, tokens.is_whole), "another codec made them"


def test_what_another_encoder_made_is_not_compared(filled: Layout, read: list[str]) -> None:
    set_to(filled, "4bit", "late:aegle-embed")
    search(filled)
    assert len(read) > 2
    assert not in_kit(filled, tokens.is_whole)


def test_old_facts_alone_do_not_make_them_anew(
    filled: Layout, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read.clear()
    monkeypatch.setattr("aegle.facts.made.RULE", "rule/0")
    commands.run(filled.root, "reindex", {})
    assert not read and in_kit(filled, tokens.is_whole)


def test_a_crash_before_they_are_kept_is_mended(
    layout: Layout, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    set_to(layout)
    with monkeypatch.context() as broken:
        broken.setattr(tokens, "note", crash)
        with pytest.raises(KeyboardInterrupt):
            commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    assert not in_kit(layout, tokens.is_whole)
    assert search(layout), "the next command repairs it first"
    assert in_kit(layout, tokens.is_whole)


def test_a_damaged_book_is_told_with_the_remedy_and_keeps_nobody_from_forgetting(
    filled: Layout, notes: Path, read: list[str]
) -> None:
    def damage() -> None:
        for path in derived.files(filled.tokens):
            path.write_bytes(b"damaged")

    damage()
    with pytest.raises(WorkspaceError, match="aegle reindex"):
        search(filled)
    damage()
    told = commands.run(filled.root, "forget", {"what": str(min(notes.iterdir()))})
    assert told["documents"] == 1
    read.clear()
    assert search(filled) and len(read) > 1, "texts are read, as nothing is kept"
    damage()
    commands.run(filled.root, "reindex", {})
    assert in_kit(filled, tokens.is_whole)


def test_an_encoder_without_token_vectors_is_told_before_anything_is_read(tmp_path: Path) -> None:
    layout = workspace.create(tmp_path / "w")
    set_to(layout, rerank=f"late:path:{tmp_path / 'none'}")
    (tmp_path / "a.txt").write_text(NOTES["a"])
    with pytest.raises(AegleError, match="none"):
        commands.run(layout.root, "ingest", {"paths": [str(tmp_path / "a.txt")]})
    set_to(layout, kept="none", rerank="none")
    assert commands.run(layout.root, "status", {})["files"] == 0
