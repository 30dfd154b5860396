"""Questions with the passages that answer them, in BEIR's layout, for training retrieval."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aegle.core.artifacts import read_json
from aegle.core.errors import InputError
from aegle.core.text import SafeText

PARTS: Final = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and the numbers of the passages that answer it."""

    text: SafeText
    gold: frozenset[int]


@dataclass(slots=True)
class RetrievalData:
    """One source of questions.

    Attributes:
        name: of its folder.
        licence: of its texts.
        safe_because: why they may be used as they are.
        passages: all of them.
        asked: part -> questions.
        links: passage -> passages that lie near it in a graph.
        free: passages that answer no question of dev or test: only these may be learned from.
    """

    name: str
    licence: str
    safe_because: str
    passages: list[SafeText]
    asked: dict[str, list[Asked]]
    links: dict[int, list[int]] = field(default_factory=dict)
    free: frozenset[int] = frozenset()


def read(folder: Path) -> RetrievalData:
    """A folder with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/{train,dev,test}.tsv``.

    ``card.json`` says under which ``licence`` the texts may be used, and why they may be used as
    they are (``safe_because``): they are not de-identified again. ``links.tsv``, two passages a
    line, says which lie near one another; it may be missing, as may parts. A passage answers a
    question where its grade is above 0: TREC's -1 and -2 are judged not to.

    Raises:
        InputError: a file is missing or damaged, or the card says nothing.
    """
    allowed = rights(folder)
    because = allowed["safe_because"]
    place: dict[str, int] = {}
    passages: list[SafeText] = []
    for row in _rows(folder / "corpus.jsonl"):
        title, text = str(row.get("title") or ""), str(row["text"])
        place[str(row["_id"])] = len(passages)
        passages.append(SafeText(f"{title}\n{text}" if title else text, by=because))
    texts = {
        str(row["_id"]): SafeText(str(row["text"]), by=because)
        for row in _rows(folder / "queries.jsonl")
    }
    asked = {part: _asked(folder / "qrels" / f"{part}.tsv", texts, place) for part in PARTS}
    if not any(asked.values()):
        raise InputError(f"{folder}: no qrels name a question and a passage that are there")
    held = {n for part in ("dev", "test") for one in asked[part] for n in one.gold}
    # A passage of dev that answers training questions, too, is one of a closed set, such as the
    # techniques of ATT&CK: there the questions are held out, not the passages.
    known = {n for one in asked["train"] for n in one.gold}
    free = frozenset(set(range(len(passages))) - (held - known))
    links = _links(folder, place)
    return RetrievalData(folder.name, allowed["licence"], because, passages, asked, links, free)


def rights(folder: Path) -> dict[str, str]:
    """``licence`` and ``safe_because`` of a folder's texts; a model's card repeats both.

    Raises:
        InputError: ``card.json`` doesn't say them.
    """
    path = folder / "card.json"
    card = read_json(path) if path.is_file() else {}
    found = {one: str(card.get(one) or "").strip() for one in ("licence", "safe_because")}
    if not all(found.values()):
        raise InputError(
            f"{path} must say under which 'licence' the texts may be used, and 'safe_because': why "
            "as they are"
        )
    return found


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if not {"_id", "text"} <= set(row):
                    raise ValueError("_id")
                yield row
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} must be JSON lines with _id and text ({type(error).__name__})"
        ) from error


def _asked(path: Path, texts: Mapping[str, SafeText], place: Mapping[str, int]) -> list[Asked]:
    if not path.is_file():
        return []
    gold: dict[str, set[int]] = {}
    for item, passage, grade in _judged(path, texts):
        if grade > 0 and item in texts and passage in place:
            gold.setdefault(item, set()).add(place[passage])
    return [Asked(texts[item], frozenset(found)) for item, found in gold.items()]


def _judged(path: Path, known: Collection[str]) -> Iterator[tuple[str, str, float]]:
    """Question, passage, grade; the first line may be a head, which names no known question."""
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(lines, delimiter="\t"))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} can't be read ({type(error).__name__})") from error
    for number, row in enumerate(rows, 1):
        if not "".join(row).strip():
            continue
        try:
            item, passage, told = row
            grade = float(told)
        except ValueError:
            grade = math.nan
        if math.isfinite(grade):
            yield item, passage, grade
        elif number > 1 or row[0] in known:
            raise InputError(
                f"{path}, line {number}: a question's id, a passage's id and a grade (a number; "
                "above 0 where it answers) are needed, with tabs between"
            )


def _links(folder: Path, place: Mapping[str, int]) -> dict[int, list[int]]:
    path = folder / "links.tsv"
    found: dict[int, list[int]] = {}
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        ends = [place[item] for item in line.split("\t") if item in place]
        if len(ends) == 2 and ends[0] != ends[1]:
            found.setdefault(ends[0], []).append(ends[1])
    return found
