"""FHIR in, documents out: facts stand at their words and hang on the patient."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fhir_files import (
    ALL,
    ALLERGY,
    CONDITION,
    PATIENT,
    SUBJECT,
    bundle,
    coding,
    facts,
    of,
    read,
    status,
    ties,
)

from aegle.core.pack import Origin
from aegle.packs.healthcare.readers.fhir import FhirReader


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
