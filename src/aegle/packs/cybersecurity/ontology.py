"""Names of security concepts: ATT&CK and CWE from the catalog, and the lists that this pack ships.

Threat groups, malware and tools are often called by common words (Play, Empire, at, Net, Page). A
name that is an English word or very short matches only in its own case and only in company; the
commonest are left out altogether.

References:
    MITRE ATT&CK Enterprise 18.1 and CWE 4.14, (c) The MITRE Corporation, used under their terms.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aegle.core.artifacts import read_json
from aegle.core.errors import InputError
from aegle.core.pack import Term
from aegle.core.records import Concept
from aegle.lm import catalog
from aegle.packs.general.wordlist import DOUBTFUL, list_terms

_HERE: Final = "aegle.packs.cybersecurity"

_FILES: Final = (
    ("attack-patterns", "attack_patterns"),
    ("groups-campaigns", "groups_campaigns"),
    ("mitigations", "mitigations"),
    ("software", "software"),
    ("infrastructure", "tactics"),
)
_TYPES: Final = {
    "intrusion-set": "threat_group",
    "campaign": "campaign",
    "malware": "malware",
    "tool": "tool",
}
_BY_FILE: Final = {
    "attack_patterns": "technique",
    "mitigations": "mitigation",
    "tactics": "tactic",
}

# Names that are words of every report or command line; their ids (S0039 ...) are still found.
_DROPPED: Final = frozenset(
    """at net page ping route reg tor cmd ftp arp dsquery spark attor carbon explosive expand
    empire play machete team impact execution discovery collection persistence server client
    software firmware hardware malware tool serverless web email services service domains
    accounts account dns vulnerabilities exploits botnet scheduled task audit update
    software""".split()
)
# English words and plain names among software and groups: only in their own case, with company.
_WORDS: Final = frozenset(
    """agent anchor apostle astaroth avaddon ballista bandook bankshot black bisonal bumblebee
    carrotbat cannon caterpillar chaes chaos cherry chimera cobalt comnie conficker confucius
    crimson crutch cuba cyclops daserf dark deadeye dipsind doki downdelph dragonfly drovorub
    dust dyre ember equation emissary epic exaramel exodus felismus final flame fox gallium
    gold gelsemium ghost gravity green grandoreiro hancitor havoc hermes hive hydra hildegard
    honeybee industroyer inception invisimole ixeshe janicab joanap karae kazuar kessel
    kimsuky kivars koadic komplex kwampirs latent leviathan lizar lookback lucifer lurid maze
    medusa milan mimikatz mirage mis mofang molerats moses mongall moon muddywater naid
    nanocore naikon neon nidiran nightdoor ninja nomadic orz octopus okrum onion orangeworm
    ourmine pandora panda patchwork penquin peppy pisloader platinum poison pony power
    prestige proton proxy psylo pupy ragnar ramsay raspberry rancor rifdoor riptide rising
    rocke rover royal sakula sandworm scarlet sea shadow sharp silence silver sliver snip
    snake stealth stone strider suckfly sunburst sys10 taidoor threat thrip tonto tropic turla
    turian twin umbreon unknown uroburos valak vermin volgmer wander whisper wiper winter
    wizard wolf zebrocy zen zeroaccess gazer bad rabbit elise rogue remsec seaduke akira babuk
    blister clop conti darkside egregor lockbit qilin rhysida scatter trigona""".split()
)
_PAREN: Final = re.compile(r"\s*\([^()]*\)")
_CWE_TAIL: Final = re.compile(r"\s*\(['\"]?(?P<short>[^()'\"]+)['\"]?\)$")
_GENERIC_TECHNIQUES: Final = frozenset(
    """software server domains malware tool vulnerabilities exploits services accounts botnet dns
    server credentials hardware firmware spearphishing service web services social media email
    accounts proxy rundll32 python lua javascript visual basic keylogging screen capture""".split()
)


def terms() -> Iterator[Term]:
    """Every security term that Aegle knows."""
    yield from list_terms(_HERE, "tools", "tool")
    yield from list_terms(_HERE, "services", "service")
    yield from attack_terms(catalog.resolve("attack"))
    yield from cwe_terms(catalog.resolve("cwe"))


def attack_terms(folder: Path) -> Iterator[Term]:
    """Techniques, tactics, groups, campaigns, software and mitigations with their aliases."""
    for name, field in _FILES:
        found = sorted(folder.rglob(f"{name}-lookup-*.json"))
        if not found:
            raise InputError(f"{folder} holds no {name}-lookup-*.json of ATT&CK")
        for item in read_json(found[-1])[field]:
            if not (item.get("revoked") or item.get("deprecated")):
                yield from _of_object(item, _TYPES.get(item.get("stix_type", ""), ""), field)


def _of_object(item: Mapping[str, Any], type: str, field: str) -> Iterator[Term]:
    type = type or _BY_FILE[field]
    concept = Concept("ATTACK", item["external_id"], item["name"])
    named = type in ("threat_group", "campaign", "malware", "tool")
    for name in dict.fromkeys((item["name"], *(item.get("aliases") or ()))):
        term = _named(name, type, concept) if named else _described(name, type, concept)
        if term is not None:
            yield term


def _named(name: str, type: str, concept: Concept) -> Term | None:
    """A proper name: in its own case; with company where it is a word of the language."""
    key = name.casefold()
    if key in _DROPPED or len(name) < 2:
        return None
    if len(name) < 4 or key in _WORDS or name.islower():
        return Term(name, type, concept, exact=True, score=DOUBTFUL)
    plain = name.isalpha() and name.istitle()
    return Term(name, type, concept, exact=plain, score=0.95)


def _described(name: str, type: str, concept: Concept) -> Term | None:
    """A technique, tactic or mitigation: several words in any case, one word in its own case."""
    bare = _PAREN.sub("", name)
    if bare.casefold() in _DROPPED or bare.casefold() in _GENERIC_TECHNIQUES:
        return None
    if " " not in bare:
        return Term(bare, type, concept, exact=True, score=0.8 if type != "tactic" else DOUBTFUL)
    # A sub-technique may share its name with another technique: the main one is the more general.
    return Term(bare, type, concept, score=0.85 if "." in concept.code else 0.9)


def cwe_terms(folder: Path) -> Iterator[Term]:
    """Weaknesses by their names and by the short form in brackets (``SQL Injection``)."""
    found = sorted(folder.rglob("1000*.csv"))
    if not found:
        raise InputError(f"{folder} holds no view 1000 of CWE (1000*.csv)")
    with found[-1].open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if (row.get("Status") or "").casefold() in ("deprecated", "obsolete"):
                continue
            name = row["Name"]
            concept = Concept("CWE", f"CWE-{row['CWE-ID']}", name)
            yield Term(_CWE_TAIL.sub("", name), "weakness", concept, score=0.9)
            short = _CWE_TAIL.search(name)
            if short and " " in short["short"]:
                yield Term(short["short"], "weakness", concept, score=0.95)
            for common in _COMMON.get(row["CWE-ID"], ()):
                yield Term(common, "weakness", concept, score=1.0)


_COMMON: Final[Mapping[str, tuple[str, ...]]] = {
    "79": ("cross-site scripting", "XSS"),
    "89": ("SQL injection", "SQLi"),
    "78": ("OS command injection",),
    "77": ("command injection",),
    "22": ("path traversal", "directory traversal"),
    "352": ("cross-site request forgery", "CSRF"),
    "787": ("out-of-bounds write",),
    "125": ("out-of-bounds read",),
    "416": ("use-after-free", "use after free"),
    "120": ("buffer overflow", "classic buffer overflow"),
    "121": ("stack-based buffer overflow", "stack buffer overflow"),
    "122": ("heap-based buffer overflow", "heap buffer overflow"),
    "190": ("integer overflow",),
    "476": ("null pointer dereference",),
    "502": ("deserialization of untrusted data", "insecure deserialization"),
    "918": ("server-side request forgery", "SSRF"),
    "611": ("XML external entity injection", "XXE"),
    "287": ("improper authentication", "authentication bypass"),
    "798": ("hard-coded credentials", "hardcoded credentials"),
    "862": ("missing authorization",),
    "863": ("incorrect authorization",),
    "306": ("missing authentication",),
    "434": ("unrestricted file upload",),
    "601": ("open redirect",),
    "94": ("code injection",),
    "362": ("race condition",),
    "269": ("improper privilege management",),
    "400": ("uncontrolled resource consumption",),
    "20": ("improper input validation",),
}
