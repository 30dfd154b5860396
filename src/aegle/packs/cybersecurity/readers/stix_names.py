"""What a STIX object is called: its entity, the indicators in its pattern, its prose made plain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aegle.core.records import Concept
from aegle.core.text import RawText
from aegle.packs.cybersecurity.readers.attack import STIX_TYPES, known_ids, type_of
from aegle.packs.cybersecurity.readers.page import Page

_SYSTEMS: Final = {"cve": "CVE", "cwe": "CWE", "capec": "CAPEC"}
_CVE: Final = re.compile(r"CVE-\d{4}-\d{4,}")
_OBSERVED: Final = {
    "ipv4-addr": "ip", "ipv6-addr": "ip", "domain-name": "domain", "url": "url",
    "email-addr": "email", "user-account": "account", "windows-registry-key": "registry_key",
    "process": "process", "software": "product", "file": "file", "directory": "path",
}  # fmt: skip
_PATTERN: Final = re.compile(
    r"(?P<object>[a-z0-9-]+):(?P<property>[\w.'\[\]*-]+)\s*(?:=|IN \()\s*"
    r"'(?P<value>(?:[^'\\]|\\.)+)'"
)
_CITATION: Final = re.compile(r"\s?\(Citation: [^)]{0,300}\)")
_TAG: Final = re.compile(r"</?[A-Za-z][\w:]{0,20}(?:\s[^<>]{0,200})?/?>")
_MARKED: Final = re.compile(r"\[([^\[\]]{1,200})\]\((https?://[^()\s]{1,500}(?:\([^()]*\))?)\)")
_ATTACK_URL: Final = re.compile(
    r"attack\.mitre\.org/(?:techniques|software|groups|campaigns|mitigations|tactics)/"
    r"(T\d{4}/\d{3}|[A-Z]{1,2}\d{4})"
)
_GAPS: Final = re.compile(r"[ \t]+")


class Name(NamedTuple):
    """What stands in a text for an object."""

    text: str
    type: str
    concepts: tuple[Concept, ...] = ()
    ref: RawText | None = None


def names_of(item: Mapping[str, Any]) -> list[Name]:
    """The entities that an object is: usually one, an indicator's observables, none for a note."""
    kind = text(item.get("type"))
    if kind == "indicator":
        found = observables(text(item.get("pattern")))
        return found or _named(item, "rule", ())
    if kind in _OBSERVED:
        value = text(item.get("value") or item.get("name") or item.get("key") or item.get("path")
                     or item.get("account_login") or item.get("command_line"))  # fmt: skip
        hashes = item.get("hashes")
        found = [Name(value, _OBSERVED[kind])] if value else []
        if isinstance(hashes, dict):
            found += [Name(text(one), "hash") for one in hashes.values() if text(one)]
        return found
    if kind == "identity" and item.get("identity_class") == "organization":
        return _named(item, "organization", ())
    entity = STIX_TYPES.get(kind)
    if entity is None:
        return []
    concepts = concepts_of(item)
    if entity == "attack_pattern" and any(c.system == "ATTACK" for c in concepts):
        entity = "technique"
    return _named(item, entity, concepts)


def _named(item: Mapping[str, Any], kind: str, concepts: tuple[Concept, ...]) -> list[Name]:
    name = text(item.get("name"))
    return [Name(name, kind, concepts)] if name else []


def concepts_of(item: Mapping[str, Any]) -> tuple[Concept, ...]:
    """The object's own id in ATT&CK, CAPEC or CVE; what it only refers to is left out."""
    name = text(item.get("name"))
    for ref in refs_of(item):
        source, code = text(ref.get("source_name")).lower(), text(ref.get("external_id"))
        if source.startswith("mitre-") and "attack" in source and code:
            return (Concept("ATTACK", code, name),)
        if source in ("capec", "cve") and code:
            return (Concept(_SYSTEMS[source], code, name if source == "capec" else ""),)
    if item.get("type") == "vulnerability" and _CVE.fullmatch(name):
        return (Concept("CVE", name),)
    return ()


def refs_of(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The external references that are objects."""
    refs = item.get("external_references")
    return [ref for ref in refs if isinstance(ref, dict)] if isinstance(refs, list) else []


def observables(pattern: str) -> list[Name]:
    """The addresses, domains, hashes, files that a STIX pattern compares with."""
    found: list[Name] = []
    for match in _PATTERN.finditer(pattern[:100_000]):
        kind = "hash" if "hashes" in match["property"] else _OBSERVED.get(match["object"], "")
        if kind:
            found.append(Name(match["value"].replace("\\\\", "\\").replace("\\'", "'"), kind))
    return found


def unknown(stix_id: str) -> Name:
    """An object of which only the id is known: from the terminology, else by its id."""
    if entry := known_ids().get(stix_id):
        kind, concept = entry
        return Name(concept.name, kind, (concept,))
    kind = STIX_TYPES.get(stix_id.split("--")[0], "")
    return Name(stix_id, kind, (), RawText(f"stix/{stix_id}"))


def text(value: Any) -> str:
    """A text field; anything else is none."""
    return value.strip() if isinstance(value, str) else ""


def texts(value: Any) -> list[str]:
    """A list of texts; anything else is none."""
    return [text(one) for one in value if text(one)] if isinstance(value, list) else []


def write_prose(page: Page, prose: str) -> None:
    """Write a description: no citations, no tags, links as words, ATT&CK links named."""
    prose = _GAPS.sub(" ", _TAG.sub(" ", _CITATION.sub("", prose))).strip()
    at = 0
    for found in _MARKED.finditer(prose):
        page.write(prose[at : found.start()])
        at = found.end()
        if linked := _ATTACK_URL.search(found[2]):
            code = linked[1].replace("/", ".")
            concept = Concept("ATTACK", code, found[1])
            page.name(found[1], type_of(code), concepts=(concept,))
        else:
            page.write(found[1])
    page.write(prose[at:])


def plain(prose: str) -> str:
    """A description as plain text."""
    return _GAPS.sub(" ", _MARKED.sub(r"\1", _TAG.sub(" ", _CITATION.sub("", prose)))).strip()
