"""Questions that one passage answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aegle.packs.sample import clinical
from aegle.packs.sample.asking import Asked, Desk, Maker, device, host, record, ward
from aegle.packs.sample.intrusion import SERVICE_ACCOUNT
from aegle.packs.sample.threat import defang, policy


def infused(desk: Desk) -> Iterator[Asked]:
    """The drug that runs through a pump."""
    for p in desk.patients():
        yield desk.ask(
            f"Which drug is infused through {p.pump.tag}?", p.illness.infusion,
            f"infusion|{p.mrn}", on=device(p.pump.tag),
        )  # fmt: skip


def allergic(desk: Desk) -> Iterator[Asked]:
    """The one allergy of a patient."""
    for p in desk.patients():
        if len(p.allergies) == 1:
            yield desk.ask(
                f"What is {desk.call(p)} allergic to?", p.allergies[0].substance,
                f"allergy|{p.mrn}", on=record(p),
            )  # fmt: skip


def lies(desk: Desk) -> Iterator[Asked]:
    """The ward of a patient."""
    for p in desk.patients():
        question = f"To which ward was {desk.call(p)} admitted?"
        yield desk.ask(question, p.ward, f"ward|{p.mrn}", on=f"{record(p)} {ward(p.ward)}")


def diagnosed(desk: Desk) -> Iterator[Asked]:
    """The reason for admission."""
    for p in desk.patients():
        yield desk.ask(
            f"What was the admitting diagnosis of {desk.call(p)}?", names(p.illness),
            f"diagnosis|{p.mrn}", on=f"{record(p)} ICD10CM:{p.illness.icd}",
        )  # fmt: skip


def measured(desk: Desk) -> Iterator[Asked]:
    """A result on admission."""
    kinds = clinical.labs()
    for p in desk.patients():
        name = desk.rng.choice([n for n in p.first_labs if n in p.illness.labs])
        yield desk.ask(
            f"What was the {name} of {desk.call(p)} on admission?",
            kinds[name].show(p.first_labs[name]),
            f"lab|{p.mrn}|{name}", on=f"{record(p)} LOINC:{kinds[name].loinc}",
        )  # fmt: skip


def names(illness: clinical.Condition) -> tuple[str, ...]:
    """Every accepted name of a condition."""
    return tuple(dict.fromkeys((illness.name, *illness.words, illness.icd_name)))


def controlled(desk: Desk) -> Iterator[Asked]:
    """The host that controls a device."""
    for d in desk.rng.sample(desk.world.devices, len(desk.world.devices)):
        yield desk.ask(
            f"Which host controls the {d.title} {d.tag}?", d.host,
            f"tag|{d.tag}", f"controls|{d.tag}", on=f"{device(d.tag)} {host(d.host)}",
        )  # fmt: skip


def systems(desk: Desk) -> Iterator[Asked]:
    """The operating system of a host."""
    for h in desk.rng.sample(desk.world.hosts, len(desk.world.hosts)):
        question = f"Which operating system does {h.name} run?"
        yield desk.ask(question, h.system, f"host|{h.name}", f"system|{h.name}", on=host(h.name))


def products(desk: Desk) -> Iterator[Asked]:
    """The product that a vulnerability of the scan affects."""
    flaws = {f.cve: f for h in desk.world.hosts if h.ward for f in h.flaws}
    for f in desk.rng.sample(list(flaws.values()), len(flaws)):
        yield desk.ask(
            f"Which product is affected by {f.cve} according to the vulnerability scan?",
            (f.product, f"{f.vendor} {f.product}"), f"product|{f.cve}", on=f"CVE:{f.cve}",
        )  # fmt: skip


def reported(desk: Desk) -> Iterator[Asked]:
    """What the threat report says."""
    s = desk.story
    yield desk.ask(f"Which loader does {s.actor} deliver?", s.loader, "malware")
    yield desk.ask(
        f"To which domain does {s.loader} beacon?", (s.domain, defang(s.domain)), "c2",
        on=f"domain:{s.domain}",
    )  # fmt: skip
    yield desk.ask(
        f"Which ATT&CK technique does {s.actor} use to dump credentials?", "T1003.001",
        "technique|dump", on="ATTACK:T1003.001",
    )  # fmt: skip
    yield desk.ask(f"Which payload for pump gateways does {s.actor} install?", s.payload, "payload")
    yield desk.ask(
        f"Which account logged in to {s.gateway.name} by SSH from {s.console.ip}?",
        SERVICE_ACCOUNT, "ssh", on=f"{host(s.gateway.name)} account:{SERVICE_ACCOUNT}",
    )  # fmt: skip
    yield desk.ask(
        "Which attachment does the roster mail ask the reader to open?", s.document, "lure"
    )


def ruled(desk: Desk) -> Iterator[Asked]:
    """What the house's papers say."""
    p = policy(desk.world)
    yield desk.ask(
        "Within how many hours must critical vulnerabilities on device gateways be patched?",
        (p["patch_hours"], f"{p['patch_hours']} hours"), "policy|patch",
    )  # fmt: skip
    yield desk.ask(
        "What does alarm code E-217 of the InfuseLine 8 pump mean?", "rate deviation",
        "manual|E-217",
    )  # fmt: skip
    yield desk.ask(
        "How often are infusion rates checked by hand while a gateway is down?",
        (f"every {p['check_minutes']} minutes", f"{p['check_minutes']} minutes"), "policy|check",
    )  # fmt: skip
    yield desk.ask(
        "For how many hours does a charged InfuseLine 8 pump run on battery?",
        (p["battery_hours"], f"{p['battery_hours']} hours"), "manual|battery",
    )  # fmt: skip
    yield desk.ask(
        "How long are the logs of gateways and workstations kept?", f"{p['log_days']} days",
        "policy|logs",
    )  # fmt: skip


MAKERS: Final[tuple[Maker, ...]] = (
    infused, allergic, lies, diagnosed, measured, controlled, systems, products, reported, ruled,
)  # fmt: skip
