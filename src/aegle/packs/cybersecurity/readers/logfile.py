"""One pass over a log file: lines to entries to documents; and the first lines, for sniffing."""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.readers.grouping import Entry, Windows
from aegle.packs.cybersecurity.readers.stream import Problems, decode, lines
from aegle.packs.cybersecurity.readers.times import Stamps, year_of

_HEAD_CHARS: Final = 1 << 15
_SAMPLE: Final = 60
_OTHER: Final = re.compile(r"\s*(?:\{|\[\{|#|<(?!\d{1,3}>)|(?:MSH|FHS|BHS)\|)")


def read_log(
    stream: BinaryIO,
    origin: Origin,
    entry_of: Callable[[str, Stamps], Entry],
    *,
    window_s: int,
) -> Iterator[RawDocument]:
    """Documents of a log whose lines ``entry_of`` reads.

    Raises:
        InputError: lines were too long or the stream broke off; raised after the last document.
    """
    problems = Problems(origin)
    windows = Windows(origin, "log", window_s=window_s)
    numbered = lines(stream, problems)
    head: list[tuple[int, str]] = []
    size = 0
    for number, text in numbered:
        head.append((number, text))
        size += len(text) + 1
        if size > _HEAD_CHARS:
            break
    stamps = Stamps(*year_of(origin, "\n".join(text[:300] for _, text in head)))
    for number, text in itertools.chain(head, numbered):
        if text.strip():
            yield from windows.add(entry_of(text, stamps), number)
    yield from windows.close()
    problems.check()


def head_lines(head: bytes) -> list[str]:
    """Up to sixty lines from the beginning of a file, none blank, the last maybe cut off left out.

    Empty for what has NUL bytes and is not UTF-16: that is no text.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        head = head.decode("utf-16", "ignore").encode("utf-8", "replace")
    if b"\0" in head:
        return []
    found = [decode(line) for line in head.removeprefix(codecs.BOM_UTF8).split(b"\n")]
    if len(found) > 1 and found[-1]:
        found.pop()
    return [line for line in found if line.strip()][:_SAMPLE]


def share(head: bytes, fits: Callable[[str], object]) -> float:
    """The share of the first lines that fit, in [0, 1]; 0 for JSON, XML, HL7 and no text."""
    sample = head_lines(head)
    if not sample or _OTHER.match(sample[0]):
        return 0.0
    return sum(bool(fits(line)) for line in sample) / len(sample)
