"""Syslog: RFC 3164, RFC 5424 with structured data, and rsyslog's ISO form; OpenSSH, PAM, sudo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.fields import ABSENT, COLUMNS
from aegle.packs.cybersecurity.readers.grouping import WINDOW_S, Entry
from aegle.packs.cybersecurity.readers.logfile import read_log, share
from aegle.packs.cybersecurity.readers.named import host_type, name_deeds, name_words
from aegle.packs.cybersecurity.readers.times import Stamps

_OLD: Final = re.compile(
    r"(?:<\d{1,3}>)?(?:\d+: )?"
    r"(?P<time>(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\s+[0-3]?\d"
    r"(?: (?:19|20)\d\d)? [0-2]?\d:[0-5]\d:[0-6]\d(?:\.\d+)?"
    r"|[12]\d{3}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"\s+(?P<host>[\w.:-]*\w)\s"
)
_TAG: Final = re.compile(r"\s*(?P<tag>[A-Za-z_][\w./-]*)(?:\([^)]*\))?(?:\[[\w-]+\])?:\s?")
_NEW: Final = re.compile(
    r"<\d{1,3}>[1-9]\d{0,2} (?P<time>\S+) (?P<host>\S+) (?P<tag>\S+) (?P<pid>\S+) (?P<id>\S+) "
    r"(?P<data>-|(?:\[(?:[^\]\"\\]|\\.|\"(?:[^\"\\]|\\.)*\")*\])+)(?: |$)"
)
_DATA: Final = re.compile(r"(?P<key>[^\s=\"\]]{1,64})=\"(?P<value>(?:[^\"\\]|\\.)*)\"")


def entry_of(text: str, stamps: Stamps) -> Entry:
    """A syslog line; one that is none keeps its text and belongs to the line before."""
    found = _NEW.match(text)
    if found:
        entry = _new(text, found, stamps)
    elif found := _OLD.match(text):
        entry = _old(text, found, stamps)
    else:
        entry = Entry(text)
        name_words(entry)
        return entry
    host = None
    if entry.host:
        host = entry.mark(*found.span("host"), host_type(entry.host))
    if entry.program:
        start = found.start("tag") if found.re is _NEW else text.index(entry.program, found.end())
        process = entry.mark(start, start + len(entry.program), "process")
        if host is not None:
            entry.ties.append((process, host, "ran_on", False))
    if found.re is _NEW:
        _structured(entry, found)
    name_deeds(entry, host)
    name_words(entry, start=entry.body)
    return entry


def _old(text: str, found: re.Match[str], stamps: Stamps) -> Entry:
    entry = Entry(text, stamps.at(found["time"]), found["host"], body=found.end())
    if tag := _TAG.match(text, found.end()):
        entry.program = tag["tag"]
        entry.body = tag.end()
    return entry


def _new(text: str, found: re.Match[str], stamps: Stamps) -> Entry:
    host = "" if found["host"] == "-" else found["host"]
    program = "" if found["tag"] == "-" else found["tag"]
    return Entry(text, stamps.at(found["time"]), host, program, body=found.end())


def _structured(entry: Entry, found: re.Match[str]) -> None:
    start, end = found.span("data")
    for param in _DATA.finditer(entry.text, start, end):
        kind = COLUMNS.get(param["key"].lower())
        if kind and kind != "port" and param["value"].lower() not in ABSENT:
            entry.mark(*param.span("value"), kind)


class SyslogReader:
    """Reads syslog files.

    RFC 3164 stamps have no year: it is taken from the file's name, a full date in its first lines
    or the date at which it was last written, and goes on at a turn of the year (`times.year_of`).

    Args:
        window_s: how many seconds of one host's lines make a document.
    """

    name = "syslog"

    def __init__(self, *, window_s: int = WINDOW_S) -> None:
        self._window_s = window_s

    def sniff(self, head: bytes, origin: Origin) -> float:
        """Sure when at least half of the first lines are syslog."""
        fit = share(head, _fits)
        return 0.55 + 0.4 * fit if fit >= 0.5 else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """A document for each host and window."""
        return read_log(stream, origin, entry_of, window_s=self._window_s)


def _fits(line: str) -> bool:
    if _NEW.match(line):
        return True
    found = _OLD.match(line)
    return bool(found and ("T" not in found["time"][8:12] or _TAG.match(line, found.end())))
