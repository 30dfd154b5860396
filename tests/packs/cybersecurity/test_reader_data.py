"""On public data: every line and record of every file is accounted for."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.readers import stix_names
from aegle.packs.cybersecurity.readers.cve import CveReader
from aegle.packs.cybersecurity.readers.kev import KevReader
from aegle.packs.cybersecurity.readers.lines import LogLinesReader
from aegle.packs.cybersecurity.readers.sigma import SigmaReader
from aegle.packs.cybersecurity.readers.stix import StixReader
from aegle.packs.cybersecurity.readers.syslog import SyslogReader
from aegle.packs.cybersecurity.readers.windows import WindowsEventReader

SYSLOG = ("Linux_2k.log", "OpenSSH_2k.log")


def relations(docs: Iterable[RawDocument]) -> Counter[str]:
    return Counter(link.type for doc in docs for link in doc.links)


def line_count(docs: Iterable[RawDocument]) -> int:
    return sum(int(doc.meta["lines"]) for doc in docs)


def filled(raw: bytes) -> int:
    return sum(bool(line.strip()) for line in raw.split(b"\n"))


def test_every_line_of_every_log_is_accounted_for(data: Path) -> None:
    logs = sorted(data.glob("loghub_2k/*/*_2k.log"))
    assert len(logs) == 13
    for path in logs:
        raw = path.read_bytes()
        origin = Origin(str(path))
        syslog, other = SyslogReader(), LogLinesReader()
        assert (syslog.sniff(raw[:65536], origin) > 0.9) == (path.name in SYSLOG)
        assert other.sniff(raw[:65536], origin) > 0.7
        docs = list((syslog if path.name in SYSLOG else other).read(io.BytesIO(raw), origin))
        assert line_count(docs) == filled(raw) == 2000
        assert max(len(doc.text) for doc in docs) <= 6000
        kept = sum(doc.text.reveal().count("\n") + 1 for doc in docs)
        assert kept < 2000 + len(docs), "no line is written twice"
        assert all(doc.time for doc in docs)


def test_tables_and_notes_about_the_logs_are_left_to_others(data: Path) -> None:
    for path in [*data.glob("loghub_2k/*/*.csv"), *data.glob("*/README.md")]:
        head = path.read_bytes()[:65536]
        assert LogLinesReader().sniff(head, Origin(str(path))) < 0.2


def test_recorded_attacks(data: Path) -> None:
    found: Counter[str] = Counter()
    num_events = 0
    for path in sorted(data.glob("mordor_events/**/*.zip"))[::3]:
        with zipfile.ZipFile(path) as archive:
            (member,) = archive.namelist()
            raw = archive.read(member)
        origin = Origin(str(path), member)
        assert WindowsEventReader().sniff(raw[:65536], origin) > 0.9
        docs = list(WindowsEventReader().read(io.BytesIO(raw), origin))
        assert line_count(docs) == filled(raw)
        assert all(doc.group.reveal().startswith("host/") for doc in docs)
        num_events += line_count(docs)
        found += relations(docs)
    assert num_events == 4516
    assert found["spawned"] > 10 and found["logged_in_to"] > 5 and found["wrote"] > 100


def test_every_sigma_rule_is_read(data: Path) -> None:
    paths = sorted(data.glob("sigma_rules/rules*/**/*.yml"))
    assert len(paths) == 2150
    techniques = set()
    for path in paths[::5]:
        raw = path.read_bytes()
        origin = Origin(str(path))
        assert SigmaReader().sniff(raw, origin) > 0.9
        (doc,) = SigmaReader().read(io.BytesIO(raw), origin)
        assert len(doc.text) > 100
        techniques |= {m.concepts[0].code for m in doc.mentions if m.type == "technique"}
    assert len(techniques) > 150


def test_attack_and_capec(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stix_names, "known_ids", dict)
    counts = {"enterprise_objects": 2290, "ics_objects": 207, "capec_attack_patterns": 615}
    for name, count in counts.items():
        raw = gzip.decompress((data / "attack_stix" / f"{name}.jsonl.gz").read_bytes())
        origin = Origin(f"{name}.jsonl")
        assert StixReader().sniff(raw[:65536], origin) > 0.9
        docs = list(StixReader().read(io.BytesIO(raw), origin))
        assert len(docs) == count
        assert not any("(Citation:" in doc.text.reveal() for doc in docs)
    raw = gzip.decompress((data / "attack_stix/enterprise_relationships.jsonl.gz").read_bytes())
    docs = list(StixReader().read(io.BytesIO(raw), Origin("r.jsonl")))
    assert sum(int(doc.meta["relationships"]) for doc in docs) == 20048
    assert relations(docs) == {
        "uses": 17270, "mitigates": 1445, "detects": 691, "subtechnique_of": 477,
        "attributed_to": 25,
    }  # fmt: skip


def test_vulnerabilities(data: Path) -> None:
    raw = (data / "cve_vulnrichment/cve.jsonl").read_bytes()
    docs = list(CveReader().read(io.BytesIO(raw), Origin("cve.jsonl")))
    assert len(docs) == 3000
    assert relations(docs)["has_weakness"] > 2500
    raw = (data / "cisa_kev/known_exploited_vulnerabilities.csv").read_bytes()
    docs = list(KevReader().read(io.BytesIO(raw), Origin("kev.csv")))
    assert len(docs) == 1404
    assert relations(docs)["affects"] == 1404
