"""Notes summed up by sections: what each says of problems, drugs, allergies and results, cited."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import partial
from typing import Final

from aegle.core.records import Entity
from aegle.core.text import SafeText
from aegle.train.data.instructions.ground import Make
from aegle.train.data.instructions.reading import chat
from aegle.train.data.instructions.saying import listed, plain
from aegle.train.data.instructions.shape import Instruction, Passage, fill, flat, joined
from aegle.train.data.instructions.view import Page, Shelf, texts_of

SUMMARY: Final = (
    "You sum up a clinical note. Its sections are numbered. Write one line for each of Problems, "
    "History, Family, Symptoms, Denied, Medications, Allergies and Results that the note speaks "
    "of, and behind each the numbers of the sections that say so, such as [1]."
)
_ASKED: Final = (
    "Note:\n{sections}\n\nSummary:",
    "Sum up this note by heading.\n\n{sections}\n\nSummary:",
    "{sections}\n\nWhat does the note say? Summary:",
)
_HEADINGS: Final = (
    ("Problems", ("condition",), "present"),
    ("History", ("condition", "procedure"), "historical"),
    ("Family", ("condition",), "family"),
    ("Symptoms", ("symptom",), "present"),
    ("Denied", ("symptom", "condition"), "negated"),
    ("Medications", ("medication",), "present"),
    ("Results", ("lab", "vital"), "present"),
)
_LEAST: Final = 3
"""Headings that a summary has at least; less is no note worth it."""
_LIKELY: Final = 0.7
_MOST_CHARACTERS: Final = 2400
_ALLERGIES: Final = re.compile(r"allerg", re.IGNORECASE)


def sections(page: Page) -> list[Passage]:
    """The sections of a note by the headings that its reader found, without the note's head."""
    text = page.document.text
    starts: list[int] = []
    behind = 0
    for name in str(page.document.meta.get("sections", "")).split("; "):
        found = re.compile(rf"^{re.escape(name)}\b", re.MULTILINE).search(text, behind)
        if name and found:
            starts.append(found.start())
            behind = found.end()
    ends = [*starts[1:], len(text)]
    made = []
    for start, end in zip(starts, ends, strict=True):
        end = start + len(text[start:end].rstrip())
        if end > start:
            made.append(Passage(text.cut(start, end), page.document.id, start, end, page.group))
    return made


def summaries(shelf: Shelf) -> Iterator[tuple[str, Make]]:
    """Notes with sections, by their title."""
    for page in shelf.pages:
        if page.document.kind == "note" and "; " in str(page.document.meta.get("sections", "")):
            title = " ".join(page.document.title.split()).casefold()
            yield title, partial(_summed, page)


def _summed(page: Page, rng: random.Random) -> Instruction | None:
    parts = sections(page)
    if len(parts) < 2 or sum(len(one.text) for one in parts) > _MOST_CHARACTERS:
        return None
    if any(_doubtful(page, one) for one in page.stored.facts.entities):
        return None
    lines, cited = [], set()
    for heading, types, asserted in _HEADINGS:
        told, numbers = _told(page, parts, types, asserted)
        if told:
            marks = "".join(f"[{number}]" for number in numbers)
            lines.append(fill(f"{heading}: {{told}} {marks}", told=listed(told)))
            cited.update(numbers)
    allergies, numbers = _allergies(page, parts)
    if allergies:
        marks = "".join(f"[{number}]" for number in numbers)
        lines.append(fill(f"Allergies: {{told}} {marks}", told=listed(allergies)))
        cited.update(numbers)
    if len(lines) < _LEAST:
        return None
    shown = [fill(f"[{n}] {{text}}", text=flat(one.text)) for n, one in enumerate(parts, 1)]
    user = fill(rng.choice(_ASKED), sections=joined(shown, "\n"))
    answer = joined(lines, "\n")
    name = " ".join(page.document.title.split()).casefold()
    return Instruction(
        "summarise", name, chat(SUMMARY, user, answer), user, tuple(parts), tuple(sorted(cited))
    )


def _doubtful(page: Page, one: Entity) -> bool:
    """Whether something was read that may well be there: a summary without it would lack it."""
    summed = any(one.type in types for _, types, _ in _HEADINGS)
    return summed and one.score >= _LIKELY and not page.sure(one)


def _counts(page: Page, one: Entity) -> bool:
    """Not what an allergy names or does, nor a test without its result."""
    start, end = page.spans[page.at(one.start)]
    if one.type in ("lab", "vital"):
        return any(letter.isdigit() for letter in one.text)
    return one.type not in ("medication", "symptom") or not _ALLERGIES.search(
        page.document.text[start:end]
    )


def _told(
    page: Page, parts: list[Passage], types: tuple[str, ...], asserted: str
) -> tuple[list[SafeText], list[int]]:
    found: list[Entity] = []
    numbers = set()
    for number, part in enumerate(parts, 1):
        for one in page.stored.facts.entities:
            inside = part.start <= one.start and one.end <= part.end
            fits = one.type in types and one.assertion == asserted and page.sure(one)
            if inside and fits and _counts(page, one):
                found.append(one)
                numbers.add(number)
    return [plain(flat(one)) for one in texts_of(found)], sorted(numbers)


def _allergies(page: Page, parts: list[Passage]) -> tuple[list[SafeText], list[int]]:
    found, numbers = [], set()
    for fact in page.facts:
        if fact.relation.type == "allergic_to":
            for number, part in enumerate(parts, 1):
                if part.start <= fact.tail.start and fact.tail.end <= part.end:
                    found.append(fact.tail)
                    numbers.add(number)
    return [plain(flat(one)) for one in texts_of(found)], sorted(numbers)
