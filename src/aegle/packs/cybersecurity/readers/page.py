"""Text while it is written, with the mentions and links that stand in it at exact spans."""

from __future__ import annotations

from collections.abc import Mapping

from aegle.core.pack import Origin
from aegle.core.records import Concept, Link, Mention, RawDocument
from aegle.core.text import RawText


class Page:
    """One document being written from a record's fields."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.length = 0
        self.mentions: list[Mention] = []
        self.links: list[Link] = []
        self._linked: set[tuple[int, int, str, str]] = set()

    def write(self, text: str) -> int:
        """Add text; returns where it starts."""
        start = self.length
        self._parts.append(text)
        self.length += len(text)
        return start

    def name(
        self,
        text: str,
        type: str,
        *,
        concepts: tuple[Concept, ...] = (),
        time: str = "",
        ref: RawText | None = None,
    ) -> int:
        """Add text that names something; returns the mention's position."""
        start = self.write(text)
        return self.mark(start, start + len(text), type, concepts=concepts, time=time, ref=ref)

    def mark(
        self,
        start: int,
        end: int,
        type: str,
        *,
        concepts: tuple[Concept, ...] = (),
        time: str = "",
        ref: RawText | None = None,
    ) -> int:
        """State that characters [start, end) name something; returns the mention's position."""
        self.mentions.append(Mention(start, end, type, concepts, time=time, ref=ref))
        return len(self.mentions) - 1

    def link(self, head: int, tail: int, type: str, time: str = "") -> None:
        """State a relation between two mentions, once."""
        if head != tail and (head, tail, type, time) not in self._linked:
            self._linked.add((head, tail, type, time))
            self.links.append(Link(head, tail, type, time))

    def document(
        self,
        origin: Origin,
        record: int | str,
        kind: str,
        *,
        title: str = "",
        group: str = "",
        time: str = "",
        meta: Mapping[str, str] | None = None,
    ) -> RawDocument:
        """The finished document of one record of ``origin``."""
        return RawDocument(
            source=f"{origin}#{record}",
            kind=kind,
            domain="cybersecurity",
            text=RawText("".join(self._parts)),
            title=RawText(title),
            group=RawText(group),
            time=time,
            mentions=tuple(self.mentions),
            links=tuple(self.links),
            meta=dict(meta or {}),
        )
