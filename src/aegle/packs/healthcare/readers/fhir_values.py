"""FHIR's data types read without trust: a value of the wrong type reads as absent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from aegle.core.records import Concept
from aegle.packs.healthcare.readers import codes
from aegle.packs.healthcare.readers.builder import squeeze

MAX_PHRASE: Final = 400
_REFERENCE: Final = re.compile(
    r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,128})(?:/_history/[^/]*)?$"
)
_CONDITIONAL: Final = re.compile(r"^([A-Z][A-Za-z]+)\?identifier=(?:[^|]*\|)?(.+)$")


def items(value: Any) -> list[Any]:
    """The elements of a list; a single value counts as a list of it, nothing as an empty one."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects among the elements."""
    if isinstance(value, dict):
        return [value]
    if value is None or isinstance(value, str):
        return []
    return [one for one in items(value) if isinstance(one, dict)]


def get(value: Any, *path: str) -> Any:
    """What stands at a path of names, taking the first element of each list; None when absent."""
    for name in path:
        if isinstance(value, dict):
            value = value.get(name)
            continue
        value = next(iter(objects(value)), {}).get(name)
    return value


def text(value: Any) -> str:
    """A string, number or truth value in words; of a list the first; anything else is empty."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, str):
        return squeeze(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return squeeze(str(value)) if isinstance(value, (int, float)) else ""


def at(value: Any, *path: str) -> str:
    """`text` of what stands at a path."""
    return text(get(value, *path))


def code(value: Any) -> str:
    """A plain code, or the first code of a CodeableConcept or a Coding, in lower case."""
    if objects(value):
        value = get(value, "coding", "code") or get(value, "code") or get(value, "text")
    return text(value).casefold()


def concepts(value: Any) -> tuple[Concept, ...]:
    """The known codings of CodeableConcepts, Codings or CodeableReferences."""
    found = []
    for one in objects(value):
        inner = objects(one.get("concept"))
        codings = [coding for each in inner or [one] for coding in objects(each.get("coding"))]
        for coding in codings or [one]:
            found.append(
                codes.concept(at(coding, "system"), at(coding, "code"), at(coding, "display"))
            )
    return codes.ordered(found)


def name_of(value: Any, depth: int = 4) -> str:
    """What a CodeableConcept, Coding, Reference or CodeableReference is called."""
    if not objects(value):
        return text(value)[:MAX_PHRASE]
    one = objects(value)[0]
    inner = one.get("concept") or one.get("reference")
    if objects(inner) and depth:  # a CodeableReference of R5
        return name_of(inner, depth - 1)
    named = at(one, "text") or at(one, "display")
    for coding in objects(one.get("coding")):
        named = named or at(coding, "display")
    for coding in objects(one.get("coding")):
        named = named or at(coding, "code")
    return (named or at(one, "code") or at(one, "name"))[:MAX_PHRASE]


def reference(value: Any, default: str = "") -> str:
    """A reference made one: ``patient/123`` for ``Patient/123``, ``urn:uuid:123``, a URL and so on.

    Args:
        value: a Reference, or its string.
        default: the type of a reference that names none (``urn:uuid:``), in lower case.
    """
    one = next(iter(objects(value)), None)
    target = at(one, "reference") if one is not None else text(value)
    if target.startswith(("urn:uuid:", "urn:oid:")):
        id_ = target.rpartition(":")[2].lower()
        kind = (at(one, "type") or default).casefold()
        return f"{kind}/{id_}" if id_ and kind else ""
    if target.startswith("#"):
        return f"{default}/{target[1:]}" if default and len(target) > 1 else ""
    match = _REFERENCE.search(target) or _CONDITIONAL.match(target)
    if match:
        return f"{match[1].lower()}/{match[2]}"
    logical = at(one, "identifier", "value")
    return f"{default}/{logical}" if logical and default else ""


def when(value: Any) -> str:
    """The time of a dateTime, or the start (else the end) of a Period or Timing; ISO or empty."""
    one = next(iter(objects(value)), None)
    if one is None:
        return codes.iso(text(value))
    events = [codes.iso(text(event)) for event in items(one.get("event"))]
    for found in (at(one, "start"), at(one, "end"), *events, at(one, "repeat", "boundsPeriod")):
        if codes.iso(found):
            return codes.iso(found)
    return ""


def time_of(resource: dict[str, Any], names: tuple[str, ...]) -> str:
    """The first time among some fields."""
    for name in names:
        found = when(resource.get(name))
        if found:
            return found
    return ""


def quantity(value: Any, depth: int = 3) -> str:
    """``7.2 mmol/L``, ``< 5 %``, ``3 to 5 mg``, ``1 mg / 5 mL``."""
    one = next(iter(objects(value)), None)
    if one is None:
        return text(value)
    for low, high, joint in (("low", "high", " to "), ("numerator", "denominator", " / ")):
        if depth and (low in one or high in one):
            parts = (quantity(one.get(low), depth - 1), quantity(one.get(high), depth - 1))
            return joint.join(part for part in parts if part)
    number = at(one, "value")
    unit = at(one, "unit") or at(one, "code") or at(one, "currency")
    return (
        " ".join(part for part in (at(one, "comparator"), number, unit) if part) if number else ""
    )


def phrase(value: Any, depth: int = 3) -> str:
    """Any value in a few words, whatever its type; long ones are cut."""
    if not isinstance(value, (dict, list)):
        return text(value)[:MAX_PHRASE]
    if isinstance(value, list):
        told = (phrase(one, depth) for one in value[:8])
        return ", ".join(dict.fromkeys(part for part in told if part))[:MAX_PHRASE]
    if depth <= 0:
        return ""
    return (_known(value) or "; ".join(_members(value, depth)))[:MAX_PHRASE]


def _known(value: dict[str, Any]) -> str:
    """The words for the data types that have a shape of their own."""
    if "start" in value or "end" in value:
        start, end = when(value.get("start")), codes.iso(at(value, "end"))
        if start or end:
            return (
                f"{codes.shown(start)} to {codes.shown(end)}".strip() if end else codes.shown(start)
            )
    if {"low", "high", "numerator"} & set(value) or ("value" in value and "system" not in value):
        return quantity(value)
    return name_of(value)


def _members(value: dict[str, Any], depth: int) -> Iterator[str]:
    """``name value`` of the members worth telling."""
    for name, member in value.items():
        if name in ("extension", "modifierExtension", "id", "meta", "system", "url", "data", "div"):
            continue
        told = phrase(member, depth - 1)
        if told:
            yield f"{words(name)} {told}"


def words(name: str) -> str:
    """``reason code`` for ``reasonCode``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()


def human_name(value: Any) -> str:
    """``Mrs. Ana Maria Lopez`` of a HumanName, or of a plain string."""
    one = next(iter(objects(value)), None)
    if one is None:
        return text(value)
    parts = [
        text(part)
        for key in ("prefix", "given", "family", "suffix")
        for part in items(one.get(key))
    ]
    return " ".join(part for part in parts if part) or at(one, "text")
