"""What `CsvReader` promises: exact spans, links by row, patients kept apart, identifiers known."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.general.readers.csv import CsvReader

COLUMNS = {"host": "host", "ip": "ip", "asset_tag": "device", "ward": "ward", "drug": "medication"}
TIES = {("host", "ip"): "has_address", ("host", "device"): "controls",
        ("device", "ward"): "located_in"}  # fmt: skip
ASSETS = """Host,IP,Asset Tag,Ward,Serial number
icu3-gw01,10.3.0.9,PUMP-0042,ICU-3,SN-77123
,10.3.0.10,PUMP-0043,,
"""
DRUGS = """patient_id;name;drug;note
7;Ada Quill;metformin;"takes it
with food"
8;Bo Ferris;lisinopril;
7;Ada Quill;aspirin;stopped
"""


def documents(text: str, name: str = "t.csv", **options: object) -> list[RawDocument]:
    reader = CsvReader(**(options or {"columns": COLUMNS, "ties": TIES}))  # type: ignore[arg-type]
    return list(reader.read(io.BytesIO(text.encode()), Origin(name)))


def named(doc: RawDocument) -> list[tuple[str, str]]:
    text = doc.text.reveal()
    return [(mention.type, text[mention.start : mention.end]) for mention in doc.mentions]


def test_rows_become_lines_with_mentions_and_links() -> None:
    (doc,) = documents(ASSETS)
    lines = doc.text.reveal().splitlines()
    assert lines[0] == (
        "Host: icu3-gw01; IP: 10.3.0.9; Asset Tag: PUMP-0042; Ward: ICU-3; Serial number: SN-77123"
    )
    assert lines[1] == "IP: 10.3.0.10; Asset Tag: PUMP-0043"
    assert named(doc) == [
        ("host", "icu3-gw01"), ("ip", "10.3.0.9"), ("device", "PUMP-0042"), ("ward", "ICU-3"),
        ("ip", "10.3.0.10"), ("device", "PUMP-0043"),
    ]  # fmt: skip
    assert [(link.head, link.tail, link.type) for link in doc.links] == [
        (0, 1, "has_address"), (0, 2, "controls"), (2, 3, "located_in"),
    ]  # fmt: skip
    assert [(one.kind, one.value.reveal()) for one in doc.identifiers] == [("device", "SN-77123")]
    assert (doc.kind, doc.domain, doc.group.reveal()) == ("table", "general", "")


def test_a_patients_rows_stand_together_and_apart_from_others() -> None:
    ada, bo = documents(DRUGS)
    assert ada.group.reveal() == "patient/7" and bo.group.reveal() == "patient/8"
    assert ada.domain == "healthcare"
    assert ada.text.reveal().splitlines() == [
        "patient_id: 7; name: Ada Quill; drug: metformin; note: takes it with food",
        "patient_id: 7; name: Ada Quill; drug: aspirin; note: stopped",
    ]
    assert {(one.kind, one.value.reveal()) for one in ada.identifiers} == {
        ("mrn", "7"), ("name", "Ada Quill"),
    }  # fmt: skip
    assert named(ada)[0] == ("patient", "7")
    assert ada.mentions[0].ref is not None and ada.mentions[0].ref.reveal() == "patient/7"


def test_a_table_without_header_keeps_its_first_row() -> None:
    (doc,) = documents("back,dos\nland,dos\nspy,r2l\n")
    assert doc.text.reveal().startswith("column 1: back; column 2: dos\n")
    assert len(doc.text.reveal().splitlines()) == 3


def test_long_tables_are_cut_at_rows() -> None:
    text = "a,b\n" + "".join(f"{n},value {n}\n" for n in range(100))
    docs = documents(text)
    assert [len(doc.text.reveal().splitlines()) for doc in docs] == [40, 40, 20]
    assert [doc.source for doc in docs] == ["t.csv#row2", "t.csv#row42", "t.csv#row82"]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(mark: str) -> None:
    text = f"a{mark}b{mark}c\n1{mark}2{mark}3\n4{mark}5{mark}6\n7{mark}8{mark}9\n"
    assert documents(text, "t.txt")[0].text.reveal().startswith("a: 1; b: 2; c: 3\n")
    assert CsvReader().sniff(text.encode(), Origin("t.txt")) == 0.3
    assert CsvReader().sniff(text.encode(), Origin("t.csv")) == 0.7


def test_prose_is_no_table() -> None:
    prose = b"Fever, cough, and pain since Monday.\n" * 3 + b"No rash, no edema, no cough.\n" * 3
    assert CsvReader().sniff(prose, Origin("note.txt")) == 0.0


def test_a_quote_that_never_closes_costs_a_megabyte() -> None:
    reader = CsvReader()
    text = "a,b\n1,2\n" + '3,"open\n' + "x,y\n" * 300_000
    got = []
    with pytest.raises(InputError, match="row 3: damaged quotes"):
        for doc in reader.read(io.BytesIO(text.encode()), Origin("t.csv")):
            got.append(doc.text.reveal())
    assert got[0].startswith("a: 1; b: 2\n")
    assert sum(text.count("a: x; b: y") for text in got) > 300_000 - (1 << 20) // 4 - 2


def read(text: str) -> tuple[str, str]:
    """All that the documents say, and what was said of the rest."""
    got = []
    try:
        for doc in CsvReader().read(io.BytesIO(text.encode()), Origin("t.csv")):
            got.append(doc.text.reveal())
    except InputError as error:
        return "".join(got), str(error)
    return "".join(got), ""


@pytest.mark.parametrize("before", [1, 30])
@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1," + "x" * 3_000_000, "a cell of more than 1 MB"),
        ("1," + "x" * 17_000_000, "of more than 16 MB"),
    ],
    ids=["cell", "line"],
)
def test_a_huge_row_costs_only_itself(row: str, said: str, before: int) -> None:
    text, problem = read("a,b\n" + "0,0\n" * before + row + "\n2,3\n")
    assert text.startswith("a: 0; b: 0\n" * before) and text.endswith("a: 2; b: 3\n")
    assert said in problem


def test_a_row_that_goes_on_over_lines_is_not_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegle.packs.general.readers.csv.TEXT_LIMIT", 100_000)
    text, problem = read("a,b\n0,0\n1" + ',"y\n"' * 50_000 + "\n")
    assert text.startswith("a: 0; b: 0\n")
    assert "row 3: " in problem


def test_a_wide_row_of_names_is_not_tied_each_to_each() -> None:
    header = [name + "!" * n for n in range(40) for name in ("host", "ip")]
    (doc,) = documents(f"{','.join(header)}\n{'x,y,' * 40}\n")
    assert len(doc.mentions) == 80 and not doc.links


@given(st.lists(st.lists(st.text(max_size=12), min_size=3, max_size=3), min_size=1, max_size=60))
def test_every_mention_is_its_cell(rows: list[list[str]]) -> None:
    file = io.StringIO()
    csv.writer(file).writerows([["host", "ip", "drug"], *rows])
    try:
        docs = documents(file.getvalue().encode("utf-8", "replace").decode())
    except InputError:
        return  # control characters enough to be no text
    cells = {" ".join(cell.split()) for row in rows for cell in row}
    safe = {cell.encode("utf-8", "replace").decode().strip("\ufeff") for cell in cells}
    for doc in docs:
        for kind, text in named(doc):
            assert kind in ("host", "ip", "medication") and text.strip("\ufeff") in safe
