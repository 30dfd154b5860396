"""CSV, TSV and PSV: rows as lines ``column: value``, with what their columns name as mentions."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import BinaryIO, Final

from aegle.core.decode import HEAD_BYTES, TEXT_LIMIT, guess_encoding
from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.core.records import Identifier, Link, Mention, RawDocument
from aegle.core.text import RawText
from aegle.packs.general.readers.parts import Unread, numbered, stem

_DELIMITERS: Final = ",\t;|"
_SUFFIXES: Final = {".csv": "", ".tsv": "\t", ".tab": "\t", ".psv": "|"}
_ROWS: Final = 40
_CHARACTERS: Final = 4_000
_WAITING: Final = 2_000
"""Rows held at most while those of one patient are gathered."""

PATIENT: Final = ("patient_id", "subject_id", "mrn")

IDENTIFIES: Final[Mapping[str, str]] = {
    "mrn": "mrn", "patient_id": "mrn", "subject_id": "mrn", "medical_record_number": "mrn",
    "ssn": "ssn", "social_security_number": "ssn",
    "patient_name": "name", "first_name": "name", "last_name": "name", "full_name": "name",
    "given_name": "name", "family_name": "name", "surname": "name", "maiden_name": "name",
    "physician": "name", "doctor": "name", "provider_name": "name",
    "phone": "phone", "phone_number": "phone", "telephone": "phone", "mobile": "phone",
    "fax": "fax", "email": "email", "e_mail": "email", "email_address": "email",
    "address": "place", "street": "place", "street_address": "place", "zip": "place",
    "zip_code": "place", "postcode": "place", "postal_code": "place",
    "dob": "date", "birth_date": "date", "birthdate": "date", "date_of_birth": "date",
    "insurance_id": "health_plan", "member_id": "health_plan", "policy_number": "health_plan",
    "account_number": "account", "iban": "account", "credit_card": "account",
    "license_number": "licence", "licence_number": "licence", "driver_license": "licence",
    "license_plate": "vehicle", "vin": "vehicle",
    "serial": "device", "serial_number": "device", "udi": "device",
}  # fmt: skip
"""Column name -> identifier class: values that identify wherever they stand in the row."""

_WITH_PATIENT: Final = {"name": "name", "patient": "name", "city": "place"}
"""Columns that identify in a table about patients; elsewhere a name is a product's or a host's."""

_DAMAGED: Final = "damaged quotes, or a cell of more than 1 MB"
_FIRST_LINES: Final = 20
_MOST_NAMED: Final = 60
"""A row that names more than this is a collection, not one thing: nothing in it is tied."""
_NAME: Final = 80
_NUMBER: Final = re.compile(r"[-+\d.,:/ TZ%]+")

# A cell may hold a whole note; the module's own limit is 128 KB, and it is one for the process.
csv.field_size_limit(1 << 20)


class CsvReader:
    """Tables with a header row (or without: ``column 1``...).

    Args:
        columns: column name (lower case) -> entity type.
        ties: (head type, tail type) -> relation type, between what one row names.
    """

    name = "csv"

    def __init__(
        self,
        columns: Mapping[str, str] | None = None,
        ties: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self._columns, self._ties = dict(columns or {}), dict(ties or {})

    def sniff(self, head: bytes, origin: Origin) -> float:
        """By suffix and by equal columns in the first rows; rows alone need three columns."""
        suffix = _suffix(origin)
        try:
            first = _first_lines(head)
        except InputError:
            return 0.0
        delimiter, columns, share = _delimiter(first, suffix)
        if suffix is not None:
            return 0.7 if delimiter and share > 0.8 else 0.5
        even = columns >= 3 and share > 0.95 and len(first) >= 4
        return 0.3 if even and _is_no_prose(first, delimiter) else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """Documents of up to 40 rows, each of one patient where a column names patients."""
        unread = Unread()
        lines = (line for _, line in numbered(stream, unread, ends=True))
        first: list[str] = []
        while len(first) < _FIRST_LINES and sum(map(len, first)) < HEAD_BYTES:
            if not (line := next(lines, "")):
                break
            first.append(line)
        delimiter = _delimiter(first, _suffix(origin))[0] or ","
        sample = [row for _, row in _rows(first, delimiter, Unread())]
        table = _Table(origin, self._columns, self._ties, header=_has_header(sample))
        try:
            for number, row in _rows(chain(first, lines), delimiter, unread):
                if any(cell.strip() for cell in row):
                    yield from table.add(number, row)
        except InputError as error:
            unread.add("the rest", str(error))
        yield from table.flush()
        unread.check()


class _Lines:
    """Lines for `csv.reader`; a row that goes on and on is broken off, not gathered."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.size > TEXT_LIMIT:
            raise csv.Error
        line = next(self._lines)
        self.size += len(line)
        return line


def _rows(lines: Iterable[str], delimiter: str, unread: Unread) -> Iterator[tuple[int, list[str]]]:
    """The rows with their numbers from 1; one that can't be read costs only itself."""
    source = _Lines(lines)
    rows = csv.reader(source, delimiter=delimiter)
    for number in count(1):
        source.size = 0
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:
            unread.add(f"row {number}", _DAMAGED)
        else:
            yield number, row


@dataclass(slots=True)
class _Batch:
    first: int
    lines: list[str] = field(default_factory=list)
    size: int = 0
    mentions: list[Mention] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    identifiers: dict[Identifier, None] = field(default_factory=dict)


class _Table:
    def __init__(
        self,
        origin: Origin,
        columns: Mapping[str, str],
        ties: Mapping[tuple[str, str], str],
        *,
        header: bool,
    ) -> None:
        self._origin, self._columns, self._ties = origin, columns, ties
        self._header = header
        self._names: list[str] | None = None
        self._keys: list[str] = []
        self._patient = -1
        self._batches: dict[str, _Batch] = {}
        self._rows = 0

    def add(self, number: int, row: Sequence[str]) -> Iterator[RawDocument]:
        """Take a row; the first may be the header."""
        if self._names is None:
            self._names = [
                " ".join(cell.split()) if self._header and cell.strip() else f"column {place}"
                for place, cell in enumerate(row, 1)
            ]
            self._keys = [re.sub(r"\W+", "_", name.casefold()).strip("_") for name in self._names]
            place = (self._keys.index(key) for key in PATIENT if key in self._keys)
            self._patient = next(place, -1)
            if self._header:
                return
        who = row[self._patient].strip() if -1 < self._patient < len(row) else ""
        batch = self._batches.setdefault(who, _Batch(number))
        self._write(batch, row, who)
        self._rows += 1
        if len(batch.lines) >= _ROWS or batch.size >= _CHARACTERS:
            yield self._finish(who)
        elif self._rows >= _WAITING:
            yield from self.flush()

    def flush(self) -> Iterator[RawDocument]:
        """What waits, in the order in which it began."""
        for who in list(self._batches):
            yield self._finish(who)
        self._rows = 0

    def _write(self, batch: _Batch, row: Sequence[str], who: str) -> None:
        names = self._names or []
        at, cells, here = batch.size, [], len(batch.mentions)
        for place, cell in enumerate(row):
            value = " ".join(cell.split())
            if not value:
                continue
            name = names[place] if place < len(names) else f"column {place + 1}"
            key = self._keys[place] if place < len(self._keys) else ""
            start = at + len(name) + 2
            self._note(batch, key, value, start, ref=who if place == self._patient else "")
            cells.append(f"{name}: {value}")
            at += len(cells[-1]) + 2
        batch.lines.append("; ".join(cells) + "\n")
        batch.size += len(batch.lines[-1])
        self._tie(batch, here)

    def _note(self, batch: _Batch, key: str, value: str, start: int, *, ref: str) -> None:
        kind = IDENTIFIES.get(key) or (_WITH_PATIENT.get(key) if self._patient >= 0 else None)
        if kind:
            batch.identifiers[Identifier(kind, RawText(value))] = None
        type_ = "patient" if ref else self._columns.get(key)
        if type_:
            raw = RawText(f"patient/{ref}") if ref else None
            batch.mentions.append(Mention(start, start + len(value), type_, ref=raw))

    def _tie(self, batch: _Batch, here: int) -> None:
        """Relations between what one row names."""
        row = range(here, len(batch.mentions))
        if len(row) > _MOST_NAMED:
            return
        for head in row:
            for tail in row:
                types = batch.mentions[head].type, batch.mentions[tail].type
                if head != tail and types in self._ties:
                    batch.links.append(Link(head, tail, self._ties[types]))

    def _finish(self, who: str) -> RawDocument:
        batch = self._batches.pop(who)
        return RawDocument(
            source=f"{self._origin}#row{batch.first}",
            kind="table",
            domain="healthcare" if who else "general",
            text=RawText("".join(batch.lines)),
            title=RawText(stem(self._origin)),
            group=RawText(f"patient/{who}" if who else ""),
            mentions=tuple(batch.mentions),
            links=tuple(batch.links),
            identifiers=tuple(batch.identifiers),
        )


def _suffix(origin: Origin) -> str | None:
    """The delimiter that the suffix means, empty when it leaves it open, None for no table."""
    lower = origin.name.lower()
    return next((mark for end, mark in _SUFFIXES.items() if lower.endswith(end)), None)


def _first_lines(head: bytes) -> list[str]:
    lines = head.decode(guess_encoding(head), "replace").splitlines(keepends=True)
    cut = len(head) >= HEAD_BYTES
    return (lines[:-1] if cut and len(lines) > 1 else lines)[:_FIRST_LINES]


def _delimiter(lines: Sequence[str], wanted: str | None) -> tuple[str, int, float]:
    """The delimiter that cuts most rows alike, its number of columns, its share of the rows."""
    best: tuple[str, int, float] = ("", 1, 0.0)
    for mark in wanted or _DELIMITERS:
        counts = Counter(len(row) for _, row in _rows(lines, mark, Unread()) if row)
        if not counts:
            continue
        columns, rows = counts.most_common(1)[0]
        share = rows / counts.total()
        if columns > 1 and (round(share, 1), columns) > (round(best[2], 1), best[1]):
            best = (mark, columns, share)
    return best


def _is_no_prose(lines: Sequence[str], mark: str) -> bool:
    """Whether rows are a table's: short names first, and no space after most commas."""
    rows = [row for _, row in _rows(lines, mark, Unread())]
    spaced = sum(line.count(f"{mark} ") for line in lines)
    marks = sum(line.count(mark) for line in lines)
    return _has_header(rows) and max(map(len, rows[0])) <= _NAME // 2 and spaced * 5 < marks


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a first row names columns.

    It does when it is all words, each different, none a number or date, and none stands again in
    its own column below.
    """
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    if not filled:
        return False
    cells = [cell.strip() for cell in filled[0] if cell.strip()]
    if len(set(cells)) < len(cells) or max(map(len, cells)) > _NAME:
        return False
    if any(_NUMBER.fullmatch(cell) for cell in cells):
        return False
    return not any(
        cell.strip() and cell.strip() == name.strip()
        for row in filled[1:]
        for name, cell in zip(filled[0], row, strict=False)
    )
