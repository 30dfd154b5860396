"""What a tagger sees of identifiers, as classes of ours, joined with what recognisers found."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Final

from aegle.core.pack import Found, Weigh
from aegle.corpus import addresses
from aegle.corpus.addresses import Seen as Seen

CLASSES: Final[Mapping[str, str]] = {
    "person": "name",
    "address": "place",
    "place": "place",
    "zip": "place",
    "date": "date",
    "age": "age",
    "phone": "phone",
    "email": "email",
    "url": "url",
    "ip": "ip",
    "ssn": "ssn",
    "card": "account",
    "iban": "account",
    "licence": "licence",
}
"""The tagger's labels by class. Organisations, titles and groups of people are none of the 18."""

LABELS: Final = "identifiers"
"""The tagger's label set."""

LEAST: Final[Mapping[str, float]] = dict.fromkeys(CLASSES, 0.2)
"""The least probability at which a label is believed, by `benchmarks/deid.py --tune`."""

BIAS: Final = -1.0
"""What is added to the tagger's own bias; below 0 it finds more. Chosen with `LEAST`."""

BY_MACHINES: Final = frozenset("log event table fhir hl7v2 stix sigma cve".split())
"""Documents that no tagger reads: their fields say what is whose, and they are most of all text."""

_MOST_SURE: Final = 0.94
"""Below the 0.95 of a title or a label beside a name: what a source calls a product stays one."""

_WHOLE: Final = 0.79
"""Below what `seek` looks for elsewhere: an address's country is replaced in the address only."""

_NUMBERED: Final = frozenset("mrn health_plan account licence vehicle device ssn other".split())
_CERTAIN: Final = _NUMBERED | frozenset("phone fax email url ip date birth age".split())
"""Classes that a recogniser tells by their form, a check digit or a label."""

_VITAL: Final = (
    r"\bBP\W{0,2}(?:[4-9]\d|1\d\d|2[0-5]\d)(?:/|\Z)|\bSpO2\b"
    r"|\b(?:HR|RR)\W{0,2}\d{2,3}(?:\Z|[,;]\s{0,2}(?:RR|T|SpO2)\b)"
)
"""Vital signs stand as a street and its number do."""

_FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    "name": re.compile(r"(?![A-Z]{2,8}-\d{3,}\Z).*[^\W\d_]"),
    # A ward with its number, a number alone, or vital signs are no place.
    "place": re.compile(
        r"(?s)(?![A-Z]{3,8}-\d{0,2}[A-Z]?\Z)(?!\d{1,3}(?:/\d{1,3})?\Z)"
        rf"(?!.*(?:{_VITAL})).*\w"
    ),
    "phone": re.compile(r"(?:\D*\d){5}"),
    "email": re.compile(r"(?s).*\S\s?@\s?[\w.-]*[^\W\d_]{2}"),
    "url": re.compile(r"(?s).*(?:\w\.[^\W\d_]{2}|://|\bwww\b|\w[.:]\d+/\w|[a-z]{3}/[a-z]{3,}/\w)"),
    "ip": re.compile(r".*[\da-fA-F][.:]{1,2}[\da-fA-F]"),
    "ssn": re.compile(r"(?:\D*\d){7}"),
    "account": re.compile(r"(?:\D*\d){6}"),
    "licence": re.compile(r"(?![A-Z]{4,8}-\d{1,4}\Z)(?=.*\d)(?:\W*\w){4}"),
    "age": re.compile(r"(?:9\d|1[0-3]\d)\Z"),
    # A year or a day of the week alone tells no date, a score of ten, a time of day, a number of
    # days, a device's tag or a blood pressure is none.
    "date": re.compile(
        r"(?is)(?=.*(?:\d\D+\d|\d{6}|[^\W\d_]{3}))(?=.*\d)(?!\d\d?:\d\d)(?!\d\d?/10\Z)"
        r"(?![^\W\d_]+-(?!(?:19|20)\d\d\Z)\d{3,}\Z)(?!\d{3}/)"
        r"(?!.*\b(?:hour|day|week|month|year)s?\b)"
    ),
}
"""What a class must look like at the least; everything else that is called so is a mistake."""

_EDGES: Final = " \t\r\n\0,;:()[]{}<>\"'|="
_OWNS: Final = re.compile(r"['’]s\Z")


def believed(text: str, found: Sequence[Found]) -> Iterable[Found]:
    """A `Weigh` that believes all."""
    return found


@dataclass(frozen=True, slots=True)
class Sight:
    """A tagger, as de-identification uses it.

    Attributes:
        tag: a text -> what stands in it; the same for the same text.
        version: the tagger's, for the account.
        weigh: what of it the document's domain believes.
        least: label -> the least probability.
    """

    tag: Callable[[str], Iterable[Seen]]
    version: str
    weigh: Weigh = believed
    least: Mapping[str, float] = field(default_factory=lambda: LEAST)

    def look(self, text: str, keeps: frozenset[str] = frozenset()) -> list[Found]:
        """Identifiers in raw text; what ``keeps`` names is left, and shields nothing."""
        seen = self.tag(text.replace("\0", " "))
        wanted = [
            one
            for one in seen
            if CLASSES.get(one.label, "") not in ("", *keeps) and one.score >= self.least[one.label]
        ]
        found = [found for one in wanted for found in _found(text, one)]
        if "place" not in keeps:
            found += _addresses(text, wanted)
        return list(self.weigh(text, found))


def _addresses(text: str, wanted: Sequence[Seen]) -> Iterator[Found]:
    """Whole addresses; what has no place's form is no part, but a number beside one that has."""
    form = _FORMS["place"]
    sound = {one for one in wanted if form.match(text[one.start : one.end])}
    parts = [one for one in wanted if one in sound or text[one.start : one.end].isdigit()]
    for start, end, score in addresses.whole(text, parts):
        if form.match(text[start:end]) and any(start <= one.start < end for one in sound):
            yield Found(start, end, "place", min(score, _WHOLE))


def _found(text: str, one: Seen) -> Iterator[Found]:
    """What is seen, without the signs around it, when it has its class's form."""
    kind = CLASSES[one.label]
    value = text[one.start : one.end]
    if kind == "name" and (owner := _OWNS.search(value)):
        value = value[: owner.start()]
    bare = value.strip(_EDGES)
    if bare and _FORMS[kind].match(bare):
        start = one.start + value.index(bare)
        yield Found(start, start + len(bare), kind, min(one.score, _MOST_SURE))


def join(found: Sequence[Found], seen: Sequence[Found]) -> list[Found]:
    """All that either found. Where they overlap:

    a recogniser's class stands, and the find grows over what both cover; a date of a recogniser
    stays as it is, since the time of day beside it is kept; of another class than what a
    recogniser is certain of, only the rest beside that is left.
    """
    order = sorted(found, key=lambda one: (one.start, one.end))
    starts = [one.start for one in order]
    reach = list(accumulate((one.end for one in order), max))
    joined = list(found)
    for one in seen:
        first = bisect_right(reach, one.start)
        near = [o for o in order[first : bisect_right(starts, one.end - 1)] if o.end > one.start]
        joined += _beside(one, near)
    return joined


def _beside(one: Found, near: Sequence[Found]) -> Iterator[Found]:
    if one.kind == "date" and any(other.kind in ("date", "birth") for other in near):
        return
    for other in near:
        if _alike(one.kind, other.kind):
            start, end = min(one.start, other.start), max(one.end, other.end)
            sure = min if one.kind == "place" and one.score <= _WHOLE else max
            one = Found(start, end, other.kind, sure(one.score, other.score))
    at = one.start
    for other in near:
        if other.kind in _CERTAIN and not _alike(one.kind, other.kind):
            if other.start > at:
                yield replace(one, start=at, end=other.start)
            at = max(at, other.end)
    if at < one.end:
        yield replace(one, start=at)


def _alike(seen: str, found: str) -> bool:
    """Whether a tagger that knows fewer classes may mean the same."""
    return seen == found or (seen, found) == ("phone", "fax") or {seen, found} <= _NUMBERED
