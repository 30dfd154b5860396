"""The model of the sample hospital: who lies where, on which device, behind which host."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from aegle.core.errors import UsageError
from aegle.packs.sample import clinical, people
from aegle.packs.sample.clinical import Allergy, Condition, Drug, Illness
from aegle.packs.sample.people import Contact, Person, Staff
from aegle.packs.sample.words import data

TARGET_WARD: Final = "ICU-3"
FIRST_WARDS: Final = ("ICU-3", "ICU-3", "WARD-4B", "CARDIO-2", "ED", "ONCO-1", "NEPH-5", "NEURO-6")
MIN_PATIENTS: Final = 5
MIN_DAYS: Final = 2


@dataclass(frozen=True, slots=True)
class Ward:
    """A ward: code as on the door, what it does, its part in host names, its people."""

    code: str
    title: str
    slug: str
    attending: Staff
    nurses: tuple[Staff, ...]
    clerk: Staff


@dataclass(frozen=True, slots=True)
class Flaw:
    """A vulnerability of a product."""

    cve: str
    vendor: str
    product: str
    cvss: float
    cwe: str


@dataclass(frozen=True, slots=True)
class Host:
    """A computer. ``ward`` is empty for those of the whole hospital."""

    name: str
    ip: str
    system: str
    service: str
    ward: str
    owner: str
    flaws: tuple[Flaw, ...] = ()

    @property
    def windows(self) -> bool:
        """Whether it writes Windows events rather than syslog."""
        return self.system.startswith("Windows")


@dataclass(frozen=True, slots=True)
class Device:
    """A clinical device: asset tag (kept), serial number and UDI (identifiers)."""

    tag: str
    kind: str
    title: str
    vendor: str
    model: str
    serial: str
    udi: str
    ward: str
    host: str


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient's stay: who, why, from when to when, with what."""

    person: Person
    mrn: str
    birth: date
    contact: Contact
    relative: Person
    relative_phone: str
    relation: str
    employer: str
    ward: str
    attending: Staff
    admit: datetime
    discharge: datetime | None
    illness: Illness
    others: tuple[Condition, ...]
    allergies: tuple[Allergy, ...]
    drugs: tuple[Drug, ...]
    infusion_rate: str
    first_labs: dict[str, float]
    devices: tuple[Device, ...]

    @property
    def pump(self) -> Device:
        """The infusion pump; everybody has one."""
        return self.devices[0]

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The reason for admission first."""
        return (self.illness, *self.others)

    def age(self, on: date) -> int:
        """Whole years at a day."""
        return on.year - self.birth.year - ((on.month, on.day) < (self.birth.month, self.birth.day))

    def here(self, on: date) -> bool:
        """Whether in hospital on a day."""
        return self.admit.date() <= on and (self.discharge is None or on <= self.discharge.date())


@dataclass(frozen=True, slots=True)
class World:
    """The whole hospital over ``days`` days from ``start``."""

    seed: int
    start: datetime
    days: int
    wards: tuple[Ward, ...]
    hosts: tuple[Host, ...]
    devices: tuple[Device, ...]
    patients: tuple[Patient, ...]
    engineer: Staff
    admin: Staff
    officer: Staff

    def rng(self, name: str) -> random.Random:
        """A source of chance of its own for one part, so that parts don't disturb each other."""
        return random.Random(f"{self.seed}/{self.days}/{len(self.patients)}/{name}")

    def host(self, name: str) -> Host:
        """The host of a name."""
        return next(host for host in self.hosts if host.name == name)

    def ward(self, code: str) -> Ward:
        """The ward of a code."""
        return next(ward for ward in self.wards if ward.code == code)

    @property
    def end(self) -> datetime:
        """Midnight after the last day."""
        return self.start + timedelta(days=self.days)

    def dates(self) -> list[date]:
        """Every day."""
        return [(self.start + timedelta(days=day)).date() for day in range(self.days)]


def build(*, patients: int, days: int, seed: int) -> World:
    """The hospital of these sizes and this seed: always the same one.

    Raises:
        UsageError: fewer than 5 patients or 2 days, too few for the story and its questions.
    """
    if patients < MIN_PATIENTS or days < MIN_DAYS:
        raise UsageError(
            f"a sample hospital needs at least {MIN_PATIENTS} patients and {MIN_DAYS} days, "
            f"got {patients} and {days}"
        )
    rng = random.Random(f"{seed}/{days}/{patients}/world")
    start = datetime(2026, 3, 2) + timedelta(weeks=rng.randrange(12))
    namer = people.Namer(rng)
    wards = tuple(_ward(namer, *row) for row in data("hospital")["wards"])
    codes = [
        FIRST_WARDS[n] if n < len(FIRST_WARDS) else rng.choice(wards).code for n in range(patients)
    ]
    tags = _tags(rng, patients)
    mrns = rng.sample(range(4_000_000, 4_999_999), patients)
    stays = [
        _patient(rng, namer, next(w for w in wards if w.code == code), str(mrn), start, days, tags)
        for code, mrn in zip(codes, mrns, strict=True)
    ]
    spares = [_device(rng, tags, kind, ward) for ward in wards for kind in ("pump", "monitor")]
    devices = sorted((d for p in stays for d in p.devices), key=lambda d: d.tag)
    return World(
        seed=seed,
        start=start,
        days=days,
        wards=wards,
        hosts=_hosts(rng, wards),
        devices=(*devices, *spares),
        patients=tuple(stays),
        engineer=namer.staff("biomedical engineer"),
        admin=namer.staff("system administrator"),
        officer=namer.staff("security officer"),
    )


def _ward(namer: people.Namer, code: str, title: str, slug: str) -> Ward:
    nurses = tuple(namer.staff("RN", code) for _ in range(3))
    return Ward(code, title, slug, namer.staff("MD", code), nurses, namer.staff("clerk", code))


def _tags(rng: random.Random, patients: int) -> dict[str, list[int]]:
    numbers = range(11, 11 + max(9 * patients, 400))
    return {kind: rng.sample(numbers, len(numbers)) for kind in data("hospital")["devices"]}


def _device(rng: random.Random, tags: dict[str, list[int]], kind: str, ward: Ward) -> Device:
    prefix, title, vendor, model = data("hospital")["devices"][kind]
    serial = (
        f"{prefix[0]}{rng.randrange(10, 99)}{rng.choice('ABCDEFGH')}{rng.randrange(10**5, 10**6)}"
    )
    udi = f"(01)008{rng.randrange(10**10, 10**11)}(21){serial}"
    host = f"{ward.slug}-{'cms01' if kind == 'monitor' else 'gw01'}"
    tag = f"{prefix}-{tags[kind].pop():04d}"
    return Device(tag, kind, title, vendor, model, serial, udi, ward.code, host)


def _patient(
    rng: random.Random,
    namer: people.Namer,
    ward: Ward,
    mrn: str,
    start: datetime,
    days: int,
    tags: dict[str, list[int]],
) -> Patient:
    illness = rng.choice([i for i in clinical.illnesses() if ward.code in i.wards])
    person = namer.person(illness.sex)
    others = tuple(rng.sample(clinical.comorbidities(), rng.randint(1, 4)))
    admit = start + timedelta(minutes=rng.randrange(6 * 60, int((days - 1) * 24 * 60 * 0.6) + 600))
    left = rng.random() < 0.4 and ward.code != TARGET_WARD
    stay = timedelta(days=rng.randint(1, 4), hours=rng.randint(1, 6))
    discharge = (admit + stay).replace(hour=rng.randint(10, 16)) if left else None
    kinds = ["pump"]
    kinds += ["monitor"] if ward.code in ("ICU-3", "CARDIO-2", "ED") else []
    kinds += ["ventilator"] if illness.name == "acute respiratory failure" else []
    drugs = (*illness.drugs, *(c.drugs[0] for c in others if c.drugs))
    drugs = tuple({drug.name: drug for drug in reversed(drugs)}.values())
    relative = namer.person()
    return Patient(
        person=person,
        mrn=mrn,
        birth=people.birth_date(rng, start.date()),
        contact=people.contact(rng, person, mrn),
        relative=Person(relative.first, rng.choice((person.last, relative.last)), relative.sex),
        relative_phone=people.phone(rng),
        relation=rng.choice(data("people")["relations"][relative.sex]),
        employer=rng.choice(data("people")["employers"]),
        ward=ward.code,
        attending=ward.attending,
        admit=admit,
        discharge=discharge if discharge and discharge < start + timedelta(days=days) else None,
        illness=illness,
        others=others,
        allergies=clinical.allergies(rng),
        drugs=drugs[::-1],
        infusion_rate=clinical.rate(rng, illness),
        first_labs=clinical.admission_labs(rng, (illness, *others)),
        devices=tuple(_device(rng, tags, kind, ward) for kind in kinds),
    )


def _hosts(rng: random.Random, wards: tuple[Ward, ...]) -> tuple[Host, ...]:
    known = data("hospital")
    flaws = [Flaw(*row) for row in known["gateway_cves"]]
    # The target's flaw is the first; the other gateways share out the rest, one each, so that a
    # flaw that is open leads to one ward.
    target, rest = flaws[0], rng.sample(flaws[1:], len(wards) - 1)
    stations = rng.sample([Flaw(*row) for row in known["station_cves"]], len(wards))
    hosts = []
    for number, ward in enumerate(wards):
        flaw = target if ward.code == TARGET_WARD else rest.pop()
        net = f"10.20.{40 + number}"
        hosts += [
            Host(f"{ward.slug}-gw01", f"{net}.4", rng.choice(known["gateway_os"]), "pump-gateway",
                 ward.code, "biomedical engineering", (flaw,)),
            Host(f"{ward.slug}-cms01", f"{net}.6", rng.choice(known["station_os"]),
                 "central-monitor", ward.code, "biomedical engineering", (stations[number],)),
        ]  # fmt: skip
        hosts += [
            Host(f"WS-{ward.slug.upper()}-{n:02d}", f"{net}.{20 + n}", "Windows 10 22H2",
                 "ehr-client", ward.code, "clinical workstations")
            for n in (1, 2)
        ]  # fmt: skip
    spare = [Flaw(*row) for row in known["other_cves"]]
    for name, ip, system, service, owner in known["servers"]:
        open_flaws = (rng.choice(spare),) if rng.random() < 0.7 else ()
        hosts.append(Host(name, ip, system, service, "", owner, open_flaws))
    return tuple(hosts)
