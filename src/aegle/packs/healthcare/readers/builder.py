"""Text with exact spans: append words, remember where each coded fact stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aegle.core.records import Concept, Identifier, Link, Mention, RawDocument
from aegle.core.text import RawText


def squeeze(text: str) -> str:
    """One line: runs of white space become one space, NUL and lone surrogates are replaced."""
    return " ".join(plain(text).split())


def plain(text: str) -> str:
    """Text that any store takes: no NUL, and no half of a surrogate pair (JSON allows both)."""
    if "\0" in text:
        text = text.replace("\0", " ")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


class TextBuilder:
    """Builds the text of one document, its mentions and the links between them."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        self.mentions: list[Mention] = []
        self.links: list[Link] = []

    def __len__(self) -> int:
        return self._size

    @property
    def text(self) -> str:
        """All that was added."""
        return "".join(self._parts)

    def since(self, start: int) -> str:
        """What was added from character ``start`` on, without building the rest."""
        parts, at = [], self._size
        for part in reversed(self._parts):
            if at <= start:
                break
            parts.append(part)
            at -= len(part)
        return "".join(reversed(parts))[max(start - at, 0) :]

    def add(self, text: str) -> None:
        """Append text as it is."""
        if text:
            self._parts.append(text)
            self._size += len(text)

    def mention(
        self,
        text: str,
        type: str,
        *,
        concepts: Iterable[Concept] = (),
        assertion: str = "present",
        time: str = "",
        ref: str = "",
    ) -> int | None:
        """Append text that names something; its index for `link`, or None when it is empty."""
        text = squeeze(text)
        if not text:
            return None
        start = self._size
        self.add(text)
        return self.mark(
            start, self._size, type, concepts=concepts, assertion=assertion, time=time, ref=ref
        )

    def mark(
        self,
        start: int,
        end: int,
        type: str,
        *,
        concepts: Iterable[Concept] = (),
        assertion: str = "present",
        time: str = "",
        ref: str = "",
    ) -> int:
        """Record that characters [start, end), already added, name something; its index."""
        self.mentions.append(
            Mention(
                start, end, type, tuple(concepts), assertion, time, RawText(ref) if ref else None
            )
        )
        return len(self.mentions) - 1

    def link(self, head: int | None, tail: int | None, type: str, time: str = "") -> None:
        """Tie two mentions; nothing happens when one of them was empty."""
        if head is not None and tail is not None and head != tail:
            self.links.append(Link(head, tail, type, time))

    def document(
        self,
        *,
        source: str,
        kind: str,
        title: str = "",
        group: str = "",
        time: str = "",
        identifiers: Iterable[Identifier] = (),
        numbers: Iterable[Identifier] = (),
        person: Iterable[Identifier] = (),
        meta: Mapping[str, str] | None = None,
        domain: str = "healthcare",
    ) -> RawDocument:
        """The finished document; identifiers are made unique, in order."""
        return RawDocument(
            source=source,
            kind=kind,
            domain=domain,
            text=RawText(self.text),
            title=RawText(squeeze(title)),
            group=RawText(group),
            time=time,
            mentions=tuple(self.mentions),
            links=tuple(self.links),
            identifiers=tuple(dict.fromkeys(identifiers)),
            numbers=tuple(dict.fromkeys(numbers)),
            person=tuple(dict.fromkeys(person)),
            meta=dict(meta or {}),
        )
