"""Sets of questions with the passages that answer them, in the layouts that are about.

- as 2wiki_101: ``*corpus.json`` (title, text), ``questions*.json`` (question, supporting_titles),
  ``multihop_only*.json`` (questions), ``baseline_NAME_*.json`` (question, evidence: titles that
  another system retrieved).
- as musique_100: ``*corpus.json``, and questions with ``paragraphs`` of which some are supporting;
  parts of questions that stand alone make a set of single-hop questions.
- BEIR: ``corpus.jsonl``, ``queries.jsonl``, ``qrels/test.tsv`` (without it dev, then any other).
- scifact as CSV files in a zip; the validation claims are BEIR's test claims.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

csv.field_size_limit(1 << 28)


@dataclass(frozen=True)
class Asked:
    """A question and the passages (their numbers) that answer it, with grades.

    Attributes:
        answer: where nobody marked passages, what they have to say.
        group: what it was made of, a page or report; questions of one group are no independent
            witnesses. Without it the question is its own.
    """

    question: str
    gold: dict[int, float]
    kind: str = "multi-hop"
    answer: str = ""
    group: str = ""


@dataclass(frozen=True)
class RetrievalSet:
    """Passages (title, text) and questions; ``peers``: system -> question -> titles retrieved."""

    name: str
    passages: list[tuple[str, str]]
    questions: list[Asked]
    peers: dict[str, dict[str, list[str]]] = field(default_factory=dict)


def read_set(folder: Path, *, claims: str = "validation") -> RetrievalSet:
    """The set of a folder, by its files; ``claims`` says which of SciFact's are asked.

    Raises:
        FileNotFoundError: the folder has none of the layouts.
    """
    if (folder / "corpus.jsonl").is_file():
        return _beir(folder)
    if (folder / "scifact.zip").is_file():
        return _scifact(folder, claims)
    corpus = sorted(folder.glob("*corpus.json"))
    if not corpus:
        raise FileNotFoundError(f"{folder} is no set for retrieval: it has no corpus")
    passages = [(one["title"], one["text"]) for one in _json(corpus[0])]
    questions = sorted(folder.glob("questions*.json"))
    if questions:
        return _titled(folder, passages, _json(questions[0]))
    others = [path for path in sorted(folder.glob("*.json")) if path not in corpus]
    return _marked(folder, passages, _json(others[0]))


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _titled(folder: Path, passages: list[tuple[str, str]], rows: list[Any]) -> RetrievalSet:
    places: dict[str, list[int]] = {}
    for number, (title, _) in enumerate(passages):
        places.setdefault(title, []).append(number)
    only = sorted(folder.glob("multihop_only*.json"))
    multi = set(_json(only[0])) if only else {row["question"] for row in rows}
    questions = []
    for row in rows:
        gold = {n: 1.0 for title in row["supporting_titles"] for n in places.get(title, [])}
        kind = "multi-hop" if row["question"] in multi else "other"
        questions.append(Asked(row["question"], gold, kind))
    peers = {
        path.name.split("_")[1]: {one["question"]: one["evidence"] for one in _json(path)}
        for path in sorted(folder.glob("baseline_*.json"))
    }
    return RetrievalSet(folder.name, passages, [one for one in questions if one.gold], peers)


def _marked(folder: Path, passages: list[tuple[str, str]], rows: list[Any]) -> RetrievalSet:
    place = {passage: number for number, passage in enumerate(passages)}
    questions: dict[str, Asked] = {}
    for row in rows:
        texts = {one["idx"]: (one["title"], one["paragraph_text"]) for one in row["paragraphs"]}
        gold = {place[texts[one["idx"]]]: 1.0 for one in row["paragraphs"] if one["is_supporting"]}
        questions[row["question"]] = Asked(row["question"], gold)
        for step in row.get("question_decomposition", []):
            if "#" not in step["question"]:
                single = {place[texts[step["paragraph_support_idx"]]]: 1.0}
                asked = Asked(step["question"], single, "single-hop")
                questions.setdefault(step["question"], asked)
    return RetrievalSet(folder.name, passages, list(questions.values()))


def _beir(folder: Path) -> RetrievalSet:
    place: dict[str, int] = {}
    passages = []
    with (folder / "corpus.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            place[str(row["_id"])] = len(passages)
            passages.append((row.get("title") or "", row["text"]))
    with (folder / "queries.jsonl").open(encoding="utf-8") as lines:
        texts = {str(row["_id"]): row["text"] for row in map(json.loads, lines)}
    gold: dict[str, dict[int, float]] = {}
    with _qrels(folder / "qrels").open(encoding="utf-8") as lines:
        for row in csv.reader(lines, delimiter="\t"):
            if row[2].isdigit() and int(row[2]) > 0 and row[1] in place and row[0] in texts:
                gold.setdefault(row[0], {})[place[row[1]]] = float(row[2])
    questions = [Asked(texts[item], found, "single") for item, found in gold.items()]
    return RetrievalSet(folder.name, passages, questions)


def _qrels(folder: Path) -> Path:
    every = sorted(folder.glob("*.tsv"))
    if not every:
        raise FileNotFoundError(f"{folder} holds no .tsv that says which passages answer")
    by_name = {path.stem: path for path in every}
    return by_name.get("test") or by_name.get("dev") or every[0]


def _scifact(folder: Path, claims: str) -> RetrievalSet:
    with zipfile.ZipFile(folder / "scifact.zip") as packed:
        rows = list(_csv(packed, "corpus_train.csv"))
        place = {row["doc_id"]: number for number, row in enumerate(rows)}
        passages = [(row["title"], _sentences(row["abstract"])) for row in rows]
        gold = {
            row["claim"]: {place[item]: 1.0 for item in re.findall(r"\d+", row["cited_doc_ids"])}
            for row in _csv(packed, f"claims_{claims}.csv")
        }
    questions = [Asked(claim, found, "single") for claim, found in gold.items()]
    return RetrievalSet(folder.name, passages, questions)


def _csv(packed: zipfile.ZipFile, name: str) -> Any:
    return csv.DictReader(io.TextIOWrapper(packed.open(name), "utf-8"))


def _sentences(written: str) -> str:
    """The sentences of an abstract, which stands there as an array of numpy is printed."""
    quoted = r"'((?:[^'\\]|\\.)*)'(?=\s*(?:\n|\]))|\"((?:[^\"\\]|\\.)*)\"(?=\s*(?:\n|\]))"
    found = re.findall(quoted, written)
    return " ".join(one or other for one, other in found) or written.strip("[]")
