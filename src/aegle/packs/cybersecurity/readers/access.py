"""Access logs of web servers and proxies: common, combined, with virtual host, and Squid's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.readers.grouping import WINDOW_S, Entry
from aegle.packs.cybersecurity.readers.logfile import read_log, share
from aegle.packs.cybersecurity.readers.named import host_type, name_words
from aegle.packs.cybersecurity.readers.times import Stamps

_COMMON: Final = re.compile(
    r"(?:(?P<host>[A-Za-z][\w.-]*)(?::\d+)? )?(?P<client>[\w.:-]+) \S+ "
    r"(?P<user>\"[^\"]*\"|\S+) \[(?P<time>[^\]]{10,40})\] "
    r"\"(?:(?P<verb>[A-Z_]{2,20}) (?P<target>\S+)[^\"\\]*|(?:[^\"\\]|\\.)*)\" "
    r"(?P<status>\d{3}) (?:\d+|-)(?= |$)"
)
_SQUID: Final = re.compile(
    r"(?P<time>1\d{9}\.\d{3})\s+\d+ (?P<client>[\w.:-]+) [A-Z_]+/(?P<status>\d{3}) \d+ "
    r"(?P<verb>[A-Z_]+) (?P<target>\S+) (?P<user>\S+) [A-Z_]+/\S+"
)
_SITE: Final = re.compile(
    r"(?:[a-z]+://)?(?:[^/@\s]*@)?(?P<site>[A-Za-z0-9][\w.-]*\.\w+)(?=[:/]|$)"
)


def entry_of(text: str, stamps: Stamps) -> Entry:
    """A line of an access log; one that is none keeps its text and belongs to the line before."""
    found = _COMMON.match(text) or _SQUID.match(text)
    if found is None:
        entry = Entry(text)
        name_words(entry)
        return entry
    named = found.groupdict()
    entry = Entry(text, stamps.at(found["time"]), named.get("host") or "")
    entry.body = found.end("time") + 1
    client = entry.mark(*found.span("client"), host_type(found["client"]))
    if entry.host:
        host = entry.mark(*found.span("host"), "host")
        entry.ties.append((client, host, "connected_to", False))
    if found["user"].strip('"') not in ("-", ""):
        quoted = found["user"].startswith('"')
        entry.mark(found.start("user") + quoted, found.end("user") - quoted, "account")
    _target(entry, found, client)
    name_words(entry, start=found.end())
    return entry


def _target(entry: Entry, found: re.Match[str], client: int) -> None:
    """What a proxy was asked for: another site, which the client so connected to."""
    target = found["target"] or ""
    if "://" not in target and found["verb"] != "CONNECT":
        return
    site = _SITE.match(target)
    if site is None:
        return
    start = found.start("target")
    begin, end = start + site.start("site"), start + site.end("site")
    kind = "ip" if host_type(site["site"]) == "ip" else "domain"
    entry.ties.append((client, entry.mark(begin, end, kind), "connected_to", False))


class AccessLogReader:
    """Reads access logs of Apache, nginx and Squid.

    Args:
        window_s: how many seconds of one host's lines make a document.
    """

    name = "access"

    def __init__(self, *, window_s: int = WINDOW_S) -> None:
        self._window_s = window_s

    def sniff(self, head: bytes, origin: Origin) -> float:
        """Sure when at least half of the first lines are requests."""
        fit = share(head, lambda line: _COMMON.match(line) or _SQUID.match(line))
        return 0.57 + 0.4 * fit if fit >= 0.5 else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """A document for each virtual host, or the file where it names none, and window."""
        return read_log(stream, origin, entry_of, window_s=self._window_s)
