"""Notes of one stay: triage, H&P, progress, nursing, radiology, consults, discharge."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from aegle.packs.sample import clinical
from aegle.packs.sample.marks import entity, evidence, identifier, related
from aegle.packs.sample.note_parts import (
    Author,
    allergies,
    condition,
    header,
    infused_drug,
    later,
    order,
    person,
    phrases,
    results,
    sentences,
    slots,
    styled,
    vitals,
)
from aegle.packs.sample.words import data, say, several
from aegle.packs.sample.world import Patient, World


@dataclass(frozen=True, slots=True)
class Note:
    """A note: name of its file, and its text with labels."""

    name: str
    when: datetime
    text: str


def stay(world: World, patient: Patient, alarm: datetime | None = None) -> Iterator[Note]:
    """Every note of a patient's stay, in order.

    ``alarm`` is when this patient's pump was tampered with, if it was.
    """
    rng = world.rng(f"notes/{patient.mrn}")
    doctor = Author.of(patient.attending)
    ward = world.ward(patient.ward)
    if patient.ward == "ED" or rng.random() < 0.5:
        yield _triage(rng, world, patient)
    yield _admission(rng, patient, doctor)
    yield _radiology(rng, world, patient)
    # Which pump it is stands in nursing notes only, so there is one even for the shortest stay.
    yield _nursing(rng, patient, Author.of(ward.nurses[0]), later(rng, patient.admit, 150))
    values, carried = dict(patient.first_labs), ""
    for number, date in enumerate(world.dates()):
        if not patient.here(date):
            continue
        if date != patient.admit.date():
            values = {
                name: clinical.next_value(rng, clinical.labs()[name], value)
                for name, value in values.items()
            }
            when = datetime.combine(date, time(7, rng.randint(0, 59)))
            note, carried = _progress(rng, patient, doctor, when, values, carried)
            yield note
        shifts = [(8, 0), (20, 1)] if patient.ward == "ICU-3" else [(rng.choice((9, 15, 21)), 0)]
        for hour, turn in shifts:
            when = datetime.combine(date, time(hour, rng.randint(5, 55)))
            if patient.admit < when and when < (patient.discharge or world.end):
                nurse = Author.of(ward.nurses[(number + turn) % len(ward.nurses)])
                yield _nursing(rng, patient, nurse, when)
    if rng.random() < 0.5 and patient.here((patient.admit + timedelta(days=1)).date()):
        yield _consult(rng, world, patient)
    if alarm is not None:
        yield _alarm(rng, patient, Author.of(ward.nurses[-1]), later(rng, alarm, 30))
    yield _registration(rng, world, patient)
    if patient.discharge is not None:
        yield _discharge(rng, patient, doctor, values)


def _note(kind: str, patient: Patient, when: datetime, text: str) -> Note:
    # The name of the file must not identify anyone by itself more than the folder does; real
    # exports name files after the record number, so these do as well.
    return Note(f"{patient.mrn}/{when:%Y%m%d-%H%M}-{kind}.txt", when, text.rstrip() + "\n")


def _triage(rng: random.Random, world: World, patient: Patient) -> Note:
    when = patient.admit - timedelta(minutes=rng.randint(30, 120))
    nurse = Author.of(rng.choice(world.ward("ED").nurses))
    body = say(rng, phrases("triage"), slots(rng, patient, nurse.style, when))
    denied = sentences(rng, "neg", patient, nurse.style, when, 1)[0]
    lines = [body, vitals(rng, patient), denied, allergies(patient), nurse.sign(when)]
    return _note(
        "ed-triage",
        patient,
        when,
        header("ED Triage Note", patient, nurse, when) + "\n".join(lines),
    )


def _admission(rng: random.Random, patient: Patient, author: Author) -> Note:
    style, when = author.style, later(rng, patient.admit, 60)
    s = slots(rng, patient, style, when)
    ill = patient.illness
    diagnosis = evidence(
        f"diagnosis|{patient.mrn}", f"Admitting diagnosis: {condition(ill, rng.choice(ill.words))}"
    )
    hpi = [say(rng, styled("hpi", style), s)]
    hpi += sentences(rng, "hpi_more", patient, style, when, rng.randint(1, 3))
    hpi += sentences(rng, "neg", patient, style, when, rng.randint(1, 2))
    history = [
        "PMH: " + ", ".join(condition(c, rng.choice(c.words)) for c in patient.others),
        *sentences(rng, "surg", patient, style, when, 1),
        *sentences(rng, "fam", patient, style, when, 1),
        *sentences(rng, "social", patient, style, when, 1),
    ]
    where = evidence(f"ward|{patient.mrn}", f"Admitted to {entity('ward', patient.ward)}")
    plan = [
        *several(rng, ill.plan, 2, 4),
        f"Start {infused_drug(patient)} infusion, {patient.infusion_rate}",
    ]
    text = (
        header("Admission History and Physical", patient, author, when)
        + f"CC: {say(rng, phrases('cc'), s)}\n{diagnosis}\n{where}\n\n"
        + f"HPI:\n{' '.join(hpi)}\n\n" + "\n".join(history) + f"\n{allergies(patient)}\n"
        + "Home meds / orders:\n" + "\n".join(f"- {order(d)}" for d in patient.drugs)
        + f"\n\nExam: {vitals(rng, patient)}\n"
        + " ".join(sentences(rng, "exam", patient, style, when, 1))
        + f"\nAdm labs: {results(patient.first_labs, patient.mrn)}\n\nA/P:\n"
        + say(rng, styled("assess", style), slots(rng, patient, style, when)) + "\n"
        + "\n".join(f"- {line}" for line in plan) + "\n- "
        + sentences(rng, "poss", patient, style, when, 1)[0] + "\n\n" + author.sign(when)
    )  # fmt: skip
    return _note("admission", patient, when, text)


def _progress(
    rng: random.Random, patient: Patient, author: Author, when: datetime,
    values: dict[str, float], carried: str,
) -> tuple[Note, str]:  # fmt: skip
    style = author.style
    told = sentences(rng, "overnight", patient, style, when, rng.randint(1, 2))
    told += sentences(rng, "subjective", patient, style, when, rng.randint(1, 3))
    told += sentences(rng, "neg", patient, style, when, 1)
    # Most progress notes carry yesterday's assessment forward word for word.
    if not carried or rng.random() < 0.3:
        drug = rng.choice(patient.illness.drugs)
        treated = related(
            "treats", "medication", "condition",
            say(rng, phrases("drug_treats"),
                {"drug": order(drug), "dx_plain": condition(patient.illness)}),
        )  # fmt: skip
        lines = [
            say(rng, styled("assess", style), slots(rng, patient, style, when)),
            f"{treated}.",
            *several(rng, patient.illness.plan, 1, 3),
            *sentences(rng, "progress_plan", patient, style, when, rng.randint(1, 3)),
            *sentences(rng, "poss", patient, style, when, rng.randint(0, 1)),
        ]
        carried = "\n".join(f"{'- ' if style != 'prose' else ''}{line}" for line in lines)
    labels = {
        "terse": ("S:", "O:", "A/P:"),
        "prose": ("Subjective", "Objective", "Assessment and Plan"),
    }
    subjective, objective, assessment = labels.get(style, ("INTERVAL:", "DATA:", "PLAN:"))
    text = (
        header("Progress Note", patient, author, when)
        + f"{subjective}\n{' '.join(told)}\n\n{objective}\n{vitals(rng, patient)}\n"
        + " ".join(sentences(rng, "exam", patient, style, when, 1))
        + f"\nLabs: {results(values)}\n\n{assessment}\n{carried}\n\n{author.sign(when)}"
    )
    return _note("progress", patient, when, text), carried


def _nursing(rng: random.Random, patient: Patient, author: Author, when: datetime) -> Note:
    style = author.style
    lines = sentences(rng, "infusion", patient, style, when, 1)
    lines += sentences(rng, "nursing", patient, style, when, rng.randint(3, 6))
    for device in patient.devices[1:]:
        tag = entity("device", device.tag)
        where = related(
            "located_in", "device", "ward", f"{device.title} {tag} ({entity('ward', patient.ward)})"
        )
        known = {"other": evidence(f"device|{device.tag}", where)}
        lines.append(say(rng, phrases("devices"), known))
    if rng.random() < 0.15:
        lines += sentences(rng, "device_tag", patient, style, when, 1)
    if rng.random() < 0.12:
        lines += sentences(rng, "portal", patient, style, when, 1)
    rng.shuffle(lines)
    lines.insert(0, vitals(rng, patient))
    glue = " " if style == "prose" else "\n"
    text = (
        f"{header('Nursing Note', patient, author, when)}{glue.join(lines)}\n\n{author.sign(when)}"
    )
    return _note("nursing", patient, when, text)


def _radiology(rng: random.Random, world: World, patient: Patient) -> Note:
    when = later(rng, patient.admit, 240)
    others = [w.attending for w in world.wards if w.code != patient.ward]
    author = Author.of(rng.choice(others))
    study = rng.choice(
        ("Chest radiograph, portable AP", "CT chest/abdomen", "CXR 2 views", "Focused imaging")
    )
    findings = sentences(rng, "radiology", patient, author.style, when, rng.randint(3, 4))
    text = (
        header("Radiology Report", patient, author, when)
        + f"EXAM: {study}\nINDICATION: {slots(rng, patient, author.style, when)['sx1']}\n"
        + f"COMPARISON: None.\nFINDINGS: {' '.join(findings)}\nIMPRESSION: "
        + " ".join(sentences(rng, "impression", patient, author.style, when, rng.randint(1, 2)))
        + f"\n\n{author.sign(later(rng, when, 60))}"
    )
    return _note("radiology", patient, when, text)


def _consult(rng: random.Random, world: World, patient: Patient) -> Note:
    when = (patient.admit + timedelta(days=1)).replace(
        hour=rng.randint(8, 16), minute=rng.randrange(60)
    )
    ward = rng.choice([w for w in world.wards if w.code not in (patient.ward, "ED")])
    author = Author.of(ward.attending)
    style = author.style
    lines = sentences(rng, "consult", patient, style, when, 4)
    lines[1:1] = [
        say(rng, styled("hpi", style), slots(rng, patient, style, when)),
        *sentences(rng, "neg", patient, style, when, 1),
        *sentences(rng, "exam", patient, style, when, 1),
        say(rng, styled("assess", style), slots(rng, patient, style, when)),
        *sentences(rng, "poss", patient, style, when, 1),
    ]
    title = f"{ward.title.capitalize()} Consult"
    text = f"{header(title, patient, author, when)}" + "\n".join(lines) + f"\n\n{author.sign(when)}"
    return _note("consult", patient, when, text)


def _alarm(rng: random.Random, patient: Patient, author: Author, when: datetime) -> Note:
    known = slots(rng, patient, author.style, when)
    known["tag"] = evidence(f"alarm|{patient.mrn}", known["tag"])
    lines = [say(rng, phrases("alarm"), known), vitals(rng, patient)]
    lines += sentences(rng, "nursing", patient, author.style, when, 2)
    title = "Nursing Event Note"
    text = f"{header(title, patient, author, when)}" + "\n".join(lines) + f"\n\n{author.sign(when)}"
    return _note("nursing-event", patient, when, text)


def _registration(rng: random.Random, world: World, patient: Patient) -> Note:
    when = later(rng, patient.admit, 180)
    author = Author.of(world.ward(patient.ward).clerk)
    lines = sentences(rng, "portal", patient, author.style, when, rng.randint(6, 9))
    kin_phone = identifier("phone", patient.relative_phone)
    kin = f"Next of kin: {person(patient.relative.name)} ({patient.relation}), {kin_phone}"
    known = slots(rng, patient, author.style, when)
    social = sentences(rng, "social", patient, author.style, when, 1)[0]
    plan = say(rng, phrases("case_plan"), known)
    text = (
        header("Case Management / Registration Note", patient, author, when)
        + f"Reason for admission: {known['sx1']}\nPMH: {known['pmh']}\nSocial History: {social}\n"
        + f"{kin}\n" + "\n".join(lines) + f"\nPlan: {plan}\n\n{author.sign(when)}"
    )  # fmt: skip
    return _note("registration", patient, when, text)


def _discharge(
    rng: random.Random, patient: Patient, author: Author, values: dict[str, float]
) -> Note:
    when = patient.discharge or patient.admit
    style = author.style
    home = [d for d in patient.drugs if d.route != "IV"] or list(patient.drugs)
    course = sentences(rng, "course", patient, style, when, rng.randint(2, 4))
    text = (
        header("Discharge Summary", patient, author, when)
        + f"Admitted: {identifier('date', f'{patient.admit:%m/%d/%Y}')}   "
        + f"Discharged: {identifier('date', f'{when:%m/%d/%Y}')}\n"
        + f"Diagnoses: {', '.join(condition(c, c.words[0]) for c in patient.conditions)}\n"
        + f"{allergies(patient)}\n\nHospital course:\n{' '.join(course)}\n\n"
        + f"Labs at discharge: {results(values)}\n\nDischarge meds:\n"
        + "\n".join(f"- {order(d)}" for d in home)
        + f"\n\nInstructions: {' '.join(sentences(rng, 'hypo', patient, style, when, 2))}\n"
        + f"Follow up with {data('people')['attending'][0].lower()} clinic, "
        + f"{identifier('phone', patient.attending.pager)}.\n\n{author.sign(when)}"
    )
    return _note("discharge", patient, when, text)
