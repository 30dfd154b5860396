"""HL7 v2 messages of some stays: ADT A01, A02 and A03, and ORU R01 with the daily results."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from aegle.packs.sample import clinical
from aegle.packs.sample.marks import identifier
from aegle.packs.sample.world import Patient, World


def messages(world: World, patient: Patient) -> Iterator[tuple[str, str]]:
    """Name and labelled text of each message about a patient; segments end with a return."""
    rng = world.rng(f"hl7/{patient.mrn}")
    arrived = patient.admit - timedelta(minutes=rng.randint(40, 120))
    yield _message(
        rng, patient, "ADT^A01", arrived, [_visit(patient, "ED", arrived), _diagnosis(patient)]
    )
    if patient.ward != "ED":
        yield _message(
            rng, patient, "ADT^A02", patient.admit, [_visit(patient, patient.ward, arrived)]
        )
    yield _message(
        rng, patient, "ORU^R01", patient.admit + timedelta(minutes=50), _results(patient)
    )
    if patient.discharge:
        yield _message(
            rng, patient, "ADT^A03", patient.discharge, [_visit(patient, patient.ward, arrived)]
        )


def _time(when: datetime) -> str:
    return identifier("date", f"{when:%Y%m%d%H%M%S}")


def _message(
    rng: random.Random, patient: Patient, kind: str, when: datetime, body: list[str]
) -> tuple[str, str]:
    control = f"{rng.randrange(10**8, 10**9)}"
    head = f"MSH|^~\\&|EHR|STBRIGID|HL7ENG|STBRIGID|{_time(when)}||{kind}|{control}|P|2.5.1"
    event = [f"EVN|{kind[4:]}|{_time(when)}"] if kind.startswith("ADT") else []
    name = f"{patient.mrn}-{when:%Y%m%d%H%M}-{kind.replace('^', '_')}.hl7"
    return name, "\r".join([head, *event, _person(patient), *body]) + "\r"


def _person(patient: Patient) -> str:
    contact, person = patient.contact, patient.person
    name = f"{identifier('name', person.last)}^{identifier('name', person.first)}"
    address = (
        f"{identifier('place', contact.street)}^^{identifier('place', contact.city)}"
        f"^{contact.state}^{identifier('place', contact.zip_code)}^US"
    )
    return (
        f"PID|1||{identifier('mrn', patient.mrn)}^^^STB^MR||{name}||"
        f"{identifier('date', f'{patient.birth:%Y%m%d}')}|{person.sex[0].upper()}|||{address}||"
        f"{identifier('phone', contact.phone)}|||||{identifier('account', contact.account)}|"
        f"{identifier('ssn', contact.ssn)}"
    )


def _visit(patient: Patient, ward: str, arrived: datetime) -> str:
    doctor = patient.attending
    name = f"{identifier('name', doctor.last)}^{identifier('name', doctor.first)}"
    fields = {
        2: "I",
        3: f"{ward}^{patient.pump.tag[-2:]}^A^STBRIGID",
        7: f"{doctor.login}^{name}^^^DR",
    }
    fields |= {19: identifier("account", f"V{patient.contact.account}"), 44: _time(arrived)}
    return "|".join(["PV1", *(fields.get(n, "1" if n == 1 else "") for n in range(1, 45))])


def _diagnosis(patient: Patient) -> str:
    ill = patient.illness
    return f"DG1|1||{ill.icd}^{ill.icd_name}^I10|||A"


def _results(patient: Patient) -> list[str]:
    kinds, when = clinical.labs(), patient.admit + timedelta(minutes=50)
    lines = [
        _visit(patient, patient.ward, patient.admit),
        f"OBR|1|||24323-8^Admission panel^LN|||{_time(when)}",
    ]
    for number, (name, value) in enumerate(patient.first_labs.items(), start=1):
        kind = kinds[name]
        flag = "H" if value > kind.high else "L" if value < kind.low else "N"
        lines.append(
            f"OBX|{number}|NM|{kind.loinc}^{name}^LN||{kind.show(value)}|{kind.unit}|"
            f"{kind.low}-{kind.high}|{flag}|||F|||{_time(when)}"
        )
    return lines
