"""What is known about the attacker: report, STIX, Sigma rules, CVE record, incident ticket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from aegle.packs.sample.intrusion import STEPS, Intrusion
from aegle.packs.sample.marks import evidence, identifier
from aegle.packs.sample.threat_stix import NAMES, bundle
from aegle.packs.sample.words import data, fill, text
from aegle.packs.sample.world import World

_RULES: Final = ("lsass_dump_comsvcs", "office_spawns_encoded_powershell")


def write(world: World, story: Intrusion) -> Iterator[tuple[str, str]]:
    """Path and labelled text of each document."""
    slug = story.actor.lower().replace(" ", "_")
    yield f"threat/report_{slug}.md", _report(story)
    yield f"threat/{slug}.stix.json", bundle(world, story)
    yield f"threat/{story.flaw.cve}.json", _cve(story)
    yield "threat/incident_ticket.md", _ticket(world, story)
    rng = world.rng("threat/sigma")
    for name in _RULES:
        known = {
            "id": f"{rng.getrandbits(32):08x}-2b1f-4c7e-9a10-{rng.getrandbits(48):012x}",
            "actor": story.actor,
            "loader": story.loader,
            "date": f"{world.start:%Y-%m-%d}",
        }
        yield f"threat/sigma/{name}.yml", fill(text(f"{name}.yml"), known)


def defang(text: str) -> str:
    """An indicator as reports print it, so that nobody clicks it: ``evil[.]example``."""
    return text.replace(".", "[.]").replace("http", "hxxp")


def _report(story: Intrusion) -> str:
    flaw = story.flaw
    uses = evidence("malware", f"{story.actor} delivers the loader {story.loader}")
    second = evidence("payload", f"{story.payload}, a payload for infusion pump gateways")
    beacon = evidence("c2", f"{story.loader} beacons over HTTPS to {defang(story.domain)}")
    entry = evidence("flaw", f"{story.actor} exploits {flaw.cve} in {flaw.vendor} {flaw.product}")
    dump = evidence("technique|dump", "dumps LSASS memory through comsvcs.dll (T1003.001)")
    lateral = evidence(
        "technique|ssh", "moves to the gateway by SSH with a shared account (T1021.004)"
    )
    phish = evidence("technique|phish", "begins with a spearphishing attachment (T1566.001)")
    firmware = evidence("technique|firmware", "pushes unsigned firmware to pumps (T1495)")
    rows = "\n".join(f"- {t} {NAMES[t]}, seen for {tactic}" for _, t, tactic, _ in STEPS)
    known = {
        "actor": story.actor,
        "uses": uses,
        "second": second,
        "payload": story.payload,
        "phish": phish,
        "beacon": beacon,
        "dump": dump,
        "entry": entry,
        "lateral": lateral,
        "firmware": firmware,
        "rows": rows,
        "domain": defang(story.domain),
        "address": defang(story.c2_ip),
        "sender": defang(story.sender),
        "document": story.document,
        "document_sha256": story.document_sha256,
        "loader": story.loader,
        "loader_sha256": story.loader_sha256,
        "payload_sha256": story.payload_sha256,
        "product": flaw.product,
    }
    return fill(text("report.md"), known)


def _ticket(world: World, story: Intrusion) -> str:
    when = story.times["alarm"] + timedelta(hours=1)
    officer = identifier("name", world.officer.name)
    pump = story.victim.pump
    queue = evidence(
        "ticket", f"{pump.tag} taken out of service after {story.gateway.name} pushed firmware"
    )
    source = evidence(
        "ticket|entry",
        f"First seen on {story.entry.name}, used by the ward clerk of {story.entry.ward}",
    )
    handler = f"Opened by {officer}, pager {identifier('phone', world.officer.pager)}"
    known = {
        "number": f"{world.start:%Y}-{world.rng('ticket').randrange(1000, 9999)}",
        "handler": handler,
        "date": identifier("date", f"{when:%Y-%m-%d}"),
        "ward": pump.ward,
        "queue": queue,
        "source": source,
        "gateway": story.gateway.name,
        "entry": story.entry.name,
        "console": story.console.name,
        "domain": defang(story.domain),
    }
    return fill(text("ticket.md"), known)


def _cve(story: Intrusion) -> str:
    flaw = story.flaw
    record = {
        "dataType": "CVE_RECORD",
        "dataVersion": "5.1",
        "cveMetadata": {
            "cveId": flaw.cve, "state": "PUBLISHED", "assignerShortName": "apache",
            "assignerOrgId": "f0158376-9dc2-43b6-827c-5f631a4d8d09",
            "datePublished": "2021-12-10T00:00:00.000Z",
        },
        "containers": {"cna": {
            "title": "Remote code execution through message lookups in Log4j2",
            "providerMetadata": {"orgId": "f0158376-9dc2-43b6-827c-5f631a4d8d09",
                                 "shortName": "apache"},
            "descriptions": [{"lang": "en", "value": evidence(
                f"cve|{flaw.cve}",
                f"{flaw.vendor} {flaw.product} looks up JNDI names that stand in logged messages, "
                "so that who controls a logged text can make it load and run code from an LDAP "
                f"server; the weakness is {flaw.cwe}")}],
            "affected": [{"vendor": flaw.vendor, "product": flaw.product, "versions": [
                {"version": "2.0-beta9", "lessThan": "2.15.0", "status": "affected",
                 "versionType": "custom"}]}],
            "problemTypes": [{"descriptions": [
                {"lang": "en", "type": "CWE", "cweId": flaw.cwe,
                 "description": f"{flaw.cwe} Deserialization of Untrusted Data"}]}],
            "metrics": [{"cvssV3_1": {
                "version": "3.1", "baseScore": flaw.cvss, "baseSeverity": "CRITICAL",
                "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"}}],
            "references": [{"url": "https://logging.apache.org/log4j/2.x/security.html"}],
        }},
    }  # fmt: skip
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def policy(world: World) -> dict[str, str]:
    """The figures of the hospital's own rules; drawn, so that no answer is known beforehand."""
    rng = world.rng("policy")
    return {
        "patch_hours": str(rng.choice((24, 48, 72, 96))),
        "check_minutes": str(rng.choice((15, 20, 30, 45))),
        "log_days": str(rng.choice((180, 365, 400, 730))),
        "password_length": str(rng.choice((14, 15, 16, 18))),
        "firmware": f"{rng.randint(8, 9)}.{rng.randint(1, 6)}.{rng.randint(2, 9)}",
        "old_firmware": f"7.{rng.randint(1, 9)}.0",
        "battery_hours": str(rng.choice((4, 6, 8, 10))),
        "hospital": data("hospital")["name"],
    }
