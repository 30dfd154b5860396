"""The slots of one patient's notes: names, findings and orders as labelled text."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from aegle.packs.sample import clinical
from aegle.packs.sample.clinical import Condition, Drug
from aegle.packs.sample.marks import entity, evidence, identifier, related
from aegle.packs.sample.people import Staff
from aegle.packs.sample.words import data, listed, say, several
from aegle.packs.sample.world import Patient

STYLES: Final = ("terse", "prose", "form")
DATE_FORMATS: Final = {"terse": "%m/%d/%y", "prose": "%B %d, %Y", "form": "%Y-%m-%d"}


def phrases(name: str) -> list[str]:
    """The grammars of one kind of sentence."""
    found: list[str] = data("phrases")[name]
    return found


def styled(name: str, style: str) -> list[str]:
    """The grammars of one kind of sentence in one author's style."""
    found: list[str] = data("phrases")[name][style]
    return found


def day(when: date | datetime, style: str) -> str:
    """A date as an author of this style writes it; an identifier."""
    return identifier("date", when.strftime(DATE_FORMATS[style]))


def stamp(when: datetime) -> str:
    """Date and time of a note; the date is the identifier."""
    return f"{identifier('date', when.strftime('%Y-%m-%d'))} {when:%H:%M}"


def person(name: str) -> str:
    """A name; an identifier."""
    return identifier("name", name)


def condition(item: Condition, text: str = "", assertion: str = "present") -> str:
    """A diagnosis by one of its words, with its ICD-10-CM code as gold."""
    concept = f"ICD10CM:{item.icd}"
    return entity("condition", text or item.name, concept=concept, assertion=assertion)


def symptoms(names: Iterable[str], assertion: str = "present") -> list[str]:
    """Symptoms with one assertion."""
    return [entity("symptom", name, assertion=assertion) for name in names]


def order(drug: Drug) -> str:
    """A drug with dose, route and frequency: ``metoprolol 25 mg PO BID``."""
    name = entity("medication", drug.name, concept=f"RXNORM:{drug.code}" if drug.code else "")
    dosed = related("has_dose", "medication", "dose", f"{name} {entity('dose', drug.dose)}")
    return f"{dosed} {drug.route} {drug.frequency}"


def infused_drug(patient: Patient) -> str:
    """The drug that runs in, without saying through which pump."""
    name = patient.illness.infusion
    code = data("clinical")["drugs"].get(name, "")
    return entity("medication", name, concept=f"RXNORM:{code}" if code else "")


def infusion(patient: Patient) -> str:
    """What runs through which pump on which ward; evidence for questions."""
    drug, pump = infused_drug(patient), patient.pump
    where = related(
        "located_in", "device", "ward",
        f"{entity('device', pump.tag)} in {entity('ward', patient.ward)}",
    )  # fmt: skip
    said = evidence(f"infusion|{patient.mrn}", f"{drug} via {where}")
    return evidence(f"pump|{patient.mrn}", said)


def allergies(patient: Patient) -> str:
    """The allergy line; evidence when there is something to prove."""
    if not patient.allergies:
        return "NKDA"
    shown = [
        f"{entity('allergy', a.substance, concept=f'RXNORM:{a.code}' if a.code else '')} "
        f"({a.reaction})"
        for a in patient.allergies
    ]
    return evidence(f"allergy|{patient.mrn}", f"Allergies: {', '.join(shown)}")


def results(values: dict[str, float], key: str = "") -> str:
    """Lab results in one line, ``Na 138, K 3.1``; each is evidence when ``key`` is a patient."""
    kinds = clinical.labs()
    shown = []
    for name, value in values.items():
        kind = kinds[name]
        lab = entity("lab", kind.short, concept=f"LOINC:{kind.loinc}")
        text = f"{lab} {kind.show(value)}"
        shown.append(evidence(f"lab|{key}|{name}", text) if key else text)
    return ", ".join(shown)


def vitals(rng: random.Random, patient: Patient) -> str:
    """One set of vital signs as nurses write it."""
    sick = patient.ward == "ICU-3"
    sbp, rate = rng.randint(88 if sick else 108, 148), rng.randint(68, 122 if sick else 98)
    values = {
        "systolic blood pressure": ("BP", f"{sbp}/{sbp - rng.randint(34, 58)}"),
        "heart rate": ("HR", str(rate)),
        "respiratory rate": ("RR", str(rng.randint(12, 26 if sick else 20))),
        "body temperature": ("T", f"{rng.uniform(36.3, 38.9 if sick else 37.9):.1f}"),
        "oxygen saturation": ("SpO2", f"{rng.randint(90, 99)}%"),
    }
    codes = data("clinical")["vitals"]
    return ", ".join(
        f"{entity('vital', short, concept=f'LOINC:{codes[name][0]}')} {value}"
        for name, (short, value) in values.items()
    )


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes: a member of staff with a style of their own that never changes."""

    staff: Staff
    style: str

    @classmethod
    def of(cls, staff: Staff) -> Author:
        """The author that a member of staff is."""
        return cls(staff, STYLES[sum(map(ord, staff.login)) % len(STYLES)])

    def sign(self, when: datetime) -> str:
        """The signature line."""
        name = person(self.staff.name)
        if self.style == "prose":
            return f"Electronically signed by {name}, {self.staff.role}, on {stamp(when)}"
        if self.style == "form":
            return f"Signed: {name} {self.staff.role} | {stamp(when)}"
        return f"{name}, {self.staff.role}"


def header(title: str, patient: Patient, author: Author, when: datetime) -> str:
    """The head of a note in its author's layout."""
    name, born = person(patient.person.name), day(patient.birth, author.style)
    mrn, ward = identifier("mrn", patient.mrn), entity("ward", patient.ward)
    attending = person(patient.attending.name)
    if author.style == "form":
        return (
            f"{title.upper()}\nPatient: {name}\nMRN: {mrn}\nDOB: {born}\n"
            f"Date of service: {stamp(when)}\nAttending: {attending}, MD\nWard: {ward}\n\n"
        )
    if author.style == "prose":
        person_last_first = person(f"{patient.person.last}, {patient.person.first}")
        return (
            f"{title}\n{data('hospital')['name']}\n\nPatient: {person_last_first}\n"
            f"MRN: {mrn}    DOB: {born}\nDate of service: {stamp(when)}\n"
            f"Location: {ward}\nAttending: Dr. {attending}\n\n"
        )
    return (
        f"{title.upper()} - {ward}\nPatient: {name}   MRN: {mrn}   DOB: {born}\n"
        f"Date of service: {stamp(when)}   Attending: {attending}\n\n"
    )


def _person_slots(patient: Patient, style: str, when: datetime) -> dict[str, str]:
    contact, sex = patient.contact, patient.person.sex
    age = patient.age(when.date())
    shown_age = identifier("date", str(age)) if age > 89 else str(age)
    dl, dea = identifier("licence", contact.licence), patient.attending.licence
    return {
        "age": shown_age, "sex": sex, "s": sex[0].upper(), "last": person(patient.person.last),
        "object": "her" if sex == "female" else "him",
        "possessive": "her" if sex == "female" else "his",
        "relation": patient.relation, "Relation": patient.relation.capitalize(),
        "relative": person(patient.relative.name),
        "relative_phone": identifier("phone", patient.relative_phone),
        "employer": patient.employer, "dl": dl, "dea": identifier("licence", dea),
        "street": identifier("place", contact.street), "city": identifier("place", contact.city),
        "state": contact.state, "zip": identifier("place", contact.zip_code),
        "phone": identifier("phone", contact.phone), "fax": identifier("fax", contact.fax),
        "email": identifier("email", contact.email), "ssn": identifier("ssn", contact.ssn),
        "plan": contact.plan, "plan_id": identifier("health_plan", contact.plan_id),
        "account": identifier("account", contact.account),
        "plate": identifier("vehicle", contact.plate), "vin": identifier("vehicle", contact.vin),
        "fingerprint": identifier("biometric", contact.fingerprint),
        "photo": identifier("photo", contact.photo),
        "study_code": identifier("code", contact.study_code),
        "portal_url": identifier("url", contact.portal_url), "ip": identifier("ip", contact.ip),
        "attending": person(patient.attending.last), "attending_title": "Dr.",
        "Age_opening": f"{shown_age}-year-old {sex}",
    }  # fmt: skip


def slots(rng: random.Random, patient: Patient, style: str, when: datetime) -> dict[str, str]:
    """Every slot that a sentence about this patient may name, freshly drawn."""
    ill = patient.illness
    present = symptoms(rng.sample(ill.symptoms, min(2, len(ill.symptoms))))
    negated = symptoms(several(rng, ill.denies, 1, 3), "negated")
    told = symptoms(rng.sample(ill.symptoms, 2), "hypothetical")
    others = [condition(c, rng.choice(c.words)) for c in patient.others]
    drug = rng.choice(patient.drugs)
    surgery = rng.choice(data("clinical")["past_surgery"])
    upper = symptoms([rng.choice(ill.symptoms).capitalize()])[0]
    return {
        **_person_slots(patient, style, when),
        "sx1": present[0], "sx2": present[-1], "Sx1": upper, "n": str(rng.randint(1, 6)),
        "neg": listed(negated), "neg_or": listed(negated, "or"),
        "pmh": listed(others), "comorbid": rng.choice(others),
        "dx": condition(ill, rng.choice(ill.words)), "dx_plain": condition(ill),
        "poss": entity("condition", rng.choice(ill.possible), assertion="possible"),
        "surg": entity("procedure", surgery, assertion="historical"),
        "fam": entity("condition", rng.choice(data("clinical")["family"]), assertion="family"),
        "hyp": told[0], "hyp2": told[1], "exam": rng.choice(ill.exam),
        "imaging": rng.choice(ill.imaging), "drug": order(drug), "rx": order(rng.choice(ill.drugs)),
        "infusion": infusion(patient), "rate": patient.infusion_rate,
        "infusion_drug": ill.infusion, "tag": entity("device", patient.pump.tag),
        "serial": identifier("device", patient.pump.serial),
        "udi": identifier("device", patient.pump.udi),
        "bed": str(rng.randint(1, 24)), "uop": str(rng.randrange(120, 900, 10)),
    }  # fmt: skip


def sentences(
    rng: random.Random, name: str, patient: Patient, style: str, when: datetime, count: int
) -> list[str]:
    """``count`` different sentences of one kind about a patient."""
    chosen = rng.sample(phrases(name), min(count, len(phrases(name))))
    return [say(rng, template, slots(rng, patient, style, when)) for template in chosen]


def later(rng: random.Random, when: datetime, minutes: int) -> datetime:
    """Some minutes later, between half as many and all."""
    return when + timedelta(minutes=rng.randint(minutes // 2, minutes))
