"""What each FHIR resource type says: which fields name it, date it, and are worth telling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from aegle.packs.healthcare.readers.fhir_values import code, concepts


@dataclass(frozen=True, slots=True)
class Extra:
    """A field told after the main clause; with a ``type`` its codes become mentions.

    ``link`` ties the resource's own mention (head) to the extra's (tail).
    """

    field: str
    word: str
    type: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """How a resource type is told.

    Attributes:
        label: the word that opens its line.
        names: fields that may name it, first wins.
        type: entity type of the name; empty: told by its code system; `NO_FACT`: none.
        relation: patient -> name.
        times: fields that may date it, first wins.
        time_word: what that date is.
    """

    label: str
    names: tuple[str, ...] = ("code",)
    type: str = ""
    relation: str = ""
    times: tuple[str, ...] = ()
    time_word: str = "on"
    extras: tuple[Extra, ...] = ()


NO_FACT: Final = "-"
"""The type of a name that is words, not an entity: the kind of a document, a team's title."""

_REASONS: Final = (
    Extra("reasonCode", "for", "condition"),
    Extra("reasonReference", "for", "condition"),
    Extra("reason", "for", "condition"),
)
_TREATS: Final = tuple(Extra(one.field, one.word, one.type, "treats") for one in _REASONS)
_SITE: Final = Extra("bodySite", "site", "anatomy")
_NOTE: Final = Extra("note", "note")
_MEDICATION: Final = ("medicationCodeableConcept", "medicationReference", "medication", "code")

SPECS: Final[dict[str, Spec]] = {
    "Condition": Spec(
        "Condition",
        type="condition",
        relation="has_condition",
        times=("onsetDateTime", "onsetPeriod", "recordedDate", "assertedDate"),
        time_word="onset",
        extras=(
            Extra("onsetString", "onset"),
            Extra("onsetAge", "onset at age"),
            Extra("abatementDateTime", "resolved"),
            Extra("severity", "severity"),
            _SITE,
            _NOTE,
        ),
    ),
    "AllergyIntolerance": Spec(
        "Allergy",
        type="allergy",
        relation="allergic_to",
        times=("onsetDateTime", "recordedDate", "assertedDate"),
        time_word="recorded",
        extras=(
            Extra("category", "category"),
            Extra("criticality", "criticality"),
            _NOTE,
        ),
    ),
    "MedicationRequest": Spec(
        "Medication",
        _MEDICATION,
        "medication",
        "takes",
        ("authoredOn",),
        "ordered",
        (*_TREATS, Extra("requester", "by"), _NOTE),
    ),
    "MedicationStatement": Spec(
        "Medication",
        _MEDICATION,
        "medication",
        "takes",
        ("effectiveDateTime", "effectivePeriod", "dateAsserted"),
        "taken",
        (*_TREATS, _NOTE),
    ),
    "MedicationAdministration": Spec(
        "Medication given",
        _MEDICATION,
        "medication",
        "takes",
        ("effectiveDateTime", "effectivePeriod", "occurenceDateTime"),
        "given",
        (*_TREATS, _NOTE),
    ),
    "MedicationDispense": Spec(
        "Medication dispensed",
        _MEDICATION,
        "medication",
        "takes",
        ("whenHandedOver", "whenPrepared"),
        "dispensed",
        (Extra("quantity", "quantity"), Extra("daysSupply", "supply")),
    ),
    "Medication": Spec("Medication", ("code",), "medication", extras=(Extra("form", "form"),)),
    "Procedure": Spec(
        "Procedure",
        type="procedure",
        relation="had_procedure",
        times=("performedDateTime", "performedPeriod", "occurrenceDateTime", "occurrencePeriod"),
        time_word="done",
        extras=(*_TREATS, _SITE, Extra("outcome", "outcome"), Extra("location", "at"), _NOTE),
    ),
    "ServiceRequest": Spec(
        "Order",
        type="procedure",
        relation="had_procedure",
        times=("occurrenceDateTime", "occurrencePeriod", "authoredOn"),
        time_word="ordered",
        extras=(*_REASONS, _SITE, Extra("requester", "by"), _NOTE),
    ),
    "Observation": Spec(
        "Observation",
        type="lab",
        relation="has_result",
        times=("effectiveDateTime", "effectivePeriod", "effectiveInstant", "issued"),
        extras=(Extra("bodySite", "site", "anatomy"), Extra("method", "method"), _NOTE),
    ),
    "DiagnosticReport": Spec(
        "Report",
        type="lab",
        relation="has_result",
        times=("effectiveDateTime", "effectivePeriod", "issued"),
        extras=(
            Extra("result", "results"),
            Extra("conclusion", "conclusion"),
            Extra("conclusionCode", "conclusion", "condition"),
            Extra("performer", "by"),
        ),
    ),
    "Immunization": Spec(
        "Immunization",
        ("vaccineCode",),
        "immunization",
        "had_immunization",
        ("occurrenceDateTime", "date", "recorded"),
        "given",
        (
            Extra("occurrenceString", "given"),
            Extra("doseQuantity", "dose"),
            Extra("site", "site", "anatomy"),
            Extra("statusReason", "reason"),
            _NOTE,
        ),
    ),
    "Encounter": Spec(
        "Encounter",
        ("type", "serviceType", "class"),
        "encounter",
        "had_encounter",
        ("period", "actualPeriod"),
        "on",
        (*_REASONS,),
    ),
    "DocumentReference": Spec(
        "Document",
        ("type", "description", "category"),
        NO_FACT,
        times=("date", "indexed"),
        extras=(
            Extra("description", "about"),
            Extra("author", "by"),
            Extra("custodian", "kept by"),
        ),
    ),
    "CarePlan": Spec(
        "Care plan",
        ("title", "category", "description"),
        "procedure",
        "had_procedure",
        ("period", "created"),
        "from",
        (Extra("description", "about"), Extra("addresses", "for", "condition"), _NOTE),
    ),
    "CareTeam": Spec(
        "Care team", ("name", "category"), NO_FACT, times=("period",), time_word="from"
    ),
    "Goal": Spec(
        "Goal",
        ("description",),
        NO_FACT,
        times=("startDate", "statusDate"),
        time_word="from",
        extras=(
            Extra("lifecycleStatus", "status"),
            Extra("achievementStatus", "achievement"),
            Extra("addresses", "for", "condition"),
            Extra("target", "target"),
            _NOTE,
        ),
    ),
    "FamilyMemberHistory": Spec("Family history", ("relationship",), NO_FACT, times=("date",)),
    "ImagingStudy": Spec(
        "Imaging study",
        ("procedureCode", "description", "modality"),
        "procedure",
        "had_procedure",
        ("started",),
        "done",
        (Extra("description", "about"), *_REASONS, Extra("location", "at"), _NOTE),
    ),
    "SupplyDelivery": Spec(
        "Supply",
        ("suppliedItem", "type"),
        NO_FACT,
        times=("occurrenceDateTime", "occurrencePeriod"),
    ),
    "Coverage": Spec(
        "Coverage",
        ("type", "class"),
        NO_FACT,
        times=("period",),
        time_word="from",
        extras=(Extra("payor", "by"), Extra("relationship", "relationship")),
    ),
    "Media": Spec("Image", ("type", "reasonCode", "content"), NO_FACT, times=("createdDateTime",)),
    "Specimen": Spec("Specimen", ("type",), NO_FACT, times=("receivedTime",)),
}
"""Resource types with a line of their own; every other type is told field by field."""

_NEGATED: Final = frozenset(
    "refuted entered-in-error not-done cancelled not-taken not-taking nullified revoked".split()
)
_POSSIBLE: Final = frozenset("unconfirmed provisional differential suspected".split())
_HISTORICAL: Final = frozenset("inactive resolved remission stopped completed ended".split())
_PLANNED: Final = frozenset("draft proposal plan planned preparation booked arrived-not".split())
_PAST_COUNTS: Final = frozenset(
    "Condition AllergyIntolerance MedicationRequest MedicationStatement Device".split()
)
_NO_ALLERGY: Final = frozenset({"716186003", "409137002", "428607008", "429625007"})


def assertion_of(kind: str, resource: dict[str, Any]) -> str:
    """present, negated, possible, historical, family or hypothetical, from a resource's statuses.

    ``completed`` makes a medication history, but not a procedure: that was done and counts.
    """
    if kind == "FamilyMemberHistory":
        return "family"
    statuses = {
        code(resource.get(field))
        for field in ("verificationStatus", "clinicalStatus", "status", "wasNotTaken", "taken")
    }
    known_none = {one.code for one in concepts(resource.get("code"))} & _NO_ALLERGY
    if statuses & _NEGATED or resource.get("doNotPerform") is True or known_none:
        return "negated"
    if statuses & _POSSIBLE:
        return "possible"
    if code(resource.get("intent")) in _PLANNED or statuses & _PLANNED:
        return "hypothetical"
    if kind in ("ServiceRequest", "Goal", "CarePlan"):
        return "hypothetical"
    if kind in _PAST_COUNTS and statuses & _HISTORICAL:
        return "historical"
    return "present"
