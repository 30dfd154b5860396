"""One FHIR R4 bundle a patient: who, where, why, with what drugs, results and devices."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final

from aegle.packs.sample import clinical
from aegle.packs.sample.clinical import Condition, Drug
from aegle.packs.sample.marks import evidence, identifier
from aegle.packs.sample.people import Staff
from aegle.packs.sample.words import data
from aegle.packs.sample.world import Device, Patient, World

_HL7: Final = "http://terminology.hl7.org/CodeSystem"
SNOMED: Final = "http://snomed.info/sct"
LOINC: Final = "http://loinc.org"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10CM: Final = "http://hl7.org/fhir/sid/icd-10-cm"
CVX: Final = "http://hl7.org/fhir/sid/cvx"
UCUM: Final = "http://unitsofmeasure.org"
Resource = dict[str, Any]


def bundle(world: World, patient: Patient) -> str:
    """The bundle of a patient as labelled JSON text."""
    writer = _Writer(world, patient)
    resources = [
        *writer.frame(),
        *(writer.condition(c) for c in patient.conditions),
        *writer.allergies(),
        *(writer.medication(d) for d in patient.drugs),
        writer.infusion(),
        *writer.observations(),
        *writer.done(),
        *writer.devices(),
    ]
    base = f"https://fhir.{data('hospital')['domain']}"
    entries = [
        {"fullUrl": f"{base}/{r['resourceType']}/{r['id']}", "resource": r} for r in resources
    ]
    whole = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return json.dumps(whole, ensure_ascii=False, indent=None, separators=(",", ":")) + "\n"


def _coded(*codings: Sequence[str], text: str = "") -> Resource:
    rows = [{"system": s, "code": c, "display": d} for s, c, d in codings if c]
    return ({"coding": rows} if rows else {}) | {"text": text or codings[0][2]}


def _date(when: datetime) -> str:
    # The date is the identifier, the time of day alone is not.
    return identifier("date", f"{when:%Y-%m-%d}")


def _instant(when: datetime) -> str:
    return f"{_date(when)}T{when:%H:%M:%S}-05:00"


def _name(first: str, last: str) -> Resource:
    shown_first, shown_last = identifier("name", first), identifier("name", last)
    return {"family": shown_last, "given": [shown_first]}


class _Writer:
    """Writes the resources of one patient."""

    def __init__(self, world: World, patient: Patient) -> None:
        self._world, self._patient = world, patient
        self._rng = random.Random(f"{world.seed}/fhir/{patient.mrn}")
        self._subject = {"reference": f"Patient/{identifier('mrn', patient.mrn)}"}
        self._visit_id = self._id()
        self._visit = {"reference": f"Encounter/{self._visit_id}"}

    def _id(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def _new(self, kind: str, *, visit: bool = True, **fields: Any) -> Resource:
        ties = {"subject": self._subject} | ({"encounter": self._visit} if visit else {})
        return {"resourceType": kind, "id": self._id(), **ties, **fields}

    def frame(self) -> list[Resource]:
        """Patient, organisation, ward, attending and the stay itself."""
        p, name = self._patient, data("hospital")["name"]
        practitioner = self._practitioner(p.attending)
        location = {"resourceType": "Location", "id": p.ward.lower(), "status": "active",
                    "name": p.ward, "mode": "instance",
                    "description": f"{self._world.ward(p.ward).title} ward"}  # fmt: skip
        organization = {"resourceType": "Organization", "id": "stbrigid", "name": name}
        period = {"start": _instant(p.admit)}
        if p.discharge:
            period["end"] = _instant(p.discharge)
        visit = {
            "resourceType": "Encounter", "id": self._visit_id,
            "status": "finished" if p.discharge else "in-progress",
            "class": {"system": f"{_HL7}/v3-ActCode", "code": "IMP", "display": "inpatient"},
            "subject": self._subject, "period": period,
            "participant": [{"individual": {
                "reference": f"Practitioner/{practitioner['id']}",
                "display": f"Dr. {identifier('name', p.attending.name)}"}}],
            "reasonCode": [_coded((ICD10CM, p.illness.icd, p.illness.icd_name))],
            "location": [{"location": {"reference": f"Location/{p.ward.lower()}",
                                       "display": p.ward}}],
            "serviceProvider": {"reference": "Organization/stbrigid", "display": name},
        }  # fmt: skip
        return [self._person(), organization, location, practitioner, visit]

    def _practitioner(self, staff: Staff) -> Resource:
        licence = identifier("licence", staff.licence)
        return {
            "resourceType": "Practitioner", "id": f"staff-{staff.login}", "active": True,
            "identifier": [{"type": {"text": "DEA number"}, "value": licence}],
            "name": [_name(staff.first, staff.last) | {"prefix": ["Dr."]}],
            "telecom": [{"system": "pager", "value": identifier("phone", staff.pager)}],
        }  # fmt: skip

    def _person(self) -> Resource:
        p, contact = self._patient, self._patient.contact
        mrn = identifier("mrn", p.mrn)
        numbers = [
            {"type": _coded((f"{_HL7}/v2-0203", "MR", "Medical record number")),
             "system": "urn:oid:2.25.4096", "value": mrn},
            {"type": _coded((f"{_HL7}/v2-0203", "MB", "Member Number")),
             "value": identifier("health_plan", contact.plan_id)},
        ]  # fmt: skip
        if self._rng.random() < 0.6:
            numbers.append(
                {"type": _coded((f"{_HL7}/v2-0203", "SS", "Social Security Number")),
                 "system": "http://hl7.org/fhir/sid/us-ssn",
                 "value": identifier("ssn", contact.ssn)}
            )  # fmt: skip
        return {
            "resourceType": "Patient", "id": mrn, "identifier": numbers,
            "name": [{"use": "official"} | _name(p.person.first, p.person.last)],
            "telecom": [{"system": "phone", "use": "home",
                         "value": identifier("phone", contact.phone)},
                        {"system": "email", "value": identifier("email", contact.email)}],
            "gender": p.person.sex, "birthDate": identifier("date", p.birth.isoformat()),
            "address": [{"line": [identifier("place", contact.street)],
                         "city": identifier("place", contact.city), "state": contact.state,
                         "postalCode": identifier("place", contact.zip_code), "country": "US"}],
            "contact": [{"relationship": [{"text": p.relation}],
                         "name": _name(p.relative.first, p.relative.last),
                         "telecom": [{"system": "phone",
                                      "value": identifier("phone", p.relative_phone)}]}],
        }  # fmt: skip

    def condition(self, item: Condition) -> Resource:
        """A diagnosis with its ICD-10-CM and SNOMED CT codes."""
        main = item is self._patient.illness
        since = self._patient.admit if main else self._patient.admit - timedelta(
            days=self._rng.randint(200, 4000)
        )  # fmt: skip
        category = "encounter-diagnosis" if main else "problem-list-item"
        return self._new(
            "Condition",
            clinicalStatus=_coded((f"{_HL7}/condition-clinical", "active", "Active")),
            verificationStatus=_coded((f"{_HL7}/condition-ver-status", "confirmed", "Confirmed")),
            category=[_coded((f"{_HL7}/condition-category", category, category))],
            code=_coded((ICD10CM, item.icd, item.icd_name), (SNOMED, item.snomed, item.name)),
            onsetDateTime=_date(since),
            recordedDate=_date(self._patient.admit),
        )

    def allergies(self) -> list[Resource]:
        """What the patient must not get."""
        return [
            {
                "resourceType": "AllergyIntolerance", "id": self._id(), "type": "allergy",
                "clinicalStatus": _coded(
                    (f"{_HL7}/allergyintolerance-clinical", "active", "Active")),
                "category": ["medication" if a.code else "environment"], "criticality": "high",
                "code": _coded((RXNORM, a.code, a.substance)), "patient": self._subject,
                "reaction": [{"manifestation": [{"text": a.reaction}]}],
            }
            for a in self._patient.allergies
        ]  # fmt: skip

    def medication(self, drug: Drug) -> Resource:
        """An order."""
        return self._new(
            "MedicationRequest",
            status="active" if not self._patient.discharge else "completed",
            intent="order",
            medicationCodeableConcept=_coded((RXNORM, drug.code, drug.name)),
            authoredOn=_date(self._patient.admit),
            requester={"display": f"Dr. {identifier('name', self._patient.attending.name)}"},
            dosageInstruction=[{"text": f"{drug.dose} {drug.route} {drug.frequency}"}],
        )

    def infusion(self) -> Resource:
        """The order for what the pump gives."""
        ill, pump = self._patient.illness, self._patient.pump
        code = data("clinical")["drugs"].get(ill.infusion, "")
        text = f"{self._patient.infusion_rate} IV continuous via {pump.tag}"
        for fact in ("infusion", "pump"):
            text = evidence(f"{fact}|{self._patient.mrn}", text)
        return self.medication(Drug(ill.infusion, code)) | {"dosageInstruction": [{"text": text}]}

    def _observation(self, kind: str, row: Sequence[str], value: float, when: datetime) -> Resource:
        code, display, unit = row
        category = _coded((f"{_HL7}/observation-category", kind, kind))
        quantity = {"value": value, "unit": unit, "system": UCUM, "code": unit or "1"}
        return self._new(
            "Observation", status="final", category=[category],
            code=_coded((LOINC, code, display)), effectiveDateTime=_instant(when),
            valueQuantity=quantity,
        )  # fmt: skip

    def observations(self) -> list[Resource]:
        """The admission results, and vital signs each day."""
        p, rng, kinds = self._patient, self._rng, clinical.labs()
        found = [
            self._observation("laboratory", (kinds[n].loinc, n, kinds[n].unit), value,
                              p.admit + timedelta(minutes=50))
            for n, value in p.first_labs.items()
        ]  # fmt: skip
        codes = data("clinical")["vitals"]
        for date in self._world.dates():
            if not p.here(date):
                continue
            when = max(datetime.combine(date, time(8, rng.randrange(60))), p.admit)
            values = {
                "heart rate": rng.randint(62, 118), "systolic blood pressure": rng.randint(92, 152),
                "respiratory rate": rng.randint(12, 24), "oxygen saturation": rng.randint(90, 99),
                "body temperature": round(rng.uniform(36.2, 38.6), 1),
            }  # fmt: skip
            found += [
                self._observation("vital-signs", (codes[n][0], n, codes[n][2]), value, when)
                for n, value in values.items()
            ]
        return found

    def done(self) -> list[Resource]:
        """A procedure, a vaccination, and what was done long ago."""
        p, rng = self._patient, self._rng
        name, code = rng.choice(data("clinical")["procedures"][:2])
        cvx, vaccine = rng.choice(data("clinical")["immunizations"])
        long_ago = p.admit - timedelta(days=rng.randint(30, 900))
        procedure = self._new(
            "Procedure", status="completed", code=_coded((SNOMED, code, name)),
            performedDateTime=_instant(p.admit + timedelta(hours=2)),
        )  # fmt: skip
        immunization = {
            "resourceType": "Immunization", "id": self._id(), "status": "completed",
            "vaccineCode": _coded((CVX, cvx, vaccine)), "patient": self._subject,
            "occurrenceDateTime": _date(long_ago),
        }  # fmt: skip
        return [procedure, immunization]

    def _own(self, device: Device) -> str:
        """The tag of a device; that it is this patient's says which pump the patient is on."""
        pump = device is self._patient.pump
        return evidence(f"pump|{self._patient.mrn}", device.tag) if pump else device.tag

    def devices(self) -> list[Resource]:
        """The devices at the bed: asset tag kept, serial number and UDI identifying."""
        return [
            {
                "resourceType": "Device", "id": d.tag.lower(), "status": "active",
                "identifier": [{"type": {"text": "Asset tag"}, "value": d.tag}],
                "udiCarrier": [{"carrierHRF": identifier("device", d.udi)}],
                "manufacturer": d.vendor, "modelNumber": d.model,
                "serialNumber": identifier("device", d.serial),
                "deviceName": [{"name": self._own(d), "type": "user-friendly-name"}],
                "type": {"text": d.title}, "patient": self._subject,
                "location": {"reference": f"Location/{d.ward.lower()}", "display": d.ward},
            }
            for d in self._patient.devices
        ]  # fmt: skip
