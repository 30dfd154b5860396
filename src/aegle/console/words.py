"""What the console calls things: kinds of documents, relations, and why something was found."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Final

KINDS: Final = {
    "cve": "CVE record",
    "event": "Security event",
    "fhir": "FHIR record",
    "hl7v2": "HL7 message",
    "ccda": "C-CDA document",
    "log": "Log",
    "mail": "E-mail",
    "note": "Note",
    "page": "Page",
    "sigma": "Detection rule",
    "stix": "Threat intelligence",
    "table": "Table",
}
_STEP: Final = re.compile(r" (<-\w+-|-\w+->) ")
_WAYS: Final = {
    "dense": ("dense", "Similar meaning"),
    "text": ("text", "Same words"),
}
"""Searcher -> class of its chip, what it says."""


def kind(name: str) -> str:
    """A kind of document, for people."""
    return KINDS.get(name, name.replace("_", " ").capitalize())


def relation(name: str) -> str:
    """A relation, for people."""
    return name.replace("_", " ")


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def size(count: int) -> str:
    """A number of bytes, for people."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:,.1f} {unit}"
    return plural(count, "byte")


def steps(via: str) -> list[str]:
    """Keys and relations, in turn, of a reason that the graph gave."""
    return _STEP.split(via.removeprefix("graph: ")) if via.startswith("graph: ") else []


def keys(vias: Iterable[str]) -> set[str]:
    """The keys of nodes in some reasons."""
    return {key for via in vias for key in steps(via)[::2]}


def reason(via: str, names: Mapping[str, str]) -> tuple[str, str]:
    """Why a hit was found: the class of its chip, and words."""
    path = steps(via)
    if path:
        return "graph", _path(path, names)
    searcher, _, place = via.partition("#")
    style, words = _WAYS.get(searcher, ("text", searcher))
    return style, f"{words} (no. {place})" if place else words


def _path(path: list[str], names: Mapping[str, str]) -> str:
    said = [names.get(path[0], path[0])]
    for arrow, key in zip(path[1::2], path[2::2], strict=True):
        name = relation(arrow.strip("<->"))
        if name == "mentions":
            # A chunk that mentions something: the last one is the text shown, others a way there.
            said.append("\u2192 this text" if key is path[-1] else "\u2192 a text")
        elif arrow.startswith("<"):
            said.append(f"\u2190 {name} \u2190 {names.get(key, key)}")
        else:
            said.append(f"\u2192 {name} \u2192 {names.get(key, key)}")
    return "Connected: " + " ".join(said)


def chip(via: str, names: Mapping[str, str]) -> str:
    """One reason why a hit was found, as HTML."""
    style, words = reason(via, names)
    return f'<span class="a-chip {style}">{html.escape(words)}</span>'


def marked(text: str, start: int, end: int) -> str:
    """A text as HTML with characters start..end in a ``mark``; everything is escaped."""
    before, inside, after = text[:start], text[start:end], text[end:]
    return f"{html.escape(before)}<mark>{html.escape(inside)}</mark>{html.escape(after)}"
