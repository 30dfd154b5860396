"""JSON lines, arrays and exports of any objects: events with a time, or records without one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import BinaryIO, Final

from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.fields import COLUMNS
from aegle.packs.cybersecurity.readers.grouping import DOCUMENT_CHARS, WINDOW_S, Windows
from aegle.packs.cybersecurity.readers.logfile import head_lines
from aegle.packs.cybersecurity.readers.page import Page
from aegle.packs.cybersecurity.readers.records import (
    HOSTS,
    TIMES,
    Fields,
    entry_of,
    first_of,
    flatten,
)
from aegle.packs.cybersecurity.readers.stream import Problems, objects, parse
from aegle.packs.cybersecurity.readers.times import iso
from aegle.packs.cybersecurity.readers.times import parse as parse_time
from aegle.packs.general.hosts import host_name

_OTHERS: Final = re.compile(rb'"resourceType"\s*:\s*"[A-Z]')
_KEY: Final = re.compile(r'"((?:[^"\\]|\\.){1,80})"\s*:')
_OPENS: Final = re.compile(r'\s*(?:\[\s*)?\{\s*"')


class JsonLinesReader:
    """Reads JSON objects: one a line, in an array, or in an object's array.

    Objects with a time are events: a line each, grouped by host and window. The others are
    records: a document each, ``name: value`` a line.

    Args:
        window_s: how many seconds of one host's events make a document.
    """

    name = "jsonl"

    def __init__(self, *, window_s: int = WINDOW_S) -> None:
        self._window_s = window_s

    def sniff(self, head: bytes, origin: Origin) -> float:
        """Surer the more the fields are those of security data; FHIR is left to its reader."""
        sample = head_lines(head)
        if not sample or not _OPENS.match("\n".join(sample[:3])) or _OTHERS.search(head):
            return 0.0
        first = sample[0].strip()
        if first.endswith("}") and not first.startswith("[") and not isinstance(parse(first), dict):
            return 0.0
        keys = {key.lower() for line in sample for key in _KEY.findall(line[:20_000])}
        known = len(keys & COLUMNS.keys()) + len(keys & set(TIMES))
        return min(0.4 + 0.05 * known, 0.65)

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """Documents in order; a group of events comes when its window is complete.

        Raises:
            InputError: lines or records are no objects; raised after the last document.
        """
        problems = Problems(origin)
        windows = Windows(origin, "event", window_s=self._window_s)
        number = 0
        for number, record in objects(stream, problems):
            fields = flatten(record)
            if not fields:
                continue
            known = {name.lower(): value for name, value in fields}
            stamp, value = first_of(known, TIMES)
            at = parse_time(value) if stamp else None
            host = first_of(known, HOSTS)[1]
            if at is None:
                yield from _records(fields, host, number, origin)
                continue
            rest = [pair for pair in fields if pair[0].lower() != stamp]
            entry = entry_of([("time", iso(at)), *rest], at=at, host=host, mark="=", gap=" ")
            entry.body = len("time=") + len(iso(at))
            yield from windows.add(entry, number)
        yield from windows.close()
        problems.check()
        if not number:
            raise InputError(f"{origin}: holds no JSON objects")


def _short(fields: Fields) -> Iterator[tuple[str, str]]:
    """Fields none of which is longer than a document: a long value is repeated under its name."""
    for name, value in fields:
        for start in range(0, len(value), DOCUMENT_CHARS - 500):
            yield name[:400], value[start : start + DOCUMENT_CHARS - 500]


def _records(fields: Fields, host: str, number: int, origin: Origin) -> Iterator[RawDocument]:
    """A record as a document, or several where it is long."""
    parts: list[Fields] = [[]]
    size = 0
    for pair in _short(fields):
        size += len(pair[0]) + len(pair[1]) + 3
        if size > DOCUMENT_CHARS and parts[-1]:
            parts.append([])
            size = len(pair[0]) + len(pair[1])
        parts[-1].append(pair)
    name = PurePath(origin.name).name
    for place, part in enumerate(parts):
        entry = entry_of(part, at=None, host=host, mark=": ", gap="\n")
        page = Page()
        page.write(entry.text)
        marks = [page.mark(*mark) for mark in entry.marks]
        for head, tail, kind, _ in entry.ties:
            page.link(marks[head], marks[tail], kind)
        yield page.document(
            origin,
            f"{number}.{place + 1}" if len(parts) > 1 else number,
            "table",
            title=f"{name} {number}",
            group=f"host/{host_name(host)}" if host else "",
            meta={"fields": str(len(part))},
        )
