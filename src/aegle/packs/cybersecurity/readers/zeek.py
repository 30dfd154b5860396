"""Zeek logs, tab-separated or JSON: conn, dns, http, ssl, files, notice and the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, BinaryIO, Final

from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.fields import ABSENT
from aegle.packs.cybersecurity.readers.grouping import WINDOW_S, Entry, Windows
from aegle.packs.cybersecurity.readers.logfile import head_lines
from aegle.packs.cybersecurity.readers.named import host_type, name_words
from aegle.packs.cybersecurity.readers.records import flatten
from aegle.packs.cybersecurity.readers.stream import Problems, lines, objects
from aegle.packs.cybersecurity.readers.times import iso, parse

_TYPES: Final = {
    "id.orig_h": "ip", "id.resp_h": "ip", "tx_hosts": "ip", "rx_hosts": "ip", "src": "ip",
    "dst": "ip", "host": "domain", "query": "domain", "server_name": "domain", "user": "account",
    "username": "account", "client": "account", "md5": "hash", "sha1": "hash", "sha256": "hash",
    "filename": "file", "path": "path", "name": "", "referrer": "url", "mailfrom": "email",
    "rcptto": "email", "host_name": "host", "hostname": "host", "domain": "domain",
}  # fmt: skip
_HIDDEN: Final = frozenset("ts uid fuid history missed_bytes local_orig local_resp _path".split())
_ESCAPE: Final = re.compile(r"\\x([0-9a-fA-F]{2})")
_SETS: Final = {"set_separator": ",", "empty_field": "(empty)", "unset_field": "-", "path": ""}


class ZeekReader:
    """Reads Zeek logs; a document holds the records of one originating address and window.

    Args:
        window_s: how many seconds of records make a document.
    """

    name = "zeek"

    def __init__(self, *, window_s: int = WINDOW_S) -> None:
        self._window_s = window_s

    def sniff(self, head: bytes, origin: Origin) -> float:
        """Sure of ``#fields`` and of JSON with Zeek's connection names."""
        sample = head_lines(head)
        if not sample:
            return 0.0
        if sample[0].startswith("#separator") or (
            sample[0].startswith("#") and any(line.startswith("#fields\t") for line in sample[:10])
        ):
            return 0.98
        if sample[0].startswith("{") and '"ts"' in sample[0]:
            return 0.96 if '"id.orig_h"' in sample[0] or '"uid"' in sample[0] else 0.0
        return 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """Documents in order.

        Raises:
            InputError: a record has no time or not the header's fields; after the last document.
        """
        problems = Problems(origin)
        windows = Windows(origin, "log", window_s=self._window_s)
        log = PurePath(origin.name).name.split(".")[0]
        for number, path, record in _records(stream, problems):
            at = parse(record.get("ts", ""))
            if at is None:
                problems.note("records have no time", number)
                continue
            yield from windows.add(_entry(record, at, path or log), number)
        yield from windows.close()
        problems.check()


def _records(stream: BinaryIO, problems: Problems) -> Iterator[tuple[int, str, dict[str, str]]]:
    first = stream.read(1)
    whole: Any = _Rest(first, stream)
    if first in (b"{", b"["):
        for number, record in objects(whole, problems):
            yield number, str(record.get("_path", "")), dict(flatten(record))
        return
    settings, mark = dict(_SETS), "\t"
    fields: list[str] = []
    for number, line in lines(whole, problems):
        if line.startswith("#separator"):
            mark = _unescape(line[11:].strip()) or "\t"
        elif line.startswith("#"):
            key, _, value = line[1:].partition(mark)
            settings[key] = value
            fields = value.split(mark) if key == "fields" else fields
        elif line.strip():
            values = line.split(mark)
            if len(values) != len(fields):
                problems.note("records do not have the header's fields", number)
                continue
            absent = (settings["unset_field"], settings["empty_field"])
            pairs = zip(fields, values, strict=True)
            yield number, settings["path"], {k: v for k, v in pairs if v not in absent}


class _Rest:
    """A stream of which one byte was read to tell the form."""

    def __init__(self, first: bytes, stream: BinaryIO) -> None:
        self._first = first
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        first, self._first = self._first, b""
        return first + self._stream.read(size) if first else self._stream.read(size)


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


def _entry(record: dict[str, str], at: float, path: str) -> Entry:
    """``2021-01-05T10:00:00Z dns id.orig_h=10.0.0.5 ... query=example.org``."""
    client = record.get("id.orig_h") or record.get("src") or record.get("tx_hosts") or ""
    entry = Entry("", at, client, path)
    parts = [f"{iso(at)} {path}"]
    length = len(parts[0])
    entry.body = length
    places: dict[str, int] = {}
    for name, value in record.items():
        if name in _HIDDEN:
            continue
        label = f" {name}="
        start = length + len(label)
        kind = _TYPES.get(name, "")
        if kind in ("ip", "domain"):
            kind = "ip" if host_type(value) == "ip" else ("" if kind == "ip" else kind)
        if kind and len(value) <= 300 and value.lower() not in ABSENT and "," not in value:
            places[name] = entry.mark(start, start + len(value), kind)
        parts += (label, value)
        length = start + len(value)
    entry.text = "".join(parts)
    _tie(entry, places)
    name_words(entry, start=entry.body)
    return entry


def _tie(entry: Entry, places: dict[str, int]) -> None:
    client = places.get("id.orig_h", places.get("src", places.get("tx_hosts")))
    if client is None:
        return
    for name in ("id.resp_h", "dst", "rx_hosts", "host", "server_name"):
        if name in places:
            entry.ties.append((client, places[name], "connected_to", False))
    if "query" in places and entry.marks[places["query"]][2] == "domain":
        entry.ties.append((client, places["query"], "resolved", False))
