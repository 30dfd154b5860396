"""Yes and no stand before a sentence that says so; headings and modifiers answer nothing."""

from __future__ import annotations

from aegle.answer.candidates import Mark, candidates
from aegle.answer.evidence import Targets, by_words
from aegle.answer.question import Asked, Named, take_apart
from aegle.answer.verdict import NO, NOT_NAMED, YES, verdict
from aegle.core.records import Chunk
from aegle.core.text import SafeText

DRUG = Named("penicillin", "medication", "RXNORM:70618")
CVE = Named("CVE-2021-44228", "vulnerability", "CVE:CVE-2021-44228")


def chunk(text: str, *, kind: str = "note", group: str = "", title: str = "") -> Chunk:
    safe, name = SafeText(text, by="test"), SafeText(title, by="test")
    domain = "healthcare" if group else "cybersecurity"
    return Chunk("c", "d", 0, len(text), safe, name, kind, domain, group)


def marked(
    text: str, name: str, type_: str, key: str, *, sure: bool = True
) -> dict[str, list[Mark]]:
    at = text.index(name)
    return {"d": [Mark(at, at + len(name), type_, key, sure)]}


def allergy(text: str, type_: str = "allergy", *, sure: bool = True) -> str:
    asked = take_apart("Is the patient allergic to penicillin?", named=(DRUG,))
    marks = marked(text, "penicillin", type_, DRUG.key, sure=sure) if "penicillin" in text else {}
    return verdict(asked, candidates([chunk(text)], marks, said=asked.words)[0])


def test_a_statement_is_a_yes_and_its_denial_a_no() -> None:
    assert allergy("Allergies: penicillin (rash)") == YES
    assert allergy("No allergy to penicillin.", "", sure=False) == NO


def test_what_is_not_named_is_neither_yes_nor_no() -> None:
    assert allergy("Allergies: latex (hives)") == NOT_NAMED


def test_what_may_be_is_left_to_the_reader() -> None:
    assert allergy("Possible penicillin allergy.", sure=False) == ""


def test_what_is_fixed_is_no_longer_open() -> None:
    asked = take_apart("Is CVE-2021-44228 open on gw01?", named=(CVE,))
    for state, told in (("open", YES), ("fixed", NO)):
        row = f"hostname: gw01; cve_id: CVE-2021-44228; status: {state}"
        marks = marked(row, CVE.text, CVE.type, CVE.key)
        [one] = candidates([chunk(row, kind="table")], marks, said=asked.words)
        assert verdict(asked, one) == told
        closed = take_apart("Has CVE-2021-44228 been fixed on gw01?", named=(CVE,))
        assert verdict(closed, one) == (NO if told == YES else YES)


def best(asked: Asked, text: str, marks: dict[str, list[Mark]] | None = None) -> list[str]:
    found = candidates([chunk(text, group="patient:ann")], marks or {}, said=asked.words)
    scored = by_words(asked, found, Targets({"patient:ann": ""}, {"patient:ann": 0}))
    return [str(one.candidate.text) for one in scored if one.focused]


def test_a_word_that_only_modifies_a_finding_is_no_answer() -> None:
    text = "CC: weight loss x 2 days."
    loss = marked(text, "weight loss", "symptom", "symptom:weight loss")
    assert best(take_apart("What is the weight?"), text, loss) == []
    assert best(take_apart("How long has the weight loss been there?"), text, loss) == [text]


def test_headings_announce_and_do_not_answer() -> None:
    text = "Home meds / orders:\nmeds: metoprolol 25 mg PO BID."
    assert best(take_apart("Which meds are there?"), text) == ["meds: metoprolol 25 mg PO BID."]


def test_a_list_of_patients_holds_only_those_of_whom_it_is_said() -> None:
    asked = take_apart("Which patients are on penicillin?", named=(DRUG,))
    assert asked.listing
    for text, type_, sure, listed in (
        ("penicillin 1 g IV q6h given.", "medication", True, True),
        ("Allergies: penicillin (rash).", "allergy", True, False),
        ("Hold penicillin until cultures are back.", "medication", True, False),
        ("Possible penicillin if worse.", "medication", False, False),
    ):
        marks = marked(text, "penicillin", type_, DRUG.key, sure=sure)
        assert bool(best(asked, text, marks)) is listed, text
