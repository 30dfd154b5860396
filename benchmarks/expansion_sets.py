"""Questions that call things by other names than the passages do: made of MedQuAD and ATT&CK.

- ``synonym``: a MedQuAD question whose subject is named by another name of the same ICD-10-CM
  concept or list entry, as the lexicon has them.
- ``abbreviation``: the same by a short form of the clinical tables that Vanderbilt published.
- ``alias``: how a group or software, called by an alias, uses a technique; the passage that says so
  has the main name.
- ``code``: a technique asked for by its number; the passage is its description under its name.

A passage counts as the answer only where it does not hold the name asked by. Halves are parted by
MedQuAD document, by group or software, and by technique: by the hash of its name.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from aegle.facts.inventory import inventory
from aegle.facts.lexicon import Lexicon
from aegle.facts.link import choose
from aegle.lm.terms import terms

SITES: Final = ("4_MPlus_Health_Topics_QA", "5_NIDDK_QA", "6_NINDS_QA", "8_NHLBI_QA_XML")
TABLES: Final = ("vanderbilt_clinic_notes.txt", "vanderbilt_discharge_sums.txt")
MOST_WORDS: Final = 120
"""Words of a passage: what the encoder reads."""

_CITED: Final = re.compile(r"\(Citation:[^)]*\)|\[([^\]]*)\]\([^)]*\)|</?code>")


@dataclass(frozen=True)
class Renamed:
    """A question by another name, the question as it was, and the number of its passage."""

    question: str
    plain: str
    gold: frozenset[int]
    kind: str


@dataclass(frozen=True)
class RenamedSet:
    """Passages (title, text), questions, and the tables of abbreviations that belong to them."""

    name: str
    passages: list[tuple[str, str]]
    questions: list[Renamed]
    tables: tuple[Path, ...] = ()


def in_half(name: str, half: str) -> bool:
    """Whether something belongs to the half ``dev`` or ``test``."""
    even = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2 == 0
    return even == (half == "dev")


def medquad(data: Path, lexicons: Sequence[Lexicon], half: str) -> RenamedSet:
    """Questions of MedQuAD about one subject, by another name of it."""
    tables = tuple(data / "clinical_abbreviations" / name for name in TABLES)
    shorts = _shorts(inventory(tables))
    passages: list[tuple[str, str]] = []
    asked: list[Renamed] = []
    for document, focus, question, answer in _answers(data / "medquad"):
        if not in_half(document, half):
            continue
        text = " ".join(answer.split()[:MOST_WORDS])
        place = len(passages)
        passages.append(("", text))
        if focus.casefold() not in question.casefold():
            continue
        names = {"synonym": _others(focus, lexicons), "abbreviation": shorts.get(_key(focus), ())}
        for kind, others in names.items():
            fit = [one for one in others if _is_other(one, focus, text)]
            if fit:
                other = random.Random(f"{document}{kind}").choice(sorted(fit))
                renamed = re.sub(re.escape(focus), lambda _, o=other: o, question, flags=re.I)
                asked.append(Renamed(renamed, question, frozenset({place}), kind))
    return RenamedSet("medquad_renamed", passages, asked, tables)


def _is_other(name: str, focus: str, text: str) -> bool:
    """Whether a name shares no word with the other one, and the passage doesn't hold all of it."""
    words = set(terms(name))
    return not words & set(terms(focus)) and not words <= set(terms(text))


def _key(name: str) -> str:
    return " ".join(terms(name))


def _shorts(table: Mapping[str, Mapping[str, float]]) -> dict[str, tuple[str, ...]]:
    """Long form -> short forms that stand for it in a fifth of their uses, in capitals."""
    found: dict[str, list[str]] = {}
    for short, senses in table.items():
        for long, share in senses.items():
            if share >= 0.2 and short.isalpha():
                found.setdefault(_key(long), []).append(short.upper())
    return {long: tuple(each) for long, each in found.items()}


def _others(focus: str, lexicons: Sequence[Lexicon]) -> tuple[str, ...]:
    for lexicon in lexicons:
        known = lexicon.look_up(focus)
        if known:
            system, _, code = choose(focus, known).key.partition(":")
            return tuple(dict.fromkeys(term.text for term in lexicon.coded(code, system)))
    return ()


def _answers(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Document, subject, question and answer."""
    for site in SITES:
        for path in sorted((folder / site).glob("*.xml")):
            root = ElementTree.parse(path).getroot()
            focus = " ".join((root.findtext("Focus") or "").split())
            for pair in root.iter("QAPair"):
                question = " ".join((pair.findtext("Question") or "").split())
                answer = " ".join((pair.findtext("Answer") or "").split())
                if focus and question and answer:
                    yield f"{site}/{path.name}", focus, question, answer


def attack(data: Path, half: str, *, uses: int = 6) -> RenamedSet:
    """Uses of techniques, asked for by aliases, and techniques, asked for by their numbers."""
    folder = data / "attack_stix"
    objects = {one["id"]: one for one in _lines(folder / "enterprise_objects.jsonl.gz")}
    passages: list[tuple[str, str]] = []
    asked: list[Renamed] = []
    taken: dict[str, int] = {}
    for link in _lines(folder / "enterprise_relationships.jsonl.gz"):
        source, target = objects.get(link["source_ref"]), objects.get(link["target_ref"])
        if link["relationship_type"] != "uses" or not source or not target or _gone(link):
            continue
        if target["type"] != "attack-pattern" or not in_half(source["name"], half):
            continue
        if _gone(source) or _gone(target) or not link.get("description"):
            continue
        if taken.get(source["id"], 0) >= uses:
            continue
        taken[source["id"]] = taken.get(source["id"], 0) + 1
        text = _CITED.sub(r"\1", link["description"]).strip()
        place = len(passages)
        passages.append(("", text))
        aliases = [*source.get("aliases", ()), *source.get("x_mitre_aliases", ())]
        others = [one for one in aliases if not set(terms(one)) & set(terms(text + source["name"]))]
        if others and source["name"].casefold() in text.casefold():
            alias = random.Random(source["id"]).choice(sorted(others))
            words = "How does {} use {}?"
            plain = words.format(source["name"], target["name"])
            renamed = words.format(alias, target["name"])
            asked.append(Renamed(renamed, plain, frozenset({place}), "alias"))
    for one in objects.values():
        if one["type"] != "attack-pattern" or _gone(one) or not in_half(one["name"], half):
            continue
        code = next(r["external_id"] for r in one["external_references"] if "external_id" in r)
        text = " ".join(_CITED.sub(r"\1", one["description"]).split()[:MOST_WORDS])
        asked.append(
            Renamed(
                f"What is {code}?", f"What is {one['name']}?", frozenset({len(passages)}), "code"
            )
        )
        passages.append((one["name"], text))
    return RenamedSet("attack_renamed", passages, asked)


def _gone(one: Mapping[str, Any]) -> bool:
    return bool(one.get("revoked") or one.get("x_mitre_deprecated"))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from (json.loads(line) for line in file)
