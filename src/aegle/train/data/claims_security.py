"""Statements of public security texts: names and descriptions, and what actors were seen to do."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from aegle.train.data.claims import EXTRACT, Statement, cut, part

_CITATION: Final = re.compile(r"\(Citation: [^)]*\)")
_LINK: Final = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_MARKUP: Final = re.compile(r"</?[\w:]+[^>]*>|`")
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The C parser is ten times as fast; both make plain values only."""
_SHOWN: Final = 3
"""Deeds of one actor that stand in one evidence."""
_DEEDS: Final = 4
"""Deeds of one actor that become statements."""


def plain(text: str) -> str:
    """Without citations, links and markup."""
    text = _MARKUP.sub("", _LINK.sub(r"\1", _CITATION.sub("", text)))
    return " ".join(text.split())


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from (json.loads(line) for line in file)


def deeds(data: Path) -> Iterator[Statement]:
    """What a group or malware did, as ATT&CK tells it, beside other deeds of the same actor."""
    by_actor: dict[str, list[str]] = defaultdict(list)
    for one in _objects(data / "attack_stix" / "enterprise_relationships.jsonl.gz"):
        if one["relationship_type"] == "uses" and one.get("description"):
            by_actor[one["source_ref"]] += cut(plain(one["description"]))
    for actor, told in sorted(by_actor.items()):
        fit = [one for one in told if 7 <= len(one.split()) <= 40]
        order = sorted(dict.fromkeys(fit), key=lambda one: hashlib.sha256(one.encode()).digest())
        for start in range(0, min(len(order), _SHOWN * _DEEDS), _SHOWN):
            shown = tuple(order[start : start + _SHOWN])
            name = f"attack {actor}"
            yield Statement(
                "attack_stix", name, part(name), shown[0], shown, EXTRACT, at=(0,), topic=actor
            )


def patterns(data: Path) -> Iterator[Statement]:
    """Names of CAPEC attack patterns against their descriptions, and sentences of these."""
    for one in _objects(data / "attack_stix" / "capec_attack_patterns.jsonl.gz"):
        told = cut(plain(one.get("description", "")))
        name = f"capec {one['id']}"
        if sum(len(text.split()) for text in told) >= 15:
            yield Statement("capec", name, part(name), f"{one['name']}.", tuple(told))


def weaknesses(data: Path) -> Iterator[Statement]:
    """Descriptions of CWE weaknesses against what is said of them at length, and their names."""
    path = data / "cwe" / "1000_research_concepts.csv.gz"
    with gzip.open(path, "rb") as raw:
        rows = list(csv.DictReader(io.TextIOWrapper(raw, "utf-8")))
    for row in rows:
        told = cut(row["Description"]) + cut(row["Extended Description"])
        name = f"cwe {row['CWE-ID'] or row['Name']}"
        if sum(len(text.split()) for text in told) >= 15:
            yield Statement("cwe", name, part(name), f"{row['Name']}.", tuple(told))


def rules(data: Path) -> Iterator[Statement]:
    """Titles of Sigma rules against their descriptions."""
    for path in sorted((data / "sigma_rules" / "rules").rglob("*.yml")):
        rule = next(iter(yaml.load_all(path.read_text("utf-8"), Loader=_LOADER)))
        told = cut(str(rule.get("description", "")))
        name = f"sigma {path.name}"
        if sum(len(text.split()) for text in told) >= 8:
            yield Statement("sigma_rules", name, part(name), f"{rule['title']}.", tuple(told))
