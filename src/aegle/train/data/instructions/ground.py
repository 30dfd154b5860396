"""Questions with numbered evidence and cited answers, and refusals where the evidence is silent.

Each is written exactly as the workspace asks its generator: the formatter and the words of a
refusal come from the stage that serves answers, and so does the reader that each answer must
survive with its citations.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from aegle.core.records import Entity
from aegle.core.text import SafeText
from aegle.train.data.instructions.saying import listed, measured, named, plain, telling
from aegle.train.data.instructions.shape import (
    Instruction,
    Passage,
    conversation,
    fill,
    joined,
)
from aegle.train.data.instructions.view import Fact, Page, Shelf, texts_of
from aegle.train.data.instructions.wording import CHAINS, HEALTH, SECURITY, Asking, Chain

Make = Callable[[random.Random], Instruction | None]
"""Makes an example, or finds that it can't be made with certainty."""

_MOST_TOLD: Final = 3
"""Sentences of an answer: as many as serving asks for."""


@dataclass(frozen=True, slots=True)
class Served:
    """How the workspace asks its generator.

    Attributes:
        messages: a question and evidence -> a system and a user message.
        refusal: what is to be said where the evidence does not answer.
        read: an answer and the number of passages -> its sentences with the places that each cites.
    """

    messages: Callable[[SafeText, Sequence[str]], Sequence[Mapping[str, str]]]
    refusal: str
    read: Callable[[str, int], Sequence[tuple[str, tuple[int, ...]]]]


@dataclass(frozen=True, slots=True)
class _Need:
    """What a question is about, so that no other passage answers it by accident."""

    asking: Asking
    fact: Fact
    values: Mapping[str, SafeText]

    @property
    def fixed(self) -> tuple[str, str]:
        """Key and text of what the question names."""
        end = self.fact.tail if self.asking.asked == "head" else self.fact.head
        return end.key, end.text.casefold()

    def silent(self, page: Page, place: int) -> bool:
        """Whether a sentence can't be taken to answer the question."""
        start, end = page.spans[place]
        text = page.document.text[start:end]
        if not telling(text) or self.asking.barred(text):
            return False
        key, name = self.fixed
        named = page.inside.get(place, ())
        if self.asking.head == "patient":
            wanted = self.asking.tails
            if self.asking.asked == "value":
                said = self.values["name"].casefold()
                return said not in text.casefold() and all(
                    one.key != self.fact.tail.key for one in named
                )
            return not any(one.type in wanted for one in named)
        return name not in text.casefold() and all(one.key != key for one in named)


class Grounded:
    """Makes grounded examples of one part of a split.

    Args:
        shelf: the part.
        served: how answers are asked for.
    """

    def __init__(self, shelf: Shelf, served: Served) -> None:
        self.shelf, self.served = shelf, served

    def answers(self) -> Iterator[tuple[str, Make]]:
        """Questions that their evidence answers, by kind."""
        for need in self._needs():
            yield need.asking.name, partial(self._answered, need)

    def refusals(self) -> Iterator[tuple[str, Make]]:
        """The same questions with evidence that does not answer them."""
        for need in self._needs():
            yield need.asking.name, partial(self._refused, need)

    def chains(self) -> Iterator[tuple[str, Make]]:
        """Questions that need two passages; in every fourth one of the two is missing."""
        for chain in CHAINS:
            for one, other in self._pairs(chain):
                yield (
                    chain.name,
                    partial(self._led, chain, one, other),
                )

    # questions

    def _needs(self) -> Iterator[_Need]:
        seen: set[tuple[str, str, str, int]] = set()
        for asking in (*HEALTH, *SECURITY):
            for fact in self.shelf.facts.get(asking.relation, ()):
                fits = fact.head.type == asking.head and fact.tail.type in asking.tails
                values = self._values(asking, fact) if fits else None
                page = fact.page
                at = (asking.name, asking.head, page.document.id, fact.first)
                fixed = fact.tail.key if asking.asked in ("head", "value") else fact.head.key
                if values is None or (*at[:2], f"{at[2]} {fixed}", at[3]) in seen:
                    continue
                seen.add((*at[:2], f"{at[2]} {fixed}", at[3]))
                if asking.fits(fact.passage.text):
                    yield _Need(asking, fact, values)

    def _values(self, asking: Asking, fact: Fact) -> dict[str, SafeText] | None:
        """What the templates are filled with; None where some of it is not known for certain."""
        page = fact.page
        values = {"head": plain(fact.head.text), "tail": plain(fact.tail.text)}
        if asking.about_patient:
            name = page.patient
            if name is None:
                return None
            values["patient"] = name
            if asking.head == "patient":
                values["head"] = name
        if asking.asked == "value":
            told = measured(page, fact)
            if told is None:
                return None
            values["name"], values["value"] = told
        return values

    # answers

    def _answered(self, need: _Need, rng: random.Random) -> Instruction | None:
        asking = need.asking
        question = fill(rng.choice(asking.questions), **need.values)
        template = rng.choice(asking.answers)
        told: list[tuple[Passage, SafeText]] = []
        for fact in self._others(need, rng):
            values = self._values(asking, fact) or {}
            if values:
                values |= self._several(need, fact)
                told.append((fact.passage, fill(template, **values)))
        if not told:
            return None
        silent = self._silent(need, rng, rng.choice((0, 1, 2, 3, 3, 4)))
        names = named(need.values, question)
        return self._example("answer", asking.name, question, told, silent, rng, names)

    def _others(self, need: _Need, rng: random.Random) -> list[Fact]:
        """The fact asked for, and now and then other passages that answer the same question."""
        asking, own = need.asking, need.fact
        if asking.asked == "value" or rng.random() < 0.6:
            return [own]
        kind = asking.relation
        key = own.tail.key if asking.asked == "head" else own.head.key
        every = (self.shelf.by_tail if asking.asked == "head" else self.shelf.by_head)[kind, key]
        found, told = [own], self._targets(asking, own)
        for fact in rng.sample(every, min(len(every), 12)):
            fits = fact.head.type == asking.head and fact.tail.type in asking.tails
            same = fact.page is own.page and fact.first == own.first
            new = self._targets(asking, fact) - told
            if asking.about_patient and fact.page.group != own.page.group:
                continue  # the dose of a drug in another's chart is no answer about this patient
            if fits and new and not same and asking.fits(fact.passage.text):
                told |= new
                found.append(fact)
        return found[:_MOST_TOLD]

    @staticmethod
    def _same(asking: Asking, fact: Fact) -> list[Entity]:
        """All that the sentences of a fact tell of what the question names."""
        end = "head" if asking.asked == "head" else "tail"
        other = "tail" if end == "head" else "head"
        return [
            getattr(one, end)
            for one in fact.page.facts
            if one.relation.type == asking.relation
            and (one.first, one.after) == (fact.first, fact.after)
            and getattr(one, other).key == getattr(fact, other).key
            and getattr(one, end).type == getattr(fact, end).type
        ]

    def _targets(self, asking: Asking, fact: Fact) -> set[str]:
        return {plain(one.text).casefold() for one in self._same(asking, fact)}

    def _several(self, need: _Need, fact: Fact) -> dict[str, SafeText]:
        """All that the same sentences tell, as one list."""
        if need.asking.asked == "value":
            return {}
        same = sorted(self._same(need.asking, fact), key=lambda one: one.start)
        end = "head" if need.asking.asked == "head" else "tail"
        return {end: listed([plain(one) for one in texts_of(same)])}

    # what is silent

    def _silent(self, need: _Need, rng: random.Random, most: int) -> list[Passage]:
        """Passages that do not answer: near the facts where it can be, else of the same kind."""
        asking, own = need.asking, need.fact
        places: list[tuple[Page, int]] = []
        if asking.about_patient:
            pages = self.shelf.by_group.get(own.page.group, [own.page])
        else:
            near = self.shelf.facts[asking.relation]
            some = rng.sample(near, min(len(near), 3 * most))
            places = [(one.page, one.first) for one in some if one.after == one.first + 1]
            pages = [own.page, *rng.sample(self.shelf.pages, min(len(self.shelf.pages), 4))]
        for page in rng.sample(pages, min(len(pages), 6)):
            every = range(len(page.spans))
            places += [(page, at) for at in rng.sample(every, min(len(every), 8))]
        rng.shuffle(places)
        found: dict[str, Passage] = {}
        for page, place in places:
            if len(found) == most:
                break
            inside = page is own.page and own.first <= place < own.after
            passage = page.passage(place, place + 1)
            if not inside and need.silent(page, place):
                found.setdefault(passage.text.casefold(), passage)
        return list(found.values())

    def _refused(self, need: _Need, rng: random.Random) -> Instruction | None:
        silent = self._silent(need, rng, rng.choice((2, 2, 3, 3, 4, 5)))
        if len(silent) < 2:
            return None
        question = fill(rng.choice(need.asking.questions), **need.values)
        answer = fill(self.served.refusal)
        asked = self.served.messages(question, [one.text for one in silent])
        texts = [one.text for one in silent]
        return Instruction(
            "refuse", need.asking.name, conversation(asked, answer, question, *texts), question,
            tuple(silent), (), named(need.values, question), answerable=False,
        )  # fmt: skip

    def _example(
        self,
        task: str,
        kind: str,
        question: SafeText,
        told: Sequence[tuple[Passage, SafeText]],
        silent: Sequence[Passage],
        rng: random.Random,
        names: tuple[str, ...],
    ) -> Instruction | None:
        """Passages in random order, and an answer that cites them by where they came to stand."""
        order = [*(one for one, _ in told), *silent]
        rng.shuffle(order)
        cited = [order.index(passage) + 1 for passage, _ in told]
        said = [
            fill(f"{{said}} [{number}].", said=text)
            for number, (_, text) in zip(cited, told, strict=True)
        ]
        answer = joined(said)
        read = self.served.read(answer, len(order))
        if [marks for _, marks in read] != [(number - 1,) for number in cited]:
            return None  # a stop inside a name or dose would part a sentence from its citation
        texts = [one.text for one in order]
        asked = self.served.messages(question, texts)
        return Instruction(
            task, kind, conversation(asked, answer, question, *texts), question, tuple(order),
            tuple(cited), names,
        )  # fmt: skip

    # two facts

    def _pairs(self, chain: Chain) -> Iterator[tuple[Fact, Fact]]:
        relation, head, tail = chain.second
        ends = {"h": self.shelf.by_head, "t": self.shelf.by_tail}[chain.shared[1]]
        for one in self.shelf.facts.get(chain.first[0], ()):
            if (one.head.type, one.tail.type) != chain.first[1:]:
                continue
            shared = one.head.key if chain.shared[0] == "h" else one.tail.key
            found = [
                other
                for other in ends.get((relation, shared), ())
                if (other.head.type, other.tail.type) == (head, tail)
            ]
            if found:
                yield one, found[0]

    def _led(self, chain: Chain, one: Fact, other: Fact, rng: random.Random) -> Instruction | None:
        start = one.tail if chain.shared[0] == "h" else one.head
        name = plain(start.text)
        if start.type == "patient":
            if one.page.patient is None:
                return None
            name = one.page.patient
        told: dict[str, tuple[Passage, SafeText]] = {}
        for fact, template in zip((one, other), chain.answers, strict=True):
            head = name if fact is one and start is fact.head else plain(fact.head.text)
            said = fill(template, head=head, tail=plain(fact.tail.text))
            told[fact.passage.text] = (fact.passage, said)
        wanted = (other.tail if chain.shared[1] == "h" else other.head).type
        # One passage that may say both is no chain, and half of one no reason to refuse.
        first = one.page.entities(one.first, one.after)
        if len(told) != 2 or any(entity.type == wanted for entity in first):
            return None
        question = fill(rng.choice(chain.questions), start=name)
        barred = {one.tail.key, one.head.key, other.head.key, other.tail.key}
        silent = self._apart(barred, rng, rng.choice((1, 2, 3)))
        if rng.random() < 0.25:
            return self._broken(chain, question, [*list(told.values())[:1]], silent, name, rng)
        return self._example(
            "chain", chain.name, question, [*told.values()], silent, rng, (str(name),)
        )

    def _apart(self, barred: set[str], rng: random.Random, most: int) -> list[Passage]:
        """Sentences that name none of some things."""
        found: list[Passage] = []
        for page in rng.sample(self.shelf.pages, min(len(self.shelf.pages), 4 * most)):
            place = rng.randrange(len(page.spans)) if page.spans else -1
            if place < 0 or len(found) == most:
                continue
            passage = page.passage(place, place + 1)
            keys = {one.key for one in page.inside.get(place, ())}
            if not keys & barred and telling(passage.text):
                found.append(passage)
        return found

    def _broken(
        self,
        chain: Chain,
        question: SafeText,
        told: Sequence[tuple[Passage, SafeText]],
        silent: Sequence[Passage],
        name: SafeText,
        rng: random.Random,
    ) -> Instruction:
        """A chain of which the second half is missing: half a way is no answer."""
        order = [*(passage for passage, _ in told), *silent]
        rng.shuffle(order)
        texts = [one.text for one in order]
        answer = fill(self.served.refusal)
        asked = self.served.messages(question, texts)
        return Instruction(
            "chain", f"{chain.name}, broken", conversation(asked, answer, question, *texts),
            question, tuple(order), (), (str(name),), answerable=False,
        )  # fmt: skip
