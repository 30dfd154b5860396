"""Sets of medicine and security are read as they are shipped; intervals are by page or report."""

import gzip
import json

import numpy as np
import pytest

from retrieval import covered, figure, gain
from retrieval_domain import read_domain
from retrieval_sets import Asked, read_set


def test_pubmedqa_asks_for_the_abstract_without_its_conclusion(tmp_path):
    rows = {"1": {"QUESTION": "q", "CONTEXTS": ["a", "b"], "LONG_ANSWER": "c"}}
    (tmp_path / "ori_pqal.json").write_text(json.dumps(rows), "utf-8")
    data = read_domain(tmp_path)
    assert data.passages == [("", "a b")]
    assert [(one.question, one.gold) for one in data.questions] == [("q", {0: 1.0})]


def test_medquad_answers_stand_once_and_belong_to_their_page(tmp_path):
    pair = "<QAPair><Question>What is {}?</Question><Answer>{}</Answer></QAPair>"
    for page, answers in {"1": ["x y", ""], "2": ["z"]}.items():
        folder = tmp_path / "5_NIDDK_QA"
        folder.mkdir(exist_ok=True)
        pairs = "".join(pair.format(f"{page}{n}", text) for n, text in enumerate(answers))
        told = f"<Document><Focus>F{page}</Focus><QAPairs>{pairs}</QAPairs></Document>"
        (folder / f"{page}.xml").write_text(told, "utf-8")
    data = read_domain(tmp_path)
    assert data.passages == [("F1", "x y"), ("F2", "z")]
    assert [one.group for one in data.questions] == ["5_NIDDK_QA/1", "5_NIDDK_QA/2"]


def test_sentences_of_reports_ask_for_techniques_in_force(tmp_path):
    folder = tmp_path / "attack_stix"
    folder.mkdir()
    rows = [
        {
            "type": "attack-pattern",
            "name": name,
            "description": "See [Tool](https://t) (Citation: X).",
            "revoked": revoked,
            "external_references": [{"external_id": code}],
        }
        for name, code, revoked in (("Old", "T1", True), ("New", "T2.001", False))
    ]
    with gzip.open(folder / "enterprise_objects.jsonl.gz", "wt") as out:
        out.write("\n".join(map(json.dumps, rows)))
    (tmp_path / "tram2").mkdir()
    said = [{"text": t, "label": c, "doc_title": "r"} for t, c in (("a", "T1"), ("b", "T2.001"))]
    (tmp_path / "tram2" / "single_label.json").write_text(json.dumps(said), "utf-8")
    data = read_domain(folder)
    assert data.passages == [("New", "See Tool .")]
    assert [(one.question, one.gold, one.group) for one in data.questions] == [("b", {0: 1.0}, "r")]


def test_without_marked_passages_the_words_of_the_answer_count(tmp_path):
    (tmp_path / "medical_corpus.json").write_text('[{"context": "Rest helps. Ice helps."}]')
    rows = [{"question": "What helps?", "answer": "rest and ice"}]
    (tmp_path / "medical_questions.json").write_text(json.dumps(rows), "utf-8")
    (asked,) = read_domain(tmp_path).questions
    said = [{"rest", "help"}, {"ice"}, {"heat"}]
    lists = [["00000000", "00000001"]]
    assert list(covered([asked], lists, said, 1)) == [0.5]
    assert list(covered([asked], lists, said, 2)) == [1.0]
    assert list(covered([Asked("q", {}, answer="unheard")], [[]], said, 1)) == [1.0]


def test_intervals_resample_whole_groups():
    values = [1.0] * 50 + [0.0] * 50
    alone, grouped = figure(values), figure(values, ["a"] * 50 + ["b"] * 50)
    assert alone[0] == grouped[0] == 0.5
    assert grouped[1:] == [0.0, 1.0]
    assert alone[1] > 0.3
    told = gain(values, [0.0] * 100, ["a"] * 50 + ["b"] * 50)
    assert np.allclose(told["difference"], [0.5, 0.0, 1.0])


def test_other_names_of_qrels(tmp_path):
    (tmp_path / "corpus.jsonl").write_text('{"_id": "a", "text": "one"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "which"}\n')
    (tmp_path / "qrels").mkdir()
    with pytest.raises(FileNotFoundError, match="tsv"):
        read_set(tmp_path)
    (tmp_path / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta\t1\nx\ta\t1\n")
    assert [one.gold for one in read_set(tmp_path).questions] == [{0: 1.0}]
