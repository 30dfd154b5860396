"""Texts without labels, for a teacher to speak of: CSV, JSON, JSON lines, gzip and zip of them."""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aegle.core.errors import InputError
from aegle.core.examples import Example
from aegle.core.text import SafeText

_LITERAL: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_LINK: Final = re.compile(r"\[([^\][]*)\]\(https?://[^()\s]*\)")
_CITED: Final = re.compile(r"\s*\(Citation:[^()]*(?:\([^()]*\)[^()]*)*\)")


def read(
    path: Path, *, because: str, columns: Mapping[str, str] | None = None
) -> Iterator[Example]:
    """One example a row that has text; of Markdown links the words stay, of citations nothing.

    Args:
        path: the file, packed by gzip or not, or ``FILE.zip/MEMBER``.
        because: why its texts may be used.
        columns: ``text``: the column, or several with commas between, that are read one after the
            other (a column that lists texts, as JSON or as Python prints them, is read as one);
            ``group``: what documents are told apart by, else each row is its own.

    Raises:
        InputError: not such a file, or no row has such a column.
    """
    told = columns or {}
    wanted = [name.strip() for name in told.get("text", "text").split(",")]
    some = False
    for number, row in enumerate(_rows(path), 1):
        parts = [_text(row[name]) for name in wanted if row.get(name)]
        text = "\n".join(part for part in parts if part)
        some = some or any(name in row for name in wanted)
        if text:
            group = str(row.get(told.get("group", ""), number))
            yield Example(str(number), group, SafeText(text, by=because))
    if not some:
        raise InputError(
            f"{path.name}: no row has a column {', '.join(wanted)}; name its own under `columns`"
        )


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(filter(None, map(_text, value)))
    told = str(value).strip()
    if told.startswith(("['", '["')):
        told = " ".join(map(str, map(ast.literal_eval, _LITERAL.findall(told))))
    return _CITED.sub("", _LINK.sub(r"\1", told)).strip()


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        name, text = _open(path)
        if name.endswith((".csv", ".tsv")):
            yield from csv.DictReader(
                io.StringIO(text, newline=""), delimiter="\t" if name.endswith(".tsv") else ","
            )
        elif name.endswith(".jsonl"):
            yield from (json.loads(line) for line in text.split("\n") if line.strip())
        else:
            tree = json.loads(text)
            yield from tree.values() if isinstance(tree, dict) else tree
    except (ValueError, OSError, EOFError, KeyError, csv.Error, zipfile.BadZipFile) as error:
        raise InputError(f"{path.name} is no table of texts ({type(error).__name__})") from error


def _open(path: Path) -> tuple[str, str]:
    """(name without its packing, text)."""
    if path.parent.suffix == ".zip" and path.parent.is_file():
        with zipfile.ZipFile(path.parent) as file:
            return path.name, file.read(path.name).decode("utf-8-sig")
    if path.suffix == ".gz":
        return path.stem, gzip.decompress(path.read_bytes()).decode("utf-8-sig")
    return path.name, path.read_text("utf-8-sig")
