"""CVE records: JSON 5 with all its containers, and compact rows of the main fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.readers.flaws import from_compact, from_record
from aegle.packs.cybersecurity.readers.stream import Problems, objects

_RECORD: Final = re.compile(rb'"dataType"\s*:\s*"CVE_RECORD"|"cveMetadata"\s*:\s*\{')
_ROW: Final = re.compile(rb'^\s*\[?\s*\{\s*"(?:cveId|cve_id|cve)"\s*:\s*"CVE-\d{4}-\d{4,}"')


class CveReader:
    """Reads CVE records, one object a file or a line, or an array of them."""

    name = "cve"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """Sure of a CVE record or a row that begins with a CVE id."""
        if head[:64].lstrip()[:1] not in (b"{", b"["):
            return 0.0
        return 0.98 if _RECORD.search(head) else 0.95 if _ROW.search(head) else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """A document for each vulnerability.

        Raises:
            InputError: objects are no CVE records; raised after the last document.
        """
        problems = Problems(origin)
        for number, record in objects(stream, problems):
            flaw = from_record(record) if "cveMetadata" in record else from_compact(record)
            if flaw is None:
                problems.note("records have no CVE id", number)
            else:
                yield flaw.document(origin, number)
        problems.check()
