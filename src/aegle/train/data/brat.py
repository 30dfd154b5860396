"""brat standoff: ``NAME.txt`` with ``NAME.ann``; text-bound annotations and relations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aegle.core.errors import InputError
from aegle.core.examples import Example, Label, Pair
from aegle.core.text import SafeText


def read(path: Path, *, because: str) -> Iterator[Example]:
    """One example a document, in the order of names. A discontinuous annotation is left out.

    Raises:
        InputError: a text without annotations, or an annotation that can't be read.
    """
    texts = [path] if path.is_file() else sorted(path.glob("*.txt"))
    for file in texts:
        notes = file.with_suffix(".ann")
        if not notes.is_file():
            if path.is_dir():
                continue  # a folder may hold other texts, such as a readme
            raise InputError(f"{file.name} has no {notes.name} beside it")
        yield _document(file, notes, because)


def _document(file: Path, notes: Path, because: str) -> Example:
    try:
        text = file.read_bytes().decode("utf-8").replace("\r\n", "\n")
        lines = notes.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{file.stem} is not UTF-8") from error
    spans: dict[str, Label] = {}
    events: dict[str, str] = {}
    relations: list[tuple[str, str, str]] = []
    for number, line in enumerate(lines, 1):
        name, _, rest = line.partition("\t")
        try:
            if name.startswith("T"):
                label = _label(rest.partition("\t")[0])
                if label is not None:
                    spans[name] = label
            elif name.startswith("E"):
                events[name] = rest.split()[0].partition(":")[2]
            elif name.startswith("R"):
                kind, head, tail = rest.split()[:3]
                relations.append((kind, head.partition(":")[2], tail.partition(":")[2]))
        except (ValueError, IndexError) as error:
            raise InputError(f"{notes.name} line {number} is no brat annotation") from error
    if any(label.end > len(text) for label in spans.values()):
        raise InputError(f"{notes.name}: an annotation ends after the text")
    order = sorted(spans, key=lambda name: (spans[name], name))
    place = {name: number for number, name in enumerate(order)}
    pairs = []
    for kind, head, tail in relations:
        ends = [place.get(events.get(name, name)) for name in (head, tail)]
        if ends[0] is not None and ends[1] is not None:
            pairs.append(Pair((ends[0],), (ends[1],), kind))
    labels = tuple(spans[name] for name in order)
    return Example(file.stem, file.stem, SafeText(text, by=because), labels, tuple(pairs))


def _label(told: str) -> Label | None:
    kind, _, where = told.partition(" ")
    if ";" in where:
        return None
    start, end = where.split()
    return Label(int(start), int(end), kind) if int(end) > int(start) else None
