"""Plain-text clinical notes: header fields identify the patient, headers name the sections."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO, Final

from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.core.records import Identifier, RawDocument, content_id
from aegle.packs.healthcare.readers import codes, people
from aegle.packs.healthcare.readers.builder import TextBuilder, plain
from aegle.packs.healthcare.readers.decode import decode, peek, read_all
from aegle.packs.healthcare.readers.note_fields import FIELD, FIELD_NAMES
from aegle.packs.healthcare.readers.sections import note_score, section_names
from aegle.packs.healthcare.readers.whose import (
    names_in_name,
    number_in_name,
    place_of_one,
    speaks_of_one,
)

HEADER_CHARS: Final = 4000
"""Header fields are looked for at the start of a note only."""

_BREAK: Final = re.compile(r"\f|^[ \t]*(?:[=*_]{20,}|-{40,})[ \t]*$", re.MULTILINE)
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-./]{1,40}")
_DATE: Final = re.compile(
    r"(?P<iso>\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?)"
    r"|(?P<m>\d{1,2})[/-](?P<d>\d{1,2})[/-](?P<y>\d{4}|\d{2})\b"
    r"|(?P<mon>[A-Za-z]{3,9})\.? (?P<d2>\d{1,2}),? (?P<y2>\d{4})"
    r"|(?P<d3>\d{1,2})[ -](?P<mon3>[A-Za-z]{3,9})[ -](?P<y3>\d{4})"
)
_PIVOT: Final = 68
"""A year of two digits up to this is of this century (as POSIX has it)."""
_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DEGREES: Final = frozenset("md do rn np pa phd dds lpn pharmd bsn msn dpm crna".split())
_PERSON: Final = re.compile(r"[^,(\d]+(?:,[^,(\d]+)?")


class NoteReader:
    """Reads plain-text notes: a whole file, or several parted by form feeds or rules."""

    name = "note"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """0.3 to 0.8 by section headers and clinical words; 0 for logs, reports, code, prose."""
        if b"\0" in head[:4096] and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
            return 0.0
        suffix = origin.name.rpartition(".")[2].casefold() if "." in origin.name else ""
        if suffix in _OTHER_FORMATS:
            return 0.0
        return note_score(peek(head[:32768]))

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """One document per note.

        Raises:
            InputError: the file is empty, or too large for one note file.
        """
        text = (
            plain(decode(read_all(stream, str(origin)))).replace("\r\n", "\n").replace("\r", "\n")
        )
        pieces = _split(text)
        if not pieces:
            raise InputError(f"{origin} holds no text")
        named = [one for word in names_in_name(origin) for one in people.name(word)]
        for number, piece in enumerate(pieces, 1):
            source = str(origin) if len(pieces) == 1 else f"{origin}#{number}"
            note = read_note(piece, source, in_name=number_in_name(origin))
            yield replace(note, identifiers=tuple(dict.fromkeys((*note.identifiers, *named))))


_OTHER_FORMATS: Final = frozenset(
    "ann md markdown rst html htm xml json ndjson jsonl csv tsv py js ts java c h cpp go rs sh "
    "ps1 yml yaml toml ini cfg conf log eml pdf docx hl7 ccda cda evtx sql ipynb tex".split()
)


def _split(text: str) -> list[str]:
    """The notes of a file. A rule parts two notes only when each names its own patient."""
    pages = [page.strip("\n") for page in text.split("\f")]
    found: list[str] = []
    for page in (page for page in pages if page.strip()):
        parts = [part.strip("\n") for part in _BREAK.split(page)]
        parts = [part for part in parts if part.strip()]
        own = [
            any(one.lastgroup or one["mrn"] or one["name"] for one in _fields(part))
            for part in parts
        ]
        named = [any(one["mrn"] or one["name"] for one in _fields(part)) for part in parts]
        found += parts if len(parts) > 1 and all(own) and all(named) else [page]
    return found


def _fields(text: str) -> Iterator[re.Match[str]]:
    return FIELD.finditer(text[:HEADER_CHARS])


def read_note(text: str, source: str, *, in_name: tuple[str, str] = ("", "")) -> RawDocument:
    """One note as a document: group, identifiers and time from its header, sections in meta.

    ``in_name`` is the patient's number as the file's name states it, and who gave it. It says
    whose the note is only where the header has neither a number nor a name with a birth.
    """
    out = TextBuilder()
    out.add(text if text.endswith("\n") else f"{text}\n")
    identifiers: list[Identifier] = []
    first: dict[str, re.Match[str]] = {}
    for match in _fields(text):
        kind = next(name for name in FIELD_NAMES if match[name] is not None)
        value = match["value"].strip().strip("*")
        if any(letter.isalnum() for letter in value):
            identifiers += _identify(kind, value)
            first.setdefault(kind, match)
    mrn = _ID.match(first["mrn"]["value"].strip(" \t*#")) if "mrn" in first else None
    numbers: list[Identifier] = []
    group = f"patient/{mrn[0]}" if mrn else _by_name_and_birth(first)
    number, assigner = in_name
    if number and not mrn:
        identifiers += people.identifier("mrn", number)
    if mrn:
        numbers += people.number("mrn", mrn[0], "")
    elif number and not group:
        group = f"patient/{number}"
        numbers += people.number("mrn", number, assigner)
    _mark_patient(out, text, first.get("name"), group)
    sections = section_names(text)
    return out.document(
        source=source,
        kind="note",
        title=_title(text),
        group=group,
        time=_time(first["date"]["value"]) if "date" in first else "",
        identifiers=identifiers,
        numbers=numbers,
        person=_own(first),
        meta={"sections": "; ".join(sections)} if sections else {},
    )


def _own(first: Mapping[str, re.Match[str]]) -> Iterator[Identifier]:
    name = " ".join(_name_parts(_person(first["name"]["value"]))) if "name" in first else ""
    yield from people.own(name, _time(first["dob"]["value"]) if "dob" in first else "")


def _by_name_and_birth(first: Mapping[str, re.Match[str]]) -> str:
    """The group of a patient of whom only name and date of birth are known."""
    if "name" not in first or "dob" not in first:
        return ""
    born = _time(first["dob"]["value"])
    parts = sorted(part.casefold() for part in _name_parts(_person(first["name"]["value"])))
    return f"patient/{' '.join(parts)} {born}" if born and len(parts) > 1 else ""


def _mark_patient(out: TextBuilder, text: str, name: re.Match[str] | None, group: str) -> None:
    """State who the patient is: the name's, the group's, else the document's own."""
    if not group and name is None and not speaks_of_one(text):
        return
    place = None
    if name is not None and (told := _person(name["value"])).strip():
        place = name.start("value"), name.start("value") + len(told)
    elif not group:
        place = place_of_one(text)
    if place is not None:
        out.mark(*place, "patient", ref=group or f"patient/note {content_id(text)}")


def _person(value: str) -> str:
    """The name at the start of a header's value, without what follows it (an age, a title)."""
    match = _PERSON.match(value)
    return match[0].rstrip(" \t*-,") if match and match[0].rstrip(" \t*-,") else value


def _identify(kind: str, value: str) -> Iterator[Identifier]:
    if kind in ("name", "provider", "relative"):
        yield from people.name(*_name_parts(_person(value)))
    elif kind == "address":
        yield from people.identifier("place", value)
        yield from people.address([part.strip() for part in value.split(",")[:2]])
    elif kind == "dob":
        match = _DATE.search(value)
        yield from people.identifier("date", match[0] if match else "")
    elif kind in ("mrn", "account", "ssn", "health_plan", "licence", "device"):
        match = _ID.search(value)
        yield from people.identifier(kind, match[0] if match else "")
    elif kind in ("phone", "fax", "email"):
        yield from people.telecom(kind, value)


def _name_parts(value: str) -> list[str]:
    """Given names first; a title after a comma is no given name, and roles are in lower case."""
    family, _, given = value.partition(",")
    if given.strip(" .").casefold() in _DEGREES:
        given = ""
    parts = f"{given} {family}".split()
    return [part for part in parts if not part[:1].islower()] or parts


def _time(value: str) -> str:
    """ISO of a header's date; month first where the order is open, as American notes write it."""
    match = _DATE.search(value)
    if not match:
        return ""
    if match["iso"]:
        return codes.iso(match["iso"].replace(" ", "T"))
    if match["m"]:
        month, day, year = int(match["m"]), int(match["d"]), match["y"]
        if len(year) == 2:
            year = f"{'19' if int(year) > _PIVOT else '20'}{year}"
        if month > 12:
            month, day = day, month
    else:
        name = (match["mon"] or match["mon3"])[:3].casefold()
        month = _MONTHS.index(name) + 1 if name in _MONTHS else 0
        day, year = int(match["d2"] or match["d3"]), match["y2"] or match["y3"]
    return codes.iso(f"{year}-{month:02d}-{day:02d}")


def _title(text: str) -> str:
    """The first line when it is a heading without a value, else ``Clinical note``."""
    line = next((one.strip(" \t*#=:") for one in text.splitlines() if one.strip(" \t*#=-_")), "")
    return (
        line
        if 3 <= len(line) <= 60 and ":" not in line and not line.endswith(".")
        else "Clinical note"
    )
