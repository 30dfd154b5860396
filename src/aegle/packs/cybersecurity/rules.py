"""Relations of security text: who uses what, what affects what, what ran and connected where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from aegle.core.pack import Rule
from aegle.packs.general.rules import does, done, said, shared_rules

_ACTORS: Final = ("threat_group", "malware", "campaign", "tool")
_USED: Final = (
    r"used|leveraged|employed|deployed|installed|dropped|delivered|executed|performed|abused|"
    r"conducted|downloaded|utili[sz]ed|loaded|spread"
)
_USES: Final = does(
    rf"us(?:es?|ing)|leverag(?:es?|ing)|employ(?:s|ing)?|deploy(?:s|ing)?|via|abus(?:es?|ing)|"
    r"install(?:s|ing)?|drop(?:s|ping)?|deliver(?:s|ing)?|execut(?:es?|ing)|perform(?:s|ing)?|"
    r"conduct(?:s|ing)?|download(?:s|ing)?|through|with|rel(?:ies|ied|ying) on|including|"
    rf"utili[sz](?:es?|ing)|load(?:s|ing)?|spread(?:s|ing)?|{_USED}"
)
_EXPLOITED: Final = r"exploited|used|leveraged|abused|weaponi[sz]ed"
_EXPLOITS: Final = does(
    rf"exploit(?:s|ing|ation)?|us(?:es?|ing)|leverag(?:es?|ing)|abus(?:es?|ing)|via|{_EXPLOITED}"
)
_TARGETED: Final = r"targeted|attacked|compromised|infected|hit|breached"
_TARGETS: Final = (
    rf"target(?:s|ing)?|attack(?:s|ing)?|against|compromis(?:es?|ing)|infect(?:s|ing)?|{_TARGETED}"
)
_AFFECTED: Final = r"affected|impacted"
_AFFECTS: Final = does(
    rf"affect(?:s|ing)?|in|impact(?:s|ing)?|exists? in|found in|present in|{_AFFECTED}"
)
_INDICATES: Final = said(
    r"indicat(?:es?|ed|or|ors|ing)|associated with|belongs? to|c2|command|server|"
    r"beacon(?:s|ed|ing)?|used by|hosts?|hosting|delivers?|contact(?:s|ed|ing)?|"
    r"communicat(?:es?|ed|ing)|connect(?:s|ed|ing)?"
)
_OBSERVABLES: Final = ("ip", "domain", "url", "hash", "email", "file")
_MITIGATES: Final = does(
    r"mitigat(?:es?|ed|ing|ion)|prevent(?:s|ed|ing)?|block(?:s|ed|ing)?|against|for|protects?"
)
_DETECTS: Final = does(
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
# "a connection from": the second is the one that connects.
_FROM: Final = "by|from"
_CONNECTED: Final = r"connect(?:ed|ion|ions)|contacted|accessed|reached|traffic|beacon(?:s|ed|ing)?"
_CONNECTS: Final = does(rf"connect(?:s|ing)?|to|->|→|dst|contacts?|accesses|{_CONNECTED}", by=_FROM)
_RESOLVED: Final = r"resolved|queried|looked up|requested"
_RESOLVES: Final = does(rf"resolv\w{{1,5}}|query|queries|dns|lookup|{_RESOLVED}")

_PEERS: Final = (
    ("host", "ip", 80), ("ip", "host", 80), ("host", "host", 60), ("host", "device", 60),
    ("ip", "ip", 60),
)  # fmt: skip

# An executable is a process to a log, and a file, a path or a known tool to a report.
_RUNNABLE: Final = ("process", "file", "tool", "malware", "path")
_STARTED: Final = r"spawned|started|launched|executed|invoked|forked|run"
_SPAWNS: Final = does(
    rf"spawn(?:s|ing)?|starts|starting|launch(?:es|ing)?|execut(?:es|ing)|invok(?:es|ing)|ran|"
    rf"runs|forks|{_STARTED}"
)
_PARENT_OF: Final = re.compile(
    r"\bparent(?: process)? of(?: the)?\W*$|\bchild(?: process)?(?: is| was)?\W*$", re.IGNORECASE
)
_CHILD_OF: Final = re.compile(
    r"\bchild(?: process)? of(?: the)?\W*$|\bparent(?: ?process| ?image)?(?: is| was)?\W*$",
    re.IGNORECASE,
)
_WRITTEN: Final = r"wrote|written|created|dropped|saved|modified"
_WRITES: Final = does(rf"writ(?:es?|ing)|creat(?:es?|ing)|drop(?:s|ping)|saves|{_WRITTEN}")

# A refused attempt is no session, nor is what is done to an account: "Failed password for root"
# ties no account to the host.
_REFUSED: Final = (
    r"fail|invalid|denied|refused|disallowed|not allowed|not in sudoers|incorrect password|bad su|"
    r"new user|delete user|changed for"
)
_SESSION: Final = re.compile(
    rf"^(?!.*(?:{_REFUSED}))"
    r".*\b(?:for|user|logged|login|logon|session|accepted|authenticat\w{0,6}|on|at|to|account|"
    r"sudo|su|cron|cmd)\b",
    re.IGNORECASE | re.DOTALL,
)
# What a line of syslog says behind its host: "web01 sudo: jdoe : ...".
_DAEMON: Final = re.compile(
    rf"^ (?!.*(?:{_REFUSED}))(?:sudo|su|cron|crond|sshd|login|systemd-logind)(?:\[\d+\])?:",
    re.IGNORECASE | re.DOTALL,
)
# A field such as ``source.ip`` holds the other side's address.
_OWN_ADDRESS: Final = re.compile(
    r"^(?!.*\b(?:src|source|client|remote|dst|dest|destination|logon|login|from)\b)"
    r".*\b(?:at|address|ip|is|with|has)\b",
    re.IGNORECASE | re.DOTALL,
)
_SYSLOG_TAG: Final = re.compile(r"^ $")


def _both(type: str, head: str, tail: str, active: re.Pattern[str], passive: str, *, gap: int,
          score: float = 0.8, by: str = "by") -> Iterator[Rule]:  # fmt: skip
    """What one does to the other, told of the one (active) and of the other (passive)."""
    yield Rule(type, head, tail, active, gap=gap, score=score)
    yield Rule(type, head, tail, done(passive, by=by), gap=gap, score=score, reverse=True)


def _pairs() -> Iterator[Rule]:
    for actor in _ACTORS:
        for used in ("technique", "tool", "malware"):
            if actor != used:
                yield from _both("uses", actor, used, _USES, _USED, gap=80, score=0.75)
        yield from _both(
            "exploits", actor, "vulnerability", _EXPLOITS, _EXPLOITED, gap=80, score=0.85
        )
        # A tool on a host runs there; whoever else is on it is after it.
        targets = does(_TARGETS if actor == "tool" else rf"{_TARGETS}|on")
        for target in ("product", "host", "device", "organization"):
            yield from _both("targets", actor, target, targets, _TARGETED, gap=60, score=0.7)
    by = said(r"by|attributed to|linked to|conducted by|operated by|developed by")
    yield Rule("attributed_to", "campaign", "threat_group", by, gap=60)
    yield Rule("attributed_to", "malware", "threat_group", by, gap=60)
    for seen in _OBSERVABLES:
        for meaning in ("malware", "threat_group", "campaign", "tool"):
            yield Rule("indicates", seen, meaning, _INDICATES, True, gap=80, score=0.65)
    for named in ("technique", "weakness", "vulnerability"):
        yield from _both(
            "mitigates", "mitigation", named, _MITIGATES, "mitigated|prevented|blocked", gap=60
        )
        yield from _both("detects", "rule", named, _DETECTS, "detected|identified|found", gap=80)
    yield from _both("detects", "rule", "malware", _DETECTS, "detected|identified|found", gap=80)


def _deeds() -> Iterator[Rule]:
    """What an executable does: it starts others, writes, connects and runs somewhere."""
    for head in _RUNNABLE:
        for tail in _RUNNABLE:
            yield Rule("spawned", head, tail, _CHILD_OF, gap=60, reverse=True)
            yield Rule("spawned", head, tail, _PARENT_OF, gap=60)
            yield from _both("spawned", head, tail, _SPAWNS, _STARTED, gap=60)
        for tail in ("file", "path", "registry_key"):
            yield from _both("wrote", head, tail, _WRITES, _WRITTEN, gap=60)
        if head != "malware":
            for tail in ("ip", "domain", "url"):
                yield from _both(
                    "connected_to", head, tail, _CONNECTS, _CONNECTED, gap=60, score=0.7, by=_FROM
                )
    ran = said(r"on|ran|runs?|running|executed|started|launched")
    yield Rule("ran_on", "process", "host", None, gap=120, score=0.7)
    yield Rule("ran_on", "process", "host", _DAEMON, gap=160, score=0.7, reverse=True)
    for head in ("tool", "file"):
        yield Rule("ran_on", head, "host", ran, gap=60, score=0.6)


@cache
def rules() -> Sequence[Rule]:
    """Every rule for security documents; the first that holds for a pair stands."""
    return (
        *_pairs(),
        *_both("affects", "vulnerability", "product", _AFFECTS, _AFFECTED, gap=80),
        *_both("affects", "vulnerability", "device", _AFFECTS, _AFFECTED, gap=80),
        Rule("has_weakness", "vulnerability", "weakness", _WEAK, gap=80),
        Rule("has_vulnerability", "host", "vulnerability", _RUNS_ON, True, gap=80),
        Rule("has_vulnerability", "device", "vulnerability", _RUNS_ON, True, gap=80),
        Rule("made_by", "product", "vendor", said(r"by|from|of"), gap=30),
        Rule("belongs_to", "technique", "tactic", said(r"tactic|for|under|in|to achieve"), gap=40),
        Rule("has_address", "host", "ip", _OWN_ADDRESS, gap=30),
        Rule("runs", "host", "service", _RUNS, gap=60),
        Rule("runs", "host", "service", _SYSLOG_TAG, gap=1),
        *(
            rule
            for head, tail, gap in _PEERS
            for rule in _both(
                "connected_to", head, tail, _CONNECTS, _CONNECTED, gap=gap, score=0.7, by=_FROM
            )
        ),
        *_both("resolved", "host", "domain", _RESOLVES, _RESOLVED, gap=80),
        Rule("logged_in_to", "account", "host", _SESSION, gap=120, score=0.7),
        Rule("logged_in_to", "account", "host", _DAEMON, gap=160, score=0.7, reverse=True),
        *_deeds(),
        *shared_rules(),
    )
