"""Names from terminologies that a user has a licence for: UMLS and RxNorm, LOINC, SNOMED CT.

Each function takes the path of one release file as its publisher ships it and yields terms; types
are those that this pack knows, the rest (organisms, qualifiers, concepts of surveys) is left out.

References:
    NLM, UMLS Reference Manual: MRCONSO.RRF and MRSTY.RRF; RxNorm Technical Documentation.
    Regenstrief Institute, LOINC Users' Guide: Loinc.csv.
    SNOMED International, Release File Specification: sct2_Description (RF2).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from aegle.core.errors import InputError
from aegle.core.pack import Term
from aegle.core.records import Concept

_SYSTEMS: Final = {
    "RXNORM": "RXNORM", "SNOMEDCT_US": "SNOMED", "LNC": "LOINC", "ICD10CM": "ICD10CM", "CVX": "CVX",
}  # fmt: skip
_BY_SOURCE: Final = {
    "RXNORM": "medication", "LNC": "lab", "ICD10CM": "condition", "CVX": "immunization",
}  # fmt: skip
_BY_SEMANTIC_TYPE: Final[Mapping[str, str]] = {
    "T047": "condition", "T046": "condition", "T048": "condition", "T191": "condition",
    "T037": "condition", "T019": "condition", "T020": "condition", "T190": "condition",
    "T184": "symptom", "T033": "symptom",
    "T121": "medication", "T200": "medication", "T195": "medication", "T109": "medication",
    "T116": "medication", "T125": "medication", "T127": "medication",
    "T059": "lab", "T034": "lab", "T201": "lab",
    "T060": "procedure", "T061": "procedure",
    "T023": "anatomy", "T029": "anatomy", "T017": "anatomy", "T074": "device", "T203": "device",
}  # fmt: skip
_BY_TAG: Final[Mapping[str, str]] = {
    "disorder": "condition", "finding": "symptom", "procedure": "procedure",
    "regime/therapy": "procedure", "substance": "medication", "product": "medication",
    "medicinal product": "medication", "clinical drug": "medication",
    "body structure": "anatomy", "physical object": "device",
}  # fmt: skip
_TAG: Final = re.compile(r" \(([a-z/ ]+)\)$")
_FULL_NAME: Final = "900000000000003001"
_VITAL_CLASSES: Final = ("BP.", "BDYTMP", "BDYWGT", "BDYHGT", "HRTRATE", "RESP.RATE", "VITALS")
_LABORATORY: Final = "1"
_COLUMNS: Final = frozenset({"LOINC_NUM", "LONG_COMMON_NAME", "CLASS", "CLASSTYPE"})
_LONGEST: Final = 120
"""Characters of a name that a text may hold; the names of panels and products are longer."""
_ACRONYM: Final = 5
_SCORE: Final = 0.85
_OTHER_SCORE: Final = 0.8
_FIELDS: Final = 17
"""Columns of CONSO.RRF that are read; each row ends with one more bar."""


def conso_terms(path: Path) -> Iterator[Term]:
    """The English names of ``MRCONSO.RRF`` or ``RXNCONSO.RRF`` that are not suppressed.

    The semantic types beside it (``MRSTY.RRF``, ``RXNSTY.RRF``) tell what a concept is; without
    them only the names of sources that hold one kind of thing are taken. A name from a source whose
    codes Aegle knows has that code, any other the UMLS concept.
    """
    types = _semantic_types(path)
    for row in _bars(path, _FIELDS):
        cui, language, preferred, source, code, text, suppressed = (
            row[0], row[1], row[6], row[11], row[13], row[14], row[16],
        )  # fmt: skip
        kind = types.get(cui, "") if types else _BY_SOURCE.get(source, "")
        if language != "ENG" or suppressed not in ("", "N") or not kind:
            continue
        system = _SYSTEMS.get(source)
        concept = Concept(system, code, text) if system else Concept("UMLS", cui, text)
        bare = _TAG.sub("", text) if source == "SNOMEDCT_US" else text
        yield from _term(bare, kind, concept, _SCORE if preferred == "Y" else _OTHER_SCORE)


def loinc_terms(path: Path) -> Iterator[Term]:
    """The names of laboratory tests and vital signs in ``Loinc.csv``."""
    for row in _table(path):
        kind = _loinc_type(row)
        if not kind or row.get("STATUS") in ("DEPRECATED", "DISCOURAGED"):
            continue
        concept = Concept("LOINC", row["LOINC_NUM"], row["LONG_COMMON_NAME"])
        names = ("LONG_COMMON_NAME", "DisplayName", "CONSUMER_NAME", "SHORTNAME")
        for text in dict.fromkeys(row.get(name) or "" for name in names):
            score = _SCORE if text == row["LONG_COMMON_NAME"] else _OTHER_SCORE
            yield from _term(text, kind, concept, score)


def snomed_terms(path: Path) -> Iterator[Term]:
    """The active English names of ``sct2_Description_Snapshot*.txt``, by the tag in brackets."""
    named: dict[str, tuple[str, Concept]] = {}
    for row in _tabs(path):
        tag = _TAG.search(row[7])
        if row[6] == _FULL_NAME and tag and tag[1] in _BY_TAG:
            name = _TAG.sub("", row[7])
            named[row[4]] = (_BY_TAG[tag[1]], Concept("SNOMED", row[4], name))
    for row in _tabs(path):
        kind, concept = named.get(row[4], ("", None))
        if concept is not None:
            text = _TAG.sub("", row[7]) if row[6] == _FULL_NAME else row[7]
            yield from _term(text, kind, concept, _SCORE if text == concept.name else _OTHER_SCORE)


def _term(text: str, type: str, concept: Concept, score: float) -> Iterator[Term]:
    """The term of a name, if a text could hold it; a short one in capitals is in its own case."""
    text = " ".join(text.split())
    if 2 <= len(text) <= _LONGEST:
        acronym = len(text) <= _ACRONYM and text.isupper()
        yield Term(text, type, concept, exact=acronym or len(text) < 4, score=score)


def _semantic_types(path: Path) -> dict[str, str]:
    """Concept -> entity type, from the file of semantic types beside CONSO; empty without one."""
    beside = path.with_name(path.name.upper().replace("CONSO", "STY"))
    types: dict[str, str] = {}
    if beside.is_file():
        for row in _bars(beside, 4):
            if row[1] in _BY_SEMANTIC_TYPE:
                types.setdefault(row[0], _BY_SEMANTIC_TYPE[row[1]])
    return types


def _loinc_type(row: Mapping[str, str]) -> str:
    if row["CLASS"].startswith(_VITAL_CLASSES):
        return "vital"
    return "lab" if row["CLASSTYPE"] == _LABORATORY else ""


def _lines(path: Path, *, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers from 1, their ends as they are."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield number, line.decode(encoding if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise InputError(f"{path}, line {number}: not UTF-8") from error


def _bars(path: Path, least: int) -> Iterator[list[str]]:
    """The rows of a Rich Release Format file."""
    for number, line in _lines(path):
        row = line.rstrip("\r\n").split("|")
        if len(row) < least:
            raise InputError(f"{path}, line {number}: {len(row)} columns, needs {least}")
        yield row


def _tabs(path: Path) -> Iterator[list[str]]:
    """The active English rows of a SNOMED CT description file."""
    lines = _lines(path)
    if not next(lines, (0, ""))[1].startswith("id\teffectiveTime\tactive\t"):
        raise InputError(f"{path} is not a SNOMED CT description file (RF2)")
    for number, line in lines:
        row = line.rstrip("\r\n").split("\t")
        if len(row) < 9:
            raise InputError(f"{path}, line {number}: {len(row)} columns, needs 9")
        if row[2] == "1" and row[5] == "en":
            yield row


def _table(path: Path) -> Iterator[dict[str, str]]:
    """The rows of Loinc.csv."""
    at = 0

    def lines() -> Iterator[str]:
        nonlocal at  # the reader's own count stops before the line that it fails in
        for at, line in _lines(path, encoding="utf-8-sig"):  # noqa: B007 - told in the error
            yield line

    rows = csv.DictReader(lines())
    try:
        if not set(rows.fieldnames or ()) >= _COLUMNS:
            raise InputError(f"{path} lacks the columns of Loinc.csv; give the table of a release")
        for row in rows:
            if any(row[name] is None for name in _COLUMNS):
                raise InputError(f"{path}, line {at}: fewer columns than the heading")
            yield row
    except csv.Error as error:
        raise InputError(f"{path}, line {at}: not CSV ({error})") from error
