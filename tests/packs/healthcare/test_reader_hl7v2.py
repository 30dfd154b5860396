"""HL7 v2 in, documents out: any separators, any framing, no lost message, no quoted content."""

from __future__ import annotations

import base64
import io
import logging
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.healthcare.readers.hl7v2 import Hl7v2Reader

HEADER = r"MSH|^~\&|LAB|GH|EHR|GH|20200203101500+0100||ORU^R01^ORU_R01|77|P|2.5"
PID = (
    "PID|1||555123^^^GH^MR~999-11-2222^^^SSA^SS||OAKHURST^MIRELA^B^^Mrs.||19570304|F|||"
    "12 Larch Row^^Emporia^KS^66801||(555)201-7788|||||ACC-4411"
)
ORU = "\r".join(
    [
        HEADER,
        PID,
        "PV1|1|I|ICU-3^12^A^GH||||4411^Varga^Ilse^^^Dr.",
        "OBR|1|1|2|24323-8^Metabolic panel^LN|||20200203093000",
        "OBX|1|NM|2823-3^Potassium^LN||6.1|mmol/L|3.5-5.0|H|||F|||20200203094500",
        "OBX|2|NM|8867-4^Heart rate^LN||120|/min||||||F",
        "NTE|1||Haemolysed \\T\\ repeated",
        "DG1|1||E11.9^Type 2 diabetes^I10||20110402|A",
        "AL1|1|DA|7980^Penicillin^RXNORM|SV|Rash",
    ]
)


def read(text: str | bytes) -> tuple[list[RawDocument], str]:
    """The documents, and the message of the error that came after them."""
    raw = text if isinstance(text, bytes) else text.encode()
    docs: list[RawDocument] = []
    try:
        for doc in Hl7v2Reader().read(io.BytesIO(raw), Origin("x.hl7")):
            docs.append(doc)
    except InputError as error:
        return docs, str(error)
    return docs, ""


def ties(doc: RawDocument) -> set[tuple[str, str, str]]:
    text = doc.text.reveal()
    told = [text[m.start : m.end] for m in doc.mentions]
    return {(told[link.head], link.type, told[link.tail]) for link in doc.links}


def test_a_result_message_is_told_in_lines_with_facts() -> None:
    (doc,), problem = read(ORU)
    assert not problem
    assert doc.text.reveal() == (
        "HL7 message ORU^R01, 2020-02-03 10:15\n"
        "Patient: Mrs. MIRELA B OAKHURST, female, born 1957-03-04, MRN 555123\n"
        "Address: 12 Larch Row, Emporia, KS, 66801\n"
        "Phone: (555)201-7788\n"
        "Visit: inpatient, in ICU-3, room 12, bed A, GH\n"
        "Attending: Dr. Ilse Varga\n"
        "Order: Metabolic panel, 2020-02-03 09:30 [LOINC 24323-8]\n"
        "Result: Potassium 6.1 mmol/L, high, reference 3.5-5.0, 2020-02-03 09:45 [LOINC 2823-3]\n"
        "Vital sign: Heart rate 120 /min [LOINC 8867-4]\n"
        "Note: Haemolysed & repeated\n"
        "Diagnosis: Type 2 diabetes, admitting, 2011-04-02 [ICD10CM E11.9]\n"
        "Allergy: Penicillin, severe, reaction Rash [RXNORM 7980]\n"
    )
    who = "Mrs. MIRELA B OAKHURST"
    assert ties(doc) == {
        (who, "stays_in", "ICU-3"),
        (who, "cared_for_by", "Dr. Ilse Varga"),
        (who, "has_result", "Metabolic panel"),
        (who, "has_result", "Potassium"),
        (who, "has_vital", "Heart rate"),
        (who, "has_condition", "Type 2 diabetes"),
        (who, "allergic_to", "Penicillin"),
        ("Penicillin", "causes", "Rash"),
    }
    assert doc.group.reveal() == "patient/555123"
    assert doc.time == "2020-02-03T10:15:00+01:00"


def test_identifiers_are_classed() -> None:
    (doc,), _ = read(ORU)
    found = {(one.kind, one.value.reveal()) for one in doc.identifiers}
    assert {
        ("name", "MIRELA B OAKHURST"),
        ("name", "OAKHURST"),
        ("name", "Ilse Varga"),
        ("mrn", "555123"),
        ("ssn", "999-11-2222"),
        ("account", "ACC-4411"),
        ("date", "1957-03-04"),
        ("place", "12 Larch Row"),
        ("place", "Emporia"),
        ("phone", "(555)201-7788"),
    } <= found


@given(
    st.permutations(list("|^~\\&!#$%*;@`")).map(lambda marks: "".join(marks[:5])),
    st.sampled_from(["\r", "\n", "\r\n", "\r\r", "\n\n"]),
    st.booleans(),
    st.sampled_from(["", "\ufeff", " \r\n"]),
)
@settings(max_examples=60, deadline=None)
def test_separators_framing_and_line_ends_do_not_matter(
    marks: str, end: str, framed: bool, lead: str
) -> None:
    plain = ORU.replace("(555)201-7788", "5552017788").replace("\\T\\", "and")
    table = str.maketrans("|^~\\&", marks)
    text = plain.translate(table).replace("\r", end)
    if framed:
        text = f"\x0b{text}\x1c\r"
    (doc,), problem = read(lead + text)
    (usual,), _ = read(plain)
    assert not problem
    assert doc.text.reveal() == usual.text.reveal()
    assert doc.mentions == usual.mentions


@given(st.integers(1, 6))
@settings(max_examples=6, deadline=None)
def test_each_message_of_a_batch_is_a_document(number: int) -> None:
    envelope = r"FHS|^~\&|A" + "\r" + r"BHS|^~\&|A" + "\r"
    text = envelope + "\r".join([ORU] * number) + "\rBTS|1\rFTS|1\r"
    docs, problem = read(text)
    assert not problem
    assert [doc.source for doc in docs] == [f"x.hl7#{n}" for n in range(1, number + 1)]


def test_a_bad_message_costs_itself_and_is_not_quoted() -> None:
    bad = "MSH|||SECRETNAME\rPID|1||X"
    docs, problem = read(f"{ORU}\r{bad}\r{ORU}")
    assert len(docs) == 2
    assert "message 2" in problem
    assert "SECRETNAME" not in problem


def test_a_document_message_gives_a_note() -> None:
    text = "\r".join(
        [
            HEADER.replace("ORU^R01^ORU_R01", "MDM^T02"),
            PID,
            "TXA|1|DS^Discharge summary|TX|20200204||||| 4411^Varga^Ilse",
            "OBX|1|TX|1^Text||Admitted with cough.||||||F",
            "OBX|2|FT|1^Text||Plan:\\.br\\Rest.||||||F",
        ]
    )
    (message, note), problem = read(text)
    assert not problem
    assert note.kind == "note"
    assert note.text.reveal() == "Admitted with cough.\nPlan:\nRest.\n"
    assert note.title.reveal() == "Discharge summary"
    assert note.time == "2020-02-04"
    assert note.group.reveal() == "patient/555123"
    assert "Admitted with cough" not in message.text.reveal()


def test_embedded_text_is_read_and_embedded_pdf_is_a_problem() -> None:
    data = base64.b64encode(b"Rest at home.").decode()
    good = f"{ORU}\rOBX|3|ED|1^Doc||^TEXT^plain^Base64^{data}"
    docs, problem = read(good)
    assert not problem
    assert docs[1].text.reveal() == "Rest at home.\n"
    docs, problem = read(f"{ORU}\rOBX|3|ED|1^Doc||^application^pdf^Base64^{data}")
    assert len(docs) == 1
    assert "application/pdf" in problem


def test_a_vaccine_is_an_immunization_and_a_refusal_is_negated() -> None:
    head = HEADER.replace("ORU^R01^ORU_R01", "VXU^V04")
    given_ = "RXA|0|1|20200101||140^Influenza^CVX|0.5|mL"
    refused = "RXA|0|1|20200101||207^COVID-19^CVX|999||||||||||||||RE"
    (doc,), _ = read("\r".join([head, PID, given_, refused]))
    told = {m.concepts[0].key: (m.type, m.assertion) for m in doc.mentions if m.concepts}
    assert told == {
        "CVX:140": ("immunization", "present"),
        "CVX:207": ("immunization", "negated"),
    }


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (r"a\F\b\S\c\R\d\T\e\E\f", "a|b^c~d&e\\f"),
        (r"\X48656C6C6F\ there", "Hello there"),
        (r"\H\bold\N\ text", "bold text"),
        (r"x\.sp9999999999\y", "x y"),
        (r"C:\temp is a path", r"C:\temp is a path"),
        (r"\X4\odd", "odd"),
        (r"\Zfoo\bar", "bar"),
    ],
)
def test_escapes(field: str, text: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        (doc,), _ = read(f"{ORU}\rNTE|9||{field}")
    assert doc.text.reveal().splitlines()[-1] == f"Note: {text}"
    assert not caplog.records  # python-hl7 would log the field


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"MSH",
        b"MSH|",
        b"MSH|^",
        b"PID|1||5",
        b"MSHA^~\\&A",
        b"MSH||||",
        b"\x0b\x1c\r",
        b"MSH|^^^^|x",
    ],
)
def test_what_is_no_hl7_is_a_clear_error(raw: bytes) -> None:
    docs, problem = read(raw)
    assert not docs
    assert problem


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_junk_in_a_message_never_crashes(data: st.DataObject) -> None:
    text = ORU
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(9, len(text)))
        cut = data.draw(st.integers(0, 12))
        junk = data.draw(st.text(st.sampled_from("|^~\\&\r\nMSHOBXTX.0123 ä\0\x0b"), max_size=8))
        text = text[:at] + junk + text[at + cut :]
    docs, problem = read(text)
    assert docs or problem
    for doc in docs:
        assert doc.text.reveal().startswith("HL7 message")


@given(st.binary(max_size=200))
@settings(max_examples=80, deadline=None)
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    docs, problem = read(b"MSH|^~\\&|" + raw)
    assert docs or problem


def test_sniff_wants_a_header_segment() -> None:
    sniff = Hl7v2Reader().sniff
    assert sniff(ORU.encode(), Origin("a.txt")) > 0.9
    assert sniff(b"\x0bMSH|^~\\&|", Origin("a")) > 0.9
    assert sniff("\ufeffMSH|^~\\&|".encode("utf-16"), Origin("a")) > 0.9
    assert sniff(b"MSHARP is a word", Origin("a.txt")) == 0.0
    assert sniff(b"", Origin("a.hl7")) == 0.0


def test_all_public_samples_are_read(data: Path) -> None:
    kinds: Counter[str] = Counter()
    files = sorted((data / "hl7_ccda_samples/Hl7v2").glob("*.hl7"))
    for path in files:
        docs, problem = read(path.read_bytes())
        assert not problem, path.name
        kinds.update(doc.kind for doc in docs)
        assert docs[0].group.reveal().startswith("patient/"), path.name
    assert len(files) == 111
    assert kinds == {"hl7v2": 111, "note": 4}


def test_line_breaks_in_a_field_are_no_matter_however_many() -> None:
    lines = "\n".join(f"day {n} the same" for n in range(100_000))
    (doc,), problem = read(f"{HEADER}\r{PID}\rOBX|1|FT|1^Report^L||begins\n{lines}||||||F")
    assert not problem
    assert "begins day 0 the same day 1 the same" in doc.text.reveal()
    assert "day 99999 the same" in doc.text.reveal()


def test_a_line_of_any_length_is_not_held() -> None:
    class Endless(io.RawIOBase):
        left = 1200

        def read(self, _size: int = -1) -> bytes:
            self.left -= 1
            if self.left == 1199:
                return f"{HEADER}\rOBX|1|ED|1^r||^text^^Base64^".encode()
            return b"QUJD" * (1 << 14) if self.left > 0 else f"\r{ORU}".encode() * (not self.left)

    docs: list[RawDocument] = []
    tracemalloc.start()
    with pytest.raises(InputError, match="message 1: longer than 16 million"):
        docs.extend(Hl7v2Reader().read(Endless(), Origin("x.hl7")))  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(docs) == 1
    assert peak < 80 << 20
