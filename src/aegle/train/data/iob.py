"""CoNLL columns: a token and its IOB, IOB2 or IOBES tag a line, an empty line between sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from aegle.core.errors import InputError
from aegle.core.examples import Example, Label
from aegle.core.text import SafeText

BLOCK: Final = 10
"""Sentences that stand together as one group where the file doesn't say where documents end."""

_TAG = re.compile(r"(?:O|([BIESLU])-(\S+))\Z")


def read(path: Path, *, because: str) -> Iterator[Example]:
    """Sentences as examples; the first column is the token, the last one the tag.

    ``-DOCSTART-`` (or a comment line ``# id = NAME``) begins a document. Without them ten
    sentences in a row are a group: neighbours are mostly of one document, and an interval over
    single sentences would be too narrow.

    Raises:
        InputError: a line without two columns, or a tag that is none.
    """
    document, documents, sentence = "", 0, 0
    for number, rows in _sentences(path):
        if rows[0][0] == "-DOCSTART-":
            documents += 1
            document = f"{path.stem}/{documents}"
            rows = rows[1:]
            if not rows:
                continue
        group = document or f"{path.stem}/{sentence // BLOCK}"
        text, spans = _joined([row[0] for row in rows])
        labels = _labels(spans, [_tag(row[-1], path, number) for row in rows])
        yield Example(f"{path.stem}:{sentence}", group, SafeText(text, by=because), labels)
        sentence += 1


def _sentences(path: Path) -> Iterator[tuple[int, list[Sequence[str]]]]:
    rows: list[Sequence[str]] = []
    start = 1
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                cells = line.rstrip("\r\n").split("\t") if "\t" in line else line.split()
                if not line.strip():
                    if rows:
                        yield start, rows
                    rows, start = [], number + 1
                elif len(cells) < 2 or not cells[0].strip():
                    raise InputError(f"{path.name} line {number}: a token and its tag are needed")
                else:
                    rows.append([cell.strip() for cell in cells])
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not UTF-8") from error
    if rows:
        yield start, rows


def _joined(tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    spans, at = [], 0
    for token in tokens:
        spans.append((at, at + len(token)))
        at += len(token) + 1
    return " ".join(tokens), spans


def _tag(tag: str, path: Path, line: int) -> tuple[str, str]:
    match = _TAG.match(tag)
    if match is None:
        raise InputError(
            f"{path.name}, sentence at line {line}: a tag is O, or B-, I-, E- or S- and a label"
        )
    kind = match[1] or "O"
    return {"L": "E", "U": "S"}.get(kind, kind), match[2] or ""


def _labels(spans: Sequence[tuple[int, int]], tags: Sequence[tuple[str, str]]) -> tuple[Label, ...]:
    """As conlleval reads them: I- after another label, or after O, begins an entity."""
    labels: list[Label] = []
    open_label, begin, end = "", 0, 0
    for (start, stop), (kind, name) in zip(spans, tags, strict=True):
        if open_label and (kind in "OBS" or name != open_label):
            labels.append(Label(begin, end, open_label))
            open_label = ""
        if kind != "O":
            if not open_label:
                begin = start
            open_label, end = name, stop
            if kind in "ES":
                labels.append(Label(begin, end, name))
                open_label = ""
    if open_label:
        labels.append(Label(begin, end, open_label))
    return tuple(labels)
