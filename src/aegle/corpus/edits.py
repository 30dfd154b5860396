"""Arithmetic of edits: apply changes to a text, move spans with them, compose two rounds."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aegle.core.records import Edit, Link, Mention


@dataclass(frozen=True, slots=True)
class Change:
    """Characters [start, end) are to become ``new``."""

    start: int
    end: int
    new: str
    kind: str


def apply(text: str, changes: Sequence[Change]) -> tuple[str, tuple[Edit, ...]]:
    """The text after some changes (ordered, not overlapping), and the edits that lead back."""
    pieces: list[str] = []
    edits, at, grown = [], 0, 0
    for change in changes:
        pieces += text[at : change.start], change.new
        start = change.start + grown
        edits.append(Edit(start, start + len(change.new), change.start, change.end, change.kind))
        grown += len(change.new) - (change.end - change.start)
        at = change.end
    pieces.append(text[at:])
    return "".join(pieces), tuple(edits)


class Forward:
    """Where spans of the text before some edits stand after them."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        self._edits = edits
        self._starts = [edit.raw_start for edit in edits]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span after the edits; an edit that it touches counts as a whole. It may be empty."""
        new_start, new_end = start, end
        if i := bisect_right(self._starts, start):
            edit = self._edits[i - 1]
            new_start = edit.start if start < edit.raw_end else start + edit.end - edit.raw_end
        if i := bisect_left(self._starts, end):
            edit = self._edits[i - 1]
            new_end = edit.end if end <= edit.raw_end else end + edit.end - edit.raw_end
        return new_start, new_end


def move(
    mentions: Sequence[Mention], links: Sequence[Link], edits: Sequence[Edit], length: int
) -> tuple[tuple[Mention, ...], tuple[Link, ...]]:
    """Mentions and links after some edits that left ``length`` characters.

    A mention whose characters all went stands at the character next to where it was; in a text
    that went altogether there are none.
    """
    if length == 0:
        return (), ()
    forward, moved = Forward(edits), []
    for mention in mentions:
        start, end = forward.span(mention.start, mention.end)
        if start >= end:
            start = min(start, length - 1)
            end = start + 1
        moved.append(replace(mention, start=start, end=end))
    return tuple(moved), tuple(links)


def compose(first: Sequence[Edit], second: Sequence[Edit]) -> tuple[Edit, ...]:
    """One round of edits that does what ``first`` and then ``second`` did.

    Where an edit of ``first`` lies across one of ``second``, both become one edit, of the kind of
    ``second``: it is the one that hides something.
    """
    if not first or not second:
        return tuple(first or second)
    # Spans on the text between the rounds, and by how much each grows towards raw and towards safe.
    spans = [
        (e.start, e.end, 0, e.kind, e.raw_end - e.raw_start - (e.end - e.start), 0) for e in first
    ] + [
        (e.raw_start, e.raw_end, 1, e.kind, 0, e.end - e.start - (e.raw_end - e.raw_start))
        for e in second
    ]
    composed: list[Edit] = []
    to_raw = to_safe = last_end = 0
    for start, end, which, kind, raw_grows, safe_grows in sorted(spans):
        joins = bool(composed) and start < last_end
        if joins:
            last = composed.pop()
            head = (last.start, last.raw_start)
            kind, last_end = (kind if which else last.kind), max(last_end, end)
        else:
            head = (start + to_safe, start + to_raw)
            last_end = end
        to_raw, to_safe = to_raw + raw_grows, to_safe + safe_grows
        composed.append(Edit(head[0], last_end + to_safe, head[1], last_end + to_raw, kind))
    return tuple(composed)
