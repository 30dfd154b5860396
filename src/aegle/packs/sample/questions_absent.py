"""Questions that sound like the others and that nothing in the files answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aegle.packs.sample import clinical
from aegle.packs.sample.asking import Asked, Desk, Maker

# Real, and neither in the scan nor anywhere else in the sample.
_ABSENT_CVES: Final = ("CVE-2024-3400", "CVE-2023-34362", "CVE-2019-19781", "CVE-2022-41040")


def _ask(question: str) -> Asked:
    return Asked(question, (), (), ())


def things(desk: Desk) -> Iterator[Asked]:
    """About devices, hosts and patients that there are not."""
    rng, world = desk.rng, desk.world
    tags = {d.tag for d in world.devices}
    free = [n for n in range(9000, 9999) if f"PUMP-{n}" not in tags]
    yield _ask(f"Which drug is infused through PUMP-{rng.choice(free)}?")
    yield _ask(f"Which host controls the ventilator VENT-{rng.choice(free)}?")
    yield _ask(f"On which host is {rng.choice(_ABSENT_CVES)} open?")
    mrns = {p.mrn for p in world.patients}
    stranger = next(
        m for m in iter(lambda: str(rng.randrange(5_000_000, 5_999_999)), "") if m not in mrns
    )
    yield _ask(f"What is patient {stranger} allergic to?")


def untold(desk: Desk) -> Iterator[Asked]:
    """About patients: what nobody wrote down."""
    patients = desk.patients()
    yield _ask(f"What is the blood group of {desk.call(patients[0])}?")
    yield _ask(f"Which pacemaker model does {desk.call(patients[1])} have?")
    names = set(clinical.labs())
    for p in patients[2:]:
        missing = sorted(names - set(p.first_labs))
        yield _ask(f"What was the {desk.rng.choice(missing)} of {desk.call(p)} on admission?")


def unknown(desk: Desk) -> Iterator[Asked]:
    """About the attack and the house: what no paper says."""
    s = desk.story
    yield _ask(f"In which country is {s.actor} based?")
    yield _ask(f"What is the MAC address of {s.gateway.name}?")
    yield _ask("Which antivirus product runs on file01?")
    yield _ask("What is the purchase price of an InfuseLine 8 pump?")


MAKERS: Final[tuple[Maker, ...]] = (things, untold, unknown)
