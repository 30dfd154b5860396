"""ATT&CK ids: what they name, tactics by short name, and STIX ids where the terminology is here."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from aegle.core.artifacts import read_json
from aegle.core.records import Concept
from aegle.lm import catalog

ATTACK_ID: Final = re.compile(r"\b(?:T\d{4}(?:\.\d{3})?|TA\d{4}|[GSMC]\d{4}|DET\d{4}|DC\d{4})\b")

STIX_TYPES: Final = {
    "attack-pattern": "attack_pattern", "malware": "malware", "tool": "tool",
    "intrusion-set": "threat_group", "threat-actor": "threat_group", "campaign": "campaign",
    "course-of-action": "mitigation", "x-mitre-tactic": "tactic", "vulnerability": "vulnerability",
    "x-mitre-data-component": "detection", "x-mitre-data-source": "detection",
    "x-mitre-detection-strategy": "detection", "x-mitre-analytic": "detection",
    "x-mitre-asset": "device", "weakness": "weakness", "infrastructure": "host",
    "indicator": "rule", "software": "product",
}  # fmt: skip
"""STIX object type -> entity type."""

_ENTERPRISE: Final = (
    "TA0043 Reconnaissance;TA0042 Resource Development;TA0001 Initial Access;TA0002 Execution;"
    "TA0003 Persistence;TA0004 Privilege Escalation;TA0005 Defense Evasion;"
    "TA0006 Credential Access;TA0007 Discovery;TA0008 Lateral Movement;TA0009 Collection;"
    "TA0011 Command and Control;TA0010 Exfiltration;TA0040 Impact"
)
_ICS: Final = (
    "TA0108 Initial Access;TA0104 Execution;TA0110 Persistence;TA0111 Privilege Escalation;"
    "TA0103 Evasion;TA0102 Discovery;TA0109 Lateral Movement;TA0100 Collection;"
    "TA0101 Command and Control;TA0107 Inhibit Response Function;TA0106 Impair Process Control;"
    "TA0105 Impact"
)


def _table(text: str) -> dict[str, Concept]:
    rows = (row.split(" ", 1) for row in text.split(";"))
    return {name.lower().replace(" ", "-"): Concept("ATTACK", code, name) for code, name in rows}


_TACTICS: Final = {"mitre-attack": _table(_ENTERPRISE), "mitre-ics-attack": _table(_ICS)}


def tactic(short_name: str, matrix: str = "mitre-attack") -> Concept | None:
    """The tactic of a short name such as ``initial-access`` or ``initial_access``."""
    return _TACTICS.get(matrix, {}).get(short_name.lower().replace("_", "-"))


def type_of(code: str) -> str:
    """The entity type of an ATT&CK id, by its letters; software counts as malware."""
    letters = code.rstrip("0123456789.")
    return {
        "T": "technique", "TA": "tactic", "G": "threat_group", "S": "malware", "M": "mitigation",
        "C": "campaign", "DET": "detection", "DC": "detection", "DS": "detection",
    }.get(letters, "attack_pattern")  # fmt: skip


@lru_cache(maxsize=1)
def known_ids() -> dict[str, tuple[str, Concept]]:
    """STIX id -> (entity type, ATT&CK concept), from the terminology where it is cached.

    A file of relationships alone names its objects by STIX id; this is what resolves them. It is
    never fetched here: empty where nobody has fetched it.
    """
    entry = next((one for one in catalog.entries() if one.name == "attack"), None)
    if entry is None or not entry.cached:
        return {}
    found: dict[str, tuple[str, Concept]] = {}
    for path in sorted(catalog.resolve("attack").glob("*-lookup-*.json")):
        if not path.name.startswith("relationships"):
            _collect(read_json(path), found)
    return found


def _collect(tree: dict[str, Any], found: dict[str, tuple[str, Concept]]) -> None:
    for rows in tree.values():
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and row.get("stix_id") and row.get("external_id"):
                kind = STIX_TYPES.get(row["stix_id"].split("--")[0], "")
                code, name = str(row["external_id"]), str(row.get("name", ""))
                kind = "technique" if kind == "attack_pattern" else kind
                if kind and name:
                    found[row["stix_id"]] = (kind, Concept("ATTACK", code, name))
