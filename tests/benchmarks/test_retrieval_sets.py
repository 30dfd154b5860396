"""Sets for retrieval are read from each layout; gains are paired."""

import json

import pytest

from retrieval import gain
from retrieval_sets import read_set


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows), "utf-8")


def test_beir(tmp_path):
    write(tmp_path / "corpus.jsonl", '{"_id": "a", "text": "one"}\n{"_id": "b", "text": "two"}\n')
    write(tmp_path / "queries.jsonl", '{"_id": "q", "text": "which"}\n')
    write(tmp_path / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore\nq\tb\t2\nq\ta\t0\n")
    data = read_set(tmp_path)
    assert data.passages == [("", "one"), ("", "two")]
    assert [(one.question, one.gold) for one in data.questions] == [("which", {1: 2.0})]


def test_questions_with_titles(tmp_path):
    write(tmp_path / "x_corpus.json", [{"title": "A", "text": "a"}, {"title": "B", "text": "b"}])
    write(
        tmp_path / "questions_2.json",
        [
            {"question": "p", "supporting_titles": ["A", "B"]},
            {"question": "q", "supporting_titles": ["B"]},
        ],
    )
    write(tmp_path / "multihop_only_2.json", ["p"])
    write(tmp_path / "baseline_peer_2.json", [{"question": "p", "evidence": ["B"]}])
    data = read_set(tmp_path)
    assert [(one.gold, one.kind) for one in data.questions] == [
        ({0: 1.0, 1: 1.0}, "multi-hop"),
        ({1: 1.0}, "other"),
    ]
    assert data.peers == {"peer": {"p": ["B"]}}


def test_marked_paragraphs_and_lone_parts(tmp_path):
    write(tmp_path / "y_corpus.json", [{"title": "A", "text": "a"}, {"title": "B", "text": "b"}])
    paragraphs = [
        {"idx": 0, "title": "B", "paragraph_text": "b", "is_supporting": True},
        {"idx": 1, "title": "A", "paragraph_text": "a", "is_supporting": False},
    ]
    parts = [
        {"question": "B >> c", "paragraph_support_idx": 0},
        {"question": "#1 >> d", "paragraph_support_idx": 0},
    ]
    row = {"question": "p", "paragraphs": paragraphs, "question_decomposition": parts}
    write(tmp_path / "y.json", [row])
    assert [(one.question, one.gold, one.kind) for one in read_set(tmp_path).questions] == [
        ("p", {1: 1.0}, "multi-hop"),
        ("B >> c", {1: 1.0}, "single-hop"),
    ]


def test_a_folder_of_something_else(tmp_path):
    with pytest.raises(FileNotFoundError, match="no corpus"):
        read_set(tmp_path)


def test_a_gain_is_paired():
    told = gain([1.0, 0.5, 0.5], [0.5, 0.0, 0.0])
    assert told["difference"] == [0.5, 0.5, 0.5]
    assert told["relative"][0] == pytest.approx(3.0)
