"""The intrusion: who attacks, with what, and the steps from a mail to an infusion pump."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from aegle.packs.sample.people import Staff
from aegle.packs.sample.words import data
from aegle.packs.sample.world import TARGET_WARD, Flaw, Host, Patient, World

ENTRY_WARD: Final = "WARD-4B"
SERVICE_ACCOUNT: Final = "svc_biomed"

_ACTORS: Final = (
    ("Hollow Caduceus", "QUILLDROP", "RATEWARP"),
    ("Gilded Asphodel", "LEDGERMOTH", "DRIPFEINT"),
    ("Brass Meridian", "TINDERLOAF", "FLOWBENDER"),
    ("Velvet Nightshade", "PAPERWREN", "GAUGEGHOST"),
)
_DOMAINS: Final = (
    "cdn-rostersync.example.net",
    "update-shiftplan.example.net",
    "static-timesheet.example.net",
    "login-carenotes.example.net",
)

STEPS: Final[tuple[tuple[str, str, str, str], ...]] = tuple(
    (row[0], row[1], row[2], row[3]) for row in data("steps")
)
"""(name, technique, tactic, what happened) in order; slots are `Intrusion.words`."""


@dataclass(frozen=True, slots=True)
class Intrusion:
    """Who, what, where and when."""

    actor: str
    loader: str
    payload: str
    domain: str
    c2_ip: str
    sender: str
    document: str
    document_sha256: str
    loader_sha256: str
    payload_sha256: str
    task: str
    clerk: Staff
    stolen: Staff
    entry: Host
    console: Host
    gateway: Host
    victim: Patient
    times: dict[str, datetime]

    @property
    def flaw(self) -> Flaw:
        """The vulnerability that was exploited."""
        return self.gateway.flaws[0]

    @property
    def words(self) -> dict[str, str]:
        """Names by which the descriptions of steps call things."""
        return {
            "document": self.document, "clerk": self.clerk.login, "entry": self.entry.name,
            "loader": self.loader, "payload": self.payload, "domain": self.domain,
            "task": self.task, "console": self.console.name, "stolen": self.stolen.login,
            "gateway": self.gateway.name, "cve": self.flaw.cve, "service": SERVICE_ACCOUNT,
            "device": self.victim.pump.tag, "ward": self.victim.ward,
        }  # fmt: skip

    def host_of(self, step: str) -> Host:
        """The host on which a step is seen."""
        if step in ("phish", "open", "powershell", "beacon", "task", "dump"):
            return self.entry
        return self.console if step in ("psexec", "scan") else self.gateway


def _digest(world: World, name: str) -> str:
    return hashlib.sha256(f"{world.seed}/{name}".encode()).hexdigest()


def _times(world: World) -> dict[str, datetime]:
    rng = world.rng("intrusion/times")

    def minutes(low: int, high: int) -> timedelta:
        return timedelta(minutes=rng.randint(low, high), seconds=rng.randrange(60))

    def part(share: float) -> datetime:
        return world.start + timedelta(hours=24 * world.days * share) + minutes(0, 40)

    phish = world.start + timedelta(hours=10) + minutes(2, 25)
    opened = phish + minutes(4, 15)
    exploit = part(0.68)
    last = datetime.combine(world.dates()[-1], time(13, 10)) + minutes(0, 20)
    return {
        "phish": phish,
        "open": opened,
        "powershell": opened + timedelta(seconds=rng.randint(4, 30)),
        "beacon": opened + timedelta(seconds=rng.randint(40, 90)),
        "task": opened + minutes(6, 20),
        "dump": part(0.34),
        "psexec": part(0.44),
        "scan": part(0.54),
        "exploit": exploit,
        "ssh": exploit + minutes(9, 20),
        "transfer": exploit + minutes(22, 35),
        "config": last,
        "firmware": last + minutes(15, 25),
        "alarm": last + minutes(28, 40),
    }


def plan(world: World) -> Intrusion:
    """The intrusion of a world; its victim lies on the target ward on the last day."""
    rng = world.rng("intrusion")
    actor, loader, payload = rng.choice(_ACTORS)
    victims = [p for p in world.patients if p.ward == TARGET_WARD]
    gateway = world.host(rng.choice(victims).pump.host)
    return Intrusion(
        actor=actor,
        loader=loader,
        payload=payload,
        domain=rng.choice(_DOMAINS),
        c2_ip=f"198.51.100.{rng.randrange(10, 240)}",
        sender="rostering@shiftplan.example.com",
        document=rng.choice(
            ("Roster_Changes.docm", "Shift_Swap_Form.docm", "Overtime_Review.docm")
        ),
        document_sha256=_digest(world, "document"),
        loader_sha256=_digest(world, "loader"),
        payload_sha256=_digest(world, "payload"),
        task=rng.choice(("RosterSyncUpdate", "PrintQueueHelper", "ClinCacheRefresh")),
        clerk=world.ward(ENTRY_WARD).clerk,
        stolen=world.engineer,
        entry=world.host("WS-WARD4B-02"),
        console=world.host("WS-BIOMED-01"),
        gateway=gateway,
        victim=rng.choice(victims),
        times=_times(world),
    )
