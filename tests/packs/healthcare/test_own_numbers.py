"""A patient's own record numbers, with who gave them; nobody else's."""

from __future__ import annotations

import io
import json

from aegle.core.pack import Origin, Reader
from aegle.packs.healthcare.readers.ccda import CcdaReader
from aegle.packs.healthcare.readers.fhir import FhirReader
from aegle.packs.healthcare.readers.hl7v2 import Hl7v2Reader


def numbers(reader: Reader, text: str, name: str) -> list[set[tuple[str, str]]]:
    """Of each document that names a patient: (number, assigner)."""
    documents = list(reader.read(io.BytesIO(text.encode()), Origin(name)))
    assert all(one.kind == "mrn" for doc in documents for one in doc.numbers)
    return [
        {(one.value.reveal(), one.assigner.reveal()) for one in doc.numbers}
        for doc in documents
        if doc.group.reveal()
    ]


PATIENT = {
    "resourceType": "Patient", "id": "p-17",
    "identifier": [
        {"type": {"coding": [{"code": "MR"}]}, "system": "urn:oid:2.25.4096", "value": "4471120"},
        {"type": {"coding": [{"code": "MR"}]}, "assigner": {"display": "Bride"}, "value": "881"},
        {"type": {"coding": [{"code": "SS"}]}, "value": "999-12-3456"},
        {"type": {"coding": [{"code": "DL"}]}, "value": "S99912345"},
    ],
}  # fmt: skip
MOTHER = {
    "resourceType": "RelatedPerson", "id": "r", "patient": {"reference": "Patient/p-17"},
    "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": "5580001"}],
}  # fmt: skip


def bundle(*resources: object) -> str:
    entries = [{"resource": one} for one in resources]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


def test_fhir_gives_the_patients_identifiers() -> None:
    own = {("4471120", "urn:oid:2.25.4096"), ("881", "Bride")}
    assert numbers(FhirReader(), bundle(PATIENT, MOTHER), "b.json") == [own, own]


def test_fhir_patients_without_an_id_give_none() -> None:
    """They share one group: joined by their numbers, they would be one patient."""
    nobody = {name: value for name, value in PATIENT.items() if name != "id"}
    assert numbers(FhirReader(), bundle(nobody), "b.json") == [set()]


def test_hl7_gives_those_of_pid_3() -> None:
    message = "\r".join([
        "MSH|^~\\&|A|B|C|D|20240506||ADT^A01|1|P|2.5",
        "PID|1|777^^^OLD|4471120^^^STB&2.25.4096&ISO^MR~999-12-3456^^^SSA^SS~881^^^&2.25.7&ISO^MR"
        "|778^^^ALT|Diallo^Amara||19610304|F|||||||||||||5580001^^^STB^MR",
        "NK1|1|Diallo^Mariam|MTH|||||||||5580002^^^STB^MR",
        "MRG|5580003^^^STB^MR",
    ])  # fmt: skip
    found = numbers(Hl7v2Reader(), message + "\r", "a.hl7")
    assert found == [{("4471120", "STB"), ("881", "2.25.7")}]


def test_ccda_gives_those_of_the_record_target() -> None:
    text = """<?xml version="1.0"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Summary</title>
<recordTarget><patientRole><id root="2.25.4096" extension="4471120"/>
<id root="2.16.840.1.113883.4.1" extension="999-12-3456"/>
<patient><name><given>Amara</given><family>Diallo</family></name>
<guardian><id root="2.25.4096" extension="5580001"/></guardian></patient></patientRole>
</recordTarget>
<author><assignedAuthor><id root="2.25.4096" extension="990"/></assignedAuthor></author>
<component><structuredBody><component><section><title>Plan</title><text>Rest.</text></section>
</component></structuredBody></component></ClinicalDocument>"""
    assert numbers(CcdaReader(), text, "a.xml") == [{("4471120", "2.25.4096")}]
