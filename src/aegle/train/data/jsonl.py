"""JSON lines, or one JSON list: text, labels, pairs, classes, group."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aegle.core.errors import InputError
from aegle.core.examples import Example, Label, Pair
from aegle.core.text import SafeText


def read(path: Path, *, because: str) -> Iterator[Example]:
    """Records ``{"text", "labels": [[start, end, label]], "pairs": [[head, tail, label]],
    "things": [[place, ...]], "classes": [...], "id", "group"}``; all but the text may be missing.
    doccano's ``entities`` (label, start_offset, end_offset) and ``relations`` are taken, too, but
    what lies after the text's end.

    Raises:
        InputError: a record that isn't so, by its number.
    """
    for number, told in enumerate(_records(path), 1):
        try:
            yield _example(told, number, because)
        except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(
                f"{path.name}, record {number}: text, and labels as [start, end, label] within it, "
                "are needed; pairs and things name places of labels"
            ) from error


def _example(told: Any, number: int, because: str) -> Example:
    name = str(told.get("id", number))
    if "entities" in told:
        told = _of_doccano(told)
    given = [Label(int(s), int(e), str(label)) for s, e, label in told.get("labels", ())]
    order = sorted(range(len(given)), key=lambda at: given[at])
    place = {old: new for new, old in enumerate(order)}
    return Example(
        name,
        str(told.get("group", name)),
        SafeText(_text(told["text"]), by=because),
        tuple(given[old] for old in order),
        tuple(
            Pair((place[int(h)],), (place[int(t)],), str(label))
            for h, t, label in told.get("pairs", ())
        ),
        tuple(tuple(sorted(place[int(at)] for at in thing)) for thing in told.get("things", ())),
        tuple(map(str, told.get("classes", ()))),
    )


def _of_doccano(told: Any) -> dict[str, Any]:
    # Its exports keep the labels of what was cut off a text after it was annotated.
    kept = [one for one in told["entities"] if one["end_offset"] <= len(told["text"])]
    place = {one["id"]: at for at, one in enumerate(kept)}
    cut = {one["id"] for one in told["entities"]} - set(place)
    return {
        **told,
        "labels": [(one["start_offset"], one["end_offset"], one["label"]) for one in kept],
        "pairs": [
            (place[one["from_id"]], place[one["to_id"]], one["type"])
            for one in told.get("relations", ())
            if not {one["from_id"], one["to_id"]} & cut
        ],
    }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is a string")
    return value


def _records(path: Path) -> Iterator[Any]:
    try:
        text = path.read_text("utf-8-sig")
        if text.lstrip().startswith("["):
            yield from json.loads(text)
            return
        for line in text.split("\n"):
            if line.strip():
                yield json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name} is neither JSON lines nor a JSON list") from error
