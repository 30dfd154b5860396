"""Clinical notes in, documents out; what is no note is left to other readers."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.healthcare.readers.note import NoteReader

NOTE = """PROGRESS NOTE
Patient: Oakhurst, Mirela    MRN: 5551234    DOB: 03/04/57
Date of service: 2020-02-03 09:14
Attending: Ilse Varga, MD
Phone: 555-201-7788
Address: 12 Larch Row, Emporia, KS

CHIEF COMPLAINT: cough
HPI: 62 y/o patient admitted with cough and fever, denies chest pain.
Allergies:
penicillin
Assessment and Plan:
Pneumonia. Start ceftriaxone 1 g IV daily.
"""


def read(text: str | bytes) -> list[RawDocument]:
    raw = text if isinstance(text, bytes) else text.encode()
    return list(NoteReader().read(io.BytesIO(raw), Origin("n.txt")))


def test_the_header_says_who_and_when() -> None:
    (doc,) = read(NOTE)
    assert doc.text.reveal() == NOTE
    assert doc.group.reveal() == "patient/5551234"
    assert doc.time == "2020-02-03T09:14"
    assert doc.title.reveal() == "PROGRESS NOTE"
    assert doc.meta["sections"] == (
        "PROGRESS NOTE; CHIEF COMPLAINT; HPI; Allergies; Assessment and Plan"
    )
    (mention,) = doc.mentions
    assert NOTE[mention.start : mention.end] == "Oakhurst, Mirela"
    assert mention.ref is not None
    assert mention.ref.reveal() == "patient/5551234"


def test_header_fields_become_identifiers() -> None:
    found = {(one.kind, one.value.reveal()) for one in read(NOTE)[0].identifiers}
    assert {
        ("name", "Mirela Oakhurst"),
        ("name", "Oakhurst"),
        ("name", "Ilse Varga"),
        ("mrn", "5551234"),
        ("date", "03/04/57"),
        ("phone", "555-201-7788"),
        ("place", "12 Larch Row"),
    } <= found
    assert not any(value in ("MD", "MD Ilse Varga") for _, value in found)


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2020-02-03", "2020-02-03"),
        ("02/03/2020", "2020-02-03"),
        ("2/3/20", "2020-02-03"),
        ("13/02/2020", "2020-02-13"),
        ("February 3, 2020", "2020-02-03"),
        ("3-Feb-2020", "2020-02-03"),
        ("yesterday", ""),
        ("99/99/2020", ""),
    ],
)
def test_dates_as_they_are_written(written: str, iso: str) -> None:
    (doc,) = read(NOTE.replace("2020-02-03 09:14", written))
    assert doc.time == iso


@pytest.mark.parametrize("rule", ["\f", "=" * 30 + "\n", "*" * 40 + "\n"])
def test_several_notes_in_a_file(rule: str) -> None:
    other = NOTE.replace("5551234", "777888")
    docs = read(f"{NOTE}{rule}{other}")
    assert [doc.group.reveal() for doc in docs] == ["patient/5551234", "patient/777888"]
    assert [doc.source for doc in docs] == ["n.txt#1", "n.txt#2"]


def test_a_rule_within_a_note_does_not_part_it() -> None:
    (doc,) = read(NOTE.replace("CHIEF", "=" * 30 + "\nCHIEF"))
    assert "ceftriaxone" in doc.text.reveal()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings_and_line_ends(encoding: str) -> None:
    text = NOTE.replace("cough", "cough – 38.5°").replace("\n", "\r\n")
    (doc,) = read(text.encode(encoding))
    assert "cough – 38.5°\n" in doc.text.reveal()
    assert "\r" not in doc.text.reveal()


@pytest.mark.parametrize("raw", [b"", b"\n \n", b"\f\f", b"\xef\xbb\xbf"])
def test_nothing_is_refused(raw: bytes) -> None:
    with pytest.raises(InputError):
        read(raw)


@given(
    st.text(st.characters(codec=None, exclude_categories=["Cc"]), max_size=300), st.integers(0, 400)
)
@settings(max_examples=100, deadline=None)
def test_any_text_is_kept_whole(junk: str, at: int) -> None:
    raw = (NOTE[:at] + junk + NOTE[at:]).encode("utf-8", "surrogatepass")
    docs = read(raw)
    assert docs
    for doc in docs:
        text = doc.text.reveal()
        text.encode("utf-8")
        assert all(text[m.start : m.end].strip() for m in doc.mentions)


OTHERS = {
    "log": "Jan  2 03:04:05 icu3-gw01 sshd[12]: Failed password for root from 10.0.0.1\n" * 20,
    "iso log": "2024-01-02T03:04:05Z pump-gw INFO patient monitor alarm dose exam mg\n" * 20,
    "threat report": "The threat actor used malware (CVE-2024-1234) against a hospital. ATT&CK "
    "T1059. Patients of the physician had a diagnosis. Indicators: sha256 aa.\n" * 5,
    "readme": "# Clinical NLP\n\nA repository on GitHub with a dataset of patient notes.\n"
    "pip install clinical\n\n## Citation\nHPI, Plan, Medications\n",
    "code": "import os\n\ndef plan(patient):\n    return patient.medications\n",
    "licence": "MIT LICENSE\nCopyright (c) 2020. Permission is granted, free of charge.\n" * 3,
    "words": "fever\ncough\nplan\nallergies\nexam\nmedications\n",
    "prose": "The committee met on Tuesday to discuss the new car park and its cost.\n",
    "json": '{"note": "HPI: chest pain. Plan: rest."}',
    "empty": "",
}


@pytest.mark.parametrize("kind", sorted(OTHERS))
def test_what_is_no_note_is_not_claimed(kind: str) -> None:
    assert NoteReader().sniff(OTHERS[kind].encode(), Origin("x.txt")) == 0.0


def test_notes_are_claimed_but_never_as_surely_as_a_signature() -> None:
    sniff = NoteReader().sniff
    assert 0.6 < sniff(NOTE.encode(), Origin("n.txt")) <= 0.8
    assert 0.6 < sniff(NOTE.encode("utf-16"), Origin("n")) <= 0.8
    short = "Pt afebrile, BP 120/80, HR 72. Denies fever, chest pain. Tylenol 500 mg po prn."
    assert 0.3 <= sniff(short.encode(), Origin("n.txt")) <= 0.8
    assert sniff(NOTE.encode(), Origin("n.md")) == 0.0


def test_no_log_or_security_file_is_claimed(data: Path) -> None:
    for folder in ("loghub_2k", "mordor_events", "sigma_rules", "cisa_kev", "attack_to_cve"):
        for path in sorted(path for path in (data / folder).rglob("*") if path.is_file())[:60]:
            with path.open("rb") as stream:
                assert NoteReader().sniff(stream.read(65536), Origin(path.name)) == 0.0, path.name
