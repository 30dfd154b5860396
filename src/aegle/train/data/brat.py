"""brat standoff: ``NAME.txt`` with ``NAME.ann``; text-bound annotations and relations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aegle.core.errors import InputError
from aegle.core.examples import Example, Label, Pair
from aegle.core.text import SafeText

NOTES: Final = ((".ann",), (".a1", ".a2"))
"""Endings of annotations; the BioNLP shared tasks keep entities and events apart."""

Note = tuple[str, str, list[tuple[int, int]], str]
"""Its name, its label, its fragments, the text that it says it stands on."""


def read(path: Path, *, because: str) -> Iterator[Example]:
    """One example a document, folders within the folder too, in the order of names.

    Fragments with nothing but space between them are one; an annotation that stays in pieces is
    left out.

    Raises:
        InputError: a text without annotations, or an annotation that can't be read.
    """
    texts = [path] if path.is_file() else sorted(path.rglob("*.txt"))
    for file in texts:
        notes = notes_of(file)
        if not notes:
            if path.is_dir():
                continue  # a folder may hold other texts, such as a readme
            raise InputError(f"{file.name} has no {file.stem}.ann beside it")
        inside = file.relative_to(path) if path.is_dir() else Path(file.name)
        yield _document(file, notes, inside.with_suffix("").as_posix(), because)


def notes_of(file: Path) -> list[Path]:
    """The files of annotations beside a text."""
    for endings in NOTES:
        found = [n for e in endings if (n := file.with_suffix(e)).is_file()]
        if found:
            return found
    return []


def _document(file: Path, notes: list[Path], name: str, because: str) -> Example:
    try:
        raw = file.read_bytes().decode("utf-8")
        lines = [line for one in notes for line in one.read_text("utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise InputError(f"{file.stem} is not UTF-8") from error
    told: list[Note] = []
    events: dict[str, str] = {}
    relations: list[tuple[str, str, str]] = []
    for number, line in enumerate(lines, 1):
        key, _, rest = line.partition("\t")
        try:
            if key.startswith("T"):
                told.append(_note(key, rest))
            elif key.startswith("E"):
                events[key] = rest.split()[0].partition(":")[2]
            elif key.startswith("R"):
                kind, head, tail = rest.split()[:3]
                relations.append((kind, head.partition(":")[2], tail.partition(":")[2]))
        except (ValueError, IndexError) as error:
            raise InputError(f"{notes[0].name} line {number} is no brat annotation") from error
    # Some tools count a line's end as one character, some as the two that it may be.
    text = max((raw.replace("\r\n", "\n"), raw), key=lambda text: _agreed(text, told))
    spans = {one[0]: label for one in told if (label := _label(text, one)) is not None}
    if any(label.end > len(text) for label in spans.values()):
        raise InputError(f"{notes[0].name}: an annotation ends after the text")
    order = sorted(spans, key=lambda key: (spans[key], key))
    place = {key: number for number, key in enumerate(order)}
    pairs = []
    for kind, head, tail in relations:
        ends = [place.get(events.get(key, key)) for key in (head, tail)]
        if ends[0] is not None and ends[1] is not None:
            pairs.append(Pair((ends[0],), (ends[1],), kind))
    labels = tuple(spans[key] for key in order)
    return Example(name, name, SafeText(text, by=because), labels, tuple(pairs))


def _note(key: str, rest: str) -> Note:
    where, _, quoted = rest.partition("\t")
    kind, _, places = where.partition(" ")
    fragments = []
    for one in places.split(";"):
        start, end = map(int, one.split())
        fragments.append((start, end))
    return key, kind, fragments, quoted


def _agreed(text: str, told: list[Note]) -> int:
    """How many annotations stand where the text is that they quote."""
    return sum(
        " ".join(text[start:end] for start, end in fragments).split() == quoted.split()
        for _, _, fragments, quoted in told
    )


def _label(text: str, note: Note) -> Label | None:
    _, kind, fragments, _ = note
    start, at = fragments[0]
    for begin, end in fragments[1:]:
        if begin < at or text[at:begin].strip():
            return None
        at = end
    return Label(start, at, kind) if 0 <= start < at else None
