"""Small FHIR resources, and what a reader makes of them."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.healthcare.readers.fhir import FhirReader

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
