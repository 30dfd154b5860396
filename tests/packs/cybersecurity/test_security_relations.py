"""Who does what to whom, told in the active and in the passive voice."""

from __future__ import annotations

from functools import cache

import pytest

from aegle.core.pack import Term
from aegle.core.records import Concept, Document
from aegle.core.text import SafeText
from aegle.facts.extract import extract
from aegle.facts.lexicon import Lexicon
from aegle.packs.cybersecurity.cues import cues
from aegle.packs.cybersecurity.patterns import patterns
from aegle.packs.cybersecurity.rules import rules
from aegle.packs.general.wordlist import list_terms


@cache
def lexicon() -> Lexicon:
    return Lexicon.build(
        [
            *list_terms("aegle.packs.cybersecurity", "tools", "tool"),
            Term("APT29", "threat_group", Concept("ATTACK", "G0016", "APT29")),
            Term("Emotet", "malware", Concept("ATTACK", "S0367", "Emotet")),
        ]
    )


def told(text: str, group: str = "") -> set[tuple[str, str, str]]:
    """The relations of a text: what their head and their tail are called there."""
    safe = SafeText(text, by="test")
    doc = Document(
        id="d1", kind="report", domain="cybersecurity", text=safe, title=safe, group=group
    )  # fmt: skip
    found = extract(doc, lexicons=[lexicon()], patterns=patterns(), cues=cues(), rules=rules())
    name = {entity.id: str(entity.text) for entity in found.entities}
    return {(name[r.head], r.type, name[r.tail]) for r in found.relations}


@pytest.mark.parametrize(
    "text",
    [
        "winword.exe spawned powershell.exe",
        "winword.exe launched powershell.exe",
        "winword.exe started the process powershell.exe",
        "powershell.exe spawned by winword.exe",
        "powershell.exe was launched by winword.exe",
        "powershell.exe had been started by the process winword.exe",
        "powershell.exe, parent process winword.exe",
        "powershell.exe (parent: winword.exe)",
        "Parent process: winword.exe; child process: powershell.exe",
        "winword.exe is the parent of powershell.exe",
        "powershell.exe is a child process of winword.exe",
    ],
)
def test_the_parent_is_the_head(text):
    assert told(text) == {("winword.exe", "spawned", "powershell.exe")}


def test_a_tool_on_a_host_ran_there_and_does_not_target_it():
    found = told("powershell.exe spawned by winword.exe on icu3-gw01")
    assert ("powershell.exe", "ran_on", "icu3-gw01") in found
    assert ("winword.exe", "spawned", "powershell.exe") in found
    assert not [one for one in found if one[1] == "targets"]


@pytest.mark.parametrize(
    ("active", "passive", "one", "type", "other"),
    [
        ("{} exploited {}", "{} was exploited by {}", "APT29", "exploits", "CVE-2024-1234"),
        ("{} connected to {}", "{} got a connection from {}", "10.0.0.6", "connected_to",
         "10.0.0.5"),
        ("{} contacted {}", "{} was contacted by {}", "icu3-gw01", "connected_to", "10.0.0.5"),
        ("{} connects to {}", "{} was contacted by {}", "icu3-gw01", "connected_to", "srv-db-02"),
        ("{} dropped {}", "{} was written by {}", "winword.exe", "wrote", "invoice.txt"),
        ("{} resolved {}", "{} was queried by {}", "icu3-gw01", "resolved", "evil.example.com"),
        ("{} used {}", "{} was used by {}", "APT29", "uses", "Nmap"),
        ("{} infected {}", "{} was infected by {}", "Emotet", "targets", "icu3-gw01"),
        ("{} affects {}", "{} is affected by {}", "CVE-2024-1234", "affects", "PUMP-0042"),
        ("{} mitigates {}", "{} is mitigated by {}", "M1038", "mitigates", "T1059"),
    ],
)  # fmt: skip
def test_both_voices_say_the_same(active, passive, one, type, other):
    for text in (active.format(one, other), passive.format(other, one)):
        found = {relation for relation in told(text) if relation[1] == type}
        assert found == {(one, type, other)}, text


def test_from_and_to_say_who_connects():
    found = told("connection from 10.0.0.6 to 10.0.0.5")
    assert found == {("10.0.0.6", "connected_to", "10.0.0.5")}
