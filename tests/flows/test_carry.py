"""A chart that states a record number joins the documents that only know the number."""

from __future__ import annotations

from aegle.core.records import Identifier, Mention, RawDocument
from aegle.core.text import RawText
from aegle.flows.carry import Carried


def raw(group: str, *identifiers: Identifier) -> RawDocument:
    mention = Mention(0, 7, "patient", ref=RawText(group))
    return RawDocument(
        "s", "note", "healthcare", RawText("patient."), group=RawText(group),
        mentions=(mention,), identifiers=identifiers,
    )  # fmt: skip


NUMBER = Identifier("mrn", RawText("00482913"))
NAME = Identifier("name", RawText("Amara Diallo"))


def test_a_note_by_number_joins_the_chart_that_states_the_number() -> None:
    carried = Carried()
    carried.add(raw("patient/p1", NUMBER, NAME))
    note = carried.add(raw("patient/00482913"))
    assert note.group.reveal() == "patient/p1"
    assert note.mentions[0].ref == RawText("patient/p1")
    assert NAME in note.identifiers


def test_a_number_read_before_its_chart_keeps_its_own_group() -> None:
    carried = Carried()
    assert carried.add(raw("patient/00482913", NUMBER)).group.reveal() == "patient/00482913"
    assert carried.add(raw("patient/p1", NUMBER)).group.reveal() == "patient/p1"
    assert carried.add(raw("patient/00482913")).group.reveal() == "patient/00482913"
    assert carried.add(raw("host/web01", NUMBER)).group.reveal() == "host/web01"
