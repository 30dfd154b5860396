"""Questions with the passages that answer them, in BEIR's layout, for training retrieval."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
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
        passages: all of them.
        asked: part -> questions.
        links: passage -> passages that lie near it in a graph.
        free: passages that answer no question of dev or test: only these may be learned from.
    """

    name: str
    licence: str
    passages: list[SafeText]
    asked: dict[str, list[Asked]]
    links: dict[int, list[int]] = field(default_factory=dict)
    free: frozenset[int] = frozenset()


def read(folder: Path) -> RetrievalData:
    """A folder with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/{train,dev,test}.tsv``.

    ``card.json`` says under which ``licence`` the texts may be used, and why they may be used as
    they are (``safe_because``): they are not de-identified again. ``links.tsv``, two passages a
    line, says which lie near one another; it may be missing, as may parts.

    Raises:
        InputError: a file is missing or damaged, or the card says nothing.
    """
    card = read_json(folder / "card.json") if (folder / "card.json").is_file() else {}
    licence, because = card.get("licence"), card.get("safe_because")
    if not licence or not because:
        raise InputError(
            f"{folder / 'card.json'} must say under which 'licence' the texts may be used, and "
            "'safe_because': why as they are"
        )
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
    return RetrievalData(folder.name, licence, passages, asked, _links(folder, place), free)


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
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.reader(lines, delimiter="\t"):
            if len(row) == 3 and row[0] in texts and row[1] in place and row[2] not in ("", "0"):
                gold.setdefault(row[0], set()).add(place[row[1]])
    return [Asked(texts[item], frozenset(found)) for item, found in gold.items()]


def _links(folder: Path, place: Mapping[str, int]) -> dict[int, list[int]]:
    path = folder / "links.tsv"
    found: dict[int, list[int]] = {}
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        ends = [place[item] for item in line.split("\t") if item in place]
        if len(ends) == 2 and ends[0] != ends[1]:
            found.setdefault(ends[0], []).append(ends[1])
    return found
