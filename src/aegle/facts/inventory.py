"""Inventory: the short forms that a user's tables list, with what each stands for and how often.

A table is UTF-8 text, parted by tabs, ``|`` or commas as its first line is. A heading may name the
columns, in any order and among others; without one they are the short form, the long form and, if
there is a third, how often it is meant.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from aegle.core.errors import InputError
from aegle.core.pack import Term
from aegle.core.records import Concept

_SHORT: Final = frozenset({"abbreviation", "abbr", "abr", "acronym", "short", "short form"})
_LONG: Final = frozenset({"sense", "expansion", "meaning", "long", "long form"})
_OFTEN: Final = frozenset({"frequency", "freq", "count"})


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the short form, the long form and, if at all, the frequency stand."""

    short: int
    long: int
    often: int | None

    @property
    def last(self) -> int:
        return max(self.short, self.long, self.often or 0)


def inventory(paths: Iterable[Path]) -> dict[str, dict[str, float]]:
    """Short form in lower case -> long form -> its share of the short form's uses.

    Each table counts alike: its shares are added. A table without frequencies, and a short form
    whose frequencies are all 0, has equal shares.

    Raises:
        InputError: a file is no such table; the message names file and line.
    """
    merged: dict[str, dict[str, float]] = defaultdict(dict)
    for path in paths:
        table: dict[str, dict[str, float]] = defaultdict(dict)
        for short, long, often in _rows(path):
            senses = table[short.casefold()]
            senses[long] = senses.get(long, 0) + often
        if not table:
            raise InputError(f"{path} lists no short form")
        for short, senses in table.items():
            total = sum(senses.values())
            for long, often in senses.items():
                share = often / total if total else 1 / len(senses)
                merged[short][long] = merged[short].get(long, 0) + share
    return {
        short: {long: share / sum(senses.values()) for long, share in senses.items()}
        for short, senses in merged.items()
    }


def names(senses: Mapping[str, Mapping[str, float]], *, least: float) -> Iterator[Term]:
    """Long forms as terms whose concepts have their short ones, in capitals, for a second name.

    A short form alone says nothing: its score is 0.

    Args:
        senses: short form -> long form -> its share (`inventory`).
        least: the share of its uses in which a short form stands for a long one, to be its name.
    """
    for short, longs in senses.items():
        for long, share in longs.items():
            if share >= least:
                concept = Concept("abbreviation", long.casefold(), long)
                yield Term(long, "abbreviation", concept)
                yield Term(short.upper(), "abbreviation", concept, exact=True, score=0.0)


def _rows(path: Path) -> Iterator[tuple[str, str, float]]:
    """Short form, long form and how often, of each row."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            columns: _Columns | None = None
            for number, row in _split(path, file):
                if columns is None:
                    columns, is_heading = _columns(row)
                    if is_heading:
                        continue
                yield _read(path, number, row, columns)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}, after line {number}: not UTF-8") from error
    except csv.Error as error:
        raise InputError(f"{path}, after line {number}: not CSV ({error})") from error
    except OSError as error:
        raise InputError(f"{path} can't be read ({type(error).__name__})") from error


def _split(path: Path, file: TextIO) -> Iterator[tuple[int, Sequence[str]]]:
    """The rows that hold anything, with the numbers of their lines."""
    first = next((line for line in file if line.strip()), "")
    delimiter = next((one for one in "\t|," if one in first), "")
    if first and not delimiter:
        raise InputError(f"{path}: no tab, | or comma parts the columns of its first line")
    file.seek(0)
    if first:
        quote = '"' if delimiter == "," else None
        rows = csv.reader(file, delimiter=delimiter, quotechar=quote, strict=True)
        yield from ((rows.line_num, row) for row in rows if any(cell.strip() for cell in row))


def _columns(first: Sequence[str]) -> tuple[_Columns, bool]:
    """Where to look, by the first row; and whether that is a heading."""
    names = [" ".join(cell.casefold().replace("_", " ").split()) for cell in first]
    short, long, often = (
        next((at for at, name in enumerate(names) if name in known), None)
        for known in (_SHORT, _LONG, _OFTEN)
    )
    if short is not None and long is not None:
        return _Columns(short, long, often), True
    return _Columns(0, 1, 2 if len(first) > 2 else None), False


def _read(path: Path, number: int, row: Sequence[str], columns: _Columns) -> tuple[str, str, float]:
    """One row."""
    if len(row) <= columns.last:
        raise InputError(f"{path}, line {number}: {len(row)} columns, needs {columns.last + 1}")
    short, long = row[columns.short].strip(), " ".join(row[columns.long].split())
    if not short or not long:
        raise InputError(f"{path}, line {number}: a short form and a long form are needed")
    if columns.often is None:
        return short, long, 1.0
    try:
        often = float(row[columns.often])
    except ValueError:
        often = -1.0
    if not (math.isfinite(often) and often >= 0):
        raise InputError(
            f"{path}, line {number}: column {columns.often + 1} is no frequency; a heading such as "
            "abbreviation,sense,frequency says which columns count"
        )
    return short, long, often
