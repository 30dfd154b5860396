"""Questions that need two or three documents of one domain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aegle.packs.sample import clinical
from aegle.packs.sample.asking import Asked, Desk, Maker, device, host, record
from aegle.packs.sample.intrusion import SERVICE_ACCOUNT
from aegle.packs.sample.questions_single import names
from aegle.packs.sample.threat import policy


def allergic(desk: Desk) -> Iterator[Asked]:
    """From the pump to the patient to the allergy."""
    for p in desk.patients():
        if len(p.allergies) == 1:
            yield desk.ask(
                f"What is the patient on {p.pump.tag} allergic to?", p.allergies[0].substance,
                f"pump|{p.mrn}", f"allergy|{p.mrn}", on=f"{device(p.pump.tag)} {record(p)}",
            )  # fmt: skip


def diagnosed(desk: Desk) -> Iterator[Asked]:
    """From the pump to the patient to the reason for admission."""
    for p in desk.patients():
        yield desk.ask(
            f"What was the admitting diagnosis of the patient on {p.pump.tag}?", names(p.illness),
            f"pump|{p.mrn}", f"diagnosis|{p.mrn}",
            on=f"{device(p.pump.tag)} {record(p)} ICD10CM:{p.illness.icd}",
        )  # fmt: skip


def measured(desk: Desk) -> Iterator[Asked]:
    """From the pump to the patient to a result."""
    kinds = clinical.labs()
    for p in desk.patients():
        name = desk.rng.choice([n for n in p.first_labs if n in p.illness.labs])
        yield desk.ask(
            f"What was the admission {name} of the patient on {p.pump.tag}?",
            kinds[name].show(p.first_labs[name]),
            f"pump|{p.mrn}", f"lab|{p.mrn}|{name}", on=f"{device(p.pump.tag)} {record(p)}",
        )  # fmt: skip


def exposed(desk: Desk) -> Iterator[Asked]:
    """From the device to its host to the product with an open vulnerability."""
    for d in desk.rng.sample(desk.world.devices, len(desk.world.devices)):
        flaw = desk.world.host(d.host).flaws[0]
        yield desk.ask(
            f"Which product on the host that controls {d.tag} has an open vulnerability?",
            (flaw.product, f"{flaw.vendor} {flaw.product}"),
            f"tag|{d.tag}", f"controls|{d.tag}", f"scanned|{d.host}", f"product|{flaw.cve}",
            on=f"{device(d.tag)} {host(d.host)} CVE:{flaw.cve}",
        )  # fmt: skip


def systems(desk: Desk) -> Iterator[Asked]:
    """From the device to its host to the operating system."""
    for d in desk.rng.sample(desk.world.devices, len(desk.world.devices)):
        yield desk.ask(
            f"Which operating system runs on the host that controls {d.tag}?",
            desk.world.host(d.host).system,
            f"tag|{d.tag}", f"controls|{d.tag}", f"host|{d.host}", f"system|{d.host}",
            on=f"{device(d.tag)} {host(d.host)}",
        )  # fmt: skip


def attributed(desk: Desk) -> Iterator[Asked]:
    """From the attacker to what other papers say."""
    s, figures = desk.story, policy(desk.world)
    cve = f"CVE:{s.flaw.cve}"
    yield desk.ask(
        f"Which CWE does the vulnerability have that {s.actor} exploits?", s.flaw.cwe,
        "flaw", f"cve|{s.flaw.cve}", on=f"{cve} CWE:{s.flaw.cwe}",
    )  # fmt: skip
    yield desk.ask(
        f"In which gateway release is the vulnerability fixed that {s.actor} exploits?",
        figures["firmware"], "flaw", "advisory|fixed", on=cve,
    )  # fmt: skip
    yield desk.ask(
        f"To which ward does the workstation belong on which the task {s.task} was created?",
        s.entry.ward, "task", f"host|{s.entry.name}", f"ward_of|{s.entry.name}",
        on=f"{host(s.entry.name)} ward:{s.entry.ward.lower()}",
    )  # fmt: skip
    tag = s.victim.pump.tag
    yield desk.ask(
        f"Which account logged in from {s.console.ip} by SSH to the host that controls {tag}?",
        SERVICE_ACCOUNT, f"tag|{tag}", f"controls|{tag}", "ssh",
        on=f"{device(tag)} {host(s.gateway.name)} account:{SERVICE_ACCOUNT}",
    )  # fmt: skip


MAKERS: Final[tuple[Maker, ...]] = (allergic, diagnosed, measured, exposed, systems, attributed)
