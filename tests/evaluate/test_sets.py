"""Public layouts are read, and unfolded into files and questions that say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aegle.core.errors import InputError, NotFoundError
from aegle.evaluate.questions import read_questions
from aegle.evaluate.sets import read_set, unfold


def write(path: Path, rows: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows), "utf-8")


def golds(folder: Path) -> list[dict[str, float]]:
    return [{p.document: p.grade for p in one.passages} for one in read_set(folder).questions]


def test_beir_unfolds_into_files(tmp_path: Path) -> None:
    home = tmp_path / "set"
    write(home / "corpus.jsonl", '{"_id": "../a", "text": "one"}\n{"_id": "b", "text": "two"}\n')
    write(home / "queries.jsonl", '{"_id": "q", "text": "which"}\n')
    write(home / "qrels" / "dev.tsv", "query-id\tcorpus-id\tscore\n")
    write(home / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore\nq\tb\t2\nq\t../a\t0\n")
    data = read_set(home)
    assert golds(home) == [{"00000001.txt": 2.0}]
    path = unfold(data, tmp_path / "out")
    assert read_questions(path) == list(data.questions)
    assert (tmp_path / "out" / "files" / "00000001.txt").read_text() == "two\n"
    assert len(list(tmp_path.glob("out/files/*"))) == 2, "ids are no names of files"


def test_questions_with_titles(tmp_path: Path) -> None:
    write(tmp_path / "x_corpus.json", [{"title": t, "text": t.lower()} for t in "ABA"])
    rows = [
        {"question": "p", "supporting_titles": ["A"]},
        {"question": "q", "supporting_titles": []},
    ]
    write(tmp_path / "questions_2.json", rows)
    write(tmp_path / "multihop_only_2.json", ["p"])
    assert golds(tmp_path) == [{"00000000.txt": 1.0, "00000002.txt": 1.0}]
    assert read_set(tmp_path).questions[0].kind == "multi-hop"


def test_marked_paragraphs(tmp_path: Path) -> None:
    write(tmp_path / "y_corpus.json", [{"title": t, "text": t.lower()} for t in "AB"])
    paragraphs = [
        {"title": "B", "paragraph_text": "b", "is_supporting": True},
        {"title": "A", "paragraph_text": "a", "is_supporting": False},
    ]
    rows = [
        {
            "id": "m1",
            "question": "p",
            "paragraphs": paragraphs,
            "answer": "b",
            "answer_aliases": [""],
        },
        {"id": "m2", "question": "q", "paragraphs": [], "answer": "b", "answerable": False},
    ]
    write(tmp_path / "y.json", rows)
    one, none = read_set(tmp_path).questions
    assert (one.id, one.answers, golds(tmp_path)[0]) == ("m1", ("b",), {"00000001.txt": 1.0})
    assert not none.answerable


def test_folders_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no set"):
        read_set(tmp_path)
    write(tmp_path / "corpus.jsonl", '{"text": "secretum"}\n')
    with pytest.raises(InputError, match="layout") as caught:
        read_set(tmp_path)
    assert "secretum" not in str(caught.value)


@pytest.mark.parametrize(("name", "num"), [("2wiki_101", 101), ("musique_100", 100)])
def test_public_sets(data: Path, name: str, num: int) -> None:
    found = read_set(data / name)
    assert len(found.questions) == num
    assert all(p.document in found.passages for one in found.questions for p in one.passages)
