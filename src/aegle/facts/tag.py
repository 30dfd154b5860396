"""Tags: what a tagger found in a document as candidates of our entity types, decided once a name.

A tagger reads windows, and may see a name at one place and miss it at another. In one document a
name means one thing: its type is what most of its probability says, and where its mean probability
over all places is enough, it is offered at every place.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from aegle.core.pack import Tags
from aegle.core.records import Document
from aegle.facts.keys import SUBSTANCES, known_as, substance_key
from aegle.facts.lexicon import Lexicon
from aegle.facts.link import Choice, normal_name
from aegle.facts.linker import Linker
from aegle.facts.merge import Candidate
from aegle.facts.words import Phrases, Words, phrase_key, words

if TYPE_CHECKING:  # a question needs no tagger, and its tokenizer takes long to load
    from aegle.lm.heads import Classifier
    from aegle.lm.reading import Found
    from aegle.lm.spans import Floats

_DEFAULT: Final = 0.5
_PLAIN: Final = frozenset(
    """a an the his her their its this that any some new mild moderate severe worsening recent
    known possible probable suspected significant persistent ongoing current""".split()
)
"""Words before a name that a terminology leaves out: ``severe asthma`` is asthma."""
_SHORT: Final = 3


class Reading(Protocol):
    """What a tagger says of one text: `aegle.lm.tagger`."""

    @property
    def found(self) -> Mapping[str, Sequence[Found]]:
        """Label set -> what stands where."""

    def spans(self, head: str, spans: Sequence[tuple[int, int]]) -> Floats:
        """(spans, labels): probabilities of a head that judges spans."""

    def pairs(
        self,
        head: str,
        things: Sequence[tuple[str, Sequence[tuple[int, int]]]],
        *,
        within: tuple[int, int] | None = None,
    ) -> Floats:
        """(things, things, 1 + labels): probabilities of a head that judges pairs; 0 is none.

        By the words of characters ``within``; the whole text when None.
        """


@dataclass(frozen=True, slots=True)
class Told:
    """What a tagger says of a document, and how its domains read that.

    Attributes:
        reading: of ``doc.text``.
        tags: of the document's domains; the earlier is believed first.
        extractor: the tagger's version, as facts keep it.
        heads: those that judge spans or pairs, by name.
        thresholds: entity type -> least probability, before the domains' own.
        linker: what a name stands for that no lexicon has as it is written; None: nothing.
    """

    reading: Reading
    tags: tuple[Tags, ...]
    extractor: str
    heads: Mapping[str, Classifier] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    linker: Linker | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """Characters that a label set names, as a type, with the probability and the one needed."""

    start: int
    end: int
    type: str
    score: float
    least: float

    @property
    def enough(self) -> bool:
        return self.score >= self.least


def tagged(doc: Document, split: Words, told: Told, lexicons: Sequence[Lexicon]) -> list[Candidate]:
    """The candidates that a tagger offers, in order of their start; they may overlap.

    Args:
        doc: the document.
        split: its words.
        told: what the tagger says of it.
        lexicons: what gives a name its concept, and chooses a type where a label leaves two.
    """
    best: dict[tuple[int, int], _Seen] = {}
    for seen in _seen(doc, told, lexicons):
        place = (seen.start, seen.end)
        other = best.get(place)
        surer = other is not None and other.type == seen.type and seen.score > other.score
        if other is None or surer or (seen.enough and not other.enough):
            best[place] = seen
    agreed = sorted(_agreed(split, list(best.values())), key=lambda one: (one.start, one.end))
    places = [(one.start, one.end) for one in agreed]
    short = told.linker.short_forms(doc.text, places) if told.linker and agreed else {}
    return [_candidate(doc.text, one, told, lexicons, short) for one in agreed]


def _seen(doc: Document, told: Told, lexicons: Sequence[Lexicon]) -> Iterator[_Seen]:
    for tags in told.tags:
        needed = {**tags.thresholds, **told.thresholds}
        for name, labels in tags.sets.items():
            if doc.kind not in labels.kinds:
                continue
            for found in told.reading.found.get(name, ()):
                types = labels.types.get(found.label, ())
                if types:
                    start = _without_plain(doc.text, found.start, found.end, types, lexicons)
                    type = _type(doc.text[start : found.end], types, lexicons)
                    least = needed.get(type, needed.get("", _DEFAULT))
                    yield _Seen(start, found.end, type, min(found.score, 1.0), least)


def _without_plain(
    text: str, start: int, end: int, types: Iterable[str], lexicons: Sequence[Lexicon]
) -> int:
    """Where a name starts without plain words, when the lexicons know the rest of it."""
    split = words(text[start:end])
    for at, key in enumerate(split.keys[:-1], start=1):
        if key not in _PLAIN:
            break
        if known_as(types, text[start + split.starts[at] : end], lexicons):
            return start + split.starts[at]
    return start


def _type(name: str, types: Sequence[str], lexicons: Sequence[Lexicon]) -> str:
    """The type that terminologies give a name, else its longest known ending, else the default."""
    if len(types) > 1:
        for start in words(name).starts:
            choice = known_as(types, name[start:], lexicons)
            if choice:
                return choice.type
    return types[0]


def _agreed(split: Words, seen: Sequence[_Seen]) -> Iterator[_Seen]:
    """What is seen, each name as one type, at every place where the document's mean allows it."""
    by_name: dict[str, list[_Seen]] = defaultdict(list)
    for one in seen:
        by_name[_name(split.text[one.start : one.end])].append(one)
    places = _places(split, by_name, seen)
    for name, some in by_name.items():
        totals: dict[str, float] = defaultdict(float)
        for one in some:
            totals[one.type] += one.score
        type = max(totals, key=lambda name: (totals[name], name))
        least = min(one.least for one in some if one.type == type)
        mean = totals[type] / (len(some) + len(places[name]))
        for one in some:
            score = one.score if one.type == type else mean
            if score >= least or mean >= least:
                yield _Seen(one.start, one.end, type, max(score, mean), least)
        if mean >= least:
            for start, end in places[name]:
                yield _Seen(start, end, type, mean, least)


def _name(text: str) -> str:
    """What two places must share to be one name: case counts in acronyms and short names."""
    exact = len(text) < _SHORT or not any(letter.islower() for letter in text)
    return text if exact else phrase_key(text)


def _places(
    split: Words, names: Iterable[str], seen: Sequence[_Seen]
) -> dict[str, list[tuple[int, int]]]:
    """Where else the names stand, outside of everything that is seen."""
    wanted = set(names)
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in wanted}
    phrases = Phrases({phrase_key(name): name for name in wanted if phrase_key(name)})
    taken = sorted((one.start, one.end) for one in seen)
    longest = max((end - start for start, end in taken), default=0)
    for i in phrases.starts(split.keys):
        for n, _ in phrases.at(split.keys, i):
            start, end = split.starts[i], split.ends[i + n - 1]
            near = taken[bisect_left(taken, (start - longest, 0)) : bisect_left(taken, (end, 0))]
            name = _name(split.text[start:end])
            if name in wanted and not any(other > start for _, other in near):
                found[name].append((start, end))
                break
    return found


def _candidate(
    text: str, one: _Seen, told: Told, lexicons: Sequence[Lexicon], short: Mapping[str, str]
) -> Candidate:
    name = text[one.start : one.end]
    choice = known_as((one.type,), name, lexicons) or _by_substance(one.type, name, lexicons)
    if choice is None and told.linker is not None:
        choice = told.linker.link(name, one.type, known=short)
    key = choice.key if choice else f"{one.type}:{normal_name(name)}"
    concepts = choice.concepts if choice else ()
    return Candidate(one.start, one.end, one.type, key, concepts, one.score, told.extractor)


def _by_substance(type: str, name: str, lexicons: Sequence[Lexicon]) -> Choice | None:
    key = substance_key(name, lexicons) if type in SUBSTANCES else ""
    return Choice(type, (), key, 1.0) if key else None
