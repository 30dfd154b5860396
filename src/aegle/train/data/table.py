"""Texts with a class each: CSV, TSV, JSON list or JSON lines, by the names of their columns."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aegle.core.errors import InputError
from aegle.core.examples import Example
from aegle.core.text import SafeText


def read(
    path: Path, *, because: str, columns: Mapping[str, str] | None = None
) -> Iterator[Example]:
    """One example a row.

    Args:
        path: the file; CSV and TSV have a heading.
        because: why its texts may be used.
        columns: ``text``, ``class`` and ``group`` to the names that the file has for them; without
            a group a row is its own.

    Raises:
        InputError: not such a file, or a row without a named column.
    """
    names = {"text": "text", "class": "label", **(columns or {})}
    for number, row in enumerate(_rows(path), 1):
        try:
            text, kind = str(row[names["text"]]), str(row[names["class"]])
            group = str(row[names["group"]]) if "group" in names else str(number)
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{path.name}, row {number}: no column {', '.join(names.values())}; name the "
                "corpus's own under `columns`"
            ) from error
        if text.strip():
            yield Example(str(number), group, SafeText(text, by=because), classes=(kind,))


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        if path.suffix in (".csv", ".tsv"):
            with path.open(encoding="utf-8-sig", newline="") as file:
                yield from csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            return
        text = path.read_text("utf-8-sig")
        if text.lstrip().startswith("["):
            yield from json.loads(text)
        else:
            yield from (json.loads(line) for line in text.split("\n") if line.strip())
    except (ValueError, RecursionError, csv.Error) as error:
        raise InputError(f"{path.name} is no table of rows ({type(error).__name__})") from error
