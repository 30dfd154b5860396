"""Relations of security text: who uses what, what affects what, what ran and connected where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from aegle.core.pack import Rule
from aegle.packs.general.rules import said, shared_rules

_ACTORS: Final = ("threat_group", "malware", "campaign", "tool")
_USES: Final = said(
    r"us(?:es?|ed|ing)|leverag(?:es?|ed|ing)|employ(?:s|ed|ing)?|deploy(?:s|ed|ing)?|"
    r"install(?:s|ed|ing)?|drop(?:s|ped|ping)?|deliver(?:s|ed|ing)?|execut(?:es?|ed|ing)|via|"
    r"perform(?:s|ed|ing)?|abus(?:es?|ed|ing)|conduct(?:s|ed|ing)?|download(?:s|ed|ing)?|through|with|"
    r"rel(?:ies|ied|ying) on|utili[sz](?:es?|ed|ing)|load(?:s|ed|ing)?|spread(?:s|ing)?|including"
)
_EXPLOITS: Final = said(
    r"exploit(?:s|ed|ing|ation)?|us(?:es?|ed|ing)|leverag(?:es?|ed|ing)|abus(?:es?|ed|ing)|via"
)
_TARGETS: Final = said(
    r"target(?:s|ed|ing)?|attack(?:s|ed|ing)?|against|compromis(?:es?|ed|ing)|infect(?:s|ed|ing)?|hit|on"
)
_AFFECTS: Final = said(r"affect(?:s|ed|ing)?|in|impact(?:s|ed|ing)?|exists? in|found in|present in")
_INDICATES: Final = said(
    r"indicat(?:es?|ed|or|ors|ing)|associated with|belongs? to|c2|command|server|"
    r"beacon(?:s|ed|ing)?|used by|hosts?|hosting|delivers?|contact(?:s|ed|ing)?|"
    r"communicat(?:es?|ed|ing)|connect(?:s|ed|ing)?"
)
_OBSERVABLES: Final = ("ip", "domain", "url", "hash", "email", "file")
_MITIGATES: Final = said(
    r"mitigat(?:es?|ed|ing|ion)|prevent(?:s|ed|ing)?|block(?:s|ed|ing)?|against|for|protects?"
)
_DETECTS: Final = said(
    r"detect(?:s|ed|ing|ion)?|identif(?:y|ies|ied)|alert(?:s|ed)?|for|find(?:s|ing)?"
)
_RUNS: Final = said(
    r"run(?:s|ning)?|host(?:s|ed|ing)?|exposes?|exposing|service|listening|offers?|with|started"
)


_WEAK: Final = said(r"is|due to|caused by|results? from|weakness|cwe|type|via|classified")
_RUNS_ON: Final = said(
    r"affected|vulnerable|unpatched|has|have|exposed|missing|found on|on|detected|"
    r"affects?|applies to|impacts?"
)
_CONNECTS: Final = said(
    r"connect(?:s|ed|ing|ion|ions)?|to|->|→|traffic|beacon(?:s|ed|ing)?|dst|contacted"
)
# A refused attempt is no session: "Failed password for root" ties no account to the host.
_SESSION: Final = re.compile(
    r"^(?!.*(?:fail|invalid|denied|refused|disallowed))"
    r".*\b(?:for|user|logged|login|logon|session|accepted|authenticat\w{0,6}|on|at|to|account)\b",
    re.IGNORECASE | re.DOTALL,
)
# A field such as ``source.ip`` holds the other side's address.
_OWN_ADDRESS: Final = re.compile(
    r"^(?!.*\b(?:src|source|client|remote|dst|dest|destination)\b)"
    r".*\b(?:at|address|ip|is|with|has)\b",
    re.IGNORECASE | re.DOTALL,
)
_SYSLOG_TAG: Final = re.compile(r"^ $")


def _pairs() -> Iterator[Rule]:
    for actor in _ACTORS:
        for used in ("technique", "tool", "malware"):
            if actor != used:
                yield Rule("uses", actor, used, _USES, gap=80, score=0.75)
        yield Rule("exploits", actor, "vulnerability", _EXPLOITS, gap=80, score=0.85)
        for target in ("product", "host", "device", "organization"):
            yield Rule("targets", actor, target, _TARGETS, gap=60, score=0.7)
    by = said(r"by|attributed to|linked to|conducted by|operated by|developed by")
    yield Rule("attributed_to", "campaign", "threat_group", by, gap=60)
    yield Rule("attributed_to", "malware", "threat_group", by, gap=60)
    for seen in _OBSERVABLES:
        for meaning in ("malware", "threat_group", "campaign", "tool"):
            yield Rule("indicates", seen, meaning, _INDICATES, True, gap=80, score=0.65)
    for named in ("technique", "weakness", "vulnerability"):
        yield Rule("mitigates", "mitigation", named, _MITIGATES, gap=60)
        yield Rule("detects", "rule", named, _DETECTS, gap=80)
    yield Rule("detects", "rule", "malware", _DETECTS, gap=80)


@cache
def rules() -> Sequence[Rule]:
    """Every rule for security documents; the first that holds for a pair stands."""
    return (
        *_pairs(),
        Rule("affects", "vulnerability", "product", _AFFECTS, gap=80),
        Rule("affects", "vulnerability", "device", _AFFECTS, gap=80),
        Rule("has_weakness", "vulnerability", "weakness", _WEAK, gap=80),
        Rule("has_vulnerability", "host", "vulnerability", _RUNS_ON, True, gap=80),
        Rule("has_vulnerability", "device", "vulnerability", _RUNS_ON, True, gap=80),
        Rule("made_by", "product", "vendor", said(r"by|from|of"), gap=30),
        Rule("belongs_to", "technique", "tactic", said(r"tactic|for|under|in|to achieve"), gap=40),
        Rule("has_address", "host", "ip", _OWN_ADDRESS, gap=30),
        Rule("runs", "host", "service", _RUNS, gap=60),
        Rule("runs", "host", "service", _SYSLOG_TAG, gap=1),
        Rule("connected_to", "host", "ip", _CONNECTS, gap=80, score=0.7),
        Rule("connected_to", "host", "host", _CONNECTS, gap=60, score=0.7),
        Rule("connected_to", "host", "device", _CONNECTS, gap=60, score=0.7),
        Rule("connected_to", "ip", "ip", _CONNECTS, gap=60, score=0.7),
        Rule("resolved", "host", "domain", said(r"resolv\w{1,5}|query|queried|dns|lookup"), gap=80),
        Rule("logged_in_to", "account", "host", _SESSION, gap=120, score=0.7),
        Rule("ran_on", "process", "host", None, gap=120, score=0.7),
        Rule(
            "spawned",
            "process",
            "process",
            said(r"spawn(?:s|ed|ing)?|started|launch(?:ed|es)"),
            gap=60,
        ),
        Rule(
            "wrote",
            "process",
            "file",
            said(r"wrote|writes?|creat(?:es?|ed)|dropp(?:ed|ing)"),
            gap=60,
        ),
        *shared_rules(),
    )
