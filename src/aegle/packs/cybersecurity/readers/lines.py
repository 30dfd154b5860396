"""Any other log with a time stamp in its lines: applications, clusters, phones, Windows CBS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.readers.grouping import WINDOW_S, Entry
from aegle.packs.cybersecurity.readers.logfile import head_lines, read_log, share
from aegle.packs.cybersecurity.readers.named import host_type, name_tagged, name_words
from aegle.packs.cybersecurity.readers.times import Stamps

_BGL: Final = re.compile(
    r"\S+ 1\d{9} [\d.]{10} (?P<host>\S+) [\d.-]{20,} \S+ (?P<program>\w+ \w+) "
)
_HPC: Final = re.compile(r"\d+ (?P<host>[a-z][\w-]*\d+) (?P<program>[\w.]+) \S+ (?=1\d{9} )")
_HEADER: Final = re.compile(
    r"[\s|,\]-]*(?:\d+\s+){0,2}"
    r"(?:[\[(]?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|CRITICAL|CRIT|FATAL|SEVERE|[VDIWEF]"
    r"|trace|debug|info|notice|warn|error|crit|alert|emerg|Info|Warning|Error)[\])]?[\s|,-]+)?"
    r"(?:\[[^\]]{0,120}\]\s+)?(?:(?P<program>[A-Za-z_][\w.$/-]{1,80}?)(?::\s|\|\d*\|?|\s+(?=\[req-)))?"
)
# Syslog under another stamp: "2024-01-12 03:04:05 web01 sshd[7]: ..."; a level is no host.
_TAGGED: Final = re.compile(
    r"\s*(?!(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|FATAL|SEVERE)\b)"
    r"(?P<host>[A-Za-z0-9][\w.-]*\w) "
    r"(?P<program>[A-Za-z_][\w./-]*(?=\[\d+\]: )|(?:sudo|su|sshd|CRON|crond|kernel|systemd)(?=: ))"
    r"(?:\[\d+\])?: ",
    re.IGNORECASE,
)
_NAMED_HOST: Final = re.compile(
    r"\b(?:host|hostname|computer|node)[=:]\s?\"?(?P<host>[A-Za-z][\w.-]+)"
)
_FEW: Final = 0.3


def entry_of(text: str, stamps: Stamps) -> Entry:
    """A line with a time stamp; one without belongs to the line before."""
    stamp = stamps.find(text)
    if stamp is None:
        entry = Entry(text)
        name_words(entry)
        return entry
    entry = Entry(text, stamp[0], body=stamp[2])
    if tagged := _TAGGED.match(text, stamp[2]):
        name_tagged(entry, tagged)
        return entry
    named = _BGL.match(text) or _HPC.match(text) or _NAMED_HOST.search(text, stamp[2], 400)
    if named:
        entry.host = named["host"].rstrip(".")
        start = named.start("host")
        entry.mark(start, start + len(entry.host), host_type(entry.host))
    if named and named.re is not _NAMED_HOST:
        entry.program = named["program"]
        entry.body = max(named.end(), stamp[2])
    elif header := _HEADER.match(text, stamp[2]):
        entry.program = header["program"] or ""
        entry.body = header.end()
    name_words(entry, start=stamp[2])
    return entry


class LogLinesReader:
    """Reads logs of which it knows nothing but their time stamps (`times` lists the shapes).

    Args:
        window_s: how many seconds of one host's lines make a document.
    """

    name = "lines"

    def __init__(self, *, window_s: int = WINDOW_S) -> None:
        self._window_s = window_s

    def sniff(self, head: bytes, origin: Origin) -> float:
        """Sure by the share of lines that have a time with seconds near their beginning."""
        if _is_table(head_lines(head)[:20]):
            return 0.0
        stamps = Stamps(2000)
        fit = share(head, lambda line: _fits(line, stamps))
        return 0.35 + 0.4 * fit if fit >= _FEW else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """A document for each host, or the file where lines name none, and window."""
        return read_log(stream, origin, entry_of, window_s=self._window_s)


def _fits(line: str, stamps: Stamps) -> bool:
    stamp = stamps.find(line)
    if stamp is None or stamp[1] > 80:
        return False
    epoch = line[stamp[1] : stamp[2]].replace(".", "").isdigit()
    return not epoch or (line.count(",") < 4 and bool(re.search(r"[A-Za-z]{3}", line)))


def _is_table(sample: list[str]) -> bool:
    """Whether the first line is a header of columns: no time, and the others have as many."""
    if len(sample) < 2 or Stamps(2000).find(sample[0]):
        return False
    for mark in (",", "\t", ";"):
        count = sample[0].count(mark)
        if count and all(line.count(mark) >= count for line in sample[1:]):
            return True
    return False
