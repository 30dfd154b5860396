"""Texts without labels, for a teacher to speak of: CSV, JSON, JSON lines, gzip and zip of them."""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from aegle.core.artifacts import archive_of
from aegle.core.errors import InputError
from aegle.core.examples import Example
from aegle.core.text import SafeText

_LITERAL: Final = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_PRINTED: Final = re.compile(rf"\[\s*(?:{_LITERAL})(?:,?\s+(?:{_LITERAL}))*\s*,?\s*\]", re.DOTALL)
"""A list of texts as Python prints it, or as numpy does, without commas."""
_ONE: Final = re.compile(_LITERAL, re.DOTALL)
_LINK: Final = re.compile(r"\[([^\][]*)\]\(https?://[^()\s]*\)")
_CITED: Final = re.compile(r"\(Citation:[^()]*(?:\([^()]*\)[^()]*)*\)")


def read(
    path: Path, *, because: str, columns: Mapping[str, str] | None = None
) -> Iterator[Example]:
    """One example a row that has text; of Markdown links the words stay, of citations nothing.

    Args:
        path: the file, packed by gzip or not, or ``FILE.zip/MEMBER``.
        because: why its texts may be used.
        columns: ``text``: the column, or several with commas between, that are read one after the
            other (a column that lists texts, as JSON or as Python prints them, is read as one);
            ``group``: what documents are told apart by; a row without one is its own.

    Raises:
        InputError: not such a file, or no row has such a column.
    """
    told = columns or {}
    wanted = [name.strip() for name in told.get("text", "text").split(",")]
    some = False
    for number, row in enumerate(_rows(path), 1):
        if not isinstance(row, Mapping):
            raise InputError(f"{path.name}, row {number}: a row names its columns")
        parts = [_text(row[name]) for name in wanted if row.get(name)]
        text = "\n".join(part for part in parts if part)
        some = some or any(name in row for name in wanted)
        if text:
            group = row.get(told["group"]) if "group" in told else None
            yield Example(
                str(number),
                f"row {number}" if group in (None, "") else str(group),
                SafeText(text, by=because),
            )
    if not some:
        raise InputError(
            f"{path.name}: no row has a column {', '.join(wanted)}; name its own under `columns`"
        )


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(filter(None, map(_text, value)))
    told = str(value).strip()
    if told.startswith("[") and _PRINTED.fullmatch(told):
        return _text(_listed(told))
    return _CITED.sub("", _LINK.sub(r"\1", told)).strip()


def _listed(told: str) -> list[str]:
    """What is listed, as JSON writes it, or as Python does."""
    try:
        found = json.loads(told)
    except ValueError:
        found = [_said(one) for one in _ONE.findall(told)]
    return list(map(str, found))


def _said(literal: str) -> str:
    try:
        return str(ast.literal_eval(literal))
    except (SyntaxError, ValueError):  # numpy prints line ends as they are
        return literal[1:-1]


def _rows(path: Path) -> Iterator[Any]:
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
            if not isinstance(tree, list | dict):
                raise ValueError("neither a list nor a table of rows")
            yield from tree.values() if isinstance(tree, dict) else tree
    except (
        ValueError,
        OSError,
        EOFError,
        KeyError,
        RuntimeError,  # a zip file with a password
        zlib.error,
        csv.Error,
        zipfile.BadZipFile,
    ) as error:
        # From None: what a parser says of a file quotes it.
        raise InputError(f"{path.name} is no table of texts ({type(error).__name__})") from None


def _open(path: Path) -> tuple[str, str]:
    """(name without its packing, text)."""
    packed = archive_of(path)
    if packed is not None:
        member = PurePosixPath(*path.parts[len(packed.parts) :])
        with zipfile.ZipFile(packed) as file:
            return path.name, file.read(str(member)).decode("utf-8-sig")
    if path.suffix == ".gz":
        return path.stem, gzip.decompress(path.read_bytes()).decode("utf-8-sig")
    return path.name, path.read_text("utf-8-sig")
