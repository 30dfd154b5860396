"""Any folder: parts by name, labels by map or name, spans of several label sets as one answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ner_corpus
import ner_labels
import ner_score
from aegle.core.errors import InputError
from aegle.lm.reading import Found
from aegle.metrics.extraction import by_label, scores

HEADS = {
    "biomedical": ("chemical", "disease"),
    "biology": ("gene", "disease", "cell_line"),
    "security": ("malware", "organization"),
}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train.txt", "train"),
        ("NCBItrainset_corpus.txt", "train"),
        ("dev.tsv", "dev"),
        ("devel.conll", "dev"),
        ("valid.bio", "dev"),
        ("CDR_DevelopmentSet.PubTator.txt", "dev"),
        ("eng.testa", "dev"),
        ("eng.testb", "test"),
        ("test.iob", "test"),
        ("Test-2021", "test"),
        ("train_dev.tsv", "both"),
        ("devices.txt", ""),
        ("values.txt", ""),
        ("notes", ""),
    ],
)
def test_a_name_tells_the_part(name: str, part: str) -> None:
    assert ner_corpus.part_of(name) == part


def write(folder: Path, names: list[str], content: str = "ab B-X\ncd O\n\n") -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return folder


def read(folder: Path, format: str = "iob", **more: bool) -> ner_corpus.Corpus:
    return ner_corpus.read(folder, format=format, seed=1, **{"split_off": False, **more})


def test_named_files_are_parts_and_others_are_told(tmp_path: Path) -> None:
    names = ["train.tsv", "train_dev.tsv", "valid.tsv", "sub/test/a.tsv", "more.tsv", "README.md"]
    corpus = read(write(tmp_path, names))
    assert {part: len(some) for part, some in corpus.parts.items()} == {
        "train": 1,
        "dev": 1,
        "test": 1,
    }
    assert "train_dev.tsv" in " ".join(corpus.notes)
    assert "more.tsv" in " ".join(corpus.notes)


def test_without_names_all_is_test_or_split_by_document(tmp_path: Path) -> None:
    content = "".join(f"-DOCSTART- O\n\nab{n} B-X\n\ncd O\n\n" for n in range(40))
    write(tmp_path, ["a.conll"], content)
    assert len(read(tmp_path).parts["test"]) == 80
    parts = read(tmp_path, split_off=True).parts
    groups = [{one.group for one in parts[part]} for part in ner_corpus.PARTS]
    assert all(groups)
    assert len(set.union(*groups)) == sum(map(len, groups)) == 40
    assert read(tmp_path, split_off=True).parts == parts


def test_brat_documents_are_no_parts_by_chance(tmp_path: Path) -> None:
    write(tmp_path, ["latest.txt", "b.txt", "c.txt"], "fever")
    write(tmp_path, ["latest.ann", "b.ann"], "T1\tX 0 5\tfever\nT2\tX 0 1;3 4\tf e\n")
    corpus = read(tmp_path, "brat")
    assert [len(one.labels) for one in corpus.parts["test"]] == [1, 1]
    assert any("2 annotations in pieces" in note for note in corpus.notes)
    assert any("c.txt" in note for note in corpus.notes)


def test_documents_of_two_files_stay_apart(tmp_path: Path) -> None:
    corpus = read(write(tmp_path, ["test/a/x.txt", "test/b/x.txt"]))
    assert len({one.group for one in corpus.parts["test"]}) == 2


@pytest.mark.parametrize("names", [[], ["readme.txt"], ["train_test.txt"], ["test.txt"]])
def test_nothing_to_read_is_said(tmp_path: Path, names: list[str]) -> None:
    write(tmp_path, names, "")
    with pytest.raises(InputError):
        read(tmp_path)


def test_labels_of_equal_names_and_those_left_out() -> None:
    named, left = ner_labels.served({"Cell-Line", "DISEASE", "Rank"}, {}, HEADS, "")
    assert named == {"Cell-Line": ("biology", "cell_line"), "DISEASE": ("biology", "disease")}
    assert left == ["Rank"]


def test_as_few_label_sets_as_will_do() -> None:
    told = {"D": "disease", "C": "chemical", "M": "malware"}
    named, _ = ner_labels.served(told, told, HEADS, "")
    assert {task for task, _ in named.values()} == {"biomedical", "security"}
    named, _ = ner_labels.served({"d"}, {"D": "biology.disease"}, HEADS, "")
    assert named == {"d": ("biology", "disease")}


def test_a_map_is_pairs_or_a_file_and_wrong_ones_are_refused(tmp_path: Path) -> None:
    assert ner_labels.told(["A=b,C=d", "E=f"]) == {"A": "b", "C": "d", "E": "f"}
    for name, content in (("a.json", json.dumps({"A": "b"})), ("a.yaml", "A: b\n")):
        (tmp_path / name).write_text(content)
        assert ner_labels.told([str(tmp_path / name)]) == {"A": "b"}
    with pytest.raises(InputError, match="neither"):
        ner_labels.told(["nothing"])
    with pytest.raises(InputError, match="did you mean 'disease'"):
        ner_labels.served({"D"}, {"D": "diseas"}, HEADS, "")
    with pytest.raises(InputError, match="no label is served"):
        ner_labels.served({"D"}, {"X": "disease"}, HEADS, "")
    with pytest.raises(InputError, match="no label set"):
        ner_labels.served({"D"}, {}, HEADS, "none")


def test_of_overlapping_spans_of_two_sets_the_likelier_stays() -> None:
    found = [
        ("biology", Found(0, 4, "gene", 0.6)),
        ("security", Found(2, 8, "malware", 0.9)),
        ("biology", Found(8, 9, "gene", 0.5)),
    ]
    assert ner_score.without_overlap(found) == [(2, 8, "security.malware"), (8, 9, "biology.gene")]


def result(found: list[list[tuple[int, int, str]]]) -> ner_score.Result:
    gold = [[(0, 1, "a"), (2, 3, "b")], [(0, 1, "a")]]
    groups = ["1", "2"]
    whole = scores(gold, found, groups=groups)
    return ner_score.Result(whole, by_label(gold, found, groups=groups), 10.0)


def test_the_share_that_is_left_of_each_label() -> None:
    fp32 = result([[(0, 1, "a"), (2, 3, "b")], [(0, 1, "a")]])
    int8 = result([[(0, 1, "a")], [(0, 1, "a")]])
    lines, shares = ner_score.ratios(int8, fp32)
    assert shares == {"a": 1.0, "b": 0.0}
    assert len(lines) == 3


def test_the_last_line_keeps_the_contract() -> None:
    told = ner_score.summary("x", result([[(0, 1, "a")], [(0, 1, "b")]]))
    assert list(told) == [
        "dataset", "f1", "low", "high", "n", "precision", "recall", "tokens_per_s",
    ]  # fmt: skip
    assert (told["n"], told["precision"], told["recall"]) == (3, 0.5, 0.3333)
    assert told["low"] <= told["f1"] <= told["high"]
