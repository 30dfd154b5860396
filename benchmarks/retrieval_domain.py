"""Sets for retrieval in medicine and security that were made for something else.

- pubmedqa: a question and the abstract that it was asked of, without its conclusion.
- medquad: a question and the answers that a page gives to it, among all answers of all pages.
- graphrag_bench_medical: questions with answers in words over one long text, without marked
  passages: what is measured is how many of an answer's words the passages found hold.
- attack_stix: a sentence of a report (tram2, beside it) and the description of the technique of
  MITRE ATT&CK that it tells of; sentences of one report belong together.
"""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from retrieval_sets import Asked, RetrievalSet

PASSAGE_WORDS = 100


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def pubmedqa(folder: Path) -> RetrievalSet:
    """1,000 abstracts, each with its question; they have no titles."""
    rows = list(_json(folder / "ori_pqal.json").values())
    passages = [("", " ".join(row["CONTEXTS"])) for row in rows]
    gold: dict[str, dict[int, float]] = {}
    for number, row in enumerate(rows):
        gold.setdefault(row["QUESTION"], {})[number] = 1.0
    asked = [Asked(question, found, "single") for question, found in gold.items()]
    return RetrievalSet(folder.name, passages, asked)


def medquad(folder: Path) -> RetrievalSet:
    """Each answer is a passage with the topic of its page as title; the page is the group."""
    place: dict[tuple[str, str], int] = {}
    gold: dict[str, dict[int, float]] = {}
    groups: dict[str, str] = {}
    for path in sorted(folder.rglob("*.xml")):
        root = ElementTree.fromstring(path.read_bytes())
        title = (root.findtext("Focus") or "").strip()
        for pair in root.iter("QAPair"):
            answer = " ".join((pair.findtext("Answer") or "").split())
            question = " ".join((pair.findtext("Question") or "").split())
            if answer and question:
                number = place.setdefault((title, answer), len(place))
                gold.setdefault(question, {})[number] = 1.0
                groups.setdefault(question, f"{path.parent.name}/{path.stem}")
    asked = [Asked(one, found, "single", group=groups[one]) for one, found in gold.items()]
    return RetrievalSet(folder.name, list(place), asked)


def graphrag_bench(folder: Path) -> RetrievalSet:
    """The text in passages of whole sentences, and questions with the words of their answers."""
    corpus, questions = (
        sorted(folder.glob(f"*_{name}.json"))[0] for name in ("corpus", "questions")
    )
    passages: list[tuple[str, str]] = []
    for one in _json(corpus):
        held: list[str] = []
        for sentence in re.split(r"(?<=[.?!])\s+", one["context"]):
            held.append(sentence)
            if sum(len(each.split()) for each in held) >= PASSAGE_WORDS:
                passages.append(("", " ".join(held)))
                held = []
        if held:
            passages.append(("", " ".join(held)))
    rows = _json(questions)
    asked = [Asked(row["question"], {}, "answered", answer=row["answer"]) for row in rows]
    return RetrievalSet(folder.name, passages, asked)


def attack_stix(folder: Path) -> RetrievalSet:
    """The techniques that are in force; what tram2 labels with others is left out."""
    passages: list[tuple[str, str]] = []
    place: dict[str, int] = {}
    with gzip.open(folder / "enterprise_objects.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            out = row.get("revoked") or row.get("x_mitre_deprecated")
            if row["type"] == "attack-pattern" and not out:
                ids = [one.get("external_id", "") for one in row["external_references"]]
                place[next(one for one in ids if re.fullmatch(r"T\d+(\.\d+)?", one))] = len(place)
                told = re.sub(
                    r"\[([^\]]*)\]\([^)]*\)|\(Citation: [^)]*\)", r"\1", row["description"]
                )
                passages.append((row["name"], told))
    gold: dict[str, dict[int, float]] = {}
    groups: dict[str, str] = {}
    for row in _json(folder.parent / "tram2" / "single_label.json"):
        sentence = " ".join(row["text"].split())
        if row["label"] in place and sentence:
            gold.setdefault(sentence, {})[place[row["label"]]] = 1.0
            groups.setdefault(sentence, row["doc_title"])
    asked = [Asked(one, found, "single", group=groups[one]) for one, found in gold.items()]
    return RetrievalSet(folder.name, passages, asked)


def read_domain(folder: Path) -> RetrievalSet | None:
    """The set of a folder that is one of these, by its files; None for another."""
    if (folder / "ori_pqal.json").is_file():
        return pubmedqa(folder)
    if (folder / "medical_corpus.json").is_file():
        return graphrag_bench(folder)
    if (folder / "enterprise_objects.jsonl.gz").is_file():
        return attack_stix(folder)
    if any(folder.glob("*_QA*/*.xml")):
        return medquad(folder)
    return None
