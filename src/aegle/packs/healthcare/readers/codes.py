"""Code systems under their many names, and dates in their many forms, made one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from aegle.core.records import Concept

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    # In the order in which a concept becomes the key of its node; ICD-10-CM is what the pack
    # finds in free text, so that a coded diagnosis and a written one meet.
    "ICD10CM": (
        "http://hl7.org/fhir/sid/icd-10-cm",
        "http://hl7.org/fhir/sid/icd-10",
        "2.16.840.1.113883.6.90",
        "2.16.840.1.113883.6.3",
        "i10",
        "i10c",
        "icd10",
        "icd-10",
        "icd-10-cm",
        "icd10cm",
        "icd10-cm",
    ),
    "SNOMED": (
        "http://snomed.info/sct",
        "2.16.840.1.113883.6.96",
        "sct",
        "snm",
        "snomed",
        "snomed-ct",
        "snomed ct",
        "snomedct",
    ),
    "RXNORM": (
        "http://www.nlm.nih.gov/research/umls/rxnorm",
        "2.16.840.1.113883.6.88",
        "rxnorm",
        "rxn",
    ),
    "LOINC": ("http://loinc.org", "2.16.840.1.113883.6.1", "ln", "loinc", "lnc"),
    "CVX": (
        "http://hl7.org/fhir/sid/cvx",
        "2.16.840.1.113883.12.292",
        "2.16.840.1.113883.6.59",
        "cvx",
    ),
    "ICD9CM": (
        "http://hl7.org/fhir/sid/icd-9-cm",
        "2.16.840.1.113883.6.103",
        "2.16.840.1.113883.6.104",
        "2.16.840.1.113883.6.2",
        "i9",
        "i9c",
        "i9m",
        "icd9",
        "icd-9",
        "icd-9-cm",
        "icd9cm",
    ),
    "NDC": ("http://hl7.org/fhir/sid/ndc", "2.16.840.1.113883.6.69", "ndc"),
    "CPT": ("http://www.ama-assn.org/go/cpt", "2.16.840.1.113883.6.12", "c4", "cpt", "cpt-4"),
    "HCPCS": ("2.16.840.1.113883.6.285", "hcpcs", "http://www.cms.gov/medicare/coding/hcpcs"),
    "ICD10PCS": ("2.16.840.1.113883.6.4", "http://www.cms.gov/medicare/coding/icd10", "icd10pcs"),
    "UNII": ("http://fdasis.nlm.nih.gov", "2.16.840.1.113883.4.9", "unii"),
    "NCIT": (
        "2.16.840.1.113883.3.26.1.1",
        "ncit",
        "http://ncicb.nci.nih.gov/xml/owl/evs/thesaurus.owl",
    ),
    "UMLS": ("http://www.nlm.nih.gov/research/umls", "2.16.840.1.113883.6.86", "umls"),
    "DICOM": ("http://dicom.nema.org/resources/ontology/dcm", "1.2.840.10008.2.16.4", "dcm"),
}
_SYSTEMS: Final = {alias: name for name, aliases in _NAMES.items() for alias in aliases}
_ORDER: Final = {name: place for place, name in enumerate(_NAMES)}
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-]{0,31}")

_TYPE_OF_SYSTEM: Final = {
    "RXNORM": "medication",
    "NDC": "medication",
    "CVX": "immunization",
    "LOINC": "lab",
    "ICD10CM": "condition",
    "ICD9CM": "condition",
    "CPT": "procedure",
    "ICD10PCS": "procedure",
}
_TYPE_OF_TAG: Final = {
    "disorder": "condition",
    "finding": "condition",
    "situation": "condition",
    "procedure": "procedure",
    "regime/therapy": "procedure",
    "substance": "medication",
    "product": "medication",
    "medicinal product": "medication",
    "physical object": "device",
    "body structure": "anatomy",
}
_TAG: Final = re.compile(r"\(([a-z/ ]+)\)\s*$")

_TS: Final = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(\.\d{1,6})?)?)?)?)?)?"
    r"\d*(?:\.\d*)?(Z|[+-]\d{4})?"
)
_ISO: Final = re.compile(
    r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])"
    r"([T ]([01]\d|2[0-3]):[0-5]\d(:[0-6]\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?"
)


def system_name(system: str) -> str:
    """``SNOMED`` for ``http://snomed.info/sct``, an OID or a v2 table name; empty when unknown."""
    key = system.strip().casefold().removeprefix("urn:oid:").rstrip("/")
    return _SYSTEMS.get(key, "")


def concept(system: str, code: str, name: str = "") -> Concept | None:
    """A concept of a known system, or None."""
    known, code = system_name(system), code.strip()
    if not known or not _CODE.fullmatch(code):
        return None
    return Concept(known, code, " ".join(name.split())[:200])


def ordered(concepts: Iterable[Concept | None]) -> tuple[Concept, ...]:
    """Concepts without repeats; those that name a node of the graph first."""
    found: dict[str, Concept] = {}
    for one in concepts:
        if one is not None:
            found.setdefault(one.key, one)
    return tuple(sorted(found.values(), key=lambda one: _ORDER[one.system]))


def type_of(concepts: Iterable[Concept], name: str = "") -> str:
    """The entity type that codes speak of, by system or by SNOMED's tag; empty when unknown."""
    for one in concepts:
        tag = _TAG.search(one.name) or _TAG.search(name)
        if one.system == "SNOMED" and tag and tag[1] in _TYPE_OF_TAG:
            return _TYPE_OF_TAG[tag[1]]
        if one.system in _TYPE_OF_SYSTEM:
            return _TYPE_OF_SYSTEM[one.system]
    return ""


def cite(concepts: Iterable[Concept]) -> str:
    """`` [SNOMED 44054006, ICD10CM E11.9]``, or nothing."""
    named = ", ".join(f"{one.system} {one.code}" for one in concepts)
    return f" [{named}]" if named else ""


def iso_of_ts(value: str) -> str:
    """ISO 8601 of an HL7 time stamp: ``201105311405-0500`` -> ``2011-05-31T14:05:00-05:00``.

    A part that is out of its range ends the value (``20111399`` -> ``2011``); no date, empty.
    """
    match = _TS.match(value.strip())
    if not match or match[1] == "0000":
        return ""
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    if not month or not 1 <= int(month) <= 12:
        return str(year)
    if not day or not 1 <= int(day) <= 31:
        return f"{year}-{month}"
    if not hour or int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 59:
        return f"{year}-{month}-{day}"
    zone = zone if not zone or zone == "Z" else f"{zone[:3]}:{zone[3:]}"
    return (
        f"{year}-{month}-{day}T{hour}:{minute or '00'}:{second or '00'}{fraction or ''}{zone or ''}"
    )


def iso(value: str) -> str:
    """An ISO 8601 date or instant as it is; anything else gives an empty string."""
    value = value.strip()
    return value if _ISO.fullmatch(value) else ""


def shown(time: str) -> str:
    """A time for reading: ``2011-05-31 14:05``, without seconds and zone."""
    return time[:16].replace("T", " ").removesuffix(" 00:00")
