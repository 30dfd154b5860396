"""Markdown: front matter gives title and time, headings stay as the lines that they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import chain, islice
from typing import BinaryIO, Final

from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.general.readers.parts import Unread, cut, numbered, page
from aegle.packs.general.readers.text import is_text

_SUFFIXES: Final = (".md", ".markdown", ".mdown", ".mkd")
_FIELD: Final = re.compile(r"(title|date)\s*:\s*[\"']?(.*?)[\"']?\s*$", re.IGNORECASE)
_FIRST: Final = 60
"""Lines of the beginning in which front matter and the first heading are looked for."""


class MarkdownReader:
    """Markdown is readable as it stands: its text is kept, so that every offset is the file's."""

    name = "markdown"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """By the suffix; a text without it is read as text, which gives the same."""
        named = origin.name.lower().endswith(_SUFFIXES)
        return 0.5 if named and is_text(head) else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """The text as it is, titled by front matter or its first heading."""
        unread = Unread()
        lines = (line for _, line in numbered(stream, unread, ends=True))
        first = list(islice(lines, _FIRST))
        title, time = _about(first)
        for part, text in cut(chain(first, lines)):
            yield page(origin, text, part=part, title=title, time=time)
        unread.check()


def _about(first: list[str]) -> tuple[str, str]:
    """Title and ISO date of a text by its first lines; empty when it does not say."""
    fields: dict[str, str] = {}
    inside = bool(first) and first[0].strip() == "---"
    for line in first[1:] if inside else []:
        if line.strip() in ("---", "..."):
            break
        if found := _FIELD.match(line):
            fields.setdefault(found[1].lower(), found[2])
    title = fields.get("title", "")
    if not title:
        heading = next((line for line in first if line.startswith("# ")), "")
        title = heading[2:].strip().rstrip("#").strip()
    try:
        time = date.fromisoformat(fields.get("date", "")[:10]).isoformat()
    except ValueError:
        time = ""
    return title[:300], time
