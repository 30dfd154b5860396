"""Threat reports as plain text or Markdown: told by their indicators, ids and words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import BinaryIO, Final

from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.readers.logfile import head_lines
from aegle.packs.cybersecurity.readers.page import Page
from aegle.packs.cybersecurity.readers.stream import Problems, lines

_LIMIT: Final = 1 << 20
_SUFFIXES: Final = ("", ".txt", ".text", ".md", ".markdown", ".rst")
_HARD: Final = (
    re.compile(r"hxxps?(?:://|\[)|\w\[\.\]\w|\[at\]|\(dot\)"),
    re.compile(r"\bT\d{4}(?:\.\d{3})?\b"),
    re.compile(r"\bCVE-\d{4}-\d{4,}\b"),
    re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})\b", re.IGNORECASE),
    re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"),
)
_SOFT: Final = re.compile(
    r"\b(threat actors?|adversar(?:y|ies)|malware|ransomware|trojan|backdoor|C2|C&C|"
    r"command[- ]and[- ]control|(?:spear[- ]?)?phishing|payload|dropper|loader|beacon(?:s|ing|ed)?|"
    r"lateral(?:ly)? mov\w+|persistence|exfiltrat\w+|intrusion(?: set)?|campaign|indicators? of "
    r"compromise|IOCs?|APT ?\d+|botnet|infostealer|web ?shell|credential (?:theft|dumping|access)|"
    r"privilege escalation|exploit(?:s|ed|ation)?|zero[- ]day|TTPs?|ATT&CK|attackers?)\b",
    re.IGNORECASE,
)
_HEADING: Final = re.compile(r"^(?:#{1,3}\s+|Title:\s*)(?P<title>\S.{0,200})$")
_DATE: Final = re.compile(r"\b(20\d\d-[01]\d-[0-3]\d)\b")
_MARKUP: Final = re.compile(r"\s*(?:<!doctype|<html|<\?xml|[{\[]\s*[\"{])", re.IGNORECASE)


class ThreatReportReader:
    """Reads threat reports whole; what they name is found by the pack's patterns and terms."""

    name = "report"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """Surer the more kinds of indicators and the more words of the trade there are."""
        sample = head_lines(head)
        suffix = PurePath(origin.name).suffix.lower()
        if not sample or _MARKUP.match(sample[0]) or suffix not in _SUFFIXES:
            return 0.0
        text = head.decode("utf-8", "ignore")
        hard = sum(bool(regex.search(text)) for regex in _HARD)
        soft = len({found.lower()[:8] for found in _SOFT.findall(text)})
        if not (hard >= 2 and soft >= 3) and not (hard >= 1 and soft >= 5):
            return 0.0
        prose = sum(len(line.split()) >= 6 for line in sample) / len(sample)
        rows = sum(line.startswith("|") or line.count("\t") > 1 for line in sample) / len(sample)
        if prose < 0.15 or rows > 0.3 or _is_code(text):
            return 0.0
        return min(0.4 + 0.07 * hard + 0.04 * soft, 0.85)

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """The report, as one document; parts of a million characters where it is longer.

        Raises:
            InputError: lines were too long or the stream broke off; after the last document.
        """
        problems = Problems(origin)
        page, part, first = Page(), 1, PurePath(origin.name).name
        for _, line in lines(stream, problems):
            if page.length + len(line) > _LIMIT and page.length:
                yield _document(page, origin, part, first)
                page, part = Page(), part + 1
            found = _HEADING.match(line)
            if found and part == 1 and first == PurePath(origin.name).name:
                first = found["title"].strip()
            page.write(line + "\n")
        yield from _last(page, origin, part, first)
        problems.check()


def _last(page: Page, origin: Origin, part: int, title: str) -> Iterator[RawDocument]:
    if page.length:
        yield _document(page, origin, part, title)


def _document(page: Page, origin: Origin, part: int, title: str) -> RawDocument:
    doc = page.document(origin, part, "report", title=title)
    date = _DATE.search(doc.text.reveal(), 0, 4000)
    return page.document(origin, part, "report", title=title, time=date[1] if date else "")


def _is_code(text: str) -> bool:
    """Whether this is a program, a configuration or a table rather than prose."""
    rows = [line for line in text.splitlines()[:200] if line.strip()]
    ends = sum(line.rstrip().endswith((";", "{", "}", "):", "],", ",")) for line in rows)
    keys = sum(bool(re.match(r"\s*[\w.-]+:(?:\s|$)", line)) for line in rows)
    return ends > 0.4 * len(rows) or keys > 0.5 * len(rows)
