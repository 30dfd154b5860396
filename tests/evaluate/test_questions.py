"""Questions are read from lines and lists; what is wrong is told by number, never quoted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aegle.core.errors import InputError, NotFoundError
from aegle.evaluate.questions import Passage, Question, read_questions


def written(tmp_path: Path, *rows: Any) -> Path:
    path = tmp_path / "q.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", "utf-8")
    return path


def test_lines(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {
            "id": 7,
            "question": "Which dose?",
            "gold": [
                {"document": "a.txt", "start": 3, "end": 9, "grade": 2},
                {"text": "5 mg", "alternatives": [{"document": "b.txt", "text": "five"}]},
            ],
            "answers": ["5 mg", 5],
            "kind": "single",
            "group": "p1",
            "meta": {"by": "anyone"},
        },
        {"question": "And the one after?"},
    )
    other = Passage("b.txt", "five")
    passages = (Passage("a.txt", "", 3, 9, 2.0), Passage(text="5 mg", alternatives=(other,)))
    assert read_questions(path) == [
        Question("7", "Which dose?", passages, ("5 mg", "5"), True, "single", "p1"),
        Question("q2", "And the one after?", answerable=False),
    ]


def test_the_sample_hospitals_own(small_sample: Path) -> None:
    path = small_sample / "gold" / "questions.json"
    found, rows = read_questions(path), json.loads(path.read_text("utf-8"))
    assert [one.id for one in found] == [row["id"] for row in rows]
    assert [one.kind for one in found] == [row["type"] for row in rows]
    assert [one.answerable for one in found] == [row["type"] != "unanswerable" for row in rows]
    for one, row in zip(found, rows, strict=True):
        assert one.answers == tuple(row["answers"])
        assert [p.text for p in one.passages] == [e["text"] for e in row["evidence"]]
        assert not any(p.document for p in one.passages), "a passage counts wherever it stands"
        others = [p for passage in one.passages for p in passage.alternatives]
        assert all(p.document for p in others), "an alternative counts in its own file"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"question": "Sicut secretum?", "anwsers": ["x"]}, "did you mean 'answers'"),
        ({"question": " "}, "an id and a text"),
        ({"question": "Sicut secretum?", "answerable": True}, "answerable needs gold"),
        ({"question": "Sicut?", "answers": ["secretum"], "answerable": False}, "has neither"),
        ({"question": "Sicut?", "answers": "secretum"}, "answers is a list"),
        ({"question": "Sicut?", "answers": [" "]}, "answer is empty"),
        ({"question": "Sicut?", "gold": ["secretum"]}, "a JSON object with a document"),
        ({"question": "Sicut?", "gold": [{}]}, "a document, a text"),
        ({"question": "Sicut?", "gold": [{"text": "secretum", "end": 3}]}, "needs its document"),
        ({"question": "Sicut?", "gold": [{"document": "a", "grade": 0}]}, "above 0"),
        ({"question": ["secretum"], "answers": ["x"]}, "question is a text"),
        (["secretum"], "a JSON object"),
    ],
)
def test_what_is_wrong_is_told_and_not_quoted(tmp_path: Path, row: Any, told: str) -> None:
    path = written(tmp_path, {"question": "Fine?"}, row)
    with pytest.raises(InputError, match="question 2") as caught:
        read_questions(path)
    assert told in str(caught.value)
    assert "secretum" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no file"):
        read_questions(tmp_path / "none.jsonl")
    path = tmp_path / "q.jsonl"
    for content, told in (
        (b"", "no question"),
        (b'{"question": secretum}', "line 1 is no JSON"),
        (b"[1,", "no JSON"),
        (b"\xff\xfe", "UTF-8"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=told) as caught:
            read_questions(path)
        assert "secretum" not in str(caught.value)
    with pytest.raises(InputError, match="unique"):
        read_questions(
            written(tmp_path, {"id": "a", "question": "x"}, {"id": "a", "question": "y"})
        )


def test_texts_do_not_show_in_a_repr() -> None:
    one = Question("q", "Sicut secretum?", (Passage(text="secretum"),), ("secretum",))
    assert "secretum" not in repr(one)
