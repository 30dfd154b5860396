"""Questions that lead from security to care or back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aegle.packs.sample.asking import Asked, Desk, Maker, device, host, record, ward
from aegle.packs.sample.questions_single import names


def endangered(desk: Desk) -> Iterator[Asked]:
    """From an open vulnerability to the ward whose devices depend on the host."""
    exposed = [h for h in desk.world.hosts if h.ward and h.flaws]
    for h in desk.rng.sample(exposed, len(exposed)):
        tag = next(d.tag for d in desk.world.devices if d.host == h.name)
        cve = h.flaws[0].cve
        yield desk.ask(
            f"Which ward's devices depend on the host where {cve} is open?", h.ward,
            f"open|{h.name}", f"scanned|{h.name}", f"controls|{tag}", f"place|{tag}",
            on=f"CVE:{cve} {host(h.name)} {ward(h.ward)}",
        )  # fmt: skip


def relied_on(desk: Desk) -> Iterator[Asked]:
    """From a patient to the host that the pump depends on."""
    for p in desk.patients():
        tag = p.pump.tag
        yield desk.ask(
            f"On which host does the infusion pump of {desk.call(p)} depend?", p.pump.host,
            f"pump|{p.mrn}", f"tag|{tag}", f"controls|{tag}",
            on=f"{record(p)} {device(tag)} {host(p.pump.host)}",
        )  # fmt: skip


def at_risk(desk: Desk) -> Iterator[Asked]:
    """From a patient to the vulnerability that is open on the pump's host."""
    for p in desk.patients():
        tag, name = p.pump.tag, p.pump.host
        cve = desk.world.host(name).flaws[0].cve
        yield desk.ask(
            f"Which CVE is open on the host that controls the infusion pump of {desk.call(p)}?",
            cve, f"pump|{p.mrn}", f"tag|{tag}", f"controls|{tag}", f"open|{name}",
            on=f"{record(p)} {device(tag)} {host(name)} CVE:{cve}",
        )  # fmt: skip


def struck(desk: Desk) -> Iterator[Asked]:
    """From the attack to the patient in the bed."""
    p = desk.story.victim
    on = f"{device(p.pump.tag)} {record(p)}"
    yield desk.ask(
        "Which drug runs through the pump to which unsigned firmware was pushed?",
        p.illness.infusion, "firmware", f"infusion|{p.mrn}", on=on,
    )  # fmt: skip
    yield desk.ask(
        "What was the admitting diagnosis of the patient whose pump got unsigned firmware?",
        names(p.illness), "firmware", f"pump|{p.mrn}", f"diagnosis|{p.mrn}", on=on,
    )  # fmt: skip
    if len(p.allergies) == 1:
        yield desk.ask(
            "What is the patient allergic to whose pump raised alarm E-217?",
            p.allergies[0].substance,
            "alarm", f"pump|{p.mrn}", f"allergy|{p.mrn}", on=on,
        )  # fmt: skip


MAKERS: Final[tuple[Maker, ...]] = (endangered, struck, at_risk, relied_on)
