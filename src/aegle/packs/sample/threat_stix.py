"""The threat report once more as a STIX 2.1 bundle."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

from aegle.packs.sample.intrusion import STEPS, Intrusion
from aegle.packs.sample.world import World

_TACTICS: Final = {"Initial Access": "initial-access", "Command and Control": "command-and-control"}
NAMES: Final = {
    "T1566.001": "Spearphishing Attachment", "T1204.002": "Malicious File",
    "T1059.001": "PowerShell", "T1071.001": "Web Protocols", "T1053.005": "Scheduled Task",
    "T1003.001": "LSASS Memory", "T1569.002": "Service Execution",
    "T1046": "Network Service Discovery", "T1210": "Exploitation of Remote Services",
    "T1021.004": "SSH", "T1105": "Ingress Tool Transfer",
    "T1565.001": "Stored Data Manipulation", "T1495": "Firmware Corruption",
    "T1499": "Endpoint Denial of Service",
}  # fmt: skip


class _Bundle:
    """Objects with ids that are drawn, so that the same world gives the same ids."""

    def __init__(self, world: World) -> None:
        self._rng = world.rng("threat/stix")
        self._stamp = f"{world.start:%Y-%m-%dT%H:%M:%S}.000Z"
        self.objects: list[dict[str, Any]] = []

    def new_id(self, kind: str) -> str:
        return f"{kind}--{uuid.UUID(int=self._rng.getrandbits(128), version=4)}"

    def add(self, kind: str, **fields: Any) -> str:
        name = self.new_id(kind)
        self.objects.append(
            {"type": kind, "spec_version": "2.1", "id": name, "created": self._stamp,
             "modified": self._stamp, **fields}
        )  # fmt: skip
        return name

    def tie(self, source: str, kind: str, target: str) -> None:
        self.add("relationship", relationship_type=kind, source_ref=source, target_ref=target)

    def indicator(self, name: str, pattern: str, of: str) -> None:
        found = self.add(
            "indicator", name=name, pattern=pattern, pattern_type="stix",
            valid_from=self._stamp, indicator_types=["malicious-activity"],
        )  # fmt: skip
        self.tie(found, "indicates", of)


def bundle(world: World, story: Intrusion) -> str:
    """The bundle as JSON text."""
    made = _Bundle(world)
    about = f"{story.actor} disrupts hospitals by way of their infusion pumps."
    actor = made.add("intrusion-set", name=story.actor, description=about)
    loader = made.add("malware", name=story.loader, is_family=True, malware_types=["dropper"])
    payload = made.add("malware", name=story.payload, is_family=True,
                       malware_types=["resource-exploitation"])  # fmt: skip
    flaw = story.flaw
    weak = made.add("vulnerability", name=flaw.cve, external_references=[
        {"source_name": "cve", "external_id": flaw.cve}])  # fmt: skip
    made.tie(actor, "uses", loader)
    made.tie(actor, "uses", payload)
    made.tie(payload, "exploits", weak)
    for code in dict.fromkeys(step[1] for step in STEPS if step[0] != "alarm"):
        tactic = next(step[2] for step in STEPS if step[1] == code)
        phase = _TACTICS.get(tactic, tactic.lower().replace(" ", "-"))
        pattern = made.add(
            "attack-pattern", name=NAMES[code],
            kill_chain_phases=[{"kill_chain_name": "mitre-attack", "phase_name": phase}],
            external_references=[{"source_name": "mitre-attack", "external_id": code}],
        )  # fmt: skip
        made.tie(actor, "uses", pattern)
    made.indicator("C2 domain", f"[domain-name:value = '{story.domain}']", loader)
    made.indicator("C2 address", f"[ipv4-addr:value = '{story.c2_ip}']", loader)
    for name, digest, of in (
        (story.document, story.document_sha256, loader),
        (story.loader, story.loader_sha256, loader),
        (story.payload, story.payload_sha256, payload),
    ):
        made.indicator(f"{name} hash", f"[file:hashes.'SHA-256' = '{digest}']", of)
    whole = {"type": "bundle", "id": made.new_id("bundle"), "objects": made.objects}
    return json.dumps(whole, indent=1) + "\n"
