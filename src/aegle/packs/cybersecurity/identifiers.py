"""Recognisers of security texts: people and what belongs to them, never what is evidence.

Hosts, addresses, accounts and URLs are what an investigation is about; the pack keeps them. Logs
are full of numbers, so nothing here goes by digits alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from aegle.core.pack import Found, Recogniser, Weigh
from aegle.packs.general import companies, names
from aegle.packs.general import identifiers as general
from aegle.packs.general.doubts import weigh

# A line of a log or a record starts like this; its words are programs, levels and components.
_RECORD: Final = re.compile(
    r"[ \t]*(?:[{<\[]|\d{4}[-/.]?\d\d|[A-Z][a-z]{2} +\d{1,2} \d\d:|\d{6} \d{6} |[\w.-]+="
    r"|\d{9,}[.\s]|- \d{10} "
    r"|\d{1,3}(?:\.\d{1,3}){3} )"
)
_LINE: Final = re.compile(r"[^\n]+")


def recognisers() -> tuple[Recogniser, ...]:
    """Names, telephones, e-mail addresses, social security and record numbers; what the pack keeps
    is found as well, so that its digits are not taken for something else.
    """
    return (
        *general.contacts(),
        general.ssns,
        general.cards,
        general.labelled,
        general.ages,
        *(companies.without(find, technical=True) for find in (names.cued, listed_in_prose)),
    )


def doubts() -> Weigh:
    """What of a tagger's finds security texts leave: companies, unless a person is meant."""
    return weigh(technical=True)


def listed_in_prose(text: str) -> Iterator[Found]:
    """Names by lists, outside the lines of logs and records."""
    for line in _LINE.finditer(text):
        if not _RECORD.match(line[0]):
            for found in names.listed(line[0]):
                if found.score >= 0.9:
                    yield Found(
                        line.start() + found.start, line.start() + found.end, "name", found.score
                    )
