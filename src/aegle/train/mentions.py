"""What the span, pair and text heads learn from: mentions, things and pairs of a batch's windows.

Letters: J words of mentions, M mentions, I memberships of mentions in things, K things, P pairs,
W words of a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

import numpy as np

from aegle.core.examples import Example
from aegle.lm.heads import nearness
from aegle.lm.pieces import Ints, Pieces, Window, words_of

NONE: Final = 0
"""The class of a pair that nothing relates."""


@dataclass(frozen=True, slots=True)
class Mentions:
    """Mentions in the windows of a batch, and the pairs of the things that they name.

    Attributes:
        words_J3: mention, window, and place in the window of each word of a mention.
        targets_M: what each mention is; -1 where that is not asked.
        names_M: text and number there of each mention.
        things_I2: thing and mention of each membership.
        rows_K: the window of each thing.
        numbers_K: its number in its text.
        kinds_K: its label's place.
        pairs_P2: the two things of each pair.
        near_P: how near they stand, `aegle.lm.heads.nearness`.
        related_P: what relates them.
    """

    words_J3: Ints
    targets_M: Ints
    names_M2: Ints
    things_I2: Ints
    rows_K: Ints
    numbers_K: Ints
    kinds_K: Ints
    pairs_P2: Ints
    near_P: Ints
    related_P: Ints


@dataclass(slots=True)
class Text:
    """A text's mentions as words, its things, and what relates them."""

    spans: list[tuple[int, int]] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    things: list[tuple[int, ...]] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    related: dict[tuple[int, int], int] = field(default_factory=dict)


def of_spans(one: Example, text: Pieces, place: Mapping[str, int]) -> Text:
    """Each label of an example as a mention whose class its label is."""
    told = Text()
    for label in one.labels:
        first, after = words_of(text.spans_W2, label.start, label.end)
        if first < after:
            told.spans.append((first, after))
            told.targets.append(place[label.label])
    return told


def of_class(one: Example, text: Pieces, place: Mapping[str, int]) -> Text:
    """The whole text as one mention of its first class that is known."""
    told = Text()
    known = next((place[name] for name in one.classes if name in place), -1)
    if known >= 0 and len(text.spans_W2):
        told.spans.append((0, len(text.spans_W2)))
        told.targets.append(known)
    return told


def of_pairs(
    one: Example, text: Pieces, place: Mapping[str, int], kinds: Mapping[str, int]
) -> Text:
    """Mentions, the things that they name (each its own if none are told), and their relations."""
    told = Text()
    for label in one.labels:
        told.spans.append(words_of(text.spans_W2, label.start, label.end))
        told.targets.append(-1)
    things = one.things or tuple((at,) for at in range(len(one.labels)))
    number = {thing: at for at, thing in enumerate(things)}
    for thing in things:
        told.things.append(thing)
        told.kinds.append(kinds[one.labels[thing[0]].label])
    for pair in one.pairs:
        ends = _thing(pair.head, number), _thing(pair.tail, number)
        if ends[0] is not None and ends[1] is not None and pair.label in place:
            low, high = sorted((ends[0], ends[1]))
            told.related[low, high] = 1 + place[pair.label]
    return told


def _thing(mentions: tuple[int, ...], number: Mapping[tuple[int, ...], int]) -> int | None:
    """The thing of exactly these mentions, or else the first that has one of them."""
    exact = number.get(mentions)
    if exact is not None:
        return exact
    return next((at for thing, at in number.items() if set(mentions) & set(thing)), None)


def collect(
    told: Sequence[Text], texts: Sequence[Pieces], cut: Sequence[Window], *, whole: bool
) -> Mentions:
    """The mentions that lie wholly in some windows.

    Args:
        told: by text.
        texts: their pieces.
        cut: the windows of the batch, a row each.
        whole: a mention is cut to its window (texts), instead of left out.
    """
    gathered = _Gathered()
    for row, window in enumerate(cut):
        gathered.window(row, told[window.text], texts[window.text], window, whole)
    return gathered.close()


class _Gathered:
    def __init__(self) -> None:
        self.words: list[tuple[int, int, int]] = []
        self.targets: list[int] = []
        self.names: list[tuple[int, int]] = []
        self.things: list[tuple[int, int]] = []
        self.rows: list[int] = []
        self.numbers: list[int] = []
        self.kinds: list[int] = []
        self.pairs: list[tuple[int, int]] = []
        self.near: list[int] = []
        self.related: list[int] = []

    def window(self, row: int, told: Text, text: Pieces, window: Window, whole: bool) -> None:
        low = int(np.searchsorted(text.first_W, window.start))
        high = int(np.searchsorted(text.first_W, window.end))
        here: dict[int, int] = {}
        for number, (first, after) in enumerate(told.spans):
            if whole:
                first, after = max(first, low), min(after, high)
            if not low <= first < after <= high:
                continue
            here[number] = len(self.targets)
            self.targets.append(told.targets[number])
            self.names.append((window.text, number))
            places = text.first_W[first:after] - window.start + 1
            self.words += [(here[number], row, int(place)) for place in places]
        self._things(row, told, here)

    def _things(self, row: int, told: Text, here: Mapping[int, int]) -> None:
        at: dict[int, int] = {}
        for number, thing in enumerate(told.things):
            mentions = [here[mention] for mention in thing if mention in here]
            if mentions:
                at[number] = len(self.rows)
                self.rows.append(row)
                self.numbers.append(number)
                self.kinds.append(told.kinds[number])
                self.things += [(at[number], mention) for mention in mentions]
        starts = {
            number: [told.spans[mention][0] for mention in told.things[number] if mention in here]
            for number in at
        }
        for left, right in combinations(sorted(at), 2):
            self.pairs.append((at[left], at[right]))
            self.near.append(nearness(starts[left], starts[right]))
            self.related.append(told.related.get((left, right), NONE))

    def close(self) -> Mentions:
        def table(rows: Sequence[tuple[int, ...]], width: int) -> Ints:
            return np.array(rows, np.int64).reshape(-1, width)

        def column(values: Sequence[int]) -> Ints:
            return np.array(values, np.int64)

        return Mentions(
            table(self.words, 3),
            column(self.targets),
            table(self.names, 2),
            table(self.things, 2),
            column(self.rows),
            column(self.numbers),
            column(self.kinds),
            table(self.pairs, 2),
            column(self.near),
            column(self.related),
        )
