"""What identified a patient in one document is known in the patient's others."""

from __future__ import annotations

from aegle.core.records import Identifier, RawDocument
from aegle.core.text import RawText
from aegle.flows.carry import Carried


def raw(group: str, *identifiers: Identifier) -> RawDocument:
    return RawDocument(
        "s",
        "note",
        "healthcare",
        RawText("patient."),
        group=RawText(group),
        identifiers=identifiers,
    )


NAME = Identifier("name", RawText("Amara Diallo"))


def test_identifiers_go_to_later_documents_of_the_patient_only() -> None:
    carried = Carried(lambda written: written.replace("/", ":"))
    carried.add(raw("patient/p1", NAME))
    carried.add(raw("host/web01", NAME))
    assert carried.add(raw("patient/p1")).identifiers == (NAME,)
    assert carried.add(raw("patient/p2")).identifiers == ()
    assert carried.add(raw("host/web01")).identifiers == ()


def test_merged_patients_share_what_identifies_them() -> None:
    carried = Carried(lambda written: "patient:p1")
    other = Carried(lambda written: written.replace("/", ":"))
    other.add(raw("patient/77", NAME))
    other.merge("patient:77", "patient:p1")
    assert other.add(raw("patient/p1")).identifiers == (NAME,)
    carried.add(raw("patient/77", NAME))
    assert carried.add(raw("patient/p1")).identifiers == (NAME,), "names of one group"
