"""What a domain must say so that the neutral stages can work on its texts.

A pack is data: names of readers and functions as ``module:name`` strings, loaded when used, so
that importing Aegle imports no pack and no parser. Healthcare and cybersecurity are two packs; a
third is a package with an entry point in the group ``aegle.packs``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from aegle.core.records import Concept, RawDocument


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a stream comes from: ``path`` on disk, ``member`` inside an archive; sizes in bytes."""

    path: str
    member: str = ""
    size: int | None = None

    @property
    def name(self) -> str:
        """The name that tells the format: the member's when there is one."""
        return self.member or self.path

    def __str__(self) -> str:
        return f"{self.path}!{self.member}" if self.member else self.path


class Reader(Protocol):
    """Turns one format into documents, streaming."""

    name: str

    def sniff(self, head: bytes, origin: Origin) -> float:
        """How sure this reader is, in [0, 1], from the first 64 KiB. The surest reader reads.

        Text of an unknown kind is 0.1 to 0.3, a file suffix alone 0.5, a signature 0.9 and more.
        """

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """Documents in order. Raises `InputError` for what can't be read, after yielding the rest.

        ``stream`` is forward-only and already decompressed; never hold all of a large file.
        """


@dataclass(frozen=True, slots=True)
class Found:
    """An identifier that a recogniser found: characters [start, end) of raw text."""

    start: int
    end: int
    kind: str
    score: float = 1.0


Recogniser = Callable[[str], Iterable[Found]]
"""Finds identifiers of one or more classes in raw text; pure."""


Weigh = Callable[[str, Sequence[Found]], Iterable[Found]]
"""What of a tagger's finds in raw text a domain believes: it knows eponyms, countries, brands."""


@dataclass(frozen=True, slots=True)
class Term:
    """A name by which a terminology's concept is called in text.

    ``exact`` terms match only in this case (acronyms); the others ignore case.
    """

    text: str
    type: str
    concept: Concept | None = None
    exact: bool = False
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression whose match, or group ``value``, is an entity.

    ``concept`` makes a concept of a match (``CVE-2024-1`` -> ``CVE:CVE-2024-1``); ``check`` throws
    out false matches (a Luhn digit, a private suffix); ``normal`` gives the key's name.
    """

    type: str
    regex: re.Pattern[str]
    concept: Callable[[re.Match[str]], Concept | None] | None = None
    check: Callable[[re.Match[str]], bool] | None = None
    normal: Callable[[str], str] | None = None
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Cue:
    """A ConText cue: a phrase that changes the assertion of what stands near it.

    ``direction`` is forward, backward, both, or ``stop`` for a phrase that ends another's reach,
    ``pseudo`` for one that only looks like a cue, or ``section`` for a heading whose assertion all
    that stands under it has by default. ``reach`` counts tokens. ``head`` is a noun that makes
    something else of the finding named right before it: with a ``type``, the two name an entity of
    that type (``malaria vaccine``), without one, it has the cue's assertion (``diabetes clinic``).

    References:
        Harkema et al. (2009), ConText: an algorithm for determining negation, experiencer, and
        temporal status from clinical reports.
    """

    phrase: str
    assertion: str
    direction: str
    reach: int = 12
    type: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """Two entities near each other are related, when words between or around them say so.

    ``head`` and ``tail`` are entity types. ``between`` must match the text between them; the head
    stands first, in either order when ``both_orders``, last when ``reverse`` (``spawned by``).
    ``gap`` is the most characters that may lie between.
    """

    type: str
    head: str
    tail: str
    between: re.Pattern[str] | None = None
    both_orders: bool = False
    gap: int = 120
    score: float = 0.8
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class LabelSet:
    """What a domain makes of one label set of the tagger.

    Attributes:
        types: label -> the entity types that it may stand for, the default first; a terminology
            that knows the name, or how it ends, chooses among them. A label without types is left.
        kinds: the kinds of documents in which it counts.
    """

    types: Mapping[str, tuple[str, ...]]
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class PairSet:
    """What a domain makes of the tagger's head for pairs of things.

    Attributes:
        head: its name.
        things: entity type -> the kind of thing that the head knows it as.
        relations: (label, head type, tail type) -> relation type; what is not named is left.
        kinds: the kinds of documents in which it counts.
        threshold: the least probability of a label.
    """

    head: str
    things: Mapping[str, str]
    relations: Mapping[tuple[str, str, str], str]
    kinds: frozenset[str]
    threshold: float = 0.5


@dataclass(frozen=True, slots=True)
class Tags:
    """How a domain reads what the tagger says.

    Attributes:
        sets: the label sets that it takes, the one that is believed first first.
        thresholds: entity type -> the least probability of an entity; ``""``: of other types.
        assertion: the head that says whether something is denied or doubted; empty for none.
        asserted: the entity types that it is asked about.
        pairs: the head for relations.
    """

    sets: Mapping[str, LabelSet]
    thresholds: Mapping[str, float]
    assertion: str = ""
    asserted: frozenset[str] = frozenset()
    pairs: PairSet | None = None


@dataclass(frozen=True, slots=True)
class Pack:
    """A domain. Every ``module:name`` string names a function without arguments unless said.

    Attributes:
        readers: reader name -> ``module:Class``.
        recognisers: -> Sequence[Recogniser].
        keeps: identifier classes that this domain's texts keep (``ip`` is evidence in security).
        shifts_dates: whether dates are shifted by the group's offset.
        terms: -> Iterator[Term], slow; its result is cached by ``terms_version``.
        terminologies: file name pattern -> function of a path -> Iterator[Term]: release files
            that a user adds.
        patterns: -> Sequence[Pattern].
        cues: -> Sequence[Cue].
        rules: -> Sequence[Rule].
        columns: column or field name (lower case) -> entity type, for tables and JSON lines.
        ties: (head type, tail type) -> relation type, for entities of one row or record.
        tags: -> Tags; empty when the domain takes nothing from the tagger.
        doubts: -> Weigh, what of the identifiers that the tagger sees is believed; empty: all.
        critical: label set of the tagger -> labels that no smaller model may lose.
    """

    name: str
    title: str
    readers: Mapping[str, str]
    recognisers: str
    keeps: frozenset[str]
    shifts_dates: bool
    terms: str
    terms_version: str
    patterns: str
    cues: str
    rules: str
    columns: Mapping[str, str] = field(default_factory=dict)
    ties: Mapping[tuple[str, str], str] = field(default_factory=dict)
    terminologies: Mapping[str, str] = field(default_factory=dict)
    tags: str = ""
    doubts: str = ""
    critical: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


Recognisers = Sequence[Recogniser]
