"""Gold of the intrusion: its steps with evidence, and whom each host's loss would reach."""

from __future__ import annotations

from typing import Any

from aegle.packs.sample.gold import Shelf
from aegle.packs.sample.intrusion import STEPS, Intrusion
from aegle.packs.sample.world import World


def chain(world: World, story: Intrusion, shelf: Shelf) -> dict[str, Any]:
    """The intrusion as ordered steps, each with the log line that shows it, and its end."""
    steps = []
    for number, (name, technique, tactic, said) in enumerate(STEPS, start=1):
        steps.append(
            {
                "number": number,
                "name": name,
                "time": f"{story.times[name]:%Y-%m-%dT%H:%M:%SZ}",
                "host": story.host_of(name).name,
                "technique": technique,
                "tactic": tactic,
                "what": said.format(**story.words),
                "evidence": shelf.lines[f"step|{name}"],
            }
        )
    victim = story.victim
    return {
        "actor": story.actor,
        "malware": [story.loader, story.payload],
        "domain": story.domain,
        "address": story.c2_ip,
        "vulnerability": story.flaw.cve,
        "hosts": [story.entry.name, story.console.name, story.gateway.name],
        "device": victim.pump.tag,
        "ward": victim.ward,
        "patients": [victim.mrn],
        "steps": steps,
    }


def impact(world: World, story: Intrusion) -> list[dict[str, Any]]:
    """For each host of a ward: its devices in use, their ward and patients; alerted hosts first."""
    last = world.dates()[-1]
    rows = []
    for host in world.hosts:
        using = [
            (device, patient)
            for patient in world.patients
            if patient.here(last)
            for device in patient.devices
            if device.host == host.name
        ]
        if not host.ward:
            continue
        rows.append(
            {
                "host": host.name,
                "alerted": host in (story.entry, story.console, story.gateway),
                "devices": sorted(device.tag for device, _ in using),
                "wards": [host.ward],
                "patients": sorted({patient.mrn for _, patient in using}),
                "vulnerabilities": [flaw.cve for flaw in host.flaws],
            }
        )
    return sorted(rows, key=lambda row: (not row["alerted"], -len(row["patients"]), row["host"]))
