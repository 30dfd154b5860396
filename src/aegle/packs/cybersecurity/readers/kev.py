"""CISA's catalogue of known exploited vulnerabilities, as JSON or CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.readers.flaws import from_kev
from aegle.packs.cybersecurity.readers.stream import Problems, lines, objects

_KEV_ENTRY: Final = re.compile(rb'"cveID"\s*:\s*"CVE-')
_KEV_MARK: Final = re.compile(rb'"(?:catalogVersion|vulnerabilityName|requiredAction)"\s*:')
_KEV_HEADER: Final = re.compile(rb'^(?:\xef\xbb\xbf)?"?cveID"?\s*,\s*"?vendorProject"?\s*,')


class KevReader:
    """Reads CISA's catalogue of known exploited vulnerabilities, as JSON or CSV."""

    name = "kev"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """Sure of the catalogue's own field names."""
        if _KEV_HEADER.search(head):
            return 0.98
        is_json = head[:64].lstrip()[:1] in (b"{", b"[")
        return 0.98 if is_json and _KEV_ENTRY.search(head) and _KEV_MARK.search(head) else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """A document for each entry.

        Raises:
            InputError: entries have no CVE id; raised after the last document.
        """
        problems = Problems(origin)
        for number, row in _entries(stream, problems):
            flaw = from_kev(row)
            if flaw is None:
                problems.note("entries have no CVE id", number)
            else:
                yield flaw.document(origin, number)
        problems.check()


class _Again:
    """A stream of which the beginning was read."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head, b""
        return head or self._stream.read(size)


def _entries(stream: BinaryIO, problems: Problems) -> Iterator[tuple[int, dict[str, object]]]:
    head = stream.read(512)
    whole: BinaryIO = _Again(head, stream)  # type: ignore[assignment]
    if head.lstrip()[:1] in (b"{", b"["):
        yield from objects(whole, problems)
        return
    rows = csv.reader((line + "\n" for _, line in lines(whole, problems)))
    header: list[str] = []
    number = 0
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:
            problems.note("rows are no CSV", number + 1)
            continue
        number += 1
        if not header:
            header = [name.strip() for name in row]
        elif row:
            yield number, dict(zip(header, row, strict=False))
