"""Whose note it is: by its header, by its file's name, or of one patient whom nothing identifies.

Two identifiers make two notes one patient's: a name alone does not. A note that identifies nobody
still speaks of one patient, who is that document's own; a page about a disease speaks of none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

from aegle.core.pack import Origin
from aegle.packs.general.namelists import folded, is_word, lands
from aegle.packs.healthcare.identifiers import vocabulary
from aegle.packs.healthcare.readers.sections import section_names

# "patient-12345/...", "MRN_12345.txt"; a year or a date is no number of a patient.
_IN_NAME: Final = re.compile(
    r"(?<![a-z0-9])(?:patient|pt|mrn)(?:[-_ #]?id)?[-_ #]?"
    r"(?!(?:19|20)\d\d(?!\d))(?P<id>\d{3,12}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![a-z0-9])"
)
_LETTERS: Final = re.compile(r"[^\W\d_]{3,}")
_OF_ONE: Final = frozenset(
    """history of present illness|history of presenting illness|hpi|chief complaint|cc
    |past medical history|pmh|pmhx|past surgical history|psh|review of systems|ros
    |physical exam|physical examination|vital signs|vitals|current medications|home medications
    |discharge medications|medications on admission|admission medications|hospital course
    |brief hospital course|assessment and plan|assessment & plan|a/p|a&p|subjective|objective
    |discharge diagnosis|discharge diagnoses|admission diagnosis|admitting diagnosis
    |discharge summary|progress note|nursing note|nursing assessment|operative note
    |reason for visit|reason for admission|reason for consultation|interval history
    |overnight events|24 hour events|social history|family history|code status
    |preoperative diagnosis|postoperative diagnosis""".replace("\n    |", "|").split("|")
)
"""Headings that only a note about somebody has; a page on a disease has a diagnosis, too."""

_AGED: Final = re.compile(
    r"\b\d{1,3}[- ]?(?:y/?o|(?:yrs?|years?|months?|weeks?|days?)[- ]old|yrs?)\b[^.\n]{0,40}?"
    r"\b(?P<who>man|woman|male|female|boy|girl|gentleman|lady|patient|pt|infant|child|m|f)\b"
    r"|\b\d{1,3} ?(?P<letter>[MF])\b(?= (?:with|w/|who|presents|presenting|admitted|c/o|s/p|here))",
    re.IGNORECASE,
)
_DEEDS: Final = (
    r"(?:was|had|denies|denied|reports|reported|presents|presented|states|stated|complains"
    r"|complained|underwent|remains|remained|tolerated|received|appears|appeared|developed"
    r"|is (?:an?|currently|alert|awake|afebrile|stable|here|seen|intubated|doing))"
)
_ONE: Final = re.compile(
    rf"\b(?:(?:the|this|our) (?P<patient>patient|pt)|(?P<pt>pt)) {_DEEDS}\b"
    r"|(?<![\w'])(?P<short>pt)\.?(?= \w)|\b(?:he|she) "
    rf"{_DEEDS}\b|(?:^|[.;:\n] ?)denies\b|\bc/o\b|\bafebrile\b|\bNKDA\b",
    re.IGNORECASE,
)
_MANY: Final = re.compile(
    r"\b(?:patients|people|persons|adults|children|women|men|you|your)\b", re.IGNORECASE
)
_HEADING: Final = re.compile(r"^[ \t#*]*(?P<name>[A-Za-z][A-Za-z /&-]{1,40}\w)", re.MULTILINE)


def number_in_name(origin: Origin) -> tuple[str, str]:
    """The patient's number that the names of a file and its folder state, and who gave it.

    Every folder counts from 1, so a number says something only within the folder that holds what
    is called by it: ``folder:<path>``. Both are empty for most files.
    """
    path = PurePath(origin.path, origin.member) if origin.member else PurePath(origin.path)
    named = min(2, len(PurePath(origin.name).parts))
    for place in (path, path.parent)[:named]:
        if found := _IN_NAME.search(place.name.casefold()):
            return found["id"], f"folder:{place.parent.as_posix()}"
    return "", ""


def names_in_name(origin: Origin) -> Iterator[str]:
    """Capitalised words of a file's name that are no words: ``Xanthopoulos Marta.txt``."""
    for word in _LETTERS.findall(PurePath(origin.name).stem):
        plain = folded(word)
        ordinary = is_word(plain) or plain in lands() or plain in vocabulary()
        if word[0].isupper() and word[1:].islower() and not ordinary:
            yield word


def speaks_of_one(text: str) -> bool:
    """Whether a text tells of one patient, as notes and case reports do."""
    if _AGED.search(text):
        return True
    if sum(name.casefold() in _OF_ONE for name in section_names(text)) >= 2:
        return True
    num_one = len(_ONE.findall(text))
    return num_one > len(_MANY.findall(text))


def place_of_one(text: str) -> tuple[int, int] | None:
    """The words that stand for the patient best: their sex, ``patient``, else a heading's."""
    if found := _AGED.search(text):
        return found.span("who" if found["who"] else "letter")
    for found in _ONE.finditer(text):
        if group := next((name for name in ("patient", "pt", "short") if found[name]), ""):
            return found.span(group)
    heading = _HEADING.search(text)
    return heading.span("name") if heading else None
