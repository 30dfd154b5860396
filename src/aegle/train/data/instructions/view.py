"""Documents as sentences with what stands in them, and the facts among those that are certain.

What a source states in a field is certain; so are a few rules and patterns that hardly err. What a
model said, and what was tied to a patient because it stands in the chart, is not: an example that
teaches a mistake of ours is worse than none.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from aegle.core.records import Concept, Document, Entity, Relation, Stored
from aegle.core.text import SafeText
from aegle.lm.segment import sentences
from aegle.train.data.instructions.shape import Passage, fill

SOURCE: Final = "source/"
_RULES: Final = frozenset({"has_dose", "located_in", "belongs_to", "exploits"})
"""Relations whose rules were right wherever they were looked at; those of other types were not."""
_LISTED: Final = frozenset({"allergic_to"})
"""Tied to the patient by the heading that they stand under, and complete when all of it is read."""
_SAID: Final = {"logged_in_to": re.compile(r"log-?on\b|session opened|Accepted ", re.IGNORECASE)}
"""What the sentence must say: an account of which a job runs did not log in."""
_VALUED: Final = frozenset({"has_result", "has_vital"})
_LEAST: Final = 0.8
_SURE: Final = 0.9
_SHORT: Final = 4
"""Names under so many letters are also those of states in addresses (VT, CT), which notes lack."""
_MOST_CHARACTERS: Final = 420
"""Of a passage: about what one sentence of evidence has at serving, and records of a few lines."""
_MOST_SENTENCES: Final = 4
_GOES_ON: Final = re.compile(r"[-/.]\d")
_DIGIT: Final = re.compile(r"\d")
_NAMED_BY_NUMBER: Final = ("device", "host")
"""A ``pump`` without a number is any pump."""


def certain(one: Entity, kind: str) -> bool:
    """Whether an entity is what it is said to be, beyond our rules' usual mistakes."""
    if one.extractor.startswith(SOURCE):
        return True
    if one.extractor.startswith("pattern/"):
        return one.score >= _SURE and (one.type not in ("lab", "vital") or kind == "note")
    if one.extractor.startswith("lexicon/"):
        return one.score >= _SURE and (kind == "note" or len(one.text) >= _SHORT)
    return False


def specific(one: Entity) -> bool:
    """Whether the text of an entity names one thing."""
    return one.type not in _NAMED_BY_NUMBER or bool(_DIGIT.search(one.text))


def hosts_of(stored: Stored) -> Iterator[tuple[int, int, str]]:
    """(start, end, group) of each mention of a host, by the group that its own logs have."""
    for one in stored.facts.entities:
        if one.type == "host":
            yield one.start, one.end, one.key


def group_of(stored: Stored) -> str:
    """Whose a document is: as its source says, else the one host that it names, else its own."""
    named = {group for _, _, group in hosts_of(stored)}
    alone = named.pop() if len(named) == 1 else f"document:{stored.document.id}"
    return stored.document.group or alone


@dataclass(frozen=True, slots=True)
class Fact:
    """A certain relation with the sentences that state it: places [first, after) of its page."""

    relation: Relation
    head: Entity
    tail: Entity
    page: Page
    first: int
    after: int

    @property
    def passage(self) -> Passage:
        """The sentences."""
        return self.page.passage(self.first, self.after)


class Page:
    """A document, its sentences and what stands in each."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored
        self.document: Document = stored.document
        self.group = group_of(stored)

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Sentences, list items, lines: [start, end)."""
        return [(one.start, one.end) for one in sentences(self.document.text)]

    @cached_property
    def _starts(self) -> list[int]:
        return [start for start, _ in self.spans]

    def sure(self, one: Entity) -> bool:
        """Whether an entity is certain, and does not go on where it ends (``ph 555-1234``)."""
        behind = self.document.text[one.end : one.end + 2]
        return certain(one, self.document.kind) and not _GOES_ON.match(behind)

    @cached_property
    def hosts(self) -> list[tuple[int, int, str]]:
        """As `hosts_of`."""
        return list(hosts_of(self.stored))

    def at(self, character: int) -> int:
        """The place of the sentence around a character."""
        return max(bisect_right(self._starts, character) - 1, 0)

    @cached_property
    def inside(self) -> dict[int, list[Entity]]:
        """Place of a sentence -> entities that begin in it."""
        found: dict[int, list[Entity]] = defaultdict(list)
        for one in self.stored.facts.entities:
            found[self.at(one.start)].append(one)
        return found

    def entities(self, first: int, after: int) -> list[Entity]:
        """What begins in the sentences [first, after)."""
        return [one for place in range(first, after) for one in self.inside.get(place, ())]

    def passage(self, first: int, after: int) -> Passage:
        """The sentences [first, after) as evidence."""
        start, end = self.spans[first][0], self.spans[after - 1][1]
        text = self.document.text.cut(start, end)
        return Passage(text, self.document.id, start, end, self.group)

    @cached_property
    def patient(self) -> SafeText | None:
        """The patient's surrogate name, given name first; None where not one is named."""
        named = {
            one.key: one
            for one in self.stored.facts.entities
            if one.type == "patient" and one.extractor.startswith(SOURCE)
        }
        if len(named) != 1:
            return None
        (one,) = named.values()
        family, comma, _ = one.text.partition(", ")
        start = len(family) + len(comma)
        if not comma:
            return one.text
        own = one.text
        return fill(
            "{given} {family}", given=own.cut(start, len(own)), family=own.cut(0, len(family))
        )

    @cached_property
    def facts(self) -> list[Fact]:
        """The certain relations that few sentences state."""
        named = {one.id: one for one in self.stored.facts.entities}
        found = []
        for one in self.stored.facts.relations:
            head, tail = named.get(one.head), named.get(one.tail)
            if head is None or tail is None or not self._holds(one, head, tail):
                continue
            places = sorted((self.at(head.start), self.at(tail.start)))
            if head.type == "patient":  # a chart is about its patient: the line itself says it
                places = [self.at(tail.start)] * 2
            first, after = places[0], places[1] + 1
            length = self.spans[after - 1][1] - self.spans[first][0]
            text = self.document.text[self.spans[first][0] : self.spans[after - 1][1]]
            says = one.type not in _SAID or _SAID[one.type].search(text)
            if says and after - first <= _MOST_SENTENCES and length <= _MOST_CHARACTERS:
                found.append(Fact(one, head, tail, self, first, after))
        return found

    def _holds(self, one: Relation, head: Entity, tail: Entity) -> bool:
        if one.assertion != "present" or not (specific(head) and specific(tail)):
            return False
        kind = self.document.kind
        if not (self.sure(head) and self.sure(tail)):
            return False
        if one.extractor.startswith(SOURCE):
            return True
        if one.extractor.startswith("rule/"):
            return one.type in _RULES and one.score >= _LEAST
        if one.type in _VALUED:
            return kind == "note" and bool(_DIGIT.search(tail.text))
        return one.type in _LISTED and kind == "note" and self._whole_list(tail)

    def _whole_list(self, tail: Entity) -> bool:
        """Whether every item of the list that an entity stands in was read."""
        start, end = self.spans[self.at(tail.start)]
        text = self.document.text[start:end]
        heading, colon, listed = text.partition(":")
        items = re.split(r",|;|\band\b", re.sub(r"\([^)]*\)", "", listed))
        known = {one.text.casefold() for one in self.inside[self.at(tail.start)]}
        return bool(colon) and len(heading) < 24 and all(
            item.strip(" .\n").casefold() in known for item in items
        )  # fmt: skip


class Shelf:
    """The pages of one part of a split, and what is found on them by fact and by group.

    Args:
        stored: the documents.
        name: what a terminology calls a concept that a source gives by its code alone; empty where
            none does.
    """

    def __init__(
        self, stored: Iterable[Stored], name: Callable[[Concept], str] = lambda one: one.name
    ) -> None:
        self.pages = [Page(one) for one in stored]
        self._name = name

    def named(self, concept: Concept) -> Concept:
        """A concept with its name, where a terminology or a source has one."""
        known = concept.name if concept.name != concept.code else ""
        return replace(concept, name=known or self._name(concept))

    @cached_property
    def facts(self) -> dict[str, list[Fact]]:
        """Relation type -> certain facts."""
        found: dict[str, list[Fact]] = defaultdict(list)
        for page in self.pages:
            for one in page.facts:
                found[one.relation.type].append(one)
        return found

    @cached_property
    def by_head(self) -> dict[tuple[str, str], list[Fact]]:
        """(relation type, key of the head) -> facts."""
        found: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        for facts in self.facts.values():
            for one in facts:
                found[one.relation.type, one.head.key].append(one)
        return found

    @cached_property
    def by_tail(self) -> dict[tuple[str, str], list[Fact]]:
        """(relation type, key of the tail) -> facts."""
        found: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        for facts in self.facts.values():
            for one in facts:
                found[one.relation.type, one.tail.key].append(one)
        return found

    @cached_property
    def _by_id(self) -> dict[str, Page]:
        return {page.document.id: page for page in self.pages}

    def hosts(self, passages: Iterable[Passage]) -> set[str]:
        """The groups of the hosts that passages name."""
        return {
            group
            for one in passages
            for start, end, group in self._by_id[one.document].hosts
            if start < one.end and one.start < end
        }

    @cached_property
    def by_group(self) -> dict[str, list[Page]]:
        """Group -> its pages."""
        found: dict[str, list[Page]] = defaultdict(list)
        for page in self.pages:
            found[page.group].append(page)
        return found


def texts_of(some: Sequence[Entity]) -> list[SafeText]:
    """What entities are called, each once, whatever its case."""
    return list({one.text.casefold(): one.text for one in some}.values())
