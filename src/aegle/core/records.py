"""The nouns: frozen, self-checking records that every stage passes on. Standard library only.

A `RawDocument` is what a reader found; a `Document` passed de-identification, and everything after
it is made of safe text. Offsets are characters, half-open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aegle.core.text import RawText, SafeText

ASSERTIONS: Final = ("present", "negated", "possible", "historical", "family", "hypothetical")
DOMAINS: Final = ("healthcare", "cybersecurity", "general")


def content_id(*parts: str) -> str:
    """A 16-hex-digit id of some parts: equal parts, equal id (SHA-256, separated by NUL)."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _check_span(start: int, end: int) -> None:
    if not 0 <= start < end:
        raise ValueError(f"a span needs 0 <= start < end, got [{start}, {end})")


def _check_score(score: float) -> None:
    if not 0.0 <= score <= 1.0:
        raise ValueError(f"a score lies in [0, 1], got {score}")


def _check_one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")


def _check_safe(what: str, *texts: str) -> None:
    if not all(isinstance(text, SafeText) for text in texts):
        raise TypeError(f"{what} takes SafeText; pass the text through corpus.redact first")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters [start, end)."""

    start: int
    end: int

    def __post_init__(self) -> None:
        _check_span(self.start, self.end)

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True, order=True)
class Concept:
    """An entry of a terminology: ``Concept("ICD10CM", "E11.9", "Type 2 diabetes")``."""

    system: str
    code: str
    name: str = ""

    @property
    def key(self) -> str:
        """``system:code``, the key of its node."""
        return f"{self.system}:{self.code}"


@dataclass(frozen=True, slots=True)
class Mention:
    """What a source itself states at a span of its text: a coded fact, a log field, a STIX object.

    ``ref`` is the source's own id of the thing (``patient/123``); `corpus.redact` makes of it a
    pseudonym, the same one in every document of the workspace.
    """

    start: int
    end: int
    type: str
    concepts: tuple[Concept, ...] = ()
    assertion: str = "present"
    time: str = ""
    ref: RawText | None = None

    def __post_init__(self) -> None:
        _check_span(self.start, self.end)
        _check_one_of("assertion", self.assertion, ASSERTIONS)


@dataclass(frozen=True, slots=True)
class Link:
    """A relation that a source itself states between two of its mentions, by their positions."""

    head: int
    tail: int
    type: str
    time: str = ""


@dataclass(frozen=True, slots=True)
class Identifier:
    """A value that a field of the source says identifies someone; who gave it, if told."""

    kind: str
    value: RawText
    assigner: RawText = field(default_factory=lambda: RawText(""))


@dataclass(frozen=True, slots=True)
class RawDocument:
    """One document as a reader found it; nothing in it may be stored, indexed or logged as it is.

    Attributes:
        source: where it was read, ``path``, ``path!member`` or ``path#record``.
        kind: note fhir hl7v2 ccda log event stix sigma cve report page mail table.
        group: patient, host or incident, ``patient/123`` or ``host/web01``; empty when none.
        identifiers: values to be found and replaced wherever they stand in the text.
        numbers, person: the own patient's record numbers, and name and birth: to join, to part.
        meta: small facts for filters and display; redacted like the text.
    """

    source: str
    kind: str
    domain: str
    text: RawText
    title: RawText = field(default_factory=lambda: RawText(""))
    group: RawText = field(default_factory=lambda: RawText(""))
    time: str = ""
    mentions: tuple[Mention, ...] = ()
    links: tuple[Link, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    numbers: tuple[Identifier, ...] = ()
    person: tuple[Identifier, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_one_of("domain", self.domain, DOMAINS)
        num = len(self.mentions)
        for mention in self.mentions:
            if mention.end > len(self.text):
                raise ValueError(f"a mention ends at {mention.end}, the text at {len(self.text)}")
        for link in self.links:
            if not (0 <= link.head < num and 0 <= link.tail < num):
                raise ValueError(f"a link names mentions {link.head} and {link.tail} of {num}")


@dataclass(frozen=True, slots=True)
class Edit:
    """Safe characters [start, end) stand where raw characters [raw_start, raw_end) stood.

    ``kind`` names the identifier class, or ``clean`` for a change that hid nothing. A deletion has
    ``start == end``, an insertion ``raw_start == raw_end``.
    """

    start: int
    end: int
    raw_start: int
    raw_end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Document:
    """A de-identified document: what the workspace keeps, and what every citation points into.

    ``edits``, ordered, lead from its characters back to the original's. ``mentions`` have their
    spans in ``text``; their ``ref`` is already a pseudonym.
    """

    id: str
    kind: str
    domain: str
    text: SafeText
    title: SafeText
    group: str = ""
    time: str = ""
    source_id: str = ""
    mentions: tuple[Mention, ...] = ()
    links: tuple[Link, ...] = ()
    edits: tuple[Edit, ...] = ()
    meta: Mapping[str, SafeText] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_safe("a Document", self.text, self.title)
        _check_one_of("domain", self.domain, DOMAINS)

    def original(self, start: int, end: int) -> Span:
        """The raw characters behind safe characters [start, end); an edit counts as a whole."""
        _check_span(start, end)
        raw_start, raw_end = start, end
        for edit in self.edits:
            if edit.start > start:
                break
            inside = start < edit.end
            raw_start = edit.raw_start if inside else start + edit.raw_end - edit.end
        for edit in self.edits:
            if edit.start >= end:
                break
            inside = end <= edit.end
            raw_end = edit.raw_end if inside else end + edit.raw_end - edit.end
        return Span(raw_start, max(raw_end, raw_start + 1))


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document, small enough to embed: characters [start, end) of its text."""

    id: str
    document_id: str
    start: int
    end: int
    text: SafeText
    title: SafeText
    kind: str
    domain: str
    group: str = ""
    time: str = ""

    def __post_init__(self) -> None:
        _check_span(self.start, self.end)
        _check_safe("a Chunk", self.text)
        if len(self.text) != self.end - self.start:
            raise ValueError(f"[{self.start}, {self.end}) has not {len(self.text)} characters")


@dataclass(frozen=True, slots=True)
class Entity:
    """Something named at a span; ``key`` is its node: ``system:code``, else ``type:name``."""

    id: str
    document_id: str
    start: int
    end: int
    text: SafeText
    type: str
    key: str
    assertion: str = "present"
    concepts: tuple[Concept, ...] = ()
    score: float = 1.0
    time: str = ""
    extractor: str = ""

    def __post_init__(self) -> None:
        _check_span(self.start, self.end)
        _check_score(self.score)
        _check_one_of("assertion", self.assertion, ASSERTIONS)
        _check_safe("an Entity", self.text)


@dataclass(frozen=True, slots=True)
class Relation:
    """A typed tie between two entities of a document; [start, end) is the text that states it."""

    id: str
    document_id: str
    head: str
    tail: str
    type: str
    start: int
    end: int
    assertion: str = "present"
    score: float = 1.0
    time: str = ""
    extractor: str = ""

    def __post_init__(self) -> None:
        _check_span(self.start, self.end)
        _check_score(self.score)
        _check_one_of("assertion", self.assertion, ASSERTIONS)


@dataclass(frozen=True, slots=True)
class Facts:
    """What one document says: its entities, and relations between them by id."""

    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """A document with all that was made of it: the unit that the corpus store keeps and removes."""

    document: Document
    chunks: tuple[Chunk, ...]
    facts: Facts


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the graph. ``type`` is an entity type, or ``chunk`` (then ``name`` is empty)."""

    key: str
    type: str
    name: SafeText


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge of the graph with its evidence; type ``mentions`` ties a chunk to a node."""

    head: str
    tail: str
    type: str
    document_id: str
    start: int
    end: int
    assertion: str = "present"
    score: float = 1.0
    time: str = ""
    extractor: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a search found; ``via`` says how (``dense``, ``text``, ``graph: a -> b``)."""

    chunk_id: str
    document_id: str
    score: float
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """Characters [start, end) of a stored document, and the text that stands there."""

    document_id: str
    start: int
    end: int
    text: SafeText


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer with the evidence that it rests on, at least one citation."""

    text: SafeText
    citations: tuple[Citation, ...]

    def __post_init__(self) -> None:
        if not self.citations:
            raise ValueError("a claim needs at least one citation")


@dataclass(frozen=True, slots=True)
class Answer:
    """Claims, or a refusal that says why; never both, never neither."""

    question: SafeText
    claims: tuple[Claim, ...]
    refusal: str = ""
    hits: tuple[Hit, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.claims) == bool(self.refusal):
            raise ValueError("an answer has claims or a refusal, one of the two")

    @property
    def text(self) -> str:
        """The claims as one text, or empty."""
        return " ".join(claim.text for claim in self.claims)


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure with its 95% interval and the number of independent units behind it."""

    value: float
    low: float
    high: float
    n: int

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"a measure needs low <= value <= high, got {self}")
        if self.n < 1:
            raise ValueError(f"a measure needs n >= 1, got {self.n}")

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] (n={self.n})"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that was made: where, its content's hash, from what, under what licence."""

    path: str
    sha256: str
    size_bytes: int
    made_from: tuple[str, ...] = ()
    licence: str = ""

    def __post_init__(self) -> None:
        if len(self.sha256) != 64:
            raise ValueError("an artifact needs a sha256 of 64 hex digits")
