"""Public sets of questions with their passages: read from their folders, unfolded into files.

- BEIR: ``corpus.jsonl``, ``queries.jsonl``, ``qrels/test.tsv`` (or another split).
- titled, as 2WikiMultihopQA is given out: ``*corpus.json`` (title, text) and ``questions*.json``
  (question, supporting_titles); ``multihop_only*.json`` lists those of many hops.
- marked, as MuSiQue: ``*corpus.json``, and questions with ``paragraphs``, some of them supporting.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aegle.core.errors import InputError, NotFoundError
from aegle.evaluate.questions import Passage, Question


@dataclass(frozen=True, slots=True)
class TestSet:
    """Questions, and the passages to search: name of a file -> (title, text)."""

    __test__ = False  # no class of tests, whatever pytest takes it for

    name: str
    passages: Mapping[str, tuple[str, str]]
    questions: tuple[Question, ...]


def read_set(folder: Path) -> TestSet:
    """The set of a folder, by the names of its files.

    Raises:
        NotFoundError: the folder has none of the layouts.
        InputError: a file is not as its layout says.
    """
    corpus = sorted(folder.glob("*corpus.json"))
    try:
        if (folder / "corpus.jsonl").is_file():
            return _beir(folder)
        if corpus and (titled := sorted(folder.glob("questions*.json"))):
            return _titled(folder, corpus[0], titled[0])
        others = [path for path in sorted(folder.glob("*.json")) if path not in corpus]
        if corpus and others:
            return _marked(folder, corpus[0], others[0])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(
            f"a file of {folder} is not as its layout says ({type(error).__name__}); "
            "docs/howto/evaluate.md shows the layouts"
        ) from error
    raise NotFoundError(
        f"{folder} holds no set that is known: corpus.jsonl with queries.jsonl and qrels/, or "
        "*corpus.json with questions"
    )


def unfold(data: TestSet, out: Path) -> Path:
    """Write each passage as a file of its own and the questions as JSON lines; they name the files.

    Returns:
        The file of questions; the passages lie in ``files`` beside it.
    """
    files = out / "files"
    files.mkdir(parents=True, exist_ok=True)
    for name, (title, text) in data.passages.items():
        (files / name).write_text(f"{title}\n\n{text}\n" if title else f"{text}\n", "utf-8")
    path = out / "questions.jsonl"
    rows = [
        {
            "id": one.id,
            "question": one.text,
            "gold": [{"document": p.document, "grade": p.grade} for p in one.passages],
            "answers": list(one.answers),
            "answerable": one.answerable,
            "kind": one.kind,
            "group": one.group,
        }
        for one in data.questions
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path


def _file(number: int) -> str:
    """The name of a passage's file: those of the sets may be no names of files."""
    return f"{number:08d}.txt"


def _gold(names: Mapping[str, float]) -> tuple[Passage, ...]:
    return tuple(Passage(name, grade=grade) for name, grade in names.items())


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def _beir(folder: Path) -> TestSet:
    places: dict[str, str] = {}
    passages: dict[str, tuple[str, str]] = {}
    for number, row in enumerate(_lines(folder / "corpus.jsonl")):
        name = places[str(row["_id"])] = _file(number)
        passages[name] = (row.get("title") or "", row["text"])
    texts = {str(row["_id"]): row["text"] for row in _lines(folder / "queries.jsonl")}
    splits = sorted((folder / "qrels").glob("*.tsv"), key=lambda path: path.stem != "test")
    if not splits:
        raise NotFoundError(f"{folder / 'qrels'} holds no .tsv")
    gold: dict[str, dict[str, float]] = {}
    with splits[0].open(encoding="utf-8") as lines:
        for query, document, grade in csv.reader(lines, delimiter="\t"):
            if re.fullmatch(r"\d+", grade) and int(grade) > 0 and document in places:
                gold.setdefault(query, {})[places[document]] = float(grade)
    questions = [Question(f"q{item}", texts[item], _gold(own)) for item, own in gold.items()]
    return TestSet(folder.name, passages, tuple(questions))


def _corpus(path: Path) -> dict[str, tuple[str, str]]:
    return {_file(n): (one["title"], one["text"]) for n, one in enumerate(_json(path))}


def _titled(folder: Path, corpus: Path, asked: Path) -> TestSet:
    passages = _corpus(corpus)
    places: dict[str, list[str]] = {}
    for name, (title, _) in passages.items():
        places.setdefault(title, []).append(name)
    only = sorted(folder.glob("multihop_only*.json"))
    many = set(_json(only[0])) if only else None
    questions = []
    for number, row in enumerate(_json(asked), start=1):
        gold = {name: 1.0 for title in row["supporting_titles"] for name in places.get(title, ())}
        kind = "" if many is None else "multi-hop" if row["question"] in many else "other"
        if gold:
            questions.append(Question(f"q{number}", row["question"], _gold(gold), kind=kind))
    return TestSet(folder.name, passages, tuple(questions))


def _marked(folder: Path, corpus: Path, asked: Path) -> TestSet:
    passages = _corpus(corpus)
    place = {passage: name for name, passage in passages.items()}
    questions = []
    for number, row in enumerate(_json(asked), start=1):
        gold = {
            place[one["title"], one["paragraph_text"]]: 1.0
            for one in row["paragraphs"]
            if one["is_supporting"]
        }
        answers = tuple(filter(str.strip, (row["answer"], *row.get("answer_aliases", ()))))
        item = str(row.get("id") or f"q{number}")
        if row.get("answerable", True):
            questions.append(Question(item, row["question"], _gold(gold), answers))
        else:
            questions.append(Question(item, row["question"], answerable=False))
    return TestSet(folder.name, passages, tuple(questions))
