"""FHIR in, documents out: nothing is lost, facts stand at their words, bad parts cost little."""

from __future__ import annotations

import base64
import copy
import gzip
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.healthcare.readers.fhir import FhirReader
from aegle.packs.healthcare.readers.fhir_stream import resources

SNOMED = "http://snomed.info/sct"
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [
        {"type": {"coding": [{"code": "MR"}]}, "value": "MRN-778899"},
        {"type": {"coding": [{"code": "SS"}]}, "value": "999-11-2222"},
    ],
    "name": [{"use": "official", "family": "Oakhurst", "given": ["Mirela", "B"]}],
    "telecom": [
        {"system": "phone", "value": "555-201-7788"},
        {"system": "email", "value": "m@x.org"},
    ],
    "birthDate": "1957-03-04",
    "address": [
        {"line": ["12 Larch Row"], "city": "Emporia", "state": "KS", "postalCode": "66801"}
    ],
}
SUBJECT = {"reference": "Patient/p1"}


def coding(code: str, display: str, system: str = SNOMED) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def status(code: str) -> dict[str, Any]:
    return {"coding": [{"code": code}]}


CONDITION: dict[str, Any] = {
    "resourceType": "Condition",
    "id": "c1",
    "clinicalStatus": status("active"),
    "verificationStatus": status("confirmed"),
    "code": coding("44054006", "Type 2 diabetes mellitus"),
    "subject": SUBJECT,
    "onsetDateTime": "2011-04-02",
}
MEDICATION: dict[str, Any] = {
    "resourceType": "MedicationRequest",
    "id": "m1",
    "status": "active",
    "intent": "order",
    "medicationCodeableConcept": coding(
        "314076", "lisinopril 10 MG Oral Tablet", "http://www.nlm.nih.gov/research/umls/rxnorm"
    ),
    "subject": SUBJECT,
    "authoredOn": "2020-01-01",
    "requester": {"reference": "Practitioner/d1", "display": "Dr. Ilse Varga"},
    "reasonCode": [coding("59621000", "Essential hypertension")],
    "dosageInstruction": [
        {
            "timing": {"repeat": {"frequency": 1, "period": 1.0, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": 1.0, "unit": "tablet"}}],
        }
    ],
}
PRESSURE: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "category": [{"coding": [{"code": "vital-signs"}]}],
    "code": coding("85354-9", "Blood pressure", "http://loinc.org"),
    "subject": SUBJECT,
    "effectiveDateTime": "2020-02-02T10:00:00+01:00",
    "component": [
        {
            "code": coding("8480-6", "Systolic", "http://loinc.org"),
            "valueQuantity": {"value": 142, "unit": "mmHg"},
        }
    ],
}
ENCOUNTER: dict[str, Any] = {
    "resourceType": "Encounter",
    "id": "e1",
    "status": "finished",
    "class": {"code": "IMP", "display": "inpatient"},
    "type": [coding("32485007", "Hospital admission")],
    "subject": SUBJECT,
    "period": {"start": "2020-02-01", "end": "2020-02-04"},
    "participant": [{"individual": {"reference": "Practitioner/d1", "display": "Dr. Ilse Varga"}}],
    "location": [{"location": {"reference": "Location/icu", "display": "ICU-3"}}],
    "serviceProvider": {"display": "Larch Hospital"},
}
DEVICE: dict[str, Any] = {
    "resourceType": "Device",
    "id": "PUMP-0042",
    "identifier": [
        {"type": {"text": "Asset tag"}, "value": "PUMP-0042"},
        {"type": {"text": "Serial number"}, "value": "SN99887766"},
    ],
    "type": coding("430033006", "Infusion pump (physical object)"),
    "patient": SUBJECT,
    "location": {"display": "ICU-3"},
}
ALLERGY: dict[str, Any] = {
    "resourceType": "AllergyIntolerance",
    "clinicalStatus": status("active"),
    "code": coding("7980", "Penicillin", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    "patient": SUBJECT,
    "reaction": [{"manifestation": [coding("247472004", "Wheal")], "severity": "mild"}],
}
NOTE = "Mirela Oakhurst is a 62 year-old.\n\n# Chief Complaint\nCough.\n\n# Plan\nRest."


def note(text: str = NOTE, kind: str = "text/plain", **more: Any) -> dict[str, Any]:
    data = base64.b64encode(text.encode()).decode()
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": coding("34117-2", "History and physical note", "http://loinc.org"),
        "subject": SUBJECT,
        "date": "2020-02-03T09:00:00Z",
        "content": [{"attachment": {"contentType": kind, "data": data}}],
        **more,
    }


ALL = [PATIENT, CONDITION, MEDICATION, PRESSURE, ENCOUNTER, DEVICE, ALLERGY, note()]


def bundle(*found: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"fullUrl": f"urn:uuid:{one.get('id', 'x')}", "resource": one} for one in found],
    }


def read(data: Any, name: str = "f.json") -> tuple[list[RawDocument], str]:
    """The documents, and the message of the error that came after them."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    docs: list[RawDocument] = []
    try:
        for doc in FhirReader().read(io.BytesIO(raw), Origin(name)):
            docs.append(doc)
    except InputError as error:
        return docs, str(error)
    return docs, ""


def of(docs: list[RawDocument], kind: str) -> RawDocument:
    return next(doc for doc in docs if doc.title.reveal() == kind and doc.kind == "fhir")


def facts(doc: RawDocument) -> dict[str, tuple[str, str, str]]:
    """What mentions say: words -> (type, first concept, assertion)."""
    text = doc.text.reveal()
    return {
        text[m.start : m.end]: (m.type, m.concepts[0].key if m.concepts else "", m.assertion)
        for m in doc.mentions
    }


def ties(doc: RawDocument) -> set[tuple[str, str, str]]:
    text = doc.text.reveal()
    told = [text[m.start : m.end] for m in doc.mentions]
    return {(told[link.head], link.type, told[link.tail]) for link in doc.links}


@pytest.mark.parametrize("lines", [False, True])
def test_coded_facts_stand_where_they_say_and_hang_on_the_patient(lines: bool) -> None:
    data: Any = bundle(*ALL)
    if lines:
        data = "\n".join(json.dumps(one) for one in ALL).encode()
    docs, problem = read(data, "f.ndjson" if lines else "f.json")
    assert not problem
    who = "Mirela B Oakhurst"
    condition = of(docs, "Condition")
    assert condition.text.reveal() == (
        f"Patient: {who}\n"
        "Condition: Type 2 diabetes mellitus (active, confirmed), onset 2011-04-02 "
        "[SNOMED 44054006]\n"
    )
    assert facts(condition)["Type 2 diabetes mellitus"] == (
        "condition",
        "SNOMED:44054006",
        "present",
    )
    assert ties(condition) == {(who, "has_condition", "Type 2 diabetes mellitus")}
    drug = "lisinopril 10 MG Oral Tablet"
    assert ties(of(docs, "MedicationRequest")) == {
        (who, "takes", drug),
        (drug, "treats", "Essential hypertension"),
        (drug, "has_dose", "1 tablet, 1 times per 1 d"),
    }
    assert ties(of(docs, "Observation")) == {
        (who, "has_vital", "Blood pressure"),
        (who, "has_vital", "Systolic"),
    }
    assert "Systolic 142 mmHg" in of(docs, "Observation").text.reveal()
    assert ties(of(docs, "Encounter")) == {
        (who, "had_encounter", "Hospital admission"),
        (who, "cared_for_by", "Dr. Ilse Varga"),
        (who, "cared_for_by", "Larch Hospital"),
        (who, "stays_in", "ICU-3"),
    }
    assert ties(of(docs, "Device")) == {
        (who, "uses_device", "PUMP-0042"),
        ("PUMP-0042", "located_in", "ICU-3"),
    }
    assert ties(of(docs, "AllergyIntolerance")) == {
        (who, "allergic_to", "Penicillin"),
        ("Penicillin", "causes", "Wheal"),
    }
    for doc in docs:
        assert doc.group.reveal() == "patient/p1"
        patients = [m for m in doc.mentions if m.type == "patient"]
        assert all(m.ref is not None and m.ref.reveal() == "patient/p1" for m in patients)


def test_identifiers_of_the_patient_go_with_each_document() -> None:
    docs, _ = read(bundle(*ALL))
    wanted = {
        ("name", "Mirela B Oakhurst"),
        ("name", "Oakhurst"),
        ("mrn", "MRN-778899"),
        ("ssn", "999-11-2222"),
        ("phone", "555-201-7788"),
        ("email", "m@x.org"),
        ("place", "12 Larch Row"),
        ("place", "66801"),
        ("date", "1957-03-04"),
    }
    for doc in docs:
        assert wanted <= {(one.kind, one.value.reveal()) for one in doc.identifiers}
    device = {(one.kind, one.value.reveal()) for one in of(docs, "Device").identifiers}
    assert ("device", "SN99887766") in device
    assert not any(value == "PUMP-0042" for _, value in device)
    doctor = {one.value.reveal() for one in of(docs, "MedicationRequest").identifiers}
    assert "Ilse Varga" in doctor


def test_a_note_inside_becomes_a_note() -> None:
    docs, _ = read(bundle(PATIENT, note()))
    (found,) = [doc for doc in docs if doc.kind == "note"]
    assert found.text.reveal() == NOTE + "\n"
    assert found.title.reveal() == "History and physical note"
    assert found.time == "2020-02-03T09:00:00Z"
    assert found.meta["sections"] == "Chief Complaint; Plan"
    assert "Mirela Oakhurst" in facts(found)


def test_html_is_read_pictures_are_left_and_pdf_is_a_problem() -> None:
    html = "<div><h1>Plan</h1><p>Rest &amp; <b>fluids</b></p><script>x()</script></div>"
    docs, problem = read(bundle(note(html, "text/html"), note("png", "image/png")))
    assert not problem
    assert [doc.text.reveal() for doc in docs if doc.kind == "note"] == ["Plan\nRest & fluids\n"]
    docs, problem = read(bundle(CONDITION, note("%PDF", "application/pdf")))
    assert "application/pdf" in problem
    assert {doc.title.reveal() for doc in docs} == {"Condition", "DocumentReference"}


def test_the_same_note_in_report_and_reference_comes_once() -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": coding("34117-2", "History and physical note", "http://loinc.org"),
        "subject": SUBJECT,
        "presentedForm": [note()["content"][0]["attachment"]],
    }
    docs, _ = read(bundle(report, note()))
    assert sum(doc.kind == "note" for doc in docs) == 1


@pytest.mark.parametrize(
    ("change", "assertion"),
    [
        ({"verificationStatus": status("refuted")}, "negated"),
        ({"verificationStatus": status("entered-in-error")}, "negated"),
        ({"verificationStatus": status("provisional")}, "possible"),
        ({"clinicalStatus": status("resolved")}, "historical"),
        ({}, "present"),
    ],
)
def test_status_becomes_assertion(change: dict[str, Any], assertion: str) -> None:
    docs, _ = read({**CONDITION, **change})
    assert facts(of(docs, "Condition"))["Type 2 diabetes mellitus"][2] == assertion


def test_orders_not_done_and_family() -> None:
    procedure = {"resourceType": "Procedure", "status": "not-done", "code": coding("1", "Biopsy")}
    order = {"resourceType": "ServiceRequest", "status": "active", "code": coding("2", "MRI")}
    family = {
        "resourceType": "FamilyMemberHistory",
        "patient": SUBJECT,
        "relationship": coding("72705000", "Mother"),
        "condition": [{"code": coding("22298006", "Myocardial infarction")}],
    }
    none = {**ALLERGY, "code": coding("716186003", "No known allergy"), "reaction": []}
    docs, _ = read(bundle(procedure, order, family, none))
    told = {words: fact[2] for doc in docs for words, fact in facts(doc).items()}
    assert told["Biopsy"] == "negated"
    assert told["MRI"] == "hypothetical"
    assert told["Myocardial infarction"] == "family"
    assert told["No known allergy"] == "negated"


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/p1",
        "urn:uuid:p1",
        "https://ehr.example.org/fhir/Patient/p1",
        "Patient/p1/_history/3",
        "Patient?identifier=urn:x|p1",
    ],
)
def test_all_references_to_a_patient_are_one(reference: str) -> None:
    docs, _ = read(bundle({**CONDITION, "subject": {"reference": reference}}))
    assert docs[0].group.reveal() == "patient/p1"


def test_a_uuid_leads_to_the_patients_id() -> None:
    data = bundle(PATIENT, {**CONDITION, "subject": {"reference": "urn:uuid:AAAA-1"}})
    data["entry"][0]["fullUrl"] = "urn:uuid:aaaa-1"
    docs, _ = read(data)
    assert {doc.group.reveal() for doc in docs} == {"patient/p1"}


def test_any_other_resource_is_told_too() -> None:
    claim = {
        "resourceType": "Claim",
        "status": "active",
        "patient": SUBJECT,
        "created": "2020-05-05",
        "total": {"value": 129.16, "currency": "USD"},
        "insurer": {"display": "Blue Shield"},
        "procedureThing": coding("80146002", "Appendectomy (procedure)"),
    }
    docs, problem = read(claim)
    text = docs[0].text.reveal()
    assert not problem
    assert "total 129.16 USD" in text
    assert "insurer Blue Shield" in text
    assert facts(docs[0])["Appendectomy (procedure)"][0] == "procedure"


def test_documents_stay_small_and_complete() -> None:
    many = [{**CONDITION, "onsetDateTime": f"20{n:02d}-01-01"} for n in range(100)]
    docs, _ = read(bundle(*many))
    text = "".join(doc.text.reveal() for doc in docs)
    assert all(f"onset 20{n:02d}-01-01" in text for n in range(100))
    assert all(len(doc.text) < 3400 for doc in docs)
    assert sum(int(doc.meta["resources"]) for doc in docs) == 100
    assert len({doc.source for doc in docs}) == len(docs)


def test_truncated_json_gives_all_whole_entries_then_says_so() -> None:
    raw = json.dumps(bundle(*[{**CONDITION, "id": str(n)} for n in range(30)])).encode()
    docs, problem = read(raw[: raw.index(b'"id": "29"')])
    assert sum(int(doc.meta["resources"]) for doc in docs) == 29
    assert "cut off" in problem


@given(st.integers(0, 4000))
@settings(max_examples=60, deadline=None)
def test_a_cut_anywhere_loses_only_what_is_cut(cut: int) -> None:
    raw = json.dumps(bundle(*[CONDITION] * 6)).encode()
    cut = min(cut, len(raw))
    ends = [place for place in range(len(raw)) if raw.startswith(b'"2011-04-02"}}', place)]
    docs, problem = read(raw[:cut])
    whole = sum(end + len(b'"2011-04-02"}}') <= cut for end in ends)
    assert sum(int(doc.meta["resources"]) for doc in docs) == whole
    assert bool(problem) == (cut < len(raw))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.booleans())
@settings(max_examples=50, deadline=None)
def test_how_the_text_arrives_does_not_matter(sizes: list[int], spaced: bool) -> None:
    data = {"resourceType": "Bundle", "entry": [{"resource": {"a": ['x\\"]}', 1.5, None]}}] * 3}
    text = json.dumps(data, indent=2 if spaced else None)
    pieces, at = [], 0
    while at < len(text):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(text[at : at + size])
        at += size
    found = [item.value for item in resources(iter(pieces), lines=False)]
    assert found == [{"a": ['x\\"]}', 1.5, None]}] * 3


def test_a_broken_entry_costs_itself() -> None:
    good = json.dumps({"resource": CONDITION})
    bad = '{"resource": {"resourceType": "Condition", "id": }, "x": ["}"]}'
    raw = f'{{"resourceType":"Bundle","entry":[{good},{bad},{good}, wrong, {good}]}}'.encode()
    docs, problem = read(raw)
    assert sum(int(doc.meta["resources"]) for doc in docs) == 3
    assert "entry 2" in problem
    assert "entry 4" in problem


def test_a_bad_line_is_named_by_number_and_never_quoted() -> None:
    lines = [json.dumps(CONDITION), '{"resourceType": "Secretname"', "[1]", json.dumps(CONDITION)]
    docs, problem = read("\n".join(lines).encode(), "x.ndjson")
    assert int(docs[0].meta["resources"]) == 2
    assert "line 2" in problem
    assert "line 3" in problem
    assert "Secretname" not in problem


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"   \n",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"resourceType":"Condition","x":' + b"[" * 100_000,
        b"[}",
        b"[1,2",
        b"{,}",
        b'{"resourceType":"Bundle","entry":[}',
        b'{"resourceType":"Bundle","entry":{"a":1}}',
        b'{"resourceType": 5}',
        b"nonsense",
        b"9" * 10_000,
        b'{"resourceType":"Basic","x":' + b"9" * 10_000 + b"}",
        b"\xff\xfe\x00",
    ],
)
@pytest.mark.parametrize("name", ["a.json", "a.ndjson"])
def test_what_is_no_fhir_is_a_clear_error(raw: bytes, name: str) -> None:
    docs, problem = read(raw, name)
    assert problem
    assert len(problem) < 700
    assert not docs


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "cp1252"])
def test_other_encodings_are_read(encoding: str) -> None:
    text = json.dumps({**CONDITION, "code": {"text": "Sjögren’s"}}, ensure_ascii=False)
    docs, problem = read(text.encode(encoding))
    assert not problem
    assert "Sjögren’s" in docs[0].text.reveal()


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=20)
    | st.sampled_from(["Patient/p1", "urn:uuid:", "#x", "2020-13-45", "a" * 5000]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A bundle of good resources with junk in some places."""
    data = copy.deepcopy(bundle(*ALL))
    for _ in range(draw(st.integers(1, 4))):
        spot: Any = draw(st.sampled_from(data["entry"]))["resource"]
        while True:
            keys = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(spot[key], (dict, list)) and draw(st.integers(0, 3)):
                spot = spot[key]
                continue
            if key != "resourceType":
                spot[key] = draw(JUNK)
            break
    return data


@given(mutated())
@settings(max_examples=150, deadline=None)
def test_wrong_types_never_crash_and_lose_no_resource(data: Any) -> None:
    docs, _ = read(data)
    told = sum(int(doc.meta["resources"]) for doc in docs if doc.kind == "fhir")
    assert told == len(ALL)
    for doc in docs:
        doc.text.reveal().encode("utf-8")


@pytest.mark.parametrize("name", ["concept", "reference", "low", "numerator", "contact"])
@pytest.mark.parametrize("field", ["code", "valueQuantity", "anything"])
def test_deep_values_are_told_without_their_depths(name: str, field: str) -> None:
    deep: Any = {"text": "x"}
    for _ in range(300):
        deep = {name: deep}
    for kind in ("Observation", "Basic"):
        docs, problem = read({"resourceType": kind, field: deep})
        assert len(docs) == 1
        assert not problem


def test_sniff_knows_fhir_and_leaves_other_json() -> None:
    sniff = FhirReader().sniff
    assert sniff(json.dumps(bundle(PATIENT)).encode(), Origin("a.json")) > 0.9
    assert sniff(json.dumps(PATIENT, indent=1).encode("utf-16"), Origin("a.json")) > 0.9
    for other in (
        b'{"type": "bundle", "objects": []}',
        b'{"dataType": "CVE_RECORD"}',
        b"<x/>",
        b"",
    ):
        assert sniff(other, Origin("a.json")) == 0.0


def test_a_bulk_export_comes_out_whole(data: Path) -> None:
    counts: Counter[str] = Counter()
    notes = 0
    for path in sorted((data / "fhir_synthea_10").glob("*.ndjson*")):
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rb") as stream:
            for doc in FhirReader().read(stream, Origin(str(path).removesuffix(".gz"))):
                notes += doc.kind == "note"
                if doc.kind == "fhir":
                    counts[doc.title.reveal()] += int(doc.meta["resources"])
    assert notes == 1215
    assert counts == {
        "AllergyIntolerance": 11,
        "Condition": 555,
        "Device": 16,
        "DocumentReference": 1215,
        "Encounter": 1215,
        "Immunization": 161,
        "Location": 44,
        "MedicationRequest": 1745,
        "Organization": 43,
        "Patient": 13,
        "Practitioner": 43,
        "PractitionerRole": 43,
        "Procedure": 2056,
    }


def test_the_example_files_are_read_or_refused_for_a_reason(data: Path) -> None:
    folder = data / "hl7_ccda_samples"
    told: dict[str, tuple[int, str]] = {}
    for path in [*folder.glob("FHIR/*.json"), *folder.glob("Json/*.json")]:
        docs, problem = read(path.read_bytes(), path.name)
        told[f"{path.parent.name}/{path.name}"] = (
            sum(int(doc.meta["resources"]) for doc in docs),
            problem,
        )
    assert told.pop("FHIR/ExamplePatient.json")[1].endswith("not a FHIR resource (no resourceType)")
    assert told.pop("Json/ExamplePatient.json")[1].endswith("not a FHIR resource (no resourceType)")
    assert told["Json/Stu3ChargeItem.json"] == (1, "")
    assert all(number and not problem for number, problem in told.values())
