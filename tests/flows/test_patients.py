"""Who is one patient: by record numbers, in any order; never by a name, never across hospitals."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from aegle.core.records import Identifier, Mention, RawDocument
from aegle.core.text import RawText
from aegle.corpus.vault import Vault
from aegle.flows.ledger import Ledger
from aegle.flows.patients import Patients

SECRET = b"0123456789abcdef" * 2
NAME = Identifier("name", RawText("Amara Diallo"))


class Joining:
    """Documents joined as a run would: the group that each has at the end."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder / "ledger.sqlite")
        self.vault = Vault(SECRET, joined=self.ledger.names.group)
        self.merged: list[tuple[str, str]] = []

    def add(self, one: RawDocument) -> str:
        patients = Patients(self.ledger.names, self.vault, lambda a, b: self.merged.append((a, b)))
        joined, _ = patients.join(one)
        assert all(m.ref == joined.group for m in joined.mentions)
        return self.vault.group(joined.group.reveal())

    def now(self, group: str) -> str:
        return self.ledger.names.moves().get(group, group)

    def groups(self, *documents: RawDocument) -> list[str]:
        found = [self.add(one) for one in documents]
        return [self.now(one) for one in found]


@pytest.fixture
def joining(tmp_path: Path) -> Joining:
    return Joining(tmp_path)


def number(value: str, assigner: str = "") -> Identifier:
    return Identifier("mrn", RawText(value), RawText(assigner))


def raw(group: str, *numbers: Identifier, identifiers: tuple[Identifier, ...] = ()) -> RawDocument:
    return RawDocument(
        "s", "note", "healthcare", RawText("patient."), group=RawText(group),
        mentions=(Mention(0, 7, "patient", ref=RawText(group)),),
        identifiers=(*identifiers, *numbers), numbers=numbers,
    )  # fmt: skip


CHART = raw("patient/p1", number("00482913", "urn:oid:2.25.1"))
LATER = raw("patient/p1")
NOTE = raw("patient/00482913")
MESSAGE = raw("patient/00482913", number("00482913", "STB"))


@pytest.mark.parametrize("order", list(permutations((CHART, LATER, NOTE, MESSAGE))))
def test_in_any_order_they_are_one(tmp_path: Path, order: tuple[RawDocument, ...]) -> None:
    joining = Joining(tmp_path)
    assert len(set(joining.groups(*order))) == 1
    again = [joining.add(one) for one in order]
    assert len(set(again)) == 1, "and later documents of each go there at once"


def test_only_keyed_digests_are_kept(joining: Joining, tmp_path: Path) -> None:
    joining.groups(CHART, NOTE, MESSAGE)
    joining.ledger.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for word in (b"00482913", b"STB", b"2.25.1"):
        assert word not in stored


def test_a_name_joins_nobody(joining: Joining) -> None:
    one, other = raw("patient/p1", identifiers=(NAME,)), raw("patient/p2", identifiers=(NAME,))
    assert len(set(joining.groups(one, other))) == 2
    assert joining.merged == []


def test_a_relatives_number_joins_nobody(joining: Joining) -> None:
    """Among the identifiers it is looked for in the text; the patient's own is in `numbers`."""
    baby = raw("patient/900", number("900"), identifiers=(number("800"),))
    assert len(set(joining.groups(baby, raw("patient/800", number("800"))))) == 2


@pytest.mark.parametrize("filler", ["0000", "unknown", "99", "x-y-z"])
def test_a_filler_is_no_number(joining: Joining, filler: str) -> None:
    charts = [raw(f"patient/p{n}", number(filler)) for n in range(3)]
    assert len(set(joining.groups(*charts))) == 3


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("urn:oid:2.25.1", "2.25.2"),
        ("http://a.example/mrn", "http://b.example/mrn"),
        ("STB", "MCM"),
    ],
)
def test_hospitals_may_give_the_same_number(joining: Joining, mine: str, theirs: str) -> None:
    first, second = (raw(f"patient/{who}", number("4711", by)) for who, by in
                     (("p1", mine), ("p2", theirs)))  # fmt: skip
    message, other = (raw("patient/4711", number("4711", by)) for by in (mine, theirs))
    groups = joining.groups(first, second, message, other, message, other)
    assert groups[0::2] == [groups[0]] * 3
    assert groups[1::2] == [groups[1]] * 3
    assert groups[0] != groups[1]
    unclear = joining.add(raw("patient/4711"))
    assert unclear not in groups, "a number without an assigner is neither's"
    assert joining.add(raw("patient/4711")) == unclear
    assert joining.merged == []


def test_numbers_of_files_in_two_folders_stay_apart(joining: Joining) -> None:
    first, second = (raw("patient/001", number("001", f"folder:{at}")) for at in ("/a", "/b"))
    groups = joining.groups(first, second, first, second)
    assert groups[0] == groups[2] != groups[1] == groups[3]
    alike = [raw("patient/111", number("111", f"folder:/{at}")) for at in "ab"]
    assert len(set(joining.groups(*alike))) == 2


@pytest.mark.parametrize("assigner", ["STB", "2.25.1", "http://a.example/mrn"])
def test_a_file_named_by_a_number_joins_the_number(joining: Joining, assigner: str) -> None:
    """A folder and a hospital say nothing about each other."""
    note = raw("patient/00482913", number("00482913", "folder:/a"))
    message = raw("patient/00482913", number("00482913", assigner))
    assert len(set(joining.groups(note, message, note))) == 1


@pytest.mark.parametrize("also", ["2.25.1", "urn:oid:2.25.1", ""])
def test_one_assigner_is_written_in_many_ways(joining: Joining, also: str) -> None:
    groups = joining.groups(CHART, raw("patient/p2", number("00482913", also)))
    assert len(set(groups)) == 1


def test_servers_that_give_one_id_to_two_patients_join_none_of_their_notes(
    joining: Joining,
) -> None:
    mine, theirs = (raw("patient/1", number(n, "2.25.1")) for n in ("4711", "4712"))
    notes = [raw("patient/4711"), raw("patient/4712")]
    groups = joining.groups(*notes, mine, theirs, *notes)
    assert groups[0] == groups[2] == groups[4]
    assert groups[1] == groups[5] != groups[0]


def test_a_document_that_states_two_numbers_joins_both(joining: Joining) -> None:
    both = raw("patient/4711", number("4711", "STB"), number("4712", "STB"))
    groups = joining.groups(
        raw("patient/4711", number("4711", "STB")), raw("patient/4712", number("4712", "STB")), both
    )
    assert len(set(groups)) == 1


def of(person: str, born: str, assigner: str = "") -> RawDocument:
    told = Identifier("name", RawText(person)), Identifier("date", RawText(born))
    return replace(raw("patient/3312876", number("3312876", assigner)), person=told)


YOUNG, PETROV = of("Young, Will", "1990-01-02"), of("Ivan Petrov", "1960-03-04", "HOSPA")


@pytest.mark.parametrize("order", [(YOUNG, PETROV), (PETROV, YOUNG)])
def test_a_bare_number_of_another_name_and_birth_joins_nobody(
    joining: Joining, order: tuple[RawDocument, ...]
) -> None:
    groups = joining.groups(*order, *order)
    assert groups[0] == groups[2] != groups[1] == groups[3]
    assert joining.merged == []
    bare = of("Petrov, Ivan I.", "1960-03-04")
    assert joining.add(bare) == groups[order.index(PETROV)], "and his own notes still join his"
    joining.ledger.close()


def test_two_bare_numbers_of_two_people_stay_apart(joining: Joining) -> None:
    other = of("Ivan Petrov", "1960-03-04")
    groups = joining.groups(YOUNG, other, YOUNG, other)
    assert groups[0] == groups[2] != groups[1] == groups[3]


@pytest.mark.parametrize(
    "other",
    [
        of("Ivan Young", "1960-03-04", "HOSPA"),
        of("Ivan Petrov", "1990-01-02", "HOSPA"),
        raw("patient/3312876", number("3312876", "HOSPA")),
    ],
)
def test_a_bare_number_joins_where_name_or_birth_agrees(
    joining: Joining, other: RawDocument
) -> None:
    assert len(set(joining.groups(YOUNG, other))) == 1
