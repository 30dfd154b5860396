"""Coded entries of a CDA section as mentions, placed where the narrative says the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final
from xml.etree.ElementTree import Element

from aegle.core.records import Concept
from aegle.packs.healthcare.readers import codes
from aegle.packs.healthcare.readers.builder import TextBuilder, squeeze
from aegle.packs.healthcare.readers.ccda_narrative import Places

_XSI_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
_TEMPLATE: Final = "2.16.840.1.113883.10.20.22.4."
_ASIDE: Final = {f"{_TEMPLATE}{one}" for one in (5, 6, 8, 25, 28, 31, 33, 113, 119)}
"""Statuses, severities, ages, health and provenance: about another fact, none themselves."""
_REACTION: Final = f"{_TEMPLATE}9"
_VACCINE: Final = f"{_TEMPLATE}52"
_RELATION: Final = {
    "condition": "has_condition",
    "symptom": "has_symptom",
    "allergy": "allergic_to",
    "medication": "takes",
    "immunization": "had_immunization",
    "procedure": "had_procedure",
    "lab": "has_result",
    "vital": "has_vital",
    "encounter": "had_encounter",
    "device": "uses_device",
}
_LABEL: Final = {"lab": "Lab", "vital": "Vital sign"}
_SECTION: Final[dict[str, str]] = {
    "11450-4": "condition",
    "46241-6": "condition",
    "42347-5": "condition",
    "11535-2": "condition",
    "11348-0": "condition",
    "10157-6": "family",
    "48765-2": "allergy",
    "11369-6": "immunization",
    "30954-2": "lab",
    "8716-3": "vital",
    "47519-4": "procedure",
    "46264-8": "device",
}
_LONGEST: Final = 160


@dataclass(frozen=True, slots=True)
class _Fact:
    """What one entry states, before it has a place in the text."""

    type: str
    name: str
    concepts: tuple[Concept, ...]
    assertion: str
    time: str
    refs: tuple[str, ...]
    num_own: int = 0
    value: str = ""


def add_entries(
    out: TextBuilder, section: Element, *, patient: int | None, start: int, places: Places
) -> None:
    """Mark the section's coded facts, and tie them to the patient.

    A fact stands where its entry's reference points; else where its name stands in the section;
    else on a line of its own, added at the section's end.
    """
    code = section.find("code")
    kind = _SECTION.get(code.get("code", "") if code is not None else "", "")
    narrative = out.since(start)
    seen: set[tuple[str, object]] = set()
    for entry in section.findall("entry"):
        for fact in _facts(entry, kind):
            spot = _spot(fact, narrative, start, places)
            key = (fact.type, spot or (fact.concepts or fact.name, fact.time))
            if key in seen:
                continue
            seen.add(key)
            mention = _own_line(out, fact) if spot is None else _mark(out, fact, spot)
            out.link(patient, mention, _RELATION[fact.type], fact.time)


def _mark(out: TextBuilder, fact: _Fact, spot: tuple[int, int]) -> int:
    return out.mark(
        *spot, fact.type, concepts=fact.concepts, assertion=fact.assertion, time=fact.time
    )


def _own_line(out: TextBuilder, fact: _Fact) -> int | None:
    out.add(f"{_LABEL.get(fact.type, fact.type.capitalize())}: ")
    mention = out.mention(
        fact.name,
        fact.type,
        concepts=fact.concepts,
        assertion=fact.assertion,
        time=fact.time,
    )
    out.add(f" {fact.value}" if fact.value else "")
    out.add(f" ({fact.assertion})" if fact.assertion != "present" else "")
    out.add(f", {codes.shown(fact.time)}" if fact.time else "")
    out.add(f"{codes.cite(fact.concepts)}\n")
    return mention


def _spot(fact: _Fact, narrative: str, start: int, places: Places) -> tuple[int, int] | None:
    """Where the narrative names a fact; None when it does not."""
    name = fact.name.lower()
    for number, ref in enumerate(fact.refs):
        place = places.get(ref)
        if place is None:
            continue
        told = narrative[place[0] - start : place[1] - start]
        within = _find(name, told)
        if within >= 0:
            return place[0] + within, place[0] + within + len(name)
        # Only the code's own reference means these words; the entry's may mean its whole row.
        if (
            number < fact.num_own
            and len(told) <= _LONGEST
            and "\n" not in told
            and ": " not in told
        ):
            return place
    found = _find(name, narrative) if len(name) >= 3 else -1
    return (start + found, start + found + len(name)) if found >= 0 else None


def _find(name: str, text: str) -> int:
    """Where a lower-case name stands in a text, whatever the text's case; -1 when nowhere."""
    lower = text.lower()
    return lower.find(name) if len(lower) == len(text) else -1


def _facts(entry: Element, kind: str) -> Iterator[_Fact]:
    for node in entry.iter():
        if node.tag not in (
            "observation",
            "substanceAdministration",
            "procedure",
            "encounter",
            "act",
        ):
            continue
        templates = {one.get("root", "") for one in node.findall("templateId")}
        if templates & _ASIDE or node.get("nullFlavor"):
            continue
        fact = _fact(node, kind, templates)
        if fact is not None and fact.name:
            yield fact


def _fact(node: Element, kind: str, templates: set[str]) -> _Fact | None:
    if node.tag == "substanceAdministration":
        coded = node.find("consumable/manufacturedProduct/manufacturedMaterial/code")
        vaccine = kind == "immunization" or _VACCINE in templates
        return _make(node, coded, "immunization" if vaccine else "medication")
    if node.tag == "encounter":
        return _make(node, node.find("code"), "encounter")
    if node.tag == "procedure":
        device = (
            node.find("participant/participantRole/playingDevice/code")
            if kind == "device"
            else None
        )
        return _make(
            node,
            device if device is not None else node.find("code"),
            "procedure" if device is None else "device",
        )
    if node.tag == "act":
        return _make(node, node.find("code"), "procedure") if kind == "procedure" else None
    if kind in ("lab", "vital"):
        return _make(node, node.find("code"), kind, value=_value(node.find("value")))
    if kind == "procedure":
        return _make(node, node.find("code"), "procedure")
    if _REACTION in templates:
        return _make(node, node.find("value"), "symptom")
    if kind == "allergy":
        substance = node.find("participant/participantRole/playingEntity/code")
        return _make(node, substance, "allergy") if substance is not None else None
    value = node.find("value")
    if value is None or not value.get(_XSI_TYPE, "").endswith(("CD", "CE")):
        return None
    fact = _make(node, value, "condition")
    if (
        fact is None
        or not fact.concepts
        or (kind not in ("condition", "family") and not _is_condition(fact))
    ):
        return None
    return fact if kind != "family" else _family(fact)


def _family(fact: _Fact) -> _Fact:
    return replace(fact, assertion="family")


def _is_condition(fact: _Fact) -> bool:
    return codes.type_of(fact.concepts, fact.name) in ("condition", "symptom")


def _make(node: Element, coded: Element | None, type: str, *, value: str = "") -> _Fact | None:
    if coded is None:
        return None
    found = codes.ordered(
        codes.concept(one.get("codeSystem", ""), one.get("code", ""), one.get("displayName", ""))
        for one in (coded, *coded.findall("translation"))
    )
    told = coded.find("originalText")
    original = squeeze("".join(told.itertext())) if told is not None else ""
    names = [coded.get("displayName", ""), original, *(one.get("displayName", "") for one in coded)]
    name = next((squeeze(one) for one in names if one and squeeze(one)), "")[:200]
    own = list(coded.iter("reference"))
    pointers = [*own, *node.findall("text/reference")]
    pointers += node.findall("code/originalText/reference")
    refs = tuple(one.get("value", "").lstrip("#") for one in pointers)
    return _Fact(type, name, found, _assertion(node, type), _time(node), refs, len(own), value)


def _assertion(node: Element, type: str) -> str:
    if node.get("negationInd", "").casefold() == "true":
        return "negated"
    if node.get("moodCode", "EVN") in ("RQO", "PRMS", "PRP", "GOL", "ARQ", "APT"):
        return "hypothetical"
    if type in ("procedure", "encounter") and node.get("moodCode") == "INT":
        return "hypothetical"
    resolved = node.find("effectiveTime/high")
    if type == "condition" and resolved is not None and resolved.get("value"):
        return "historical"
    return "present"


def _time(node: Element) -> str:
    for path in ("effectiveTime", "effectiveTime/low", "effectiveTime/center"):
        one = node.find(path)
        if one is not None and codes.iso_of_ts(one.get("value", "")):
            return codes.iso_of_ts(one.get("value", ""))
    return ""


def _value(value: Element | None) -> str:
    if value is None:
        return ""
    told = value.get("displayName") or " ".join(
        part for part in (value.get("value"), value.get("unit")) if part and part != "1"
    )
    return squeeze(told or value.text or "")
