"""A corpus by its format: columns, brat, PubTator, BioC, JSON, NegEx, tables, made, plain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from aegle.core.artifacts import archive_of
from aegle.core.errors import InputError
from aegle.core.examples import Example
from aegle.train.data import bioc, brat, identifiers, iob, jsonl, negex, plain, pubtator, table

Reader = Callable[..., Iterator[Example]]

FORMATS: Final[Mapping[str, Reader]] = {
    "iob": iob.read,
    "brat": brat.read,
    "pubtator": pubtator.read,
    "bioc": bioc.read,
    "json": jsonl.read,
    "negex": negex.read,
    "table": table.read,
    "identifiers": identifiers.read,
    "plain": plain.read,
}


def read_corpus(
    path: Path,
    *,
    format: str,
    because: str,
    columns: Mapping[str, str] | None = None,
    seed: int = 17,
) -> list[Example]:
    """The examples of a file, or of a folder in the order of its files' names.

    Args:
        path: a file, or a folder for brat and BioC.
        format: a key of `FORMATS`.
        because: why the texts may be used without de-identification (``published, CC BY 4.0``), or
            the step that de-identified them; it goes into the model's card.
        columns: of a table, see `aegle.train.data.table.read`.
        seed: of texts that are made, not read.

    Raises:
        InputError: an unknown format, no reason, no such path, no example, a damaged file.
    """
    reader = FORMATS.get(format)
    if reader is None:
        raise InputError(f"no corpus format {format!r}; there are: {', '.join(FORMATS)}")
    if not because.strip():
        raise InputError(
            f"{path}: say why its texts may be used (safe_because), or use a workspace"
        )
    if not path.exists() and not (format == "plain" and archive_of(path)):
        raise InputError(f"{path}: no such corpus")
    more: dict[str, Any] = {"columns": columns} if columns else {}
    if format == "identifiers":
        more["seed"] = seed
    examples = list(reader(path, because=because, **more))
    if not examples:
        raise InputError(f"{path} holds no example in the format {format!r}")
    return examples


def relabel(examples: list[Example], names: Mapping[str, str]) -> list[Example]:
    """Examples with their labels renamed; what ``names`` lacks is dropped, with its pairs.

    Of labels that overlap after that the longest stays, the first of equals: a tagger says one
    thing about a word.
    """
    return [_relabelled(one, names) for one in examples]


def _relabelled(one: Example, names: Mapping[str, str]) -> Example:
    order = sorted(
        (place for place, label in enumerate(one.labels) if label.label in names),
        key=lambda place: (one.labels[place].start - one.labels[place].end, one.labels[place]),
    )
    kept: list[int] = []
    for place in order:
        label = one.labels[place]
        if all(label.end <= one.labels[k].start or one.labels[k].end <= label.start for k in kept):
            kept.append(place)
    kept.sort(key=lambda place: one.labels[place])
    new = {old: place for place, old in enumerate(kept)}
    labels = tuple(replace(one.labels[old], label=names[one.labels[old].label]) for old in kept)
    pairs = []
    for pair in one.pairs:
        head = tuple(new[place] for place in pair.head if place in new)
        tail = tuple(new[place] for place in pair.tail if place in new)
        if head and tail:
            pairs.append(replace(pair, head=head, tail=tail))
    things = tuple(
        left
        for thing in one.things
        if (left := tuple(new[place] for place in thing if place in new))
    )
    return replace(one, labels=labels, pairs=tuple(pairs), things=things)
