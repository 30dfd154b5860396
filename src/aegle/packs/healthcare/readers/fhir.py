"""FHIR R4: bundles, bulk NDJSON and single resources, told patient by patient."""

from __future__ import annotations

import hashlib
import io
import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.core.records import Identifier, RawDocument
from aegle.packs.general.readers.parts import cut
from aegle.packs.healthcare.readers import people
from aegle.packs.healthcare.readers.builder import TextBuilder
from aegle.packs.healthcare.readers.ccda import read_cda
from aegle.packs.healthcare.readers.decode import peek, text_chunks
from aegle.packs.healthcare.readers.fhir_notes import attachments
from aegle.packs.healthcare.readers.fhir_people import (
    Person,
    device_identifiers,
    person,
    write_agent,
    write_device,
    write_patient,
)
from aegle.packs.healthcare.readers.fhir_render import write
from aegle.packs.healthcare.readers.fhir_stream import Item, looks_like_lines, resources
from aegle.packs.healthcare.readers.fhir_values import (
    at,
    get,
    items,
    name_of,
    objects,
    reference,
    time_of,
)
from aegle.packs.healthcare.readers.problems import Problems
from aegle.packs.healthcare.readers.sections import section_names

MAX_CHARS: Final = 3000
MAX_RESOURCES: Final = 40
MAX_HELD_CHARS: Final = 8_000_000
"""All unfinished documents together; beyond it they are given out as they are."""
MAX_KNOWN: Final = 20_000
"""Patients and medications remembered within one file, the latest."""

_SIGN: Final = re.compile(r'"resourceType"\s*:\s*"([A-Za-z]+)"')
_KIND: Final = re.compile(r"[A-Z][A-Za-z]{2,63}")
_AGENTS: Final = frozenset(
    "Practitioner PractitionerRole Organization Location HealthcareService Endpoint".split()
)
_PATIENT_FIELDS: Final = (
    "subject",
    "patient",
    "beneficiary",
    "for",
    "individual",
    "target",
    "source",
)
_NOTE_TIMES: Final = ("date", "effectiveDateTime", "effectivePeriod", "issued", "created", "sent")


class FhirReader:
    """Reads FHIR JSON of any size; one document per patient and resource type, notes apart."""

    name = "fhir"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """0.97 when a resource type stands near the start of JSON."""
        start = peek(head[:16384]).lstrip("\ufeff \t\r\n")
        if not start.startswith(("{", "[")):
            return 0.0
        if _SIGN.search(start):
            return 0.97
        return 0.6 if '"fullUrl"' in start and '"resource"' in start else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """Documents of at most about 3,000 characters or 40 resources.

        Raises:
            InputError: after the rest, when lines, entries or attachments could not be read.
        """
        chunks = text_chunks(stream)
        head = next(chunks, "")
        lines = looks_like_lines(head, origin.name)
        export = _Export(str(origin))
        for item in resources(_with_head(head, chunks), lines=lines):
            yield from export.take(item)
        yield from export.flush()
        export.problems.finish(num_good=export.num_resources, what="resource")


def _with_head(head: str, rest: Iterator[str]) -> Iterator[str]:
    yield head
    yield from rest


class _Group:
    """The unfinished document of one patient and resource type."""

    def __init__(self, patient: str, kind: str, person: Person) -> None:
        self.patient = patient
        self.kind = kind
        self.out = TextBuilder()
        self.num_resources = 0
        self.identifiers: list[Identifier] = []
        self.times: list[str] = []
        self.mention: int | None = None
        self.named = bool(person.name)
        if patient:
            self.out.add("Patient: ")
            self.mention = self.out.mention(person.name or "the patient", "patient", ref=patient)
            self.out.add("\n")


class _Export:
    """One file being read: groups being filled, people known so far, problems met."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems = Problems(source)
        self.num_resources = 0
        self._num_documents = 0
        self._held = 0
        self._groups: OrderedDict[tuple[str, str], _Group] = OrderedDict()
        self._people: OrderedDict[str, Person] = OrderedDict()
        self._medications: OrderedDict[str, Any] = OrderedDict()
        self._aliases: OrderedDict[str, str] = OrderedDict()
        self._notes: OrderedDict[bytes, str] = OrderedDict()

    def take(self, item: Item) -> Iterator[RawDocument]:
        """Add one resource; the documents that it completes."""
        if item.problem:
            self.problems.add(item.where, item.problem)
            return
        resource = item.value
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if not isinstance(kind, str) or not _KIND.fullmatch(kind):
            self.problems.add(item.where, "not a FHIR resource (no resourceType)")
            return
        self.num_resources += 1
        patient = self._patient_of(resource, kind, item.url)
        if kind == "Medication":
            _remember(self._medications, f"medication/{at(resource, 'id')}", resource.get("code"))
            if item.url:
                _remember(self._medications, _uuid(item.url, "medication"), resource.get("code"))
        if kind == "Patient":
            _remember(self._people, patient, person(resource))
        yield from self._notes_of(resource, kind, patient, item.where)
        yield from self._tell(resource, kind, patient)

    def flush(self) -> Iterator[RawDocument]:
        """The documents of all groups that are still open."""
        while self._groups:
            _, group = self._groups.popitem(last=False)
            yield self._finish(group)
        self._held = 0

    def _patient_of(self, resource: dict[str, Any], kind: str, url: str) -> str:
        """``patient/ID`` of whom a resource is about; empty when it is about nobody."""
        if kind == "Patient":
            own = at(resource, "id") or url.rpartition("/")[2].rpartition(":")[2]
            ref = f"patient/{own or 'unnamed'}"
            if url:
                _remember(self._aliases, _uuid(url, "patient"), ref)
            return ref
        for field in _PATIENT_FIELDS:
            for one in items(resource.get(field)):
                ref = reference(
                    one, "patient" if field in ("subject", "patient", "beneficiary") else ""
                )
                if ref.startswith("patient/"):
                    return self._aliases.get(ref, ref)
                target = at(one, "reference")
                if target and _uuid(target, "patient") in self._aliases:
                    return self._aliases[_uuid(target, "patient")]
        return ""

    def _tell(self, resource: dict[str, Any], kind: str, patient: str) -> Iterator[RawDocument]:
        known = self._people.get(patient, Person())
        group = self._groups.get((patient, kind))
        if group is None:
            group = self._groups[patient, kind] = _Group(patient, kind, known)
        before = len(group.out)
        if kind == "Patient":
            write_patient(group.out, resource)
        elif kind in _AGENTS and not patient:
            write_agent(group.out, resource, f"{kind.lower()}/{at(resource, 'id')}")
            group.identifiers += _agent_identifiers(resource, kind)
        elif kind in ("Device", "DeviceDefinition"):
            write_device(group.out, resource, group.mention)
            group.identifiers += device_identifiers(resource)
        else:
            write(group.out, resource, group.mention, self._medications)
            group.identifiers += _staff(resource)
            if kind in ("RelatedPerson", "Person"):
                group.identifiers += person(resource).identifiers
            if kind == "Coverage":
                group.identifiers += people.identifier("health_plan", at(resource, "subscriberId"))
        group.num_resources += 1
        time = time_of(resource, _TIMES)
        if time:
            group.times.append(time)
        self._held += len(group.out) - before
        if len(group.out) >= MAX_CHARS or group.num_resources >= MAX_RESOURCES:
            del self._groups[patient, kind]
            self._held -= len(group.out)
            yield self._finish(group)
        elif self._held > MAX_HELD_CHARS:
            yield from self.flush()

    def _finish(self, group: _Group) -> RawDocument:
        self._num_documents += 1
        known = self._people.get(group.patient, Person())
        first, last = (min(group.times), max(group.times)) if group.times else ("", "")
        return group.out.document(
            source=f"{self.source}#{group.kind}-{self._num_documents}",
            kind="fhir",
            title=group.kind,
            group=group.patient,
            time=last,
            identifiers=[*known.identifiers, *group.identifiers],
            numbers=known.numbers,
            person=known.own,
            meta={
                "resource_type": group.kind,
                "resources": str(group.num_resources),
                **({"first": first[:10], "last": last[:10]} if first else {}),
            },
        )

    def _notes_of(
        self, resource: dict[str, Any], kind: str, patient: str, where: str
    ) -> Iterator[RawDocument]:
        known = self._people.get(patient, Person())
        for number, attached in enumerate(attachments(resource), 1):
            if attached.problem:
                self.problems.add(where, attached.problem)
                continue
            # A report and a document reference often carry the very same note.
            digest = hashlib.sha256(f"{patient}\0{attached.text}".encode() + attached.cda).digest()
            if self._notes.setdefault(digest, kind) != kind:
                continue
            _trim(self._notes)
            source = f"{self.source}#{kind}-{self.num_resources}-note-{number}"
            if attached.cda:
                try:
                    yield from read_cda(io.BytesIO(attached.cda), source, group=patient)
                except InputError as error:
                    self.problems.add(where, f"an attached CDA document: {error}")
                continue
            for part, body in cut(attached.text.splitlines(keepends=True)):
                whole = f"{source}-{part}" if part else source
                yield _note(resource, body, whole, patient, known)


def _note(
    resource: dict[str, Any], body: str, source: str, patient: str, known: Person
) -> RawDocument:
    """A note as a document of its own: its type, its date, its author, its patient."""
    out = TextBuilder()
    out.add(body if body.endswith("\n") else f"{body}\n")
    start = body.find(known.name) if known.name else -1
    length = len(known.name)
    for one in known.identifiers:
        if start < 0 and one.kind == "name" and " " in one.value.reveal():
            start, length = body.find(one.value.reveal()), len(one.value)
    if start >= 0 and patient:
        out.mark(start, start + length, "patient", ref=patient)
    title = name_of(resource.get("type")) or name_of(resource.get("code")) or "Note"
    sections = section_names(body)
    return out.document(
        source=source,
        kind="note",
        title=title,
        group=patient,
        time=time_of(resource, _NOTE_TIMES),
        identifiers=[*known.identifiers, *_staff(resource)],
        numbers=known.numbers,
        person=known.own,
        meta={
            "note_type": title,
            **({"sections": "; ".join(sections)} if sections else {}),
            **({"status": at(resource, "status")} if at(resource, "status") else {}),
        },
    )


_TIMES: Final = (
    "onsetDateTime",
    "effectiveDateTime",
    "effectivePeriod",
    "performedDateTime",
    "performedPeriod",
    "occurrenceDateTime",
    "authoredOn",
    "period",
    "date",
    "recordedDate",
    "billablePeriod",
    "created",
    "started",
    "issued",
    "startDate",
)
_STAFF_FIELDS: Final = (
    "requester",
    "performer",
    "author",
    "recorder",
    "asserter",
    "provider",
    "authenticator",
    "generalPractitioner",
)


def _staff(resource: dict[str, Any]) -> Iterator[Identifier]:
    """The names of people that a resource refers to; organisations keep theirs."""
    found = [one for field in _STAFF_FIELDS for one in objects(resource.get(field))]
    for who in objects(resource.get("participant")):
        found += (
            objects(who.get("individual")) + objects(who.get("member")) + objects(who.get("actor"))
        )
    for who in (*objects(resource.get("performer")), *objects(resource.get("agent"))):
        found += objects(who.get("actor")) + objects(who.get("who"))
    found += objects(get(resource, "subject")) + objects(get(resource, "patient"))
    for one in found:
        if not reference(one).startswith(("organization/", "location/", "device/")):
            yield from people.name(at(one, "display"))


def _agent_identifiers(resource: dict[str, Any], kind: str) -> Iterator[Identifier]:
    """Of a practitioner all; of a house its address and phones, while it keeps its name."""
    for one in person(resource).identifiers:
        if one.kind == "mrn" and kind.startswith("Practitioner"):
            yield Identifier("licence", one.value)  # a number of a type that is not known
        elif one.kind != "mrn" and (one.kind != "name" or kind == "Practitioner"):
            yield one
    if kind == "PractitionerRole":
        yield from people.name(at(resource, "practitioner", "display"))
        yield from people.identifier("licence", at(resource, "practitioner", "identifier", "value"))


def _uuid(url: str, kind: str) -> str:
    return (
        f"{kind}/{url.rpartition(':')[2].lower()}"
        if url.startswith("urn:uuid:")
        else f"{kind}@{url}"
    )


def _remember(known: OrderedDict[str, Any], key: str, value: Any) -> None:
    known[key] = value
    known.move_to_end(key)
    _trim(known)


def _trim(known: OrderedDict[Any, Any]) -> None:
    while len(known) > MAX_KNOWN:
        known.popitem(last=False)
