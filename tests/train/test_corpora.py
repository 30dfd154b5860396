"""Corpora of every format give the same examples; what can't be read says where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import InputError
from aegle.core.examples import Example, Label, Pair
from aegle.core.text import SafeText
from aegle.train.data.formats import read_corpus, relabel

WHY = "made for this test"


def example(text: str, *labels: tuple[int, int, str], **more: object) -> Example:
    return Example(
        "1", "g", SafeText(text, by="test"), tuple(Label(*one) for one in labels), **more
    )


def test_iob_iob2_and_iobes_say_the_same(tmp_path: Path) -> None:
    tokens = "ab cd ef gh ij".split()
    tagged = {
        "iob1": "I-X I-X O I-X B-X",
        "iob2": "B-X I-X O B-X B-X",
        "iobes": "B-X E-X O S-X S-X",
        "bilou": "B-X L-X O U-X U-X",
    }
    for name, tags in tagged.items():
        file = tmp_path / f"{name}.tsv"
        rows = (f"{token}\t{tag}" for token, tag in zip(tokens, tags.split(), strict=True))
        file.write_text("\n".join(rows) + "\n\n")
        (one,) = read_corpus(file, format="iob", because=WHY)
        assert one.text == "ab cd ef gh ij"
        assert one.labels == (Label(0, 5, "X"), Label(9, 11, "X"), Label(12, 14, "X")), name


def test_iob_documents_and_blocks(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("-DOCSTART- O\n\na O\n\nb O\n\n-DOCSTART- O\n\nc O\n")
    assert [one.group for one in read_corpus(file, format="iob", because=WHY)] == [
        "a/1", "a/1", "a/2",
    ]  # fmt: skip
    file.write_text("a O\n\n" * 11)
    groups = [one.group for one in read_corpus(file, format="iob", because=WHY)]
    assert groups == ["a/0"] * 10 + ["a/1"]


def test_doccano_says_the_same_as_our_own_records(tmp_path: Path) -> None:
    own = {"text": "ab hit cd", "labels": [[7, 9, "B"], [0, 2, "A"]], "pairs": [[1, 0, "hits"]]}
    theirs = {
        "text": "ab hit cd",
        "entities": [
            {"id": 7, "label": "B", "start_offset": 7, "end_offset": 9},
            {"id": 5, "label": "A", "start_offset": 0, "end_offset": 2},
        ],
        "relations": [{"id": 1, "from_id": 5, "to_id": 7, "type": "hits"}],
    }
    read = []
    for number, told in enumerate((own, theirs)):
        (tmp_path / f"{number}.jsonl").write_text(json.dumps(told))
        read += read_corpus(tmp_path / f"{number}.jsonl", format="json", because=WHY)
    assert read[0] == read[1]
    assert read[0].labels == (Label(0, 2, "A"), Label(7, 9, "B"))
    assert read[0].pairs == (Pair((0,), (1,), "hits"),)


def test_brat_leads_relations_through_events(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text("fever since Monday")
    (tmp_path / "d.ann").write_text(
        "T1\tSymptom 0 5\tfever\nE1\tSymptom:T1 \nT2\tDate 12 18\tMonday\n"
        "T3\tSplit 0 5;12 18\tfever Monday\nR1\tSINCE Arg1:E1 Arg2:T2\t\nA1\tNegated T1\n"
    )
    (tmp_path / "readme.txt").write_text("no annotations")
    (one,) = read_corpus(tmp_path, format="brat", because=WHY)
    assert one.labels == (Label(0, 5, "Symptom"), Label(12, 18, "Date"))
    assert one.pairs == (Pair((0,), (1,), "SINCE"),)


def test_pubtator_joins_all_mentions_of_a_concept(tmp_path: Path) -> None:
    file = tmp_path / "a.PubTator"
    file.write_text(
        "7|t|Aspirin and pain\n7|a|Aspirin helps.\n"
        "7\t0\t7\tAspirin\tChemical\tD1\n7\t12\t16\tpain\tDisease\tD2\n"
        "7\t17\t24\tAspirin\tChemical\tD1\n7\tNegative_Correlation\tD1\tD2\tNovel\n\n"
    )
    (one,) = read_corpus(file, format="pubtator", because=WHY)
    assert [one.text[label.start : label.end] for label in one.labels] == [
        "Aspirin", "pain", "Aspirin",
    ]  # fmt: skip
    assert one.pairs == (Pair((0, 2), (1,), "Negative_Correlation"),)


def test_bioc_passages_stand_at_their_offsets(tmp_path: Path) -> None:
    file = tmp_path / "a.xml"
    file.write_text(
        "<collection><document><id>9</id>"
        "<passage><offset>0</offset><text>Title</text></passage>"
        "<passage><offset>6</offset><text>gene X</text><annotation id='a'>"
        "<infon key='type'>Gene</infon><location offset='6' length='4'/><text>gene</text>"
        "</annotation></passage></document></collection>"
    )
    (one,) = read_corpus(file, format="bioc", because=WHY)
    assert (one.text, one.labels) == ("Title gene X", (Label(6, 10, "Gene"),))
    file.write_text(file.read_text().replace("<text>gene</text>", "<text>other</text>"))
    with pytest.raises(InputError, match="offset 6"):
        read_corpus(file, format="bioc", because=WHY)


def test_json_lines_and_lists(tmp_path: Path) -> None:
    record = {"text": "ab cd", "labels": [[3, 5, "X"]], "group": "p", "classes": ["y"]}
    for name, content in (("a", json.dumps(record)), ("b", json.dumps([record]))):
        file = tmp_path / name
        file.write_text(content)
        (one,) = read_corpus(file, format="json", because=WHY)
        assert (one.labels, one.group, one.classes) == ((Label(3, 5, "X"),), "p", ("y",))


@pytest.mark.parametrize(
    ("format", "content"),
    [
        ("iob", "alone\n"),
        ("iob", "a Q-X\n"),
        ("pubtator", "not this\n"),
        ("bioc", "<other/>"),
        ("bioc", '<!DOCTYPE a [<!ENTITY b "c">]><collection>&b;</collection>'),
        ("json", '{"text": "ab", "labels": [[0, 9, "X"]]}'),
        ("json", '{"labels": []}'),
        ("json", "{"),
        ("iob", ""),
    ],
)
def test_what_cannot_be_read_is_an_input_error(tmp_path: Path, format: str, content: str) -> None:
    file = tmp_path / "a.x"
    file.write_text(content)
    with pytest.raises(InputError):
        read_corpus(file, format=format, because=WHY)


def test_texts_need_a_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="safe_because"):
        read_corpus(tmp_path, format="brat", because=" ")


def test_relabelling_keeps_the_longest_and_moves_pairs() -> None:
    one = example(
        "very sore throat", (0, 16, "A"), (5, 9, "B"), (10, 16, "C"),
        pairs=(Pair((0,), (2,), "r"), Pair((0, 1), (0,), "s")),
    )  # fmt: skip
    (all_three,) = relabel([one], {"A": "a", "B": "b", "C": "c"})
    assert all_three.labels == (Label(0, 16, "a"),)
    assert all_three.pairs == (Pair((0,), (0,), "s"),)
    (two,) = relabel([one], {"B": "b", "C": "b"})
    assert two.labels == (Label(5, 9, "b"), Label(10, 16, "b"))


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 4), st.sampled_from("AB"))))
def test_relabelled_spans_never_overlap(spans: list[tuple[int, int, str]]) -> None:
    labels = sorted({(start, start + length, name) for start, length, name in spans})
    (one,) = relabel([example("x" * 12, *labels)], {"A": "a"})
    assert all(a.end <= b.start for a, b in zip(one.labels, one.labels[1:], strict=False))
    assert {label.label for label in one.labels} <= {"a"}
