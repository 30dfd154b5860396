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

_TAG = re.compile(r"(?:O|([BIESLUMW])[-_](\S.*))\Z")
_PLAIN = re.compile(r"[A-Za-z][\w /.-]*\Z")
_START = re.compile(r"[-<\[]*DOCSTART|#\s*newdoc", re.IGNORECASE)
# BILOU and BMEWO say with other letters what IOBES says.
_KINDS: Final = {"L": "E", "U": "S", "M": "I", "W": "S"}

Row = Sequence[str]


def read(path: Path, *, because: str) -> Iterator[Example]:
    """Sentences as examples. The token is the first column (the second after a running number), the
    tag the last column that holds tags; where no tag says B or I, labels stand alone (IO).

    ``-DOCSTART-``, ``<DOCSTART>`` or ``# newdoc`` begins a document. Without them ten sentences in
    a row are a group: neighbours are mostly of one document, and an interval over single sentences
    would be too narrow. Other comments, and tokens that are nothing but space, are passed over.

    Raises:
        InputError: a line without two columns, or no column of tags.
    """
    sentences = list(_sentences(path))
    rows = [row for _, some in sentences for row in some if len(row) > 1]
    column, bare = _columns(rows, path)
    numbered = min(map(len, rows), default=0) > 2 and all(row[0].isdigit() for row in rows)
    document, documents, sentence = "", 0, 0
    for number, some in sentences:
        if _START.match(some[0][0]):
            documents += 1
            document = f"{path.stem}/{documents}"
            some = some[1:]
            if not some:
                continue
        group = document or f"{path.stem}/{sentence // BLOCK}"
        text, spans = _joined([row[1 if numbered else 0] for row in some])
        labels = _labels(spans, [_tag(row[column], bare, path, number) for row in some])
        yield Example(f"{path.stem}:{sentence}", group, SafeText(text, by=because), labels)
        sentence += 1


def _sentences(path: Path) -> Iterator[tuple[int, list[Row]]]:
    rows: list[Row] = []
    start = 1
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                line = line.rstrip()
                cells = [c.strip() for c in line.split("\t")] if "\t" in line else line.split()
                if _START.match(line.strip()):
                    if rows:
                        yield start, rows
                    rows, start = [["DOCSTART"]], number
                elif not line.strip():
                    if rows:
                        yield start, rows
                    rows, start = [], number + 1
                elif line.startswith("#") and not (len(cells) > 1 and _TAG.match(cells[-1])):
                    continue
                elif len(cells) < 2:
                    raise InputError(f"{path.name} line {number}: a token and its tag are needed")
                elif cells[0]:
                    rows.append(cells)
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not UTF-8") from error
    if rows:
        yield start, rows


def _columns(rows: Sequence[Row], path: Path) -> tuple[int, bool]:
    """(the column of tags, counted from the end; whether they are bare labels)."""
    if not rows:
        return -1, False
    columns = range(-1, -min(map(len, rows)), -1)
    tags = [c for c in columns if all(_TAG.match(row[c]) for row in rows)]
    if tags:
        return next((c for c in tags if any(row[c] != "O" for row in rows)), tags[0]), False
    for column in columns:
        cells = [row[column] for row in rows]
        if cells.count("O") * 2 > len(cells) and all(map(_PLAIN.match, cells)):
            strange = [one for one in set(cells) if _TAG.match(one) and one != "O"]
            if not strange:
                return column, True
    return -1, False


def _joined(tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    spans, at = [], 0
    for token in tokens:
        spans.append((at, at + len(token)))
        at += len(token) + 1
    return " ".join(tokens), spans


def _tag(tag: str, bare: bool, path: Path, line: int) -> tuple[str, str]:
    if bare:
        return ("O", "") if tag == "O" else ("I", tag)
    match = _TAG.match(tag)
    if match is None:
        raise InputError(
            f"{path.name}, sentence at line {line}: a tag is O, or B-, I-, E- or S- and a label"
        )
    kind = match[1] or "O"
    return _KINDS.get(kind, kind), match[2] or ""


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
