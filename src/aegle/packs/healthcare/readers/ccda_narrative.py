"""The narrative block of a CDA section as lines of text, remembering where each ID stands."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

from aegle.packs.healthcare.readers.builder import TextBuilder, plain

_BLOCKS: Final = frozenset({"paragraph", "item", "list", "table", "caption", "tr", "text"})

Places = dict[str, tuple[int, int]]
"""ID of a narrative element -> where its text stands in the document."""


def add_narrative(out: TextBuilder, text: Element) -> Places:
    """Append a section's narrative; where each of its IDs stands."""
    writer = _Writer(out)
    writer.node(text)
    writer.newline()
    return writer.places


class _Writer:
    """Appends words with single spaces and block elements on lines of their own."""

    def __init__(self, out: TextBuilder) -> None:
        self.out = out
        self.places: Places = {}
        self._fresh = True
        self._space = False
        self._in_cell = False

    def newline(self) -> None:
        """End the line, if anything stands on it; within a cell, a space."""
        if self._in_cell:
            self._space = True
            return
        if not self._fresh:
            self.out.add("\n")
        self._fresh, self._space = True, False

    def words(self, text: str | None) -> None:
        """Append running text, its white space made single."""
        if not text:
            return
        text = plain(text)
        told = " ".join(text.split())
        if not told:
            self._space = True
            return
        if (self._space or text[0].isspace()) and not self._fresh:
            self.out.add(" ")
        self.out.add(told)
        self._fresh, self._space = False, text[-1].isspace()

    def node(self, node: Element) -> None:
        """Append an element with all that is in it, and note its ID's place."""
        block = node.tag in _BLOCKS
        if block:
            self.newline()
        if node.tag == "item":
            self.out.add("" if self._in_cell else "- ")
        start = len(self.out)
        if node.tag == "table":
            self._table(node)
        elif node.tag == "br":
            self.newline()
        else:
            self.words(node.text)
            for child in node:
                self.node(child)
                self.words(child.tail)
        self._place(node, start)
        if block:
            self.newline()

    def _place(self, node: Element, start: int) -> None:
        end = len(self.out)
        id_ = node.get("ID")
        if id_ and end > start:
            told = self.out.since(start)
            start += len(told) - len(told.lstrip())
            end -= len(told) - len(told.rstrip())
            if end > start:
                self.places[id_] = (start, end)

    def _table(self, table: Element) -> None:
        """Each row a line; each cell with its column's name, so that a row is clear by itself."""
        heads: list[str] = []
        for part in table:
            if part.tag == "caption":
                self.node(part)
        for row in table.iter("tr"):
            cells = [cell for cell in row if cell.tag in ("td", "th")]
            if cells and all(cell.tag == "th" for cell in cells):
                heads = [" ".join("".join(cell.itertext()).split()) for cell in cells]
                for cell in cells:
                    self.places.pop(cell.get("ID") or "", None)
                continue
            self.newline()
            start = len(self.out)
            for number, cell in enumerate(cells):
                if not "".join(cell.itertext()).strip():
                    continue
                self.out.add("" if self._fresh else "; ")
                head = heads[number] if len(heads) == len(cells) else ""
                self.out.add(f"{head}: " if head else "")
                self._fresh, self._space = True, False
                nested, self._in_cell = self._in_cell, True
                self.node(cell)
                self._fresh, self._in_cell = False, nested
            self._place(row, start)
            self.newline()
