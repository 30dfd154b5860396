"""Tables and NegEx sentences become examples; splits by order and by half are what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aegle.core.errors import InputError
from aegle.core.examples import Example, Label
from aegle.core.text import SafeText
from aegle.train.data.formats import read_corpus
from aegle.train.data.split import halves, split_in_order

WHY = "made for this test"
ROWS = [{"said": "a b", "kind": "X", "from": "r1"}, {"said": "c", "kind": "Y", "from": "r2"}]
COLUMNS = {"text": "said", "class": "kind", "group": "from"}


@pytest.mark.parametrize("name", ["t.json", "t.jsonl", "t.csv", "t.tsv"])
def test_a_table_in_every_form(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    mark = {".csv": ",", ".tsv": "\t"}.get(file.suffix)
    if mark:
        lines = [mark.join(ROWS[0]), *(mark.join(row.values()) for row in ROWS)]
    elif file.suffix == ".json":
        lines = [json.dumps(ROWS)]
    else:
        lines = [json.dumps(row) for row in ROWS]
    file.write_text("\n".join(lines))
    read = read_corpus(file, format="table", because=WHY, columns=COLUMNS)
    assert [(one.text, one.classes, one.group) for one in read] == [
        ("a b", ("X",), "r1"),
        ("c", ("Y",), "r2"),
    ]


def test_a_table_without_the_column_says_which_are_wanted(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps(ROWS))
    with pytest.raises(InputError, match="row 1: no column text, label"):
        read_corpus(tmp_path / "t.json", format="table", because=WHY)


def test_negex_sentences(tmp_path: Path) -> None:
    rows = [
        "n\tCondition\tSentence\tneg\ttemp\texp",
        '1\tfever\t"No FEVER today."\tNegated\tRecent\tPatient',
        "2\tcough\tHe had COUGH.\tAffirmed\tHistorical\tPatient",
        "3\tgout\tMother: GOUT.\tAffirmed\tHistorical\tOther",
        "4\trash\tno such word\tNegated\tRecent\tPatient",
        "5\tpain\tPAIN noted.\tAffirmed\tRecent\tPatient",
    ]
    (tmp_path / "n.tsv").write_text("\n".join(rows))
    read = read_corpus(tmp_path / "n.tsv", format="negex", because=WHY)
    assert [one.labels for one in read] == [
        (Label(3, 8, "negated"),),
        (Label(7, 12, "historical"),),
        (Label(8, 12, "family"),),
        (Label(0, 4, "present"),),
    ]
    (tmp_path / "n.tsv").write_text("a\tb\n")
    with pytest.raises(InputError, match="six columns"):
        read_corpus(tmp_path / "n.tsv", format="negex", because=WHY)


def some(*groups: str) -> list[Example]:
    return [Example(str(n), name, SafeText(f"t{n}", by=WHY)) for n, name in enumerate(groups)]


def test_in_order_the_first_groups_come_first() -> None:
    parts = split_in_order(some(*"dabcaed"), {"train": 0.6, "dev": 0.2, "test": 0.2})
    groups = {name: {one.group for one in part} for name, part in parts.items()}
    assert groups == {"train": {"a", "b", "c"}, "dev": {"d"}, "test": {"e"}}
    assert sum(map(len, parts.values())) == 7


def test_halves_are_of_the_text_and_whole() -> None:
    all_of_them = some(*map(str, range(200)))
    first, second = halves(all_of_them)
    assert len(first) + len(second) == 200
    assert 60 < len(first) < 140
    assert halves(first) == (first, [])
