"""What a log message names: addresses, URLs, hashes, accounts; and who logged in or connected."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Final

from aegle.packs.cybersecurity.fields import ABSENT
from aegle.packs.cybersecurity.readers.deeds import DEEDS, HOST
from aegle.packs.cybersecurity.readers.grouping import Entry

_URL: Final = re.compile(r"(?P<url>\b(?:https?|ftp)://[^\s\"'<>|\])},;]+)")
_FOUR: Final = re.compile(r"(?P<ip>(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d))")
_HEX: Final = re.compile(r"(?<![\w-])(?P<hash>[0-9a-fA-F]{64}|[0-9a-fA-F]{40})(?![\w-])")
_FIELD: Final = re.compile(
    r"\b(?:user|username|ruser|acct|account|user_name)=[\"']?(?P<account>[A-Za-z_][\w.$-]*)"
    r"|\b(?:host|hostname|rhost)=[\"']?(?P<host>[A-Za-z][\w.-]*)"
    r"|\b(?:md5|MD5)=(?P<hash32>[0-9a-fA-F]{32})\b"
)
_MAIL: Final = re.compile(
    r"(?P<email>\b[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,})"
)
_SIX: Final = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")


@lru_cache(maxsize=1 << 14)
def address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def host_type(text: str) -> str:
    """``ip`` for an address, else ``host``."""
    return "ip" if text[:1] in "0123456789abcdefABCDEF:" and address(text) else "host"


def name_words(entry: Entry, *, start: int = 0) -> None:
    """Mark the addresses, URLs, hashes and ``user=`` fields of an entry from ``start`` on."""
    text = entry.text
    if "://" in text:
        _scan(entry, _URL, start)
    if "@" in text:
        _scan(entry, _MAIL, start)
    if text.count(".", start) >= 3:
        _scan(entry, _FOUR, start)
    if "=" in text:
        _scan(entry, _FIELD, start)
    if len(text) - start >= 40:
        _scan(entry, _HEX, start)
    if "::" in text or text.count(":", start) >= 7:
        for found in _SIX.finditer(text, start):
            if len(found[0]) > 2 and address(found[0]):
                _put(entry, *found.span(), "ip")


def _scan(entry: Entry, regex: re.Pattern[str], start: int) -> None:
    """Mark the matches of a cheap regex; the caller knows that one is likely."""
    for found in regex.finditer(entry.text, start):
        kind = found.lastgroup or ""
        value = found[kind]
        if (kind == "ip" and not address(value)) or value.lower() in ABSENT:
            continue
        _put(entry, *found.span(kind), "hash" if kind == "hash32" else kind)


def _put(entry: Entry, start: int, end: int, kind: str) -> None:
    if not any(start < b and a < end for a, b, _ in entry.marks):
        entry.mark(start, end, kind)


def name_tagged(entry: Entry, found: re.Match[str]) -> None:
    """Mark a line whose ``host`` and ``program`` were found: who it is and what it says."""
    entry.host, entry.program, entry.body = found["host"], found["program"], found.end()
    host = entry.mark(*found.span("host"), host_type(entry.host))
    process = entry.mark(*found.span("program"), "process")
    entry.ties.append((process, host, "ran_on", False))
    name_deeds(entry, host)
    name_words(entry, start=entry.body)


def name_deeds(entry: Entry, host: int | None) -> None:
    """Mark what a message of a known daemon says, and tie it to the host's mark."""
    text = entry.text
    for needle, regex, ties in DEEDS:
        if needle not in text:
            continue
        found = regex.search(text, entry.body)
        if found is None:
            continue
        marks = {HOST: host} if host is not None else {}
        for group in found.groupdict():
            value = found[group]
            if not value or value.lower() in ABSENT:
                continue
            kind = group.rstrip("2")
            kind = host_type(value) if kind == "ip" else kind
            marks[group] = _mark_once(entry, *found.span(group), kind)
        for head, tail, kind, timed in ties:
            if head in marks and tail in marks and marks[head] != marks[tail]:
                entry.ties.append((marks[head], marks[tail], kind, timed))


def _mark_once(entry: Entry, start: int, end: int, kind: str) -> int:
    for place, mark in enumerate(entry.marks):
        if mark == (start, end, kind):
            return place
    return entry.mark(start, end, kind)
