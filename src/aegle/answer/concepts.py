"""What people ask for, by the words they use: synonyms and the entity types that answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aegle.answer.spelling import american

STOP: Final = frozenset(
    "a about all also an and any are as at be been before by can could did do does for from had "
    "has have having how i in into is it its list me more most of on or our out over please s she "
    "he him her his should show so some tell than that the their them then there these they this "
    "those to up us was we were what when where which while who whom whose why will with would you "
    "your name named called know known currently mrn between during now moment according get got "
    "give given must may might often long much many mean means t d m re ve ll".split()
)
"""Words that say nothing about what is asked."""

_WORD: Final = re.compile(r"[A-Za-z0-9]+(?:[-.:/&][A-Za-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Concept:
    """Words that ask for the same, and the types of entity that may answer.

    ``bare`` concepts are satisfied by an entity of their type alone: who asks which host wants a
    name of a host, whatever word stands beside it.
    """

    words: frozenset[str]
    types: frozenset[str] = frozenset()
    bare: bool = False


# One row a concept: the words, then the entity types, then whether the type alone will do.
_TABLE: Final = (
    ("host hostname server workstation machine computer endpoint", "host", True),
    ("device pump monitor ventilator asset equipment", "device", True),
    ("patient people person", "patient", True),
    ("ward unit floor", "ward", True),
    ("owner owners owned owning responsible team department", "", False),
    ("weight weigh weighs weighed", "", False),
    ("vital vitals", "vital", True),
    ("bp", "", False),
    ("pulse hr", "", False),
    ("spo2 saturation sats", "", False),
    ("vulnerability vulnerable cve flaw", "vulnerability", True),
    ("weakness cwe", "weakness", True),
    ("drug medication medicine med meds infusion infused drip", "medication", True),
    ("account user login username", "account", True),
    ("domain fqdn", "domain", True),
    ("product software package", "product", True),
    ("vendor manufacturer maker made company supplier", "vendor", False),
    ("technique tactic", "technique attack_pattern", True),
    ("malware trojan backdoor ransomware implant", "malware", True),
    ("actor adversary intruder threatgroup", "threat_group", True),
    ("hash sha256 md5", "hash", True),
    ("process executable", "process", False),
    ("physician doctor clinician attending surgeon", "practitioner", False),
    ("os operatingsystem", "", False),
    ("service daemon", "service", False),
    ("port", "port", False),
    ("ip", "ip", False),
    ("allergy allergic allergies allergen intolerance intolerant hypersensitivity nkda", "", False),
    ("diagnosis diagnoses diagnosed dx", "", False),
    ("admission admitted admitting admit adm", "", False),
    ("discharge discharged dc", "", False),
    ("symptom complaint complaints cc presenting presented", "", False),
    ("dose dosage", "dose", False),
    ("dob birthday birthdate born birth", "", False),
    ("procedure surgery operation operated psh", "", False),
    ("vaccine vaccination vaccinated immunization immunized", "immunization", False),
    ("control controls controlled controller manage manages managed depend depends", "", False),
    ("fix fixed fixes patch patched patches", "", False),
    ("cause causes caused because", "", False),
)

_PHRASES: Final = {
    "operating system": "operatingsystem",
    "date of birth": "dob",
    "host name": "hostname",
    "user name": "username",
    "heart rate": "pulse",
    "blood pressure": "bp",
    "threat group": "threatgroup",
    "attacker": "adversary",
    "attackers": "adversary",
    "vital signs": "vitals",
    "react badly": "allergic",
    "reacts badly": "allergic",
    "infusion pump": "pump",
    "infusion pumps": "pumps",
}
_PHRASE: Final = re.compile(rf"\b(?:{'|'.join(_PHRASES)})\b", re.IGNORECASE)


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """A crude stem: it folds case and takes off plural and verb endings of longer words."""
    word = american(word.casefold())
    if any(letter.isdigit() for letter in word):
        return word
    for ending in ("ations", "ation", "ings", "ing", "ies", "ied", "ers", "er", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    if len(word) > 3 and word.endswith("s") and word[-2] not in "aius":
        return word[:-1]  # "CVEs", "labs"
    silent = word.endswith("e") or (word.endswith("y") and word[-2:-1] not in "aeou")
    return word[:-1] if silent and len(word) > 4 else word


def joined(text: str) -> str:
    """A text in which the names of concepts that are two words are one."""
    return _PHRASE.sub(lambda match: _PHRASES[match.group().casefold()], text)


def content_words(text: str) -> list[str]:
    """The stems of the words that carry meaning, identifiers whole, in order, with repeats."""
    return [stem(word) for word in _WORD.findall(joined(text)) if word.casefold() not in STOP]


def _build() -> dict[str, Concept]:
    made: dict[str, Concept] = {}
    for words, types, bare in _TABLE:
        stems = frozenset(stem(word) for word in words.split())
        concept = Concept(stems, frozenset(types.split()), bare)
        made |= dict.fromkeys(stems, concept)
    return made


_CONCEPTS: Final = _build()


def concept(word: str) -> Concept:
    """What a stem asks for; a word that is not in the table asks for itself."""
    return _CONCEPTS.get(word) or Concept(frozenset((word,)))


def is_known(word: str) -> bool:
    """Whether a stem is in the table."""
    return word in _CONCEPTS


def is_kind(name: str) -> bool:
    """Whether a name only says what kind of thing it is, such as ``infusion pump``."""
    words = content_words(name)
    return bool(words) and all(is_known(word) for word in words)


def synonyms(word: str) -> tuple[str, ...]:
    """The words of the table that mean the same as a word, as they are written; () for others."""
    own = stem(word)
    for words, _, _ in _TABLE:
        listed = words.split()
        if own in {stem(one) for one in listed}:
            phrases = (phrase for phrase, one in _PHRASES.items() if one in listed)
            return (*listed, *phrases)
    return ()
