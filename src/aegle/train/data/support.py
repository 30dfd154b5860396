"""Pairs of a claim and evidence, supported or not, made of public statements by document.

Each statement gives a supported pair, one with the nearest passage of another document, and one
that a rule made false. The rule's change is made in the claim, or in the evidence, or in both (then
the pair is supported again): no model gets far that looks at one of the texts only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from aegle.core.text import SafeText
from aegle.lm.windows import WINDOW, windows
from aegle.train.data import claims, claims_security
from aegle.train.data.claims import EXTRACT, HUMAN, Statement
from aegle.train.data.corrupt import RULES, Edit, Names, edited, mentions
from aegle.train.data.neighbours import Neighbours
from aegle.train.data.reword import abbreviate, definitions, reword

READERS: Final = {
    "scifact": claims.scifact,
    "titles": claims.titles,
    "pubmedqa": claims.pubmedqa,
    "mts_dialog": claims.dialogues,
    "medquad": claims.medquad,
    "attack_stix": claims_security.deeds,
    "capec": claims_security.patterns,
    "cwe": claims_security.weaknesses,
    "sigma_rules": claims_security.rules,
}
"""Source -> reader of its statements; licences stand in the README of the public sets."""

PUBLISHED: Final = "published"
"""Who vouches: the texts are those of public sets, whose README says what was taken out of them."""
_SAME: Final = 0.8
"""A neighbour that holds as much of a claim may say the same."""
_LEAST: Final = {"titles": 0.5, "pubmedqa": 0.45, "mts_dialog": 0.35}
"""What was written apart from its text and shares less of its words may say more than the text."""
_NAMED: Final = ("capec", "cwe", "sigma_rules")
"""Their statements are names, which nobody denies."""
_RARE_FIRST: Final = 0.7
_OFTEN: Final = {"entity": 2, "negation": 1}
"""Rules that nearly always apply come last this often, so that the others are seen, too."""
_NUMBER: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Pair:
    """A claim, what it is held against, and whether that bears it out.

    Attributes:
        kind: ``supported``, or why not: ``contradict`` and ``noinfo`` as people judged,
            ``neighbour``, or a rule of `aegle.train.data.corrupt`.
        group: the document, of which nothing stands in another split.
    """

    claim: SafeText
    evidence: SafeText
    supported: bool
    kind: str
    source: str
    group: str


def shown(text: str) -> str:
    """The first words of a text, as many as one and a half windows hold."""
    words = text.split()
    return " ".join(words[: WINDOW * 3 // 2])


class Maker:
    """Makes the pairs of one source and split.

    Args:
        statements: of one source and split.
        names: types of names that are known from elsewhere.
        seed: of every choice; each statement has its own random numbers.
    """

    def __init__(self, statements: Sequence[Statement], names: Names, seed: int) -> None:
        self.statements, self.seed = statements, seed
        self._spans: list[tuple[str, str]] = []
        seen: set[tuple[str, str]] = set()
        texts: list[str] = []
        for one in statements:
            for start, end in windows(one.evidence):
                text = " ".join(one.evidence[start:end])
                if (one.document, text) not in seen:
                    seen.add((one.document, text))
                    self._spans.append((one.document, one.topic))
                    texts.append(shown(text))
        self.index = Neighbours(texts)
        pool: dict[str, list[str]] = defaultdict(list)
        for one in statements:
            for name, kind in mentions(one.text, names):
                pool[kind].append(name)
        self.names = replace(names, pool=pool)

    def pairs(self, one: Statement, place: int) -> list[Pair]:
        """The pairs of a statement; none of one that its text may not bear out."""
        rng = np.random.default_rng([self.seed, place])
        own = self.own(one, rng)
        if one.kind == HUMAN:
            return [self._pair(one, one.text, own, one.supported, one.label)]
        if self.doubtful(one, own):
            return []
        claim = one.text
        if one.kind == EXTRACT:
            claim = abbreviate(reword(claim, rng), definitions(" ".join(one.evidence)), rng)
        made = [self._pair(one, claim, own, True, "supported")]
        other = self.neighbour(one, claim, rng)
        if other:
            made.append(self._pair(one, claim, other, False, "neighbour"))
        return made + self.changed(one, claim, own, other, rng)

    def own(self, one: Statement, rng: np.random.Generator) -> str:
        """The part of a statement's own text that bears it out best."""
        spans = windows(one.evidence)
        if one.at:
            # What was named, with as much about it as fits; where it lies in the window varies.
            some = [span for span in spans if any(span[0] <= at < span[1] for at in one.at)]
            most = max(sum(s <= at < e for at in one.at) for s, e in some)
            some = [span for span in some if sum(span[0] <= at < span[1] for at in one.at) == most]
            start, end = some[int(rng.integers(len(some)))]
        else:
            start, end = max(
                spans,
                key=lambda span: self.index.share(one.text, " ".join(one.evidence[slice(*span)])),
            )
        return shown(" ".join(one.evidence[start:end]))

    def doubtful(self, one: Statement, own: str) -> bool:
        """Whether a text that somebody summed up may say less than the summary."""
        least = _LEAST.get(one.source)
        if least is None:
            return False
        numbers = set(_NUMBER.findall(one.text))
        if one.source != "mts_dialog" and not numbers <= set(_NUMBER.findall(own)):
            return True
        return self.index.share(one.text, own) < least

    def neighbour(self, one: Statement, claim: str, rng: np.random.Generator) -> str:
        """A passage of another document and topic, one of the three nearest that say less."""
        found: list[str] = []
        for place in self.index.nearest(f"{claim} {claim} {' '.join(one.evidence[:3])}"):
            document, topic = self._spans[place]
            text = self.index.texts[place]
            if document == one.document or (
                one.topic and topic == one.topic and one.source != "mts_dialog"
            ):
                continue
            if self.index.share(claim, text) < _SAME:
                found.append(text)
            if len(found) == 3:
                break
        return found[int(rng.integers(len(found)))] if found else ""

    def changed(
        self, one: Statement, claim: str, own: str, other: str, rng: np.random.Generator
    ) -> list[Pair]:
        """Pairs that a rule made: the change in the claim, or in the evidence and then in both."""
        made = self.edits(one, claim, other, rng)
        if made is None:
            return []
        rule, edits = made
        false_claim, false_own = edited(claim, edits), edited(own, edits)
        if false_claim == claim:
            return []
        if false_own == own or rng.random() < 0.5:
            return [self._pair(one, false_claim, own, False, rule)]
        return [
            self._pair(one, claim, false_own, False, rule),
            self._pair(one, false_claim, false_own, True, "supported"),
        ]

    def edits(
        self, one: Statement, claim: str, other: str, rng: np.random.Generator
    ) -> tuple[str, list[Edit]] | None:
        """A rule that applies and its edits; names come from the neighbour where it has some."""
        near: dict[str, list[str]] = defaultdict(list)
        for name, kind in mentions(other, self.names):
            near[kind].append(name)
        pools: Mapping[str, Sequence[str]] = {**self.names.pool, **near}
        names = replace(self.names, pool=pools)
        rules = ["entity", "role"] if one.source in _NAMED else list(RULES)
        rng.shuffle(rules)
        if rng.random() < _RARE_FIRST:
            rules.sort(key=lambda rule: _OFTEN.get(rule, 0))
        for rule in rules:
            edits = RULES[rule](claim, rng, names)
            if edits:
                return rule, edits
        return None

    def _pair(self, one: Statement, claim: str, evidence: str, supported: bool, kind: str) -> Pair:
        kind = "supported" if supported else kind
        texts = (SafeText(claim, by=PUBLISHED), SafeText(evidence, by=PUBLISHED))
        return Pair(*texts, supported, kind, one.source, one.document)


def statements(data: Path, sources: Sequence[str] = ()) -> list[Statement]:
    """The statements of some sources (none: all), in the order of the files."""
    return [one for name in sources or READERS for one in READERS[name](data)]


def make(told: Sequence[Statement], split: str, names: Names, *, seed: int = 17) -> Iterator[Pair]:
    """The pairs of a split, source by source; nothing that repeats a later split's, see `apart`."""
    for _, pairs in made(told, split, names, seed=seed):
        yield from pairs


def made(
    told: Sequence[Statement], split: str, names: Names, *, seed: int = 17
) -> Iterator[tuple[Statement, list[Pair]]]:
    """Each statement of a split with its pairs."""
    by_source: dict[str, list[Statement]] = defaultdict(list)
    for one in claims.apart(told):
        if one.split == split and one.evidence:
            by_source[one.source].append(one)
    for some in by_source.values():
        maker = Maker(some, names, seed)
        for place, one in enumerate(some):
            yield one, maker.pairs(one, place)


def lexicon(data: Path) -> Names:
    """Drugs and diseases by the names that BC5CDR's training half marks, in lower case."""
    types: dict[str, str] = {}
    words: list[str] = []
    kind = ""
    path = data / "bc5cdr" / "train.tsv"
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        word, _, tag = line.partition("\t")
        if words and not tag.startswith("I-"):
            types[" ".join(words).lower()] = kind
            words = []
        if tag[:2] in ("B-", "I-") and tag[2:]:
            kind = tag[2:].lower()
            words.append(word)
    # A name as short as "MI" is found by its shape.
    known = {name: one for name, one in types.items() if len(name) > 3 and len(name.split()) <= 4}
    return Names(known)
