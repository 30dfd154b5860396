"""What ails the patients: conditions with the drugs, findings and results that go with them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from aegle.packs.sample.words import data


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug as ordered; ``code`` is its RxNorm ingredient."""

    name: str
    code: str
    dose: str = ""
    route: str = ""
    frequency: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """A diagnosis with its codes and the words that doctors use for it."""

    name: str
    words: tuple[str, ...]
    icd: str
    icd_name: str
    snomed: str
    drugs: tuple[Drug, ...] = ()
    labs: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Illness(Condition):
    """A condition that brings someone to the hospital, with how it looks day by day."""

    wards: tuple[str, ...] = ()
    sex: str = ""
    symptoms: tuple[str, ...] = ()
    denies: tuple[str, ...] = ()
    exam: tuple[str, ...] = ()
    imaging: tuple[str, ...] = ()
    possible: tuple[str, ...] = ()
    plan: tuple[str, ...] = ()
    infusion: str = ""
    infusion_unit: str = ""


@dataclass(frozen=True, slots=True)
class Allergy:
    """What someone must not be given, and what happens when they are."""

    substance: str
    code: str
    reaction: str


@dataclass(frozen=True, slots=True)
class Lab:
    """A kind of laboratory test: its LOINC code, short name in notes, unit and normal range."""

    name: str
    loinc: str
    short: str
    unit: str
    low: float
    high: float
    digits: int

    def show(self, value: float) -> str:
        """The value as every document prints it."""
        return f"{value:.{self.digits}f}"


def _drug(row: Sequence[str]) -> Drug:
    return Drug(row[0], data("clinical")["drugs"].get(row[0], ""), *row[1:])


def labs() -> dict[str, Lab]:
    """Every kind of test by name."""
    return {name: Lab(name, *row) for name, row in data("clinical")["labs"].items()}


def illnesses() -> list[Illness]:
    """Every condition that someone may be admitted for."""
    return [
        Illness(
            name=row["name"],
            words=tuple(row["words"]),
            icd=row["icd"],
            icd_name=row["icd_name"],
            snomed=row["snomed"],
            drugs=tuple(_drug(drug) for drug in row["drugs"]),
            labs={name: (low, high) for name, (low, high) in row["labs"].items()},
            wards=tuple(row["wards"]),
            sex=row.get("sex", ""),
            symptoms=tuple(row["symptoms"]),
            denies=tuple(row["denies"]),
            exam=tuple(row["exam"]),
            imaging=tuple(row["imaging"]),
            possible=tuple(row["possible"]),
            plan=tuple(row["plan"]),
            infusion=row["infusion"][0],
            infusion_unit=row["infusion"][1],
        )
        for row in data("clinical")["conditions"]
    ]


def comorbidities() -> list[Condition]:
    """Every long-standing condition that someone may bring along."""
    return [
        Condition(
            name=row["name"],
            words=tuple(row["words"]),
            icd=row["icd"],
            icd_name=row["icd_name"],
            snomed=row["snomed"],
            drugs=tuple(_drug(drug) for drug in row["drugs"]),
            labs={name: (low, high) for name, (low, high) in row.get("labs", {}).items()},
        )
        for row in data("clinical")["comorbid"]
    ]


def allergies(rng: random.Random) -> tuple[Allergy, ...]:
    """One allergy mostly, two sometimes, none now and then."""
    rows = rng.sample(data("clinical")["allergens"], rng.choices((0, 1, 2), (1, 7, 2))[0])
    return tuple(Allergy(name, code, rng.choice(reactions)) for name, code, reactions in rows)


def rate(rng: random.Random, illness: Illness) -> str:
    """At what rate the infusion of an illness runs, with its unit."""
    rates = data("clinical")["rates"]
    values = rates.get(illness.infusion) or rates[illness.infusion_unit]
    return f"{rng.choice(values)} {illness.infusion_unit}"


def admission_labs(rng: random.Random, conditions: Sequence[Condition]) -> dict[str, float]:
    """The first results: within normal limits but for what the conditions push out of them."""
    kinds = labs()
    pushed = {
        name: span for condition in reversed(conditions) for name, span in condition.labs.items()
    }
    names = ["sodium", "potassium", "creatinine", "glucose", "white cell count", "hemoglobin"]
    names += [name for name in pushed if name not in names]
    values = {}
    for name in names:
        low, high = pushed.get(name, (kinds[name].low, kinds[name].high))
        values[name] = round(rng.uniform(low, high), kinds[name].digits)
    return values


def next_value(rng: random.Random, lab: Lab, value: float) -> float:
    """A day later: some way back towards the middle of the normal range, with noise."""
    middle = (lab.low + lab.high) / 2
    moved = value + (middle - value) * rng.uniform(0.2, 0.55)
    noise = (lab.high - lab.low) * rng.uniform(-0.12, 0.12)
    return round(max(moved + noise, lab.low * 0.3), lab.digits)
