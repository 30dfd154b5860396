"""STIX, Sigma, CVE, KEV and threat reports: ids become concepts, statements become links."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import InputError, UnsafeInputError
from aegle.core.pack import Origin, Reader
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.readers import attack, stix_names
from aegle.packs.cybersecurity.readers.cve import CveReader
from aegle.packs.cybersecurity.readers.kev import KevReader
from aegle.packs.cybersecurity.readers.report import ThreatReportReader
from aegle.packs.cybersecurity.readers.sigma import SigmaReader, load
from aegle.packs.cybersecurity.readers.stix import StixReader


@pytest.fixture(autouse=True)
def no_terminology(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is cached on this machine must not decide about a test."""
    monkeypatch.setattr(stix_names, "known_ids", dict)


def docs_of(reader: Reader, text: str, name: str = "x") -> list[RawDocument]:
    return list(reader.read(io.BytesIO(text.encode()), Origin(name)))


def named(doc: RawDocument, place: int) -> str:
    mention = doc.mentions[place]
    text = doc.text.reveal()[mention.start : mention.end]
    return mention.concepts[0].key if mention.concepts else f"{mention.type}:{text}"


def ties(doc: RawDocument) -> set[tuple[str, str, str]]:
    return {(named(doc, link.head), link.type, named(doc, link.tail)) for link in doc.links}


def stix_id(kind: str, n: int) -> str:
    return f"{kind}--00000000-0000-4000-8000-{n:012d}"


def thing(kind: str, n: int, **fields: Any) -> dict[str, Any]:
    stamp = "2025-03-01T00:00:00.000Z"
    return {"type": kind, "spec_version": "2.1", "id": stix_id(kind, n), "created": stamp,
            "modified": stamp, **fields}  # fmt: skip


def tie(n: int, head: dict[str, Any], kind: str, tail: dict[str, Any]) -> dict[str, Any]:
    return thing("relationship", n, relationship_type=kind, source_ref=head["id"],
                 target_ref=tail["id"], description="seen (Citation: X) often")  # fmt: skip


TECHNIQUE = thing(
    "attack-pattern", 1, name="PowerShell",
    description="Adversaries [Empire](https://attack.mitre.org/software/S0363) <b>may</b> abuse it."
    "(Citation: A Report 2020)",
    kill_chain_phases=[{"kill_chain_name": "mitre-attack", "phase_name": "execution"}],
    external_references=[{"source_name": "mitre-attack", "external_id": "T1059.001"}],
)  # fmt: skip
GROUP = thing("intrusion-set", 2, name="Night Heron", aliases=["Night Heron", "UNC1"])
SIGN = thing(
    "indicator", 3, name="C2", pattern="[domain-name:value = 'c2.example.net']",
    pattern_type="stix", valid_from="2025-03-01T00:00:00Z",
)  # fmt: skip
LOADER = thing("malware", 4, name="HeronLoad", is_family=True)
FLAW = thing("vulnerability", 5, name="CVE-2024-0023")
BUNDLE = {
    "type": "bundle", "id": stix_id("bundle", 9),
    "objects": [tie(6, GROUP, "uses", TECHNIQUE), TECHNIQUE, GROUP, SIGN, LOADER, FLAW,
                tie(7, SIGN, "indicates", LOADER), tie(8, LOADER, "exploits", FLAW)],
}  # fmt: skip


@pytest.mark.parametrize("indent", [None, 2])
def test_a_bundle_resolves_its_names(indent: int | None) -> None:
    docs = docs_of(StixReader(), json.dumps(BUNDLE, indent=indent))
    assert len(docs) == 5 + 3
    assert set().union(*map(ties, docs)) == {
        ("ATTACK:T1059.001", "belongs_to", "ATTACK:TA0002"),
        ("threat_group:Night Heron", "uses", "ATTACK:T1059.001"),
        ("domain:c2.example.net", "indicates", "malware:HeronLoad"),
        ("malware:HeronLoad", "exploits", "CVE:CVE-2024-0023"),
    }


def test_descriptions_are_cleaned_and_their_links_are_mentions() -> None:
    (doc,) = docs_of(StixReader(), json.dumps(TECHNIQUE))
    assert doc.text.reveal() == (
        "PowerShell (T1059.001)\nattack pattern\nTactics: Execution\n\n"
        "Adversaries Empire may abuse it."
    )
    assert [named(doc, place) for place in range(3)] == [
        "ATTACK:T1059.001", "ATTACK:TA0002", "ATTACK:S0363",
    ]  # fmt: skip
    assert doc.meta["attack_id"] == "T1059.001"


def test_a_relationship_to_the_unknown_keeps_its_id_as_a_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = json.dumps(tie(6, GROUP, "uses", TECHNIQUE))
    (doc,) = docs_of(StixReader(), alone)
    head, tail = doc.mentions
    assert head.ref is not None and head.ref.reveal() == f"stix/{GROUP['id']}"
    assert (head.type, tail.type) == ("threat_group", "attack_pattern")
    known = {TECHNIQUE["id"]: ("technique", attack.Concept("ATTACK", "T1059.001", "PowerShell"))}
    monkeypatch.setattr(stix_names, "known_ids", lambda: known)
    (doc,) = docs_of(StixReader(), alone)
    assert named(doc, 1) == "ATTACK:T1059.001" and doc.mentions[1].ref is None


def test_relationships_come_in_batches() -> None:
    text = "\n".join(json.dumps(tie(n, GROUP, "uses", LOADER)) for n in range(70))
    docs = docs_of(StixReader(), text)
    assert [doc.meta["relationships"] for doc in docs] == ["30", "30", "10"]


def test_the_stix2_library_reads_what_we_read() -> None:
    stix2 = pytest.importorskip("stix2")
    parsed = stix2.parse(json.dumps(BUNDLE), allow_custom=True)
    ours = docs_of(StixReader(), json.dumps(BUNDLE))
    titles = {doc.title.reveal() for doc in ours if doc.meta["stix_type"] != "relationship"}
    assert titles == {item.name for item in parsed.objects if hasattr(item, "name")}


RULE = """\
title: Dump of LSASS
id: 5ef9853e-4d0e-4a70-846f-a9ca37d876da
status: test
description: Finds a dump.
date: 2025-01-02
tags: [attack.credential-access, attack.t1003.001, cve.2024-0023]
logsource: {product: windows, category: process_creation}
detection:
    selection:
        Image|endswith: ['\\procdump.exe', '\\x.exe']
        CommandLine|contains|all: [' -ma ', lsass]
    condition: selection
level: high
"""


def test_a_sigma_rule_reads_in_words_and_detects_techniques() -> None:
    (doc,) = docs_of(SigmaReader(), RULE)
    text = doc.text.reveal()
    assert "Image ends with '\\procdump.exe' or '\\x.exe'" in text
    assert "CommandLine contains ' -ma ' and 'lsass'" in text.replace("'-ma'", "' -ma '")
    assert ties(doc) == {
        ("rule:Dump of LSASS", "detects", "ATTACK:T1003.001"),
        ("rule:Dump of LSASS", "detects", "CVE:CVE-2024-0023"),
    }
    assert "ATTACK:TA0006" in {named(doc, place) for place in range(len(doc.mentions))}
    assert (doc.time, doc.meta["level"]) == ("2025-01-02", "high")
    assert SigmaReader().sniff(RULE.encode(), Origin("x.yml")) > 0.9
    assert len(docs_of(SigmaReader(), RULE + "---\n" + RULE)) == 2


def test_pysigma_reads_the_same_rule() -> None:
    rules = pytest.importorskip("sigma.rule")
    rule = rules.SigmaRule.from_yaml(RULE)
    (doc,) = docs_of(SigmaReader(), RULE)
    assert rule.title == doc.title.reveal()
    assert str(rule.level.name).lower() == doc.meta["level"]


def test_yaml_that_attacks_is_refused() -> None:
    laughs = "a: &a [x,x]\n" + "\n".join(f"b{n}: &b{n} [*a,*a,*a]" for n in range(9))
    for text in ("[" * 50_000, "{a: " * 50_000, "- " * 50_000, laughs):
        with pytest.raises(UnsafeInputError):
            load(text)
    assert load("!!python/object/apply:os.system [x]") == [["x"]]


NAMES = st.text("abc", min_size=1, max_size=3)
TREES = st.recursive(
    st.text("abc01:- ", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
)


@given(TREES)
def test_yaml_survives_its_text(value: Any) -> None:
    def strings(one: Any) -> Any:
        if isinstance(one, dict):
            return {str(key): strings(item) for key, item in one.items()}
        return [strings(item) for item in one] if isinstance(one, list) else one

    assert load(yaml.safe_dump({"a": value})) == [{"a": strings(value)}]


RECORD = {
    "dataType": "CVE_RECORD", "dataVersion": "5.1",
    "cveMetadata": {"cveId": "CVE-2024-0023", "state": "PUBLISHED", "datePublished": "2024-02-16"},
    "containers": {
        "cna": {
            "title": "Overflow in pump",
            "descriptions": [{"lang": "de", "value": "Fehler"}, {"lang": "en", "value": "A flaw."}],
            "affected": [{"vendor": "Acme", "product": "Pump OS", "versions": [
                {"version": "1.0", "lessThan": "1.4", "status": "affected"}]}],
            "problemTypes": [{"descriptions": [{"cweId": "CWE-787", "description":
                                                "CWE-787 Out-of-bounds Write"}]}],
            "metrics": [{"cvssV3_1": {"version": "3.1", "baseScore": 9.8,
                                      "baseSeverity": "CRITICAL",
                                      "vectorString": "CVSS:3.1/AV:N"}}],
        },
        "adp": [{"metrics": [{"other": {"type": "ssvc", "content": {
            "options": [{"Exploitation": "active"}, {"Automatable": "yes"}]}}}]}],
    },
}  # fmt: skip
PUMP_TIES = {
    ("CVE:CVE-2024-0023", "affects", "product:Pump OS"),
    ("product:Pump OS", "made_by", "vendor:Acme"),
    ("CVE:CVE-2024-0023", "has_weakness", "CWE:CWE-787"),
}


def test_a_cve_record_tells_what_it_affects() -> None:
    (doc,) = docs_of(CveReader(), json.dumps(RECORD, indent=1))
    assert doc.text.reveal() == (
        "CVE-2024-0023: Overflow in pump\nSeverity: CRITICAL, CVSS 3.1 9.8 CVSS:3.1/AV:N\n"
        "SSVC: exploitation active, automatable yes\nAffects: Acme Pump OS (1.0 before 1.4)\n"
        "Weaknesses: CWE-787 Out-of-bounds Write\n\nA flaw."
    )
    assert ties(doc) == PUMP_TIES
    assert (doc.time, doc.meta["severity"], doc.meta["cvss"]) == ("2024-02-16", "critical", "9.8")


def test_compact_rows_and_kev_tie_the_same() -> None:
    row = {"cveId": "CVE-2024-0023", "vendors": ["Acme"], "products": ["Pump OS"],
           "cwe": ["CWE-787"], "description": "A flaw.", "kev": True}  # fmt: skip
    (doc,) = docs_of(CveReader(), json.dumps(row) + "\n")
    assert ties(doc) == PUMP_TIES and doc.meta["kev"] == "yes"
    entry = {"cveID": "CVE-2024-0023", "vendorProject": "Acme", "product": "Pump OS",
             "vulnerabilityName": "Overflow, in pump", "dateAdded": "2024-03-01",
             "cwes": ["CWE-787"], "requiredAction": "Patch.",
             "shortDescription": "A flaw."}  # fmt: skip
    catalogue = json.dumps({"title": "KEV", "catalogVersion": "1", "vulnerabilities": [entry]})
    table = (
        "cveID,vendorProject,product,vulnerabilityName,dateAdded,shortDescription,requiredAction,"
        'cwes\nCVE-2024-0023,Acme,Pump OS,"Overflow, in pump",2024-03-01,"A\nflaw.",Patch.,'
        "CWE-787\n"
    )
    for text in (catalogue, table):
        assert KevReader().sniff(text.encode(), Origin("x")) > 0.9
        (doc,) = docs_of(KevReader(), text)
        assert ties(doc) == PUMP_TIES
        assert doc.title.reveal() == "CVE-2024-0023 Overflow, in pump"
    with pytest.raises(InputError, match="no CVE id"):
        docs_of(KevReader(), table + "x,y\n")


REPORT = """\
# Night Heron against hospitals

2025-03-07. A threat actor used phishing to deliver a loader that beacons to its command and
control server at hxxps://c2[.]example[.]net and moved laterally (T1021.004) with persistence by
CVE-2024-0023.
"""


def test_a_threat_report_is_kept_whole() -> None:
    assert ThreatReportReader().sniff(REPORT.encode(), Origin("report.md")) > 0.6
    (doc,) = docs_of(ThreatReportReader(), REPORT, "report.md")
    assert doc.text.reveal() == REPORT
    assert (doc.title.reveal(), doc.time, doc.kind) == (
        "Night Heron against hospitals", "2025-03-07", "report",
    )  # fmt: skip
