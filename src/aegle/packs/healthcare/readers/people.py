"""What a source says identifies a person, as Identifier values of the Safe Harbor classes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from aegle.core.records import Identifier
from aegle.core.text import RawText
from aegle.packs.healthcare.readers.builder import squeeze

KINDS: Final = frozenset(
    "name place date phone fax email ssn mrn health_plan account licence vehicle device url ip "
    "biometric photo other".split()
)
_TITLES: Final = frozenset(
    "mr mrs ms miss dr prof sir md phd do rn np pa jr sr ii iii iv the of and von van de la".split()
)
_WORD: Final = re.compile(r"[^\W_][\w'\-]*")
_SHORTEST: Final = {"name": 2, "place": 3, "date": 6, "phone": 6, "fax": 6}


def identifier(kind: str, value: str) -> Iterator[Identifier]:
    """The value as an identifier; none when it is too short to be looked for in text."""
    if kind not in KINDS:
        raise ValueError(f"no identifier kind {kind!r}; there are: {', '.join(sorted(KINDS))}")
    value = squeeze(value)
    if len(value) >= _SHORTEST.get(kind, 3) and any(letter.isalnum() for letter in value):
        yield Identifier(kind, RawText(value))


def number(kind: str, value: str, assigner: str) -> Iterator[Identifier]:
    """A patient's own record number, with who gave it; none for another kind of identifier."""
    if kind == "mrn":
        for one in identifier(kind, value):
            yield Identifier(kind, one.value, RawText(squeeze(assigner)))


def name(*parts: str) -> Iterator[Identifier]:
    """A name: the whole of its parts, and each part that is telling by itself.

    Titles and single letters are left out: replaced everywhere, they would spoil the text.
    """
    parts = tuple(squeeze(part) for part in parts)
    whole = " ".join(part for part in parts if part)
    yield from identifier("name", whole)
    telling = [part for part in whole.split() if _telling(part)]
    if len(telling) > 1:
        yield from identifier("name", " ".join(telling))
        yield from identifier("name", f"{telling[0]} {telling[-1]}")
        yield from identifier("name", f"{telling[-1]}, {telling[0]}")
    for part in telling:
        yield from identifier("name", part.strip(".,;()"))


def _telling(part: str) -> bool:
    word = _WORD.search(part)
    return word is not None and len(word[0]) > 1 and word[0].casefold() not in _TITLES


def own(name: str, born: str) -> Iterator[Identifier]:
    """The patient's own name and day of birth (ISO), by which two people are told apart."""
    yield from identifier("name", name)
    yield from identifier("date", born[:10] if len(born) >= 10 else "")


def telecom(system: str, value: str) -> Iterator[Identifier]:
    """A phone, fax, e-mail or URL, told by its system, its scheme or its looks."""
    value = squeeze(value)
    scheme, colon, rest = value.partition(":")
    system = system.casefold()
    if colon and scheme.casefold() in ("tel", "fax", "mailto"):
        system, value = scheme.casefold(), rest.strip()
    if "@" in value:
        yield from identifier("email", value)
    elif system.startswith(("fax", "fx")):
        yield from identifier("fax", value)
    elif system in ("url", "sms") or "://" in value:
        yield from identifier("url" if "://" in value else "phone", value)
    else:
        yield from identifier("phone", value)
        digits = re.sub(r"\D", "", value)
        if digits != value and len(digits) >= 7:
            yield from identifier("phone", digits)


def address(lines: list[str], city: str = "", postcode: str = "") -> Iterator[Identifier]:
    """The parts of an address that are smaller than a state."""
    for line in lines:
        yield from identifier("place", line)
    yield from identifier("place", city)
    yield from identifier("place", postcode)
    digits = re.sub(r"\D", "", postcode)
    if len(digits) == 9:  # ZIP+4 is often written without its last four
        yield from identifier("place", digits[:5])


_KIND_OF_WORDS: Final = {
    "SOCIAL SECURITY|SSN": "ssn",
    "MEDICAL RECORD": "mrn",
    "MEMBER|INSURANCE|POLICY|SUBSCRIBER|BENEFICIARY": "health_plan",
    "LICEN|DEA |PASSPORT|NPI|PROVIDER": "licence",
    "ACCOUNT": "account",
    "SERIAL|UDI ": "device",
}


def kind_of_id(type_code: str, system: str = "") -> str:
    """The identifier class of an identifier's type code (HL7 table 0203) or system."""
    code, system = type_code.strip().upper(), system.casefold()
    for words, kind in _KIND_OF_WORDS.items():
        if any(word in code for word in words.split("|")):
            return kind
    if code == "SS" or "us-ssn" in system or system.endswith("2.16.840.1.113883.4.1"):
        return "ssn"
    if code in ("MR", "MRN", "PI", "PT", "PN", "MRT", "U"):
        return "mrn"
    if code in ("DL", "PPN", "LN", "MD", "DEA", "NPI", "PRN", "EN", "RN", "SL", "DN", "UPIN"):
        return "licence"
    if "us-npi" in system or system.endswith("2.16.840.1.113883.4.6"):
        return "licence"
    if code in ("MB", "SN", "HC", "MC", "MA", "MCN", "NIIP", "JHN"):
        return "health_plan"
    if code in ("AN", "ANON", "BA", "BC", "CZ", "VN", "AM"):
        return "account"
    if code in ("SNO", "UDI", "SER"):
        return "device"
    return "mrn"
