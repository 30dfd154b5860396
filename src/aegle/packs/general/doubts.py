"""What a tagger takes for somebody or some town and lists know better: eponyms, lands, brands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from aegle.core.pack import Found, Weigh
from aegle.packs.general import companies
from aegle.packs.general.namelists import (
    EPONYM_NEXT,
    EPONYMS,
    NOT_A_NAME,
    eponyms,
    folded,
    is_first,
    is_medical,
    lands,
)
from aegle.packs.general.places import is_land

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_DEPARTMENTS: Final = frozenset(
    """ED ER OR ICU CCU MAR ENT GI GU ID PT OT SW IV PO CT MRI RN BP HR RR HPI PMH PSH FH SH ROS
    MICU SICU NICU PICU PACU NEURO NEPH CARDIO CARD ONCO ORTHO SURG PEDS PSYCH PULM RENAL REHAB
    DIAL TELE WARD TRIAGE ENDO DERM ADLs""".split()
)
"""How charts write where somebody lies and what is consulted; surnames in capitals stay names."""

_HEADINGS: Final = frozenset(
    """activity allergies assessment consult diet disposition exam examination history imaging
    immunizations impression labs medications meds plan problems procedures triage vitals""".split()
)
"""A chart's sections."""

_SURE: Final = 0.9
"""A tagger that is surer of a name than that is believed against a list."""


def weigh(vocabulary: frozenset[str] = frozenset(), *, technical: bool = False) -> Weigh:
    """What of a tagger's finds is believed.

    Args:
        vocabulary: folded words that are no names, though a tagger may think so: brands.
        technical: as of `companies.without`.
    """

    def believed(text: str, found: Sequence[Found]) -> Iterator[Found]:
        names = [one for one in found if one.kind == "name"]
        people = set(companies.without(lambda _: names, technical=technical)(text))
        for one in found:
            written = text[one.start : one.end]
            if written in _DEPARTMENTS or written.casefold() in _HEADINGS:
                continue
            if one.kind == "place":
                if not is_land(written):
                    yield one
            elif one.kind != "name" or (one in people and not _is_term(text, one, vocabulary)):
                yield one

    return believed


def doubts() -> Weigh:
    """What texts of any kind leave."""
    return weigh()


def _is_term(text: str, one: Found, vocabulary: frozenset[str]) -> bool:
    words = [folded(word) for word in _WORD.findall(text[one.start : one.end])]
    if len(words) == 1 and EPONYM_NEXT.match(text, one.end):
        return True
    if one.score >= _SURE or any(is_first(word) for word in words):
        return False
    return all(
        bare in EPONYMS
        or bare in eponyms()
        or bare in lands()
        or bare in NOT_A_NAME
        or bare in vocabulary
        or is_medical(bare)
        for bare in (word.removesuffix("'s") for word in words)
    )
