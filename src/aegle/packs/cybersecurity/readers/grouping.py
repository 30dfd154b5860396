"""Log lines and events to documents: by host and time window, repetitions counted, not repeated.

A line is left out only where three of its template stand in the document already and all that it
names (hosts, accounts, addresses, ties) stands there too. What was left out is counted at the end
of the document with its template, its first and last time and the values that varied.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.readers.page import Page
from aegle.packs.cybersecurity.readers.templates import Miner, Template
from aegle.packs.cybersecurity.readers.times import clock, iso
from aegle.packs.general.hosts import host_name

WINDOW_S: Final = 300
DOCUMENT_CHARS: Final = 6000

_KEEP: Final = 3
_MOST_OPEN: Final = 256
_MOST_WORDS: Final = 200
_MOST_VALUES: Final = 400
_SHOWN_VALUES: Final = 12
_SUMMARY_CHARS: Final = 420


@dataclass(slots=True)
class Entry:
    """One line or event: its text, and what stands in it.

    Attributes:
        body: where the message begins, behind time stamp and header.
        marks: (start, end, entity type) in ``text``.
        ties: (position of head in marks, of tail, relation type, whether its time matters).
    """

    text: str
    at: float | None = None
    host: str = ""
    program: str = ""
    body: int = 0
    marks: list[tuple[int, int, str]] = field(default_factory=list)
    ties: list[tuple[int, int, str, bool]] = field(default_factory=list)

    def mark(self, start: int, end: int, type: str) -> int:
        """State that characters name something; returns the mark's position."""
        self.marks.append((start, end, type))
        return len(self.marks) - 1


class _Left:
    """Lines of one template that a document left out."""

    def __init__(self, template: Template, at: float | None) -> None:
        self.template = template
        self.count = 0
        self.first = self.last = at
        self.values: Counter[str] = Counter()
        self.more = 0
        self.few = ""

    def add(self, text: str, at: float | None, values: list[str]) -> None:
        self.count += 1
        if len(self.few) <= _SUMMARY_CHARS:
            self.few += "\n" + text
        self.last = at
        for value in values:
            if value in self.values or len(self.values) < _MOST_VALUES:
                self.values[value] += 1
            else:
                self.more += 1

    def summary(self) -> str:
        """``... [x37 more: Failed password for <*> ...; 06:55:46 to 06:59:01; root x30, ...]``.

        The lines themselves where they are so few that they take no more room.
        """
        if len(self.few) <= _SUMMARY_CHARS:
            return self.few
        head = f"... [x{self.count} more: {str(self.template)[:160]}"
        if self.first is not None:
            head += f"; {clock(self.first)} to {clock(self.last)}"
        shown: list[str] = []
        room = _SUMMARY_CHARS - len(head) - 40
        for value, count in self.values.most_common(_SHOWN_VALUES):
            said = f"{value} x{count}"
            room -= len(said) + 2
            if room < 0:
                break
            shown.append(said)
        others = len(self.values) - len(shown)
        if others:
            shown.append(f"{others}{'+' if self.more else ''} other values")
        return "\n" + head + ("; " + ", ".join(shown) if shown else "") + "]"


class _Open:
    """A document that still takes lines."""

    def __init__(self, number: int) -> None:
        self.page = Page()
        self.first = number
        self.last = number
        self.lines = 0
        self.left: dict[int, _Left] = {}
        self.kept: Counter[int] = Counter()
        self.programs: Counter[str] = Counter()
        self.names: dict[tuple[str, str], int] = {}
        self.ties: set[tuple[str, ...]] = set()

    @property
    def length(self) -> int:
        return self.page.length + _SUMMARY_CHARS * len(self.left)

    def add(self, entry: Entry, template: Template, words: list[str], number: int) -> None:
        self.lines += 1
        self.last = number
        if entry.program and (entry.program in self.programs or len(self.programs) < 50):
            self.programs[entry.program] += 1
        names = [(kind, entry.text[start:end].lower()) for start, end, kind in entry.marks]
        ties: list[tuple[str, ...]] = [
            (kind, *names[head], *names[tail], iso(entry.at) if timed else "")
            for head, tail, kind, timed in entry.ties
        ]
        if (
            self.kept[template.id] >= _KEEP
            and all(name in self.names for name in names)
            and self.ties.issuperset(ties)
        ):
            left = self.left.setdefault(template.id, _Left(template, entry.at))
            left.add(entry.text, entry.at, template.values(words))
            return
        self.kept[template.id] += 1
        self._write(entry, names, ties)

    def _write(
        self, entry: Entry, names: list[tuple[str, str]], ties: list[tuple[str, ...]]
    ) -> None:
        self.page.write("\n" if self.page.length else "")
        start = self.page.write(entry.text)
        when = iso(entry.at)
        here: dict[int, int] = {}

        def stand(place: int) -> int:
            if place not in here:
                begin, end, kind = entry.marks[place]
                here[place] = self.page.mark(start + begin, start + end, kind, time=when)
                self.names.setdefault(names[place], here[place])
            return here[place]

        for place, name in enumerate(names):
            if name not in self.names:
                stand(place)
        for (head, tail, kind, timed), tie in zip(entry.ties, ties, strict=True):
            if tie not in self.ties:
                self.ties.add(tie)
                self.page.link(stand(head), stand(tail), kind, when if timed else "")


class Windows:
    """Groups the entries of one file into documents, a host and a time window at a time.

    Args:
        origin: the file; entries without a host are grouped under its name.
        kind: the documents' kind, ``log`` or ``event``.
        window_s: length of a window in seconds; windows begin at multiples of it since 1970.
        limit: most characters of a document.
    """

    def __init__(
        self,
        origin: Origin,
        kind: str,
        *,
        window_s: int = WINDOW_S,
        limit: int = DOCUMENT_CHARS,
    ) -> None:
        if window_s < 1 or limit < 1000:
            raise ValueError(f"needs window_s >= 1 and limit >= 1000, got {window_s} and {limit}")
        self._origin = origin
        self._kind = kind
        self._window_s = window_s
        self._limit = limit
        self._miner = Miner()
        self._open: OrderedDict[tuple[str, int], _Open] = OrderedDict()
        self._before: tuple[str, float | None] = ("", None)
        self._name = PurePath(origin.name).name

    def add(self, entry: Entry, number: int) -> Iterator[RawDocument]:
        """Take line ``number``; yields documents that are complete by now.

        A line without a time belongs to the line before, and takes its time and host.
        """
        if entry.at is None:
            entry.host = entry.host or self._before[0]
            entry.at = self._before[1]
        self._before = (entry.host, entry.at)
        if len(entry.text) > self._limit:
            yield from self._cut(entry, number)
            return
        words = entry.text[entry.body :].split(None, _MOST_WORDS)
        template = self._miner.add(words[:_MOST_WORDS])
        key = (host_name(entry.host), int((entry.at or 0) // self._window_s))
        doc = self._open.get(key)
        if doc is not None and doc.length + len(entry.text) + _SUMMARY_CHARS > self._limit:
            yield self._finish(key)
            doc = None
        if doc is None:
            doc = self._open[key] = _Open(number)
            if len(self._open) > _MOST_OPEN:
                yield self._finish(next(iter(self._open)))
        else:
            self._open.move_to_end(key)
        doc.add(entry, template, words, number)

    def close(self) -> Iterator[RawDocument]:
        """The documents that were still open."""
        while self._open:
            yield self._finish(next(iter(self._open)))

    def _cut(self, entry: Entry, number: int) -> Iterator[RawDocument]:
        """A line longer than a document: documents of its own, each with a piece of it."""
        for place, start in enumerate(range(0, len(entry.text), self._limit)):
            piece = entry.text[start : start + self._limit]
            doc = _Open(number)
            doc.lines = int(place == 0)
            part = Entry(piece, entry.at, entry.host, entry.program)
            if place == 0 and all(end <= len(piece) for _, end, _ in entry.marks):
                part.marks, part.ties = entry.marks, entry.ties
            words = piece[entry.body if place == 0 else 0 :].split(None, _MOST_WORDS)
            template = self._miner.add(words[:_MOST_WORDS])
            lines = doc.lines
            doc.add(part, template, words, number)
            doc.lines = lines
            window = int((entry.at or 0) // self._window_s)
            yield self._document(doc, host_name(entry.host), window, f"{number}.{place + 1}")

    def _finish(self, key: tuple[str, int]) -> RawDocument:
        doc = self._open.pop(key)
        return self._document(doc, *key, str(doc.first))

    def _document(self, doc: _Open, host: str, window: int, record: str) -> RawDocument:
        for left in doc.left.values():
            doc.page.write(left.summary())
        time = iso(window * self._window_s)
        named = host or self._name
        meta = {
            "lines": str(doc.lines),
            "templates": str(len(doc.kept)),
            "collapsed": str(sum(left.count for left in doc.left.values())),
            "first_line": str(doc.first),
            "last_line": str(doc.last),
        }
        if doc.programs:
            meta["programs"] = ", ".join(name for name, _ in doc.programs.most_common(10))
        return doc.page.document(
            self._origin,
            record,
            self._kind,
            title=f"{named} {self._kind} {time[:16].replace('T', ' ')}".rstrip(),
            group=f"host/{host}" if host else f"log/{self._name.lower()}",
            time=time,
            meta=meta,
        )
