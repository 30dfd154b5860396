"""FHIR resources as readable lines with their coded facts, tied to the patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from aegle.core.records import Concept
from aegle.packs.healthcare.readers import codes
from aegle.packs.healthcare.readers.builder import TextBuilder
from aegle.packs.healthcare.readers.fhir_specs import NO_FACT, SPECS, Extra, Spec, assertion_of
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
    quantity,
    reference,
    text,
    time_of,
    when,
    words,
)

MAX_EXTRA_CHARS: Final = 1500
_SKIPPED: Final = frozenset(
    "resourceType id meta text extension modifierExtension implicitRules language contained "
    "subject patient identifier status telecom address name photo".split()
)


class Line:
    """One resource being told: its words go to a builder, its facts hang on the patient."""

    def __init__(
        self,
        out: TextBuilder,
        resource: dict[str, Any],
        patient: int | None,
        medications: Mapping[str, Any],
    ) -> None:
        self.out = out
        self.resource = resource
        self.patient = patient
        self.medications = medications
        self.kind = text(resource.get("resourceType"))
        self.assertion = assertion_of(self.kind, resource)
        self.time = ""
        self.thing: int | None = None

    def field(self, name: str) -> Any:
        """A field of the resource, looked up when it refers to a medication seen before."""
        value = self.resource.get(name)
        if name.startswith("medication") and objects(value):
            ref = reference(value, "medication") or reference(get(value, "reference"), "medication")
            contained = {
                f"medication/{at(one, 'id')}": one.get("code")
                for one in objects(self.resource.get("contained"))
            }
            return contained.get(ref) or self.medications.get(ref) or value
        return value

    def named(
        self, value: Any, type: str, *, assertion: str = "", time: str | None = None, ref: str = ""
    ) -> int | None:
        """Append what a coded value is called, as a mention when its type is known."""
        found, name = concepts(value), name_of(value)
        type = type or codes.type_of(found, name)
        if not type or type == NO_FACT:
            self.out.add(name)
            return None
        return self.out.mention(
            name,
            type,
            concepts=found,
            assertion=assertion or self.assertion,
            time=self.time if time is None else time,
            ref=ref,
        )

    def further(self, extra: Extra) -> None:
        """Append one of the further fields."""
        value = self.resource.get(extra.field)
        if extra.field == "note":
            self._tell(extra.word, " ".join(at(one, "text") for one in objects(value)))
        elif not extra.type:
            self._tell(extra.word, phrase(value))
        else:
            for one in items(value)[:8]:
                if not name_of(one):
                    continue
                self.out.add(f"; {extra.word} ")
                # A reason or a site is what it is, whatever became of the resource.
                tail = self.named(one, extra.type, assertion="present")
                if extra.link:
                    self.out.link(self.thing, tail, extra.link, self.time)

    def _tell(self, word: str, told: str) -> None:
        told = told.strip()[:MAX_EXTRA_CHARS]
        if told:
            self.out.add(f"; {word} {told}")

    def tie(self, tail: int | None, type: str) -> None:
        """Tie the patient to a mention."""
        self.out.link(self.patient, tail, type, self.time)


def write(
    out: TextBuilder,
    resource: dict[str, Any],
    patient: int | None,
    medications: Mapping[str, Any],
) -> None:
    """Append the line of one resource.

    Args:
        out: where to.
        resource: any FHIR resource.
        patient: the patient's mention in ``out``; None for a resource of no patient.
        medications: ``medication/ID`` -> its code, for what was read before.
    """
    line = Line(out, resource, patient, medications)
    spec = SPECS.get(line.kind)
    if spec is None:
        _write_any(line)
    else:
        _write_spec(line, spec)
    out.add("\n")


def _write_spec(line: Line, spec: Spec) -> None:
    out, resource = line.out, line.resource
    line.time = time_of(resource, spec.times)
    field = next((name for name in spec.names if name_of(line.field(name))), "")
    value = line.field(field) if field else None
    out.add(f"{_label(line, spec)}: ")
    type = _observation_type(resource) if line.kind == "Observation" else spec.type
    if field:
        line.thing = line.named(value, type)
    else:
        out.add("not named")
    if spec.relation:
        line.tie(line.thing, "has_vital" if type == "vital" else spec.relation)
    detail = _DETAILS_FIRST.get(line.kind)
    if detail:
        detail(line)
    out.add(_status(resource))
    if line.time:
        out.add(f", {spec.time_word} {codes.shown(line.time)}{_until(line)}")
    out.add(codes.cite(concepts(value)))
    for extra in spec.extras:
        if extra.field != field:
            line.further(extra)
    detail = _DETAILS.get(line.kind)
    if detail:
        detail(line)


def _label(line: Line, spec: Spec) -> str:
    if line.kind != "Observation":
        return spec.label
    return {"vital": "Vital sign", "lab": "Lab"}.get(_observation_type(line.resource), spec.label)


def _observation_type(resource: dict[str, Any]) -> str:
    categories = {code(one) for one in items(resource.get("category"))}
    return "vital" if categories & {"vital-signs", "vital signs"} else "lab"


def _until(line: Line) -> str:
    if line.kind != "Encounter":
        return ""
    end = codes.iso(at(line.resource.get("period") or line.resource.get("actualPeriod"), "end"))
    return f" to {codes.shown(end)}" if end else ""


def _status(resource: dict[str, Any]) -> str:
    told = [code(resource.get(name)) for name in ("clinicalStatus", "verificationStatus", "status")]
    told = [one for one in dict.fromkeys(told) if one]
    return f" ({', '.join(told)})" if told else ""


def _value_of(part: dict[str, Any]) -> str:
    """The value of an Observation or component, whatever its type."""
    for name, value in part.items():
        if not name.startswith("value"):
            continue
        told = quantity(value) if name in ("valueQuantity", "valueRange", "valueRatio") else ""
        told = told or phrase(value)
        if told:
            return told
    return name_of(part.get("dataAbsentReason"))


def _observation_value(line: Line) -> None:
    resource = line.resource
    line.out.add(f" {told}" if (told := _value_of(resource)) else "")
    flag = phrase(resource.get("interpretation"))
    span = _range(resource)
    line.out.add(f", {flag}" if flag else "")
    line.out.add(f" (reference {span})" if span else "")


def _range(part: dict[str, Any]) -> str:
    span = next(iter(objects(part.get("referenceRange"))), {})
    return at(span, "text") or quantity({k: v for k, v in span.items() if k in ("low", "high")})


def _components(line: Line) -> None:
    type = _observation_type(line.resource)
    for part in objects(line.resource.get("component")):
        line.out.add("; ")
        tail = line.named(part.get("code"), type)
        line.tie(tail, "has_vital" if type == "vital" else "has_result")
        line.out.add(f" {_value_of(part)}".rstrip())
        line.out.add(codes.cite(concepts(part.get("code"))))


def _dosage(line: Line) -> None:
    for name in ("dosageInstruction", "dosage"):
        for dose in objects(line.resource.get(name))[:4]:
            told = at(dose, "text") or _dose(dose)
            if told:
                line.out.add("; dose ")
                tail = line.out.mention(told, "dose", assertion=line.assertion, time=line.time)
                line.out.link(line.thing, tail, "has_dose", line.time)


def _dose(dose: dict[str, Any]) -> str:
    rate = get(dose, "doseAndRate")
    amount = (
        quantity(get(rate, "doseQuantity"))
        or quantity(get(rate, "doseRange"))
        or quantity(dose.get("dose") or dose.get("doseQuantity"))
    )
    repeat = get(dose, "timing", "repeat")
    often, period, unit = (at(repeat, name) for name in ("frequency", "period", "periodUnit"))
    rhythm = f"{often} times per {period} {unit}" if often and period and unit else ""
    parts = [amount, name_of(dose.get("route")), rhythm or name_of(get(dose, "timing", "code"))]
    if dose.get("asNeededBoolean") is True:
        parts.append("as needed")
    return ", ".join(part for part in parts if part)


def _reactions(line: Line) -> None:
    for reaction in objects(line.resource.get("reaction")):
        for sign in items(reaction.get("manifestation"))[:8]:
            if name_of(sign):
                line.out.add("; reaction ")
                tail = line.named(sign, "symptom")
                line.out.link(line.thing, tail, "causes", line.time)
        severity = at(reaction, "severity")
        line.out.add(f" ({severity})" if severity else "")


def _encounter(line: Line) -> None:
    resource, out = line.resource, line.out
    setting = name_of(resource.get("class"))
    out.add(f"; class {setting}" if setting else "")
    for who in objects(resource.get("participant"))[:6]:
        person = get(who, "individual") or get(who, "actor")
        _person(line, person, name_of(who.get("type")) or "with")
    provider = name_of(resource.get("serviceProvider"))
    if provider:
        out.add("; provider ")
        line.tie(out.mention(provider, "organization", time=line.time), "cared_for_by")
    for stay in objects(resource.get("location"))[:6]:
        place = name_of(stay.get("location"))
        # A location called as its organisation is the whole house, told above; a ward is a part.
        if place and place != provider:
            out.add("; location ")
            line.tie(
                out.mention(place, "ward", time=when(stay.get("period")) or line.time), "stays_in"
            )


def _person(line: Line, person: Any, word: str) -> None:
    name = name_of(person)
    if name:
        line.out.add(f"; {word} ")
        ref = reference(person, "practitioner")
        kind = "organization" if ref.startswith("organization/") else "practitioner"
        tail = line.out.mention(
            name, kind, time=line.time, ref="" if kind == "organization" else ref
        )
        line.tie(tail, "cared_for_by")


def _team(line: Line) -> None:
    for who in objects(line.resource.get("participant"))[:12]:
        member = who.get("member")
        if not reference(member).startswith("patient/"):
            _person(line, member, name_of(who.get("role")) or "member")


def _activities(line: Line) -> None:
    for activity in objects(line.resource.get("activity"))[:20]:
        detail = get(activity, "detail")
        told = get(detail, "code") or activity.get("plannedActivityReference")
        if name_of(told):
            line.out.add("; activity ")
            line.named(told, "procedure")
            status = at(detail, "status")
            line.out.add(f" ({status})" if status else "")


def _relatives(line: Line) -> None:
    for one in objects(line.resource.get("condition"))[:12]:
        line.out.add("; ")
        line.tie(line.named(one.get("code"), "condition"), "has_condition")
        line.out.add(codes.cite(concepts(one.get("code"))))
        outcome = name_of(one.get("outcome"))
        line.out.add(f" ({outcome})" if outcome else "")


def _series(line: Line) -> None:
    for one in objects(line.resource.get("series"))[:6]:
        told = ", ".join(p for p in (name_of(one.get("modality")), at(one, "description")) if p)
        line.out.add(f"; series {told}" if told else "")
        if name_of(one.get("bodySite")):
            line.out.add(" of ")
            line.named(one.get("bodySite"), "anatomy")


def _supplied(line: Line) -> None:
    item = get(line.resource, "suppliedItem")
    named = get(item, "itemCodeableConcept") or get(item, "itemReference")
    if name_of(named):
        line.out.add("; item ")
        line.named(named, "")
        line.out.add(codes.cite(concepts(named)))
    amount = quantity(get(item, "quantity"))
    line.out.add(f"; quantity {amount}" if amount else "")


_DETAILS_FIRST: Final[dict[str, Callable[[Line], None]]] = {"Observation": _observation_value}
_DETAILS: Final[dict[str, Callable[[Line], None]]] = {
    "Observation": _components,
    "MedicationRequest": _dosage,
    "MedicationStatement": _dosage,
    "MedicationAdministration": _dosage,
    "MedicationDispense": _dosage,
    "AllergyIntolerance": _reactions,
    "Encounter": _encounter,
    "CareTeam": _team,
    "CarePlan": _activities,
    "FamilyMemberHistory": _relatives,
    "ImagingStudy": _series,
    "SupplyDelivery": _supplied,
}


def _write_any(line: Line) -> None:
    """A resource without a line of its own: field by field, coded fields as mentions."""
    resource, out = line.resource, line.out
    title = words(line.kind).capitalize()
    own = human_name(resource.get("name")) or name_of(resource.get("name"))
    out.add(f"{title}:")
    out.add(f" {own}" if own else "")
    out.add(_status(resource))
    line.time = time_of(
        resource,
        (
            "date",
            "created",
            "recorded",
            "authoredOn",
            "occurrenceDateTime",
            "period",
            "billablePeriod",
            "occurrencePeriod",
            "performedDateTime",
            "effectiveDateTime",
        ),
    )
    limit = len(out) + MAX_EXTRA_CHARS
    for name, value in resource.items():
        if name in _SKIPPED or len(out) > limit:
            continue
        told = phrase(value)
        found: tuple[Concept, ...] = concepts(value) if objects(value) else ()
        if found and name_of(value):
            out.add(f"; {words(name)} ")
            line.named(value, "")
            out.add(codes.cite(found))
        elif told:
            out.add(f"; {words(name)} {told}")
