"""Recognisers of clinical texts: the general ones, and institutions, which place a patient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from aegle.core.pack import Found, Recogniser, Weigh
from aegle.packs.general import identifiers as general
from aegle.packs.general import places
from aegle.packs.general.doubts import weigh
from aegle.packs.general.gate import ending
from aegle.packs.general.lone import lone
from aegle.packs.general.namelists import folded
from aegle.packs.general.wordlist import entries

_FACILITY: Final = re.compile(
    r"(?<![\w'-])(?P<name>(?:St\.? |Saint |Mount |Mt\.? )?[A-Z][a-zA-Z'’]+"
    r"(?:[ -][A-Z][a-zA-Z'’]+){0,2}) "
    r"(?:(?:General|Memorial|Regional|Community|University|Medical|Children's|Veterans) )*"
    r"(?:Hospital|Medical Center|Health Center|Clinic|Nursing Home|Hospice|Infirmary)\b"
)
_FACILITY_END: Final = re.compile(
    r"[HMCNI](?:ospital|edical Center|ealth Center|linic|ursing Home|ospice|nfirmary)\b"
)
_GENERIC: Final = frozenset(
    """the a our this that general memorial regional community university medical children's
    outpatient inpatient primary pain wound emergency day eye heart cancer sleep dental
    urgent care family mental public local state city county teaching field coumadin
    anticoagulation infusion surgery cardiology neurology oncology orthopedic diabetes from
    to at discharge transfer to home outside pulmonary pulmonology medicine nephrology urology
    gastroenterology dermatology hematology psychiatry rheumatology endocrinology maintenance
    hospital second affiliated national""".split()
)


_LISTS: Final = (
    "medications conditions symptoms procedures labs devices allergens anatomy immunizations"
).split()


def recognisers() -> tuple[Recogniser, ...]:
    """All that clinical texts need; dates are found by `corpus.redact` itself."""
    return (
        *general.contacts(),
        *general.numbers(),
        general.photos,
        *general.people(lone(vocabulary(), charts=True)),
        places.find,
        facilities,
    )


def doubts() -> Weigh:
    """What of a tagger's finds clinical texts leave: brands of medicines besides."""
    return weigh(vocabulary())


@cache
def vocabulary() -> frozenset[str]:
    """The words of the pack's lists, among them brands of medicines."""
    return frozenset(
        word
        for name in _LISTS
        for entry in entries("aegle.packs.healthcare", name)
        for spelling in (entry.name, *entry.synonyms)
        for word in re.findall(r"[^\W\d_]{3,}", folded(spelling))
    )


def facilities(text: str) -> Iterator[Found]:
    """Named hospitals and clinics: the name only, so that the kind of institution stays."""
    for match in ending(_FACILITY, _FACILITY_END, text, tail=0):
        words = match["name"].casefold().split()
        start = match.start("name")
        while words and words[0] in _GENERIC:
            start += len(words.pop(0)) + 1
        if words:
            yield Found(start, match.end("name"), "place", 0.7)
