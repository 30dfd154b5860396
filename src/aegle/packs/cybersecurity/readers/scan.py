"""Cuts the objects out of a JSON text that comes in pieces, by its brackets, in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

RECORD_LIMIT: Final = 16 << 20
"""The longest line or JSON object that is read, in bytes or characters."""

NO_OBJECT: Final = "records are no JSON objects"
TOO_LONG: Final = "records are longer than 16 MiB"
_TOO_DEEP: Final = "records are nested deeper than 500"

_DEEPEST: Final = 500
_NAME: Final = 40
"""No name in `_HOLDERS` is longer."""
# Possessive: a string that isn't all here yet must not be remembered step by step.
_TOKEN: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["{}\[\]]', re.DOTALL)
_REST: Final = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_HOLDERS: Final = frozenset(
    '"objects" "vulnerabilities" "Records" "records" "events" "Events" "hits" "logs" "data" '
    '"items" "value" "results" "entries" "cves"'.split()
)

Element = tuple[str, str]
"""The text of an object, or an empty one and why it is left out."""


def holds(name: str) -> bool:
    """Whether an array under this name holds the records of a file."""
    return f'"{name}"' in _HOLDERS


class Scanner:
    """Gives out the elements of a JSON text, one at a time.

    An element is what stands in the top array, or an object in an array that the top object holds
    under a known name; a top object without such an array is an element itself. An element that is
    too long or too deep is passed over without being held.
    """

    def __init__(self) -> None:
        self._text = ""
        self._at = 0
        self._quote = -1  # of the string that goes on in the next piece, where one does
        self._depth = 0
        self._outer = ""  # the brackets that are open, the outermost two
        self._start = -1  # of the element that is open, where there is one, and how deep it stands
        self._inside = 0
        self._why = ""
        self._holder = False
        self._last = ""

    def feed(self, more: str) -> Iterator[Element]:
        """The elements that end in this piece."""
        self._text += more
        if self._quote >= 0:
            rest = _REST.match(self._text, self._at)
            self._at = rest.end() if rest else self._at
            if not self._text.startswith('"', self._at):
                self._forget()
                return
            self._at += 1
            yield from self._string(self._quote)
            self._quote = -1
        for token in _TOKEN.finditer(self._text, self._at):
            start, self._at = token.span()
            found = self._text[start]
            if found == '"' and self._at - start == 1:
                self._quote = start
                break
            if found == '"':
                yield from self._string(start)
            elif found in "{[":
                self._open(found, start)
            elif self._depth:
                yield from self._close()
        else:
            self._at = len(self._text)
        self._forget()

    def finish(self) -> Iterator[Element]:
        """Call at the end of the text: what is still open is cut off."""
        if self._depth:
            yield "", self._why or "records are cut off"

    def _forget(self) -> None:
        """Let go of what is read, and of an element that is too long."""
        is_open = self._start >= 0
        if is_open and len(self._text) - self._start > RECORD_LIMIT:
            self._why = self._why or TOO_LONG
        keep = self._at
        if is_open and not self._why:
            keep = self._start
        elif self._quote >= 0 and self._at - self._quote < _NAME:
            keep = self._quote
        self._text = self._text[keep:]
        self._at -= keep
        self._quote = self._quote if self._quote < 0 else max(0, self._quote - keep)
        self._start = min(self._start, 0)

    def _string(self, start: int) -> Iterator[Element]:
        if self._depth == 1:
            self._last = self._text[start : self._at] if self._at - start < _NAME else ""
            if self._outer == "[":
                yield "", NO_OBJECT

    def _open(self, bracket: str, at: int) -> None:
        depth = self._depth
        if bracket == "[" and depth == 1 and self._outer == "{" and self._last in _HOLDERS:
            self._holder = True
        elif bracket == "{" and self._holder and depth == 2:
            if self._inside == 0:  # the top object is none that is wanted
                self._why = ""
            self._start, self._inside = at, depth
        elif self._start < 0 and ((bracket == "{" and not depth) or self._outer == "["):
            self._start, self._inside = at, depth
        if depth >= _DEEPEST and self._start >= 0:
            self._why = self._why or _TOO_DEEP
        if depth < 2:
            self._outer += bracket
        self._depth += 1

    def _close(self) -> Iterator[Element]:
        self._depth -= 1
        self._outer = self._outer[: self._depth]
        if self._depth == 1:
            self._holder = False
        if self._start >= 0 and self._depth == self._inside:
            if self._at - self._start > RECORD_LIMIT:
                self._why = self._why or TOO_LONG
            yield ("", self._why) if self._why else (self._text[self._start : self._at], "")
            self._start, self._why = -1, ""
