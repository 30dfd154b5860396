"""The counting of deid.py: what is hidden of the spans that are marked, which finds are right."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from aegle.core.pack import Found

KINDS = {
    "PERSON": "name",
    "STREET_ADDRESS": "place",
    "ZIP_CODE": "place",
    "DATE_TIME": "date",
    "CREDIT_CARD": "account",
    "IBAN_CODE": "account",
    "US_SSN": "ssn",
    "US_DRIVER_LICENSE": "licence",
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "IP_ADDRESS": "ip",
    "DOMAIN_NAME": "url",
}
"""Its types -> our classes. Ages under 90, titles, organisations and nationalities are none."""

_NO_DATE = re.compile(
    r"\A(?:1[5-9]|20)\d\d\Z|\b\d{1,2}:\d\d(?::\d\d)?\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b",
    re.IGNORECASE,
)
_DRAWS = 500

FIGURES = {"recall": 0, "recall_letters": 2, "precision": 4, "precision_strict": 6}
"""Where the two numbers of a figure stand in a tally's row."""

Finds = list[list[Found]]
Tally = dict[int, dict[str, list[int]]]


def judge(rows: Sequence[dict], finds: Finds) -> Tally:
    """template -> class -> numbers, two for each of `FIGURES`: hits and of how many.

    An entity is hidden when no letter or digit of it is left, by finds of whatever class.
    """
    tally: Tally = {}
    for row, found in zip(rows, finds, strict=True):
        text = row["full_text"]
        gold = [(s["start_position"], s["end_position"], s["entity_type"]) for s in row["spans"]]
        counts = tally.setdefault(row["template_id"], defaultdict(lambda: [0] * 8))
        covered = {i for one in found for i in range(one.start, one.end)}
        for name, letters in marked(text, gold):
            hidden, all_hidden = len(letters & covered), letters <= covered
            _add(counts[name], 0, (all_hidden, 1, hidden, len(letters)))
        for one in found:
            touched = [(k, text[a:b]) for a, b, k in gold if one.start < b and a < one.end]
            kind = {"fax": "phone", "age": "date", "birth": "date"}.get(one.kind, one.kind)
            classes = {c for k, value in touched if (c := class_of(k, value))}
            towns = any(k == "GPE" for k, _ in touched)
            strictly = {
                kind: kind in classes,
                "all": bool(classes),
                "everything": bool(classes) or towns,
            }
            for name, right in strictly.items():
                told = (right, 1) if kind != "group" else (0, 0)
                _add(counts[name], 4, (bool(touched), 1, *told))
    return tally


def marked(text: str, gold: Sequence[tuple[int, int, str]]) -> Iterator[tuple[str, set[int]]]:
    """Row of the table -> the letters and digits of an entity that count there, if any."""
    for start, end, kind in gold:
        whole = {i for i in range(start, end) if text[i].isalnum()}
        part = whole
        if kind == "DATE_TIME":
            for match in _NO_DATE.finditer(text[start:end]):
                part = part - set(range(start + match.start(), start + match.end()))
        if kind == "GPE":
            names = {"town": whole, "everything": whole}
        elif kind in KINDS:
            names = {KINDS[kind]: part, "all": part, "everything": whole}
        else:
            names = {}
        yield from ((name, letters) for name, letters in names.items() if letters)


def class_of(kind: str, value: str) -> str:
    """The class of a marked span; empty when it is of none. Of ages those over 89 are of one."""
    if kind == "AGE" and any(int(n) > 89 for n in re.findall(r"\d+", value)):
        return "date"
    return KINDS.get(kind, "")


def _add(counts: list[int], at: int, more: Sequence[int]) -> None:
    for place, value in enumerate(more, at):
        counts[place] += value


def figures(tally: Tally, seed: int = 17) -> dict[str, dict[str, Any]]:
    """`FIGURES` by class, with 95% intervals over templates."""
    kinds = sorted({kind for counts in tally.values() for kind in counts})
    return {kind: _figure([counts[kind] for counts in tally.values()], seed) for kind in kinds}


def _figure(rows: Sequence[Sequence[int]], seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    rows = [row for row in rows if row[1] or row[5]]
    figure: dict[str, Any] = {"templates": len(rows)}
    for name, top in FIGURES.items():
        if not sum(row[top + 1] for row in rows):
            continue
        draws = []
        for _ in range(_DRAWS):
            some = rng.choices(rows, k=len(rows))
            if below := sum(row[top + 1] for row in some):
                draws.append(sum(row[top] for row in some) / below)
        draws.sort()
        value = sum(row[top] for row in rows) / sum(row[top + 1] for row in rows)
        low, high = draws[int(0.025 * len(draws))], draws[int(0.975 * len(draws)) - 1]
        figure[name] = [round(x, 4) for x in (value, min(low, value), max(high, value))]
    return figure
