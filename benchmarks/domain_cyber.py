"""Security sources of `domain_sets`: ATT&CK, TRAM, Atomic Red Team, Sigma, CVE to CWE, D3FEND."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from domain_sets import Query, Source, part_of, plain, siblings

MITRE: Final = "MITRE ATT&CK terms of use"
_CITED: Final = re.compile(r"\(Citation: [^)]*\)|</?code>")
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def _told(text: str) -> str:
    return plain(_LINK.sub(r"\1", _CITED.sub("", text)))


@cache
def _objects(data: Path, name: str) -> tuple[dict[str, Any], ...]:
    with gzip.open(data / f"attack_stix/enterprise_{name}.jsonl.gz", "rt", encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    return tuple(
        one for one in rows if not one.get("revoked") and not one.get("x_mitre_deprecated")
    )


def _number(one: dict[str, Any]) -> str:
    return next(
        r["external_id"] for r in one["external_references"] if r["source_name"] == "mitre-attack"
    )


def techniques(data: Path, name: str, licence: str) -> Source:
    """ATT&CK's techniques as passages; near: parents and sub-techniques, then those of a tactic."""
    found = [one for one in _objects(data, "objects") if one["type"] == "attack-pattern"]
    names = {_number(one): one["name"] for one in found}
    passages, groups = {}, defaultdict(list)
    for one in found:
        number = _number(one)
        above = names.get(number.partition(".")[0], "") if "." in number else ""
        title = f"{above}: {one['name']}" if above else one["name"]
        passages[number] = plain(f"{title}. {_told(one['description'])}")
        groups[number.partition(".")[0]].append(number)
        for phase in one["kill_chain_phases"]:
            groups[phase["phase_name"]].append(number)
    return Source(name, licence, passages, links=siblings(groups, most=12))


def attack_stix(data: Path) -> Source:
    """What a group or a program was seen to do -> the technique."""
    source = techniques(data, "attack_stix", MITRE)
    number = {
        one["id"]: _number(one)
        for one in _objects(data, "objects")
        if one["type"] == "attack-pattern"
    }
    for one in _objects(data, "relationships"):
        target = number.get(one["target_ref"])
        if one["relationship_type"] != "uses" or not target or not one.get("description"):
            continue
        text = plain(_told(one["description"]), 500)
        if len(text.split()) >= 5:
            group = one["source_ref"]
            source.queries.append(Query(text, (target,), group, part_of(group)))
    return source


def tram2(data: Path) -> Source:
    """A sentence of a report -> the technique that it shows; half of the reports are test."""
    source = techniques(data, "tram2", f"Apache-2.0; {MITRE}")
    rows = json.loads((data / "tram2/single_label.json").read_text("utf-8"))
    by: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        if row["label"] in source.passages:
            by[plain(row["text"], 500)].append((row["label"], row["doc_title"]))
    for text, some in by.items():
        parts = {part_of(title, test=0.5) for _, title in some}
        # A sentence that stands in reports of two parts is in neither.
        if len(parts) == 1 and len(text.split()) >= 4:
            gold = tuple(dict.fromkeys(label for label, _ in some))
            source.queries.append(Query(text, gold, some[0][1], parts.pop()))
    return source


def atomic_red_team(data: Path) -> Source:
    """A test's name and what it does -> the technique."""
    source = techniques(data, "atomic_red_team", f"MIT; {MITRE}")
    for path in sorted((data / "atomic_red_team").glob("T*.yaml")):
        told = yaml.safe_load(path.read_text("utf-8"))
        number = told["attack_technique"]
        if number not in source.passages:
            continue
        for test in told["atomic_tests"]:
            text = plain(f"{test['name']}. {test.get('description') or ''}", 400)
            source.queries.append(Query(text, (number,), number, part_of(number)))
    return source


def sigma_rules(data: Path) -> Source:
    """A rule's title and description -> its techniques."""
    source = techniques(data, "sigma_rules", f"DRL 1.1; {MITRE}")
    for path in sorted((data / "sigma_rules/rules").rglob("*.yml")):
        told = yaml.safe_load(path.read_text("utf-8"))
        tags = [tag.removeprefix("attack.").upper() for tag in told.get("tags") or ()]
        gold = tuple(tag for tag in tags if tag in source.passages)
        if gold:
            text = plain(f"{told['title']}. {told.get('description') or ''}", 400)
            source.queries.append(Query(text, gold, path.stem, part_of(path.stem)))
    return source


def cve_vulnrichment(data: Path) -> Source:
    """A vulnerability's description -> its weakness; near: parents, children, siblings."""
    source = Source("cve_vulnrichment", "CC0 1.0; MITRE CWE terms of use", {})
    groups: dict[str, list[str]] = defaultdict(list)
    path = data / "cwe/1000_research_concepts.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Description"]]
    for row in rows:
        item = f"CWE-{row['CWE-ID']}"
        more = row["Extended Description"] or ""
        source.passages[item] = plain(f"{row['Name']}. {row['Description']} {more}")
        for above in re.findall(r"NATURE:ChildOf:CWE ID:(\d+)", row["Related Weaknesses"] or ""):
            groups[above] += [item] if groups[above] else [f"CWE-{above}", item]
        if len(more.split()) >= 12:
            cut = plain(more, 300)
            source.queries.append(Query(cut, (item,), item, part_of(item)))
    known = {a: [i for i in dict.fromkeys(m) if i in source.passages] for a, m in groups.items()}
    source.links = siblings(known)
    for line in (data / "cve_vulnrichment/cve.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        gold = tuple(one for one in row["cwe"] if one in source.passages)
        if gold:
            text, group = plain(row["description"], 500), row["cveId"]
            source.queries.append(Query(text, gold, group, part_of(group)))
    return source


def d3fend(data: Path) -> Source:
    """A name of a defence or an artifact -> its definition; near: those of one kind."""
    with gzip.open(next((data / "d3fend").glob("*.ttl.gz")), "rt", encoding="utf-8") as file:
        blocks = file.read().split("\n\n")
    source = Source("d3fend", "MIT", {})
    groups: dict[str, list[str]] = defaultdict(list)
    for block in blocks:
        name = re.match(r":(\w+) a owl:Class", block)
        told = re.search(r':definition "((?:[^"\\]|\\.)*)"', block)
        label = re.search(r'rdfs:label "([^"]*)"', block)
        if not name or not told or not label or len(told[1].split()) < 6:
            continue
        source.passages[name[1]] = plain(told[1].replace("\\n", " "))
        for above in re.findall(r"rdfs:subClassOf :(\w+)", block):
            groups[above].append(name[1])
        query = Query(label[1], (name[1],), name[1], part_of(name[1]))
        source.queries.append(query)
    source.links = siblings(groups)
    return source


READERS: Final = {
    one.__name__: one
    for one in (attack_stix, tram2, atomic_red_team, sigma_rules, cve_vulnrichment, d3fend)
}
