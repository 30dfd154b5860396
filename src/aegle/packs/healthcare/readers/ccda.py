"""C-CDA: the narrative of each section as text, its coded entries as facts within that text."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import BinaryIO, Final
from xml.etree.ElementTree import Element

from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.core.records import Identifier, RawDocument
from aegle.packs.healthcare.readers import codes, people
from aegle.packs.healthcare.readers.builder import TextBuilder, plain, squeeze
from aegle.packs.healthcare.readers.ccda_entries import add_entries
from aegle.packs.healthcare.readers.ccda_narrative import add_narrative
from aegle.packs.healthcare.readers.decode import decode, peek
from aegle.packs.healthcare.readers.fhir_notes import html_text
from aegle.packs.healthcare.readers.safe_xml import local, parse

V3: Final = "{urn:hl7-org:v3}"
_SSN: Final = "2.16.840.1.113883.4.1"


class CcdaReader:
    """Reads one clinical document: header, then each section with its facts."""

    name = "ccda"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """0.98 for a ClinicalDocument of HL7 v3."""
        start = peek(head[:16384])
        if "ClinicalDocument" in start and "<" in start:
            return 0.98 if "urn:hl7-org:v3" in start else 0.7
        return 0.5 if origin.name.casefold().endswith((".ccda", ".cda")) else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """One document.

        Raises:
            InputError: no CDA, or a body that is a PDF, an image or another file.
            UnsafeInputError: the XML declares entities.
        """
        yield from read_cda(stream, str(origin))


def read_cda(stream: BinaryIO, source: str, *, group: str = "") -> Iterator[RawDocument]:
    """The document in a CDA file or attachment; ``group`` overrides whose it is."""
    root = parse(stream, source)
    if local(root) != "ClinicalDocument":
        raise InputError(f"{source} is XML, but no ClinicalDocument")
    _strip_namespaces(root)
    role = root.find("recordTarget/patientRole")
    # Within FHIR the chart itself says what numbers its patient has.
    numbers = [] if group else list(_numbers(role))
    group = group or _group(role)
    body = _other_body(root, source)
    sections = [one for one in root.iter("section") if body is None]
    if not sections and body is None and role is None:
        raise InputError(f"{source} has neither a patient nor a body")
    out = TextBuilder()
    title = (
        squeeze(root.findtext("title") or "") or _display(root.find("code")) or "Clinical document"
    )
    out.add(f"{title}\n")
    patient = _header(out, root, role, group)
    if body is not None:
        out.add(f"{body}\n")
    names = [_section(out, section, patient) for section in sections]
    value = root.find("effectiveTime")
    yield out.document(
        source=source,
        kind="ccda",
        title=title,
        group=group,
        time=codes.iso_of_ts(value.get("value", "") if value is not None else ""),
        identifiers=_identifiers(root, role),
        numbers=numbers,
        meta={
            **({"sections": "; ".join(name for name in names if name)} if any(names) else {}),
            **(
                {"document_type": _display(root.find("code"))}
                if _display(root.find("code"))
                else {}
            ),
        },
    )


def _strip_namespaces(root: Element) -> None:
    """Names without their namespace: producers mix prefixes, and extensions add elements only."""
    for node in root.iter():
        node.tag = local(node)


def _display(node: Element | None) -> str:
    return squeeze(node.get("displayName", "")) if node is not None else ""


def _group(role: Element | None) -> str:
    if role is None:
        return ""
    ids = [(one.get("root", ""), squeeze(one.get("extension", ""))) for one in role.findall("id")]
    telling = [value for root, value in ids if value and root != _SSN]
    # An id without an extension is whole by its root.
    telling += [root for root, value in ids if root and not value and root != _SSN]
    return f"patient/{telling[0]}" if telling else ""


def _header(out: TextBuilder, root: Element, role: Element | None, group: str) -> int | None:
    """The lines about patient, author and visit; the patient's mention."""
    patient = role.find("patient") if role is not None else None
    name = _name(patient.find("name")) if patient is not None else ""
    out.add("Patient: ")
    mention = out.mention(name or "the patient", "patient", ref=group)
    if patient is not None:
        gender = _display(patient.find("administrativeGenderCode"))
        birth = patient.find("birthTime")
        born = codes.iso_of_ts(birth.get("value", "")) if birth is not None else ""
        out.add(f", {gender.lower()}" if gender else "")
        out.add(f", born {born[:10]}" if born else "")
    out.add("\n")
    for author in root.findall("author/assignedAuthor"):
        who = _name(author.find("assignedPerson/name"))
        if who:
            out.add("Author: ")
            out.link(mention, out.mention(who, "practitioner"), "cared_for_by")
            out.add("\n")
    for visit in root.findall("componentOf/encompassingEncounter"):
        place = squeeze(visit.findtext("location/healthCareFacility/location/name") or "")
        if place:
            out.add("Location: ")
            out.link(mention, out.mention(place, "ward"), "stays_in")
            out.add("\n")
    return mention


def _section(out: TextBuilder, section: Element, patient: int | None) -> str:
    """One section: its title, its narrative, the facts of its entries. Its title."""
    code = section.find("code")
    title = squeeze(section.findtext("title") or "") or _display(code)
    out.add(f"\n{title or 'Section'}\n")
    start = len(out)
    text = section.find("text")
    places = add_narrative(out, text) if text is not None else {}
    add_entries(out, section, patient=patient, start=start, places=places)
    return title


def _other_body(root: Element, source: str) -> str | None:
    """The text of a body that is not CDA's own; None when the body is structured or absent."""
    node = root.find("component/nonXMLBody/text")
    if node is None:
        return None
    kind = node.get("mediaType", "").casefold()
    data = (node.text or "").strip()
    if node.find("reference") is not None and not data:
        raise InputError(
            f"{source} only refers to its body, which is in another file; read that file"
        )
    if kind and not kind.startswith("text/"):
        told = kind if len(kind) < 60 and kind.isascii() else "another type"
        raise InputError(
            f"{source} embeds its body as {told}; save that file and read it on its own"
        )
    if node.get("representation", "").upper() == "B64":
        try:
            data = decode(base64.b64decode(data))
        except (binascii.Error, ValueError) as error:
            raise InputError(f"{source} embeds a body that is not base64") from error
    text = html_text(data) if "html" in kind else plain(data)
    if not text.strip():
        raise InputError(f"{source} embeds an empty body")
    return text


def _name(node: Element | None) -> str:
    if node is None:
        return ""
    parts = [squeeze("".join(part.itertext())) for part in node if local(part) != "validTime"]
    return " ".join(part for part in parts if part) or squeeze(node.text or "")


def _numbers(role: Element | None) -> Iterator[Identifier]:
    """The patient's own record numbers; the root of an id is who gave it."""
    for one in role.findall("id") if role is not None else []:
        root = one.get("root", "")
        kind = people.kind_of_id("", root)
        yield from people.number(kind, one.get("extension", ""), root)


def _identifiers(root: Element, role: Element | None) -> Iterator[Identifier]:
    """Every person's name, address and number in the document; organisations keep their names."""
    for name in root.iter("name"):
        given = [squeeze("".join(part.itertext())) for part in name.findall("given")]
        family = squeeze("".join("".join(part.itertext()) for part in name.findall("family")))
        if given or family:
            yield from people.name(*given, family)
            yield from people.name(*given[:1], family)
    for owner in root.iter():
        if local(owner) in ("assignedPerson", "patient", "guardianPerson", "associatedPerson"):
            yield from people.name(_name(owner.find("name")))
    for addr in root.iter("addr"):
        lines = [squeeze(one.text or "") for one in addr.findall("streetAddressLine")]
        city, postcode = addr.findtext("city") or "", addr.findtext("postalCode") or ""
        yield from people.address(lines, city, postcode)
    for one in root.iter("telecom"):
        yield from people.telecom("", one.get("value", ""))
    for birth in root.iter("birthTime"):
        yield from people.identifier("date", codes.iso_of_ts(birth.get("value", ""))[:10])
    for one in role.findall("id") if role is not None else []:
        kind = people.kind_of_id("", one.get("root", ""))
        yield from people.identifier(kind, one.get("extension", ""))
    for tag in ("assignedAuthor", "assignedEntity"):
        for entity in root.iter(tag):
            for one in entity.findall("id"):
                if one.get("root") == "2.16.840.1.113883.4.6":
                    yield from people.identifier("licence", one.get("extension", ""))
