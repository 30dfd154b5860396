"""A clinical and security corpus for language models, in two parts by document.

MedQuAD's pages (by disease), PubMedQA's abstracts, ATT&CK's and CWE's descriptions, Sigma's rules:
all of licences that let trained weights be shipped. Held out is one document in ten by the hash of
its name, and every abstract of PubMedQA's test part.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from defusedxml.ElementTree import parse

SHORTEST: Final = 200
"""Characters; shorter documents say too little to be measured on."""


@dataclass(frozen=True)
class Text:
    """One document: where from, what it is split by, whether it is held out, what it says."""

    source: str
    name: str
    held: bool
    body: str


def read(data: Path) -> list[Text]:
    """All documents, each text once, in an order that does not hang on the disk."""
    found: dict[str, Text] = {}
    sources = (_medquad, _pubmedqa, _attack, _cwe, _sigma)
    texts = [one for source in sources for one in source(data)]
    # Of equal texts the held-out one stays: nothing that is measured was trained on.
    for one in sorted(texts, key=lambda one: (not one.held, one.source, one.name)):
        if len(one.body) >= SHORTEST:
            found.setdefault(one.body, one)
    return sorted(found.values(), key=lambda one: (one.source, one.name))


def _draw(name: str) -> bool:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10 == 0


def _medquad(data: Path) -> Iterator[Text]:
    for path in sorted((data / "medquad").rglob("*.xml")):
        root = parse(path).getroot()
        focus = " ".join((root.findtext("Focus") or path.stem).split())
        parts = [
            f"{pair.findtext('Question', '').strip()}\n{pair.findtext('Answer', '').strip()}"
            for pair in root.iter("QAPair")
        ]
        body = f"{focus}\n\n" + "\n\n".join(parts)
        yield Text("medquad", f"{focus}/{path.stem}", _draw(focus.lower()), body)


def _pubmedqa(data: Path) -> Iterator[Text]:
    told = json.loads((data / "pubmedqa" / "ori_pqal.json").read_text("utf-8"))
    test = json.loads((data / "pubmedqa" / "test_ground_truth.json").read_text("utf-8"))
    for key, one in told.items():
        body = "\n".join([one["QUESTION"], *one["CONTEXTS"], one["LONG_ANSWER"]])
        yield Text("pubmedqa", key, key in test, body)


def _attack(data: Path) -> Iterator[Text]:
    for file in ("enterprise_objects", "ics_objects"):
        with gzip.open(data / "attack_stix" / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                one = json.loads(line)
                body = f"{one.get('name', '')}\n\n{one.get('description', '')}"
                yield Text("attack_stix", one["id"], _draw(one.get("name", one["id"])), body)


def _cwe(data: Path) -> Iterator[Text]:
    path = data / "cwe" / "1000_research_concepts.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            kept = [row.get(key) or "" for key in ("Name", "Description", "Extended Description")]
            kept.append(row.get("Potential Mitigations") or "")
            yield Text("cwe", row["CWE-ID"], _draw(f"CWE-{row['CWE-ID']}"), "\n".join(kept))


def _sigma(data: Path) -> Iterator[Text]:
    for path in sorted((data / "sigma_rules" / "rules").rglob("*.yml")):
        yield Text("sigma_rules", path.stem, _draw(path.stem), path.read_text("utf-8"))
