"""Annotated texts for training and evaluation: what the readers of corpora yield."""

from __future__ import annotations

from dataclasses import dataclass

from aegle.core.text import SafeText


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """Characters [start, end) that carry a label: an entity type, or an assertion."""

    start: int
    end: int
    label: str

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a label needs 0 <= start < end, got [{self.start}, {self.end})")


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """A relation between two things of an example, each given by the positions of its spans."""

    head: tuple[int, ...]
    tail: tuple[int, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Example:
    """One annotated text.

    Attributes:
        id: unique in its corpus.
        group: what a split must keep together: a document, report, template, patient.
        text: the text; an annotated corpus states why it may be used as it is.
        labels: what is annotated, sorted, within the text.
        pairs: relations between positions of ``labels``.
        things: positions of ``labels`` that name one thing, for each thing that is known.
        classes: labels of the whole text.
    """

    id: str
    group: str
    text: SafeText
    labels: tuple[Label, ...] = ()
    pairs: tuple[Pair, ...] = ()
    things: tuple[tuple[int, ...], ...] = ()
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.text, SafeText):
            raise TypeError("an example takes SafeText: name the step or the reason that vouches")
        if any(one.end > len(self.text) for one in self.labels):
            raise ValueError(f"example {self.id}: a label ends after the text")
        count = len(self.labels)
        named = [place for pair in self.pairs for place in (*pair.head, *pair.tail)]
        named += [place for thing in self.things for place in thing]
        if any(not 0 <= place < count for place in named):
            raise ValueError(f"example {self.id}: a pair or a thing names no label that is there")
