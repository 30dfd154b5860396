"""PubTator: ``id|t|title``, ``id|a|abstract``, mention lines, relations between concept ids."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

from aegle.core.errors import InputError
from aegle.core.examples import Example, Label, Pair
from aegle.core.text import SafeText

_TEXT = re.compile(r"([^|\t]+)\|([ta])\|(.*)", re.DOTALL)
_VARIANT = re.compile(r"(?:tmVar:)?[a-z]\|[A-Z]")


def read(path: Path, *, because: str) -> Iterator[Example]:
    """One example an abstract: title, a newline, abstract. Relations join concepts, so that each
    end of a pair names all mentions of its concept.

    Raises:
        InputError: a line that is none of the format's.
    """
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    try:
        blocks = re.split(r"\n\s*\n", data.decode("utf-8").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not UTF-8") from error
    for number, block in enumerate(blocks, 1):
        if block.strip():
            yield _abstract(block, f"{path.name}, abstract {number}", because)


def _abstract(block: str, where: str, because: str) -> Example:
    parts: dict[str, str] = {}
    mentions: list[tuple[Label, tuple[str, ...]]] = []
    relations: list[tuple[str, str, str]] = []
    name = ""
    for line in filter(None, block.split("\n")):
        match = _TEXT.match(line)
        cells = line.split("\t")
        try:
            if match:
                name, parts[match[2]] = match[1], match[3]
            elif len(cells) >= 5 and cells[1].isdigit():
                label = Label(int(cells[1]), int(cells[2]), cells[4])
                mentions.append((label, _concepts(cells[5] if len(cells) > 5 else "")))
            else:
                _, kind, head, tail = cells[:4]
                relations.append((kind, head, tail))
        except ValueError as error:
            raise InputError(f"{where}: a line is not PubTator") from error
    mentions.sort(key=lambda one: one[0])
    places: dict[str, list[int]] = {}
    for place, (_, concepts) in enumerate(mentions):
        for concept in concepts:
            places.setdefault(concept, []).append(place)
    pairs = tuple(
        Pair(tuple(places[head]), tuple(places[tail]), kind)
        for kind, head, tail in relations
        if head in places and tail in places
    )
    text = f"{parts.get('t', '')}\n{parts.get('a', '')}"
    labels = tuple(label for label, _ in mentions)
    things = tuple(tuple(places[concept]) for concept in sorted(places) if concept != "-")
    return Example(name, name, SafeText(text, by=because), labels, pairs, things)


def _concepts(told: str) -> tuple[str, ...]:
    """The concepts of a mention. ``|`` joins concepts, but for a variant, whose parts it joins."""
    found: list[str] = []
    for one in re.split("[,;]", told):
        found += [one] if _VARIANT.match(one) else one.split("|")
    return tuple(dict.fromkeys(one for one in found if one))
