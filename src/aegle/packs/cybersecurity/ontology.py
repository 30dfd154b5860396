"""Names of security concepts: ATT&CK techniques, groups, software, mitigations; CWE weaknesses.

Many names in ATT&CK are English words (``Net``, ``Page``, ``at``, ``Play``). Those are dropped or
must be written exactly and beside something surer, so that a log line is not full of malware.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from aegle.core.artifacts import read_json
from aegle.core.pack import Term
from aegle.core.records import Concept
from aegle.lm import catalog

_TYPES: Final = {
    "intrusion-set": "threat_group",
    "campaign": "campaign",
    "malware": "malware",
    "tool": "tool",
}
_SURE: Final = 0.95
_DOUBTFUL: Final = 0.4
"""Counts only beside a surer term (`facts.extract`)."""

_ENGLISH: Final = frozenset(
    """access account action agent alarm anchor apple arena at atom axiom azure backdoor badge bat
    bear bird blind bond box bronze brush bundle cannon carbon cardinal chaos cherry chrome circle
    clop cobalt code cold comet conti core crab creep cron cuba current dark dawn daylight default
    disco dragon dust earth echo elder empire epic escape expand explosive fire flame flash fox ftp
    gamma ghost gold hacker hammer hawk helper hidden home hunter ice impact inception infection
    iron island jade joker kernel lead light local logger magic manager mango matrix metro mirage
    mongo monster moses native net nest network night ninja nova ocean office orange orbit orion
    page panda paper phantom phoenix pike ping play plug pool proton proxy pulse pupy quantum queen
    rain rat red reg remote rising river robin rocket royal ruler sakura sandman scout script secret
    server shadow shark shell silence silent silver sky snake snow socks solar spark spider star
    status storm sun switch systeminfo task tasklist team test thunder tiger tor tower transparent
    turbine turla unknown ursa vault venom viper volatile wave wiper wizard wolf zebra zero route
    route netstat nltest ipconfig ifconfig arp hostname whoami net.exe reg.exe find curl wget ssh
    python java linux windows security update system service power data exchange""".split()
)
_PLAIN_TECHNIQUES: Final = frozenset(
    """phishing accounts domains server servers botnet software hardware malware tool tools email
    addresses credentials cron at dns keychain impersonation exfiltration python javascript lua
    apple script visual basic web services cdns dns server vnc ssh scanning wordlist rootkit
    masquerading keylogging reflection proxy compression""".split()
)


def terms() -> Iterator[Term]:
    """Every name, with its concept."""
    attack = catalog.resolve("attack")
    yield from _techniques(attack)
    yield from _software_and_groups(attack)
    yield from _mitigations_and_tactics(attack)
    yield from _weaknesses(catalog.resolve("cwe"))


def _rows(folder: Path, stem: str, name: str) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.rglob(f"{stem}-lookup-*.json")):
        for row in read_json(path)[name]:
            if not row.get("revoked") and not row.get("deprecated") and row.get("external_id"):
                yield row


def _techniques(folder: Path) -> Iterator[Term]:
    for row in _rows(folder, "attack-patterns", "attack_patterns"):
        concept = Concept("ATTACK", row["external_id"], row["name"])
        name = row["name"]
        plain = name.casefold() in _PLAIN_TECHNIQUES or len(name) < 5
        yield Term(name, "technique", concept, exact=plain, score=_DOUBTFUL if plain else 0.9)


def _software_and_groups(folder: Path) -> Iterator[Term]:
    found = [
        *_rows(folder, "groups-campaigns", "groups_campaigns"),
        *_rows(folder, "software", "software"),
    ]
    for row in found:
        concept = Concept("ATTACK", row["external_id"], row["name"])
        for name in dict.fromkeys((row["name"], *row.get("aliases", ()))):
            yield from _named(name, _TYPES[row["stix_type"]], concept)


def _named(name: str, type_: str, concept: Concept) -> Iterator[Term]:
    english = name.casefold() in _ENGLISH
    if english and (name.islower() or len(name) <= 4):
        return
    # A name that looks like a name (inner capitals, digits, several words) is sure in any case.
    telling = bool(re.search(r"\d|[a-z][A-Z]| |[-.]", name)) or len(name) >= 9
    if english or len(name) <= 4:
        yield Term(name, type_, concept, exact=True, score=_DOUBTFUL)
    else:
        yield Term(name, type_, concept, exact=not telling, score=_SURE if telling else 0.85)


def _mitigations_and_tactics(folder: Path) -> Iterator[Term]:
    for row in _rows(folder, "mitigations", "mitigations"):
        if row["external_id"].startswith("M") and " " in row["name"]:
            concept = Concept("ATTACK", row["external_id"], row["name"])
            yield Term(row["name"], "mitigation", concept, score=0.8)
    for row in _rows(folder, "infrastructure", "tactics"):
        if " " in row["name"]:
            concept = Concept("ATTACK", row["external_id"], row["name"])
            yield Term(row["name"], "tactic", concept, score=0.85)


def _weaknesses(folder: Path) -> Iterator[Term]:
    for path in sorted(folder.rglob("1000.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield from _weakness(row["CWE-ID"], row["Name"])


def _weakness(code: str, name: str) -> Iterator[Term]:
    concept = Concept("CWE", f"CWE-{code}", name)
    short = re.findall(r"\('([^']+)'\)", name)
    bare = re.sub(r"\s*\('[^']+'\)", "", name)
    for text in dict.fromkeys((name, bare, *short)):
        if len(text) >= 8:
            yield Term(text, "weakness", concept, score=0.85 if " " in text else 0.7)
