"""What the packs' readers make of the sample still holds the passages that prove the answers."""

from __future__ import annotations

from functools import cache

import pytest
from sample_files import Sample

from aegle.core.pack import Origin
from aegle.core.plugins import load
from aegle.packs.cybersecurity import PACK as SECURITY
from aegle.packs.general import PACK as GENERAL
from aegle.packs.healthcare import PACK as CARE

EXPECTED = {
    "fhir/*.json": "fhir", "hl7/*.hl7": "hl7v2", "notes/**/*.txt": "note", "mail/*.eml": "mail",
    "assets/*.csv": "csv", "logs/linux/*.log": "syslog", "logs/devices/*.log": "syslog",
    "logs/windows/*.jsonl": "windows", "logs/zeek/*.log": "zeek", "logs/portal/*.log": "access",
    "logs/proxy/*.log": "access", "threat/report_*.md": "report", "threat/*.stix.json": "stix",
    "threat/CVE-*.json": "cve", "threat/sigma/*.yml": "sigma", "docs/*.html": "html",
    "docs/*.md": "markdown",
}  # fmt: skip


@cache
def readers() -> dict[str, object]:
    tables = (CARE.readers, SECURITY.readers, GENERAL.readers)
    return {name: load(ref)() for table in tables for name, ref in table.items()}


def surest(sample: Sample, path: str) -> str:
    file = sample.root / "files" / path
    head, origin = file.read_bytes()[: 1 << 16], Origin(str(file))
    return max(readers(), key=lambda name: readers()[name].sniff(head, origin))


@pytest.mark.parametrize("pattern", EXPECTED)
def test_each_file_is_claimed_by_its_reader(sample: Sample, pattern: str) -> None:
    claimed = {surest(sample, path) for path in sample.paths(pattern)}
    assert claimed == {EXPECTED[pattern]}


def test_proofs_stand_in_what_the_readers_give(sample: Sample) -> None:
    wanted: dict[str, set[str]] = {}
    for question in sample.gold("questions.json"):
        for proof in question["evidence"]:
            wanted.setdefault(proof["path"], set()).add(proof["text"])
    for path, passages in wanted.items():
        file = sample.root / "files" / path
        with file.open("rb") as stream:
            found = readers()[surest(sample, path)].read(stream, Origin(str(file)))
            texts = [doc.text.reveal() for doc in found]
        for passage in passages:
            assert any(passage in text for text in texts), (path, passage)
