"""FHIR people, places and devices: their demographics as identifiers, and their own lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from aegle.core.records import Identifier
from aegle.packs.healthcare.readers import codes, people
from aegle.packs.healthcare.readers.builder import TextBuilder
from aegle.packs.healthcare.readers.fhir_values import (
    at,
    code,
    concepts,
    get,
    human_name,
    items,
    name_of,
    objects,
    phrase,
    reference,
    text,
)

_ASSET: Final = re.compile(r"[A-Z][A-Z0-9]{1,15}(?:[-_][A-Z0-9]{1,12}){1,3}")
_PLACE_PARTS: Final = ("city", "district")


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a patient: how to call them, and what identifies them."""

    name: str = ""
    identifiers: tuple[Identifier, ...] = ()
    numbers: tuple[Identifier, ...] = ()
    own: tuple[Identifier, ...] = ()


def person(resource: dict[str, Any]) -> Person:
    """The name and identifiers of a Patient, Practitioner, RelatedPerson or the like."""
    return Person(
        _best_name(resource),
        tuple(dict.fromkeys(_identifiers(resource))),
        tuple(_numbers(resource)) if at(resource, "id") else (),
        tuple(people.own(_best_name(resource), at(resource, "birthDate"))),
    )


def _best_name(resource: dict[str, Any]) -> str:
    names = objects(resource.get("name"))
    official = [one for one in names if at(one, "use") in ("official", "usual")]
    return next((human_name(one) for one in [*official, *names] if human_name(one)), "")


def _identifiers(resource: dict[str, Any]) -> Iterator[Identifier]:
    for name in objects(resource.get("name")):
        yield from _name(name)
    yield from _contact(resource)
    for contact in objects(resource.get("contact")):
        yield from _name(contact.get("name"))
        yield from _contact(contact)
    for one in objects(resource.get("identifier")):
        kind = people.kind_of_id(code(one.get("type")), at(one, "system"))
        yield from people.identifier(kind, at(one, "value"))
    yield from people.identifier("date", at(resource, "birthDate"))
    yield from people.identifier("date", at(resource, "deceasedDateTime"))
    for photo in objects(resource.get("photo")):
        yield from people.identifier("photo", at(photo, "url"))
    for one in objects(resource.get("extension")):
        if "mothersMaidenName" in at(one, "url"):
            yield from people.name(*at(one, "valueString").split())
        yield from _address(one.get("valueAddress"))


def _numbers(resource: dict[str, Any]) -> Iterator[Identifier]:
    for one in objects(resource.get("identifier")):
        system = at(one, "system")
        kind = people.kind_of_id(code(one.get("type")), system)
        assigner = next(iter(objects(one.get("assigner"))), {})
        yield from people.number(kind, at(one, "value"), system or at(assigner, "display"))


def _name(value: Any) -> Iterator[Identifier]:
    one = next(iter(objects(value)), {})
    given = [text(part) for part in items(one.get("given"))]
    family = at(one, "family")
    yield from people.name(*given, family)
    yield from people.name(*given[:1], family)
    yield from people.name(at(one, "text"))


def _contact(resource: dict[str, Any]) -> Iterator[Identifier]:
    for one in objects(resource.get("telecom")):
        yield from people.telecom(at(one, "system"), at(one, "value"))
    for one in objects(resource.get("address")):
        yield from _address(one)


def _address(value: Any) -> Iterator[Identifier]:
    for one in objects(value):
        lines = [text(line) for line in items(one.get("line"))]
        yield from people.address([*lines, at(one, "text")], "", at(one, "postalCode"))
        for part in _PLACE_PARTS:
            yield from people.identifier("place", at(one, part))


def write_patient(out: TextBuilder, resource: dict[str, Any]) -> None:
    """Tell the demographics of a Patient, under the line that names them."""
    birth, death = codes.iso(at(resource, "birthDate")), codes.iso(at(resource, "deceasedDateTime"))
    facts = [
        ("Gender", at(resource, "gender")),
        ("Born", birth),
        ("Died", codes.shown(death) or ("yes" if resource.get("deceasedBoolean") is True else "")),
        ("Marital status", name_of(resource.get("maritalStatus"))),
        ("Language", name_of(get(resource, "communication", "language"))),
        ("General practitioner", name_of(resource.get("generalPractitioner"))),
        ("Managing organization", name_of(resource.get("managingOrganization"))),
    ]
    for one in objects(resource.get("extension")):
        for word in ("race", "ethnicity"):
            if at(one, "url").endswith(f"us-core-{word}"):
                told = [at(e, "valueString") for e in objects(one.get("extension"))]
                facts.append((word.capitalize(), next((name for name in told if name), "")))
    _tell(out, facts)
    write_contact(out, resource)
    for one in objects(resource.get("contact")):
        who = human_name(one.get("name"))
        if who:
            out.add(f"Contact: {who}, {name_of(one.get('relationship'))}\n")


def _tell(out: TextBuilder, facts: list[tuple[str, str]]) -> None:
    for word, told in facts:
        if told:
            out.add(f"{word}: {told}\n")


def write_contact(out: TextBuilder, resource: dict[str, Any]) -> None:
    """Tell addresses, telecoms and identifiers, which redaction will replace."""
    for one in objects(resource.get("address")):
        lines = ", ".join(text(line) for line in items(one.get("line")))
        parts = [lines or at(one, "text")]
        parts += [at(one, part) for part in ("city", "state", "postalCode")]
        told = ", ".join(part for part in parts if part)
        out.add(f"Address: {told}\n" if told else "")
    for one in objects(resource.get("telecom")):
        value = at(one, "value")
        out.add(f"{at(one, 'system').capitalize() or 'Contact'}: {value}\n" if value else "")
    for one in objects(resource.get("identifier")):
        value, label = at(one, "value"), name_of(one.get("type")) or "Identifier"
        out.add(f"{label}: {value}\n" if value else "")


def write_agent(out: TextBuilder, resource: dict[str, Any], ref: str) -> None:
    """Tell a Practitioner, Organization, Location or another party that is no patient."""
    kind = text(resource.get("resourceType"))
    name = human_name(resource.get("name")) or name_of(resource.get("practitioner"))
    out.add(f"{kind}: ")
    part = code(resource.get("physicalType")) in ("wa", "ro", "bd", "area")
    # A house has an address of its own; a ward or room within it seldom has.
    ward = kind == "Location" and (part or not objects(resource.get("address")))
    type = {"Practitioner": "practitioner", "PractitionerRole": "practitioner"}.get(kind)
    type = type or ("ward" if ward else "organization")
    if kind == "PractitionerRole":
        ref = reference(resource.get("practitioner"), "practitioner")
    # Organisations and wards go by their names, which security documents use too.
    thing = out.mention(name or "not named", type, ref=ref if type == "practitioner" else "")
    house = name_of(resource.get("organization") or resource.get("managingOrganization"))
    part_of = name_of(resource.get("partOf"))
    for place, word in ((house, "at"), (part_of, "part of")):
        if place and place != name:
            out.add(f", {word} ")
            out.link(thing, out.mention(place, "organization"), "located_in")
    out.add("\n")
    told = ("code", "specialty", "type", "physicalType", "qualification", "description", "status")
    _tell(out, [(field.capitalize(), phrase(resource.get(field))) for field in told])
    write_contact(out, resource)


def device_identifiers(resource: dict[str, Any]) -> Iterator[Identifier]:
    """Serial numbers and UDIs identify the one who carries the device; asset tags do not."""
    values = [at(resource, "serialNumber"), at(resource, "distinctIdentifier")]
    values += [at(resource, "udiCarrier", "carrierHRF")]
    values += [at(resource, "udiCarrier", "deviceIdentifier")]
    tag = asset_tag(resource)
    values += [at(one, "value") for one in objects(resource.get("identifier"))]
    for value in values:
        if value != tag:
            yield from people.identifier("device", value)


def asset_tag(resource: dict[str, Any]) -> str:
    """The tag by which an inventory knows a device (``PUMP-0042``); empty when it has none."""
    for one in objects(resource.get("identifier")):
        about = f"{code(one.get('type'))} {at(one, 'system')} {at(one, 'type', 'text')}".casefold()
        value = at(one, "value")
        if "asset" in about and value:
            return value
        serial = any(word in about for word in ("sno", "serial", "udi"))
        if not serial and _ASSET.fullmatch(value):
            return value
    for named in (
        at(resource, "deviceName", "name"),
        at(resource, "displayName"),
        at(resource, "id"),
    ):
        if _ASSET.fullmatch(named):
            return named
    return ""


def write_device(out: TextBuilder, resource: dict[str, Any], patient: int | None) -> None:
    """Tell a Device: its asset tag, what it is, where it stands, whose it is."""
    tag, kind = asset_tag(resource), resource.get("type")
    found, name = concepts(kind), name_of(kind) or at(resource, "deviceName", "name")
    out.add("Device: ")
    thing = out.mention(tag, "device")
    out.add(", " if tag and name and name != tag else "")
    if name != tag or not tag:
        named = out.mention(name or "not named", "device", concepts=found)
        thing = named if thing is None else thing
    status = code(resource.get("status"))
    out.add(f" ({status})" if status else "")
    out.add(codes.cite(found))
    out.link(patient, thing, "uses_device")
    place = name_of(resource.get("location"))
    if place:
        out.add("; in ")
        out.link(thing, out.mention(place, "ward"), "located_in")
    maker = at(resource, "manufacturer")
    if maker:
        out.add("; made by ")
        out.link(thing, out.mention(maker, "vendor"), "made_by")
    for field, word in (("modelNumber", "model"), ("version", "version"), ("note", "note")):
        told = phrase(resource.get(field))
        out.add(f"; {word} {told}" if told else "")
    made = codes.iso(at(resource, "manufactureDate"))
    out.add(f"; made {made[:10]}" if made else "")
    out.add("\n")
