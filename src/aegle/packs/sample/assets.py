"""Inventory, vulnerability scan and dependencies of the hospital's computers, as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Final

from aegle.packs.sample.marks import evidence, identifier
from aegle.packs.sample.world import World

CORE: Final = {
    "ehr-client": ("ehr-app01",),
    "pump-gateway": ("hl7-eng01", "ehr-app01"),
    "central-monitor": ("hl7-eng01",),
    "ehr-app": ("ehr-db01", "hl7-eng01", "dc01"),
    "device-console": ("dc01", "file01"),
    "hl7-engine": ("ehr-db01",),
    "nginx": ("ehr-app01",),
    "squid": ("dns01",),
    "pacs": ("dc01",),
}


def write(world: World) -> Iterator[tuple[str, str]]:
    """Path and labelled text of each table."""
    yield "assets/inventory.csv", _inventory(world)
    yield "assets/devices.csv", _devices(world)
    yield "assets/vulnerability_scan.csv", _scan(world)
    yield "assets/dependencies.jsonl", _dependencies(world)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def _inventory(world: World) -> str:
    rows = [
        [
            evidence(f"host|{h.name}", h.name),
            evidence(f"address|{h.name}", h.ip),
            evidence(f"system|{h.name}", h.system),
            evidence(f"service|{h.name}", h.service),
            evidence(f"ward_of|{h.name}", h.ward),
            h.owner,
        ]
        for h in world.hosts
    ]
    return _table(["hostname", "ip_address", "os", "service", "ward", "owner"], rows)


def _devices(world: World) -> str:
    rows = []
    for d in world.devices:
        tag = evidence(f"tag|{d.tag}", d.tag)
        host = evidence(f"controls|{d.tag}", d.host)
        ward = evidence(f"place|{d.tag}", d.ward)
        serial = identifier("device", d.serial)
        rows.append([tag, host, ward, d.title, d.vendor, d.model, serial])
    head = ["asset_tag", "hostname", "ward", "device_type", "vendor", "product", "serial_number"]
    return _table(head, rows)


def _scan(world: World) -> str:
    rows = []
    fixed = [f for h in world.hosts for f in h.flaws]
    rng = world.rng("scan")
    for h in world.hosts:
        seen = world.start - timedelta(days=rng.randint(5, 200))
        for f in h.flaws:
            shown = evidence(f"open|{h.name}", f"{f.cve}") if h.ward else f.cve
            product = evidence(f"product|{f.cve}", f.product)
            name = evidence(f"scanned|{h.name}", h.name)
            rows.append([name, shown, str(f.cvss), f.vendor, product, f"{seen:%Y-%m-%d}", "open"])
        if not h.ward:
            # A flaw that is fixed here must not make the same flaw look open on a ward's host.
            other = rng.choice([f for f in fixed if f not in h.flaws])
            row = [other.cve, str(other.cvss), other.vendor, other.product, f"{seen:%Y-%m-%d}"]
            rows.append([h.name, *row, "fixed"])
    head = ["hostname", "cve_id", "cvss", "vendor", "product", "first_seen", "status"]
    return _table(head, rows)


def _dependencies(world: World) -> str:
    lines = []
    for host in world.hosts:
        for other in CORE.get(host.service, ()):
            service = world.host(other).service
            lines.append(
                {"hostname": host.name, "depends_on": other, "depends_on_service": service}
            )
    return "".join(f"{json.dumps(line)}\n" for line in lines)
