"""What is right for the wordings of `wordings.py`, from the model that the sample is made of."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from aegle.packs.sample import intrusion
from aegle.packs.sample.clinical import Condition, Drug
from aegle.packs.sample.intrusion import Intrusion
from aegle.packs.sample.threat import policy
from aegle.packs.sample.world import Host, Patient, World

VITALS = tuple(
    "BP|HR|RR|T|SpO2|heart rate|respiratory rate|body temperature|oxygen saturation|"
    "systolic blood pressure".split("|")
)


@dataclass(frozen=True, slots=True)
class Gold:
    """What is right: any of some texts, in a document of any of some patients."""

    says: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()
    may_refuse: bool = False
    person: bool = False
    """The answer is a person's name, for which a surrogate stands."""


@dataclass(frozen=True, slots=True)
class Case:
    """Whom and what a question is about: one patient, one drug, the pump's host."""

    world: World
    story: Intrusion
    patient: Patient
    drug: Drug
    comorbid: Condition
    host: Host

    @property
    def given(self) -> tuple[str, ...]:
        """Every drug that the patient gets."""
        return given(self.patient)


def case(world: World, rng: random.Random) -> Case:
    """A patient with an allergy to a drug, and what goes with that patient."""
    patient = rng.choice([p for p in world.patients if p.allergies and p.allergies[0].code])
    drug, comorbid = rng.choice(patient.drugs), rng.choice(patient.others)
    story, host = intrusion.plan(world), world.host(patient.pump.host)
    return Case(world, story, patient, drug, comorbid, host)


def given(patient: Patient) -> tuple[str, ...]:
    """Every drug that a patient gets."""
    return (*(drug.name for drug in patient.drugs), patient.illness.infusion)


def names(condition: Condition) -> tuple[str, ...]:
    """Every word for a condition."""
    return tuple(dict.fromkeys((condition.name, *condition.words, condition.icd_name)))


def charts(patients: Iterable[Patient]) -> tuple[str, ...]:
    """The record numbers of some patients."""
    return tuple(p.mrn for p in patients)


def words(one: Case) -> dict[str, str]:
    """The names that questions are made with."""
    p, story, world = one.patient, one.story, one.world
    own = {a.substance for a in p.allergies}
    opened = story.times["open"]
    return {
        "name": p.person.name,
        "mrn": p.mrn,
        "tag": p.pump.tag,
        "host": one.host.name,
        "ward": p.ward,
        "drug": one.drug.name,
        "infusion": p.illness.infusion,
        "substance": p.allergies[0].substance,
        "free": next(x for x in ("latex", "codeine", "naproxen", "tramadol") if x not in own),
        "cve": one.host.flaws[0].cve,
        "other_cve": next(h.flaws[0].cve for h in world.hosts if h.flaws and h.ward != p.ward),
        "illness": p.illness.words[0],
        "comorbid": one.comorbid.words[0],
        "loader": story.loader,
        "actor": story.actor,
        "domain": story.domain,
        "entry": story.entry.name,
        "date": f"{opened:%Y-%m-%d}",
        "us_date": f"{opened:%B} {opened.day}, {opened:%Y}",
    }


def right(one: Case) -> dict[str, Gold]:
    """What is right, by the key that stands beside a wording."""
    return {"nothing": Gold(may_refuse=True), **_care(one), **_machines(one), **_papers(one)}


def _care(one: Case) -> dict[str, Gold]:
    p, world, own = one.patient, one.world, (one.patient.mrn,)
    labs, infusion, drug = p.first_labs, p.illness.infusion, one.drug.name
    allergies = tuple(a.substance for a in p.allergies)
    return {
        "ward": Gold((p.ward,), own),
        "taking": Gold((drug,), charts(q for q in world.patients if drug in given(q))),
        "infused": Gold((infusion,), charts(q for q in world.patients if infusion in given(q))),
        "patients_ill": Gold(
            names(p.illness), charts(q for q in world.patients if q.illness.name == p.illness.name)
        ),
        "attending": Gold((p.attending.name, p.attending.last), own, person=True),
        "allergic": Gold(allergies[:1], own),
        "allergies": Gold(allergies, own),
        "not_allergic": Gold(allergies[:1], own, may_refuse=True),
        "meds": Gold(one.given, own),
        "drugs": Gold(one.given, own),
        "dose": Gold((one.drug.dose,), own),
        "vitals": Gold(VITALS, own),
        "pressure": Gold(("BP", "systolic blood pressure"), own),
        "pulse": Gold(("HR", "heart rate"), own),
        "potassium": Gold((f"{labs['potassium']:.1f}",), own),
        "hemoglobin": Gold((f"{labs['hemoglobin']:.1f}",), own),
        "reason": Gold((*names(p.illness), *p.illness.symptoms), own),
        "illness": Gold(names(p.illness), own),
        "comorbid": Gold(names(one.comorbid), own),
        "owner_of_pump": Gold((p.pump.tag,), own),
    }


def _machines(one: Case) -> dict[str, Gold]:
    p, host, world = one.patient, one.host, one.world
    cve = host.flaws[0].cve
    return {
        "device_ward": Gold((p.ward,)),
        "tags": Gold(tuple(d.tag for d in world.devices if d.ward == p.ward)),
        "controlled": Gold(tuple(d.tag for d in world.devices if d.host == host.name)),
        "vendor": Gold((p.pump.vendor,)),
        "model": Gold((p.pump.model,)),
        "cve": Gold((cve,)),
        "cve_yes": Gold((host.name,)),
        "not_closed": Gold((host.name,)),
        "cve_no": Gold((cve,), may_refuse=True),
        "host": Gold((host.name,)),
        "ip": Gold((host.ip,)),
        "engine_ip": Gold((world.host("hl7-eng01").ip,)),
        "owner": Gold((host.owner,)),
        "system": Gold((host.system,)),
        "product": Gold((host.flaws[0].product,)),
        "depends": Gold(("ehr-app01", "hl7-eng01")),
        "seen": Gold((one.story.entry.name,)),
    }


def _papers(one: Case) -> dict[str, Gold]:
    rules, story = policy(one.world), one.story
    return {
        "battery": Gold((f"{rules['battery_hours']} hours",)),
        "logs": Gold((f"{rules['log_days']} days",)),
        "patch": Gold((f"{rules['patch_hours']} hours",)),
        "password": Gold((f"at least {rules['password_length']} characters",)),
        "clerks": Gold(("Clerks have no administrator rights",)),
        "isolate": Gold(("isolated",)),
        "gateway_down": Gold(
            (
                "Compare each running rate",
                "Keep the pump on its last confirmed rate",
                "are checked by two nurses",
                "Tell the attending",
            )
        ),
        "occlusion": Gold(("check line and cannula",)),
        "air": Gold(("clamp, remove air, restart",)),
        "call": Gold(
            (
                "calls biomedical engineering and the security officer",
                "Tell the attending, biomedical engineering",
            )
        ),
        "actor": Gold((story.actor,)),
        "loader": Gold((story.loader,)),
        "entry_way": Gold(("spearphishing attachment", "T1566.001", f"exploits {story.flaw.cve}")),
    }
