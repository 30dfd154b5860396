"""Inventories: tables as people keep them; what is no table is said with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegle.core.errors import InputError
from aegle.facts.inventory import inventory


def written(folder: Path, content: str | bytes, name: str = "table.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        "CP\tchest pain\t0.75\ncp\tcerebral palsy\t0.25\n",
        "CP|chest pain|3\nCP|cerebral palsy|1\n",
        'CP,"chest pain",3\r\n\r\nCP,cerebral palsy,1\r\n',
        "abbreviation\tsense\tvariation\tCUI\tfrequency\n"
        "cp\tchest  pain\tCP_1|cp_2\tC1\t3\ncp\tcerebral palsy\t\t\t1\n",
        "Long_Form,notes,Short Form,count\nchest pain,x,CP,3\ncerebral palsy,,CP,1\n",
        "\ufeffabr|long_form|frequency\nCP|chest pain|2\nCP|chest pain|1\nCP|cerebral palsy|1\n",
    ],
)
def test_reads_tabs_pipes_and_commas_with_or_without_a_heading(tmp_path, content):
    told = inventory([written(tmp_path, content)])
    assert told == {"cp": {"chest pain": 0.75, "cerebral palsy": 0.25}}


def test_without_frequencies_senses_are_equal_and_tables_count_alike(tmp_path):
    one = written(tmp_path, "CP,chest pain\nCP,cerebral palsy\n", "one.csv")
    two = written(tmp_path, "cp\tchest pain\t900\nra\troom air\t0\n", "two.tsv")
    assert inventory([one])["cp"] == {"chest pain": 0.5, "cerebral palsy": 0.5}
    assert inventory([one, two]) == {
        "cp": {"chest pain": 0.75, "cerebral palsy": 0.25},
        "ra": {"room air": 1.0},
    }
    assert inventory([]) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("CP chest pain\n", "no tab"),
        ("", "no short form"),
        ("abbreviation,sense\n", "no short form"),
        ("CP,chest pain\nRA\n", "line 2: 1 columns, needs 2"),
        ("CP,chest pain\n ,room air\n", "line 2: a short form and a long form"),
        ("CP|C1|acronym|C2|chest pain\n", "line 1: column 3 is no frequency"),
        ("CP,chest pain,-1\n", "line 1: column 3"),
        ("CP,chest pain,nan\n", "line 1: column 3"),
        (b"CP,chest pain\nM,m\xe9ni\xe8re\n", "not UTF-8"),
        ('CP,"chest" pain\n', "not CSV"),
    ],
)
def test_what_is_no_table_is_told(tmp_path, content, said):
    path = written(tmp_path, content)
    with pytest.raises(InputError, match=said) as told:
        inventory([path])
    assert str(path) in str(told.value)
    assert "room air" not in str(told.value)


def test_a_folder_can_not_be_read(tmp_path):
    with pytest.raises(InputError, match="can't be read"):
        inventory([tmp_path])


def test_the_public_tables_are_read(data):
    folder = data / "clinical_abbreviations"
    tables = [folder / "sense_distribution_448.txt", folder / "wikipedia_abbreviation_database.csv"]
    told = inventory([*tables, *sorted(folder.glob("vanderbilt_*.txt"))])
    assert len(told) > 2000
    assert max(told["htn"], key=told["htn"].__getitem__) == "hypertension"
    assert all(abs(sum(senses.values()) - 1) < 1e-9 for senses in told.values())
