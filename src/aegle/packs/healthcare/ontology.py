"""Names of clinical concepts: ICD-10-CM from the catalog, and the lists that this pack ships.

Titles of ICD-10-CM are written for coders; notes are not. So each title and inclusion term also
gives the shorter names that a clinician would write, at a lower score, and a bare disease name gets
the code that coders default to (``type 2 diabetes`` -> E11.9).

References:
    CDC/NCHS, ICD-10-CM Official Guidelines, section I.A.9 (NEC, NOS) and I.A.18 (default codes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from defusedxml.ElementTree import iterparse

from aegle.core.errors import InputError
from aegle.core.pack import Term
from aegle.core.records import Concept
from aegle.lm import catalog
from aegle.packs.general.wordlist import list_terms

SYSTEM: Final = "ICD10CM"
_HERE: Final = "aegle.packs.healthcare"

_LISTS: Final = (
    ("conditions", "condition", SYSTEM),
    ("symptoms", "symptom", SYSTEM),
    ("medications", "medication", ""),
    ("labs", "lab", "LOINC"),
    ("vitals", "vital", "LOINC"),
    ("procedures", "procedure", ""),
    ("anatomy", "anatomy", ""),
    ("devices", "device", ""),
    ("allergens", "allergy", ""),
    ("immunizations", "immunization", "CVX"),
)
# A vaccine's other names: what stands for "vaccine" behind the name, and what may stand before it.
_AS_VACCINE: Final = (
    "{} vaccine", "{} vaccination", "{} immunization", "{} immunisation", "{} shot", "{} jab",
    "{} booster", "{} vaccine booster", "{} booster shot", "{} vaccine series",
    "{} vaccination series", "vaccine against {}", "vaccine for {}", "vaccination against {}",
    "vaccination for {}", "vaccinated against {}", "vaccinated for {}", "immunized against {}",
    "immunised against {}", "immunization against {}", "immunisation against {}",
)  # fmt: skip

# Left out: external causes (V-Y) and most of Z, whose titles hide what the cues must see ("family
# history of"); injuries (S, T) finer than five characters, which only add side and encounter.
_LEFT_OUT: Final = re.compile(r"[VWXYZ]|[ST]\w\w\.\w{3}")
_SYMPTOM: Final = re.compile(r"R[0-6]")

_PAREN: Final = re.compile(r"\s*[(\[][^()\[\]]*[)\]]")
_TAIL: Final = re.compile(
    r",? (?:NOS|NEC)$"
    r"|,? (?:unspecified|not otherwise specified|not elsewhere classified)$"
    r"|,? (?:unspecified|not specified as|site not specified|without mention of|without|with unspe"
    r"cified|uncomplicated|organism unspecified|due to unspecified)\b.*$"
)
_HEAD: Final = re.compile(r"^(?:unspecified|other and unspecified)\s+", re.IGNORECASE)
_VAGUE: Final = re.compile(
    r"^other\b|\bother specified\b|\bclassified elsewhere\b|^any condition\b|^conditions? in\b"
    r"|^personal history|^family history",
    re.IGNORECASE,
)
_MELLITUS: Final = re.compile(r"\bdiabetes mellitus\b", re.IGNORECASE)

# Words that are titles of their own somewhere in ICD-10-CM and mean something else in most notes.
_TOO_PLAIN: Final = frozenset(
    """other unspecified worries fall falls burn burns death bite bites stress strain sprain lack
    starvation isolation exposure contact effusion discord disorder disease injury injuries foreign
    body poisoning retained wound crush cold heat light motion history problem state status syndrome
    infection infestation lesion ulcer cyst polyp ring spots premature immaturity twin single
    multiple late early slow postterm cramp cut stiff corn contraction contracture bleeding loss
    marasmus discharge habit drinking counseling education screening follow-up observation elderly
    nervousness anger hostility emotional strange posture nodule swelling mass lump blister blisters
    localized generalized acute chronic primary secondary mild moderate severe normal abnormal
    positive negative axis atlas attacks scar worms callus illness corrosion immersion electrocution
    pinta felon caffeine cocaine ecstasy marijuana zona piles allergy growth transgender unhappiness
    falling boil screaming sighing snoring hypersensitivity malleus astragalus lichen loneliness
    phencyclidine blackout weakness impulsiveness overactivity frailty restzustand""".split()
)
_LEAF_SCORE: Final = 0.95
_CATEGORY_SCORE: Final = 0.85
_SHORT_SCORE: Final = 0.9
_SHORT_CATEGORY_SCORE: Final = 0.8


def terms() -> Iterator[Term]:
    """Every clinical term that Aegle knows, shipped lists first."""
    yield from shipped_terms()
    yield from icd_terms(tabular_list(catalog.resolve("icd10cm")))


def shipped_terms() -> Iterator[Term]:
    """The terms of the lists that this pack ships."""
    for name, type_, system in _LISTS:
        for term in list_terms(_HERE, name, type_, system):
            yield from vaccine_names(term) if type_ == "immunization" else (term,)


def vaccine_names(term: Term) -> Iterator[Term]:
    """A vaccine's name and its other forms: ``flu vaccine`` is also a flu shot."""
    yield term
    bare = term.text.removesuffix(" vaccine")
    if bare == term.text and " " in bare:
        return
    for form in _AS_VACCINE:
        # A brand or an acronym of its own (Tdap) is the vaccine; nobody is vaccinated against it.
        if bare != term.text or form.startswith("{}"):
            yield replace(term, text=form.format(bare))


def icd_terms(tabular: Path) -> Iterator[Term]:
    """The terms of the tabular list (XML): titles, inclusion terms and their shorter names."""
    for code, title, inclusions, leaf in diagnoses(tabular):
        if _LEFT_OUT.match(code):
            continue
        type_ = "symptom" if _SYMPTOM.match(code) else "condition"
        concept = Concept(SYSTEM, code, title)
        seen: set[str] = set()
        for name in (title, *inclusions):
            for text, short in short_names(name):
                if text.casefold() in seen:
                    continue
                seen.add(text.casefold())
                if leaf:
                    score = _SHORT_SCORE if short else _LEAF_SCORE
                else:
                    score = _SHORT_CATEGORY_SCORE if short else _CATEGORY_SCORE
                yield Term(text, type_, concept, exact=text.isupper(), score=score)


def short_names(title: str) -> Iterator[tuple[str, bool]]:
    """A title and the names that a note would use instead, each with whether it was shortened."""
    names = {title: False}
    bare = _PAREN.sub("", title).strip()
    names.setdefault(bare, True)
    names.setdefault(title.replace("(", "").replace(")", ""), True)
    for name in list(names):
        cut = _HEAD.sub("", _TAIL.sub("", name)).strip(" ,")
        names.setdefault(cut, True)
    for name in list(names):
        names.setdefault(_MELLITUS.sub("diabetes", name), True)
    for name, short in names.items():
        if _usable(name):
            yield name, short


def _usable(name: str) -> bool:
    return (
        4 <= len(name) <= 90
        and not _VAGUE.search(name)
        and name.casefold() not in _TOO_PLAIN
        and not name.casefold().endswith((" and", " or", " of", " with", " due to"))
    )


def tabular_list(folder: Path) -> Path:
    """The tabular list (XML) in the folder of the catalog's ``icd10cm``."""
    found = sorted(folder.rglob("*tabular*.xml"))
    if not found:
        raise InputError(f"{folder} holds no tabular list of ICD-10-CM (*tabular*.xml)")
    return found[-1]


def diagnoses(tabular: Path) -> Iterator[tuple[str, str, list[str], bool]]:
    """Code, title, inclusion terms, and whether the code is billable, of every ``diag``."""
    for _, element in iterparse(tabular, events=("end",)):
        if element.tag != "diag":
            continue
        code, title = element.findtext("name") or "", element.findtext("desc") or ""
        notes = [note.text or "" for note in element.findall("inclusionTerm/note")]
        notes += [note.text or "" for note in element.findall("includes/note")]
        leaf = element.find("diag") is None
        yield code, title, notes, leaf
        for child in list(element):
            if child.tag != "diag":
                element.remove(child)
