"""Which sentences may answer: headings and modifiers answer nothing, a list names its own."""

from __future__ import annotations

from aegle.answer.candidates import Mark, candidates
from aegle.answer.evidence import Targets, by_words
from aegle.answer.question import Asked, Named, take_apart
from aegle.core.records import Chunk
from aegle.core.text import SafeText

DRUG = Named("penicillin", "medication", "RXNORM:70618")


def chunk(text: str, *, kind: str = "note", group: str = "", title: str = "") -> Chunk:
    safe, name = SafeText(text, by="test"), SafeText(title, by="test")
    domain = "healthcare" if group else "cybersecurity"
    return Chunk("c", "d", 0, len(text), safe, name, kind, domain, group)


def marked(
    text: str, name: str, type_: str, key: str, *, sure: bool = True
) -> dict[str, list[Mark]]:
    at = text.index(name)
    return {"d": [Mark(at, at + len(name), type_, key, sure)]}


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
