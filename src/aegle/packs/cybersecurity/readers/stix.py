"""STIX 2.0 and 2.1: bundles, and files of one object a line; ATT&CK and CAPEC among them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

from aegle.core.pack import Origin
from aegle.core.records import Concept, RawDocument
from aegle.packs.cybersecurity.readers.attack import tactic
from aegle.packs.cybersecurity.readers.logfile import head_lines
from aegle.packs.cybersecurity.readers.page import Page
from aegle.packs.cybersecurity.readers.stix_names import (
    Name,
    names_of,
    observables,
    plain,
    refs_of,
    text,
    texts,
    unknown,
    write_prose,
)
from aegle.packs.cybersecurity.readers.stream import Problems, objects

_TIES: Final = {
    "uses": "uses", "mitigates": "mitigates", "detects": "detects", "indicates": "indicates",
    "subtechnique-of": "subtechnique_of", "attributed-to": "attributed_to", "targets": "targets",
    "exploits": "exploits", "communicates-with": "connected_to", "beacons-to": "connected_to",
    "delivers": "uses", "drops": "uses", "downloads": "uses", "has": "has_vulnerability",
    "compromises": "targets", "resolves-to": "resolved", "remediates": "mitigates",
}  # fmt: skip
_SILENT: Final = frozenset(
    "marking-definition extension-definition language-content relationship sighting bundle "
    "x-mitre-collection".split()
)
_BATCH: Final = 30
_BATCH_CHARS: Final = 5600
_MOST_WAITING: Final = 200_000
_RELATION_CHARS: Final = 2000
_BUNDLE: Final = re.compile(rb'"type"\s*:\s*"bundle"|"id"\s*:\s*"bundle--')
_OBJECT: Final = re.compile(rb'"id"\s*:\s*"[a-z0-9-]+--[0-9a-f]{8}-[0-9a-f]{4}-')
_DATED: Final = re.compile(rb'"(?:created|spec_version|value|pattern)"\s*:')


class StixReader:
    """Reads STIX objects, each to a document; relationships by their source, up to thirty a piece.

    Names are resolved within the file: relationships wait until its end. What the file does not
    name is looked up in the ATT&CK terminology if that is cached, and otherwise stands as its id.
    """

    name = "stix"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """Sure of bundles and of objects with a STIX id."""
        sample = head_lines(head)
        if not sample or sample[0].lstrip()[:1] not in ("{", "["):
            return 0.0
        if _BUNDLE.search(head):
            return 0.98
        return 0.97 if _OBJECT.search(head) and _DATED.search(head) else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """Objects in order, then relationships.

        Raises:
            InputError: records are no STIX objects; raised after the last document.
        """
        problems = Problems(origin)
        names: dict[str, list[Name]] = {}
        waiting: dict[str, list[Mapping[str, Any]]] = {}
        count = 0
        for number, item in objects(stream, problems):
            stix_id, kind = text(item.get("id")), text(item.get("type"))
            if not stix_id or not kind:
                problems.note("records have no STIX id and type", number)
                continue
            if kind == "relationship":
                waiting.setdefault(text(item.get("source_ref")), []).append(_slim(item))
                count += 1
                if count >= _MOST_WAITING:
                    yield from _relations(waiting, names, origin)
                    waiting, count = {}, 0
            elif kind not in _SILENT:
                names[stix_id] = names_of(item)
                yield _object(item, names[stix_id], stix_id, origin)
        yield from _relations(waiting, names, origin)
        problems.check()


def _slim(item: Mapping[str, Any]) -> dict[str, Any]:
    keep = ("id", "relationship_type", "target_ref", "description", "start_time", "revoked")
    return {key: item[key] for key in keep if key in item}


def _object(
    item: Mapping[str, Any], names: list[Name], stix_id: str, origin: Origin
) -> RawDocument:
    page = Page()
    kind = text(item.get("type"))
    title = text(item.get("name")) or (names[0].text if names else stix_id)
    code = next((c.code for name in names for c in name.concepts), "")
    own = None
    if names and names[0].text == title:
        own = page.name(title, names[0].type, concepts=names[0].concepts)
    else:
        page.write(title)
    page.write(f" ({code})" if code and code != title else "")
    page.write(f"\n{kind.removeprefix('x-mitre-').replace('-', ' ')}")
    status = [word for word in ("revoked", "x_mitre_deprecated") if item.get(word) is True]
    page.write(f", {status[0].removeprefix('x_mitre_')}" if status else "")
    _aliases(page, item, names, title)
    _tactics(page, item, own)
    for label, key in (("Platforms", "x_mitre_platforms"), ("Sectors", "x_mitre_sectors"),
                       ("Prerequisites", "x_capec_prerequisites")):  # fmt: skip
        if said := texts(item.get(key)):
            page.write(f"\n{label}: " + plain(", ".join(said)))
    if pattern := text(item.get("pattern")):
        _pattern(page, pattern)
    _other_names(page, names, title)
    for label, key in (("", "description"), ("Detection: ", "x_mitre_detection"),
                       ("", "content"), ("", "abstract")):  # fmt: skip
        if prose := text(item.get(key)):
            page.write(f"\n\n{label}")
            write_prose(page, prose)
    _weaknesses(page, item, own)
    meta = {"stix_type": kind, "stix_id": stix_id}
    meta |= {"attack_id": code} if code else {}
    meta |= {"status": status[0].removeprefix("x_mitre_")} if status else {}
    when = text(item.get("modified")) or text(item.get("created"))
    return page.document(origin, stix_id, "stix", title=title, time=when, meta=meta)


def _aliases(page: Page, item: Mapping[str, Any], names: list[Name], title: str) -> None:
    said = texts(item.get("aliases")) + texts(item.get("x_mitre_aliases"))
    others = [alias for alias in dict.fromkeys(said) if alias != title]
    for place, alias in enumerate(others):
        page.write(", " if place else "\nAlso called: ")
        if names:
            page.name(alias, names[0].type, concepts=names[0].concepts)
        else:
            page.write(alias)


def _tactics(page: Page, item: Mapping[str, Any], own: int | None) -> None:
    phases = item.get("kill_chain_phases")
    rows = [row for row in phases if isinstance(row, dict)] if isinstance(phases, list) else []
    for place, row in enumerate(rows):
        page.write(", " if place else "\nTactics: ")
        short = text(row.get("phase_name"))
        found = tactic(short, text(row.get("kill_chain_name")))
        if found is None:
            page.write(short)
            continue
        place_of = page.name(found.name, "tactic", concepts=(found,))
        if own is not None:
            page.link(own, place_of, "belongs_to")


def _pattern(page: Page, pattern: str) -> None:
    start = page.write(f"\nPattern: {pattern}") + len("\nPattern: ")
    for name in dict.fromkeys(observables(pattern)):
        at = pattern.find(name.text)
        if at >= 0:
            page.mark(start + at, start + at + len(name.text), name.type)


def _other_names(page: Page, names: list[Name], title: str) -> None:
    """The further names of an observable, such as a file's hashes."""
    for name in names[1:] if names and names[0].text == title else ():
        page.write(f"\n{name.type}: ")
        page.name(name.text, name.type, concepts=name.concepts)


def _weaknesses(page: Page, item: Mapping[str, Any], own: int | None) -> None:
    codes = [text(ref.get("external_id")) for ref in refs_of(item)
             if text(ref.get("source_name")).lower() == "cwe"]  # fmt: skip
    for place, code in enumerate(filter(None, codes)):
        page.write(", " if place else "\n\nWeaknesses: ")
        found = page.name(code, "weakness", concepts=(Concept("CWE", code),))
        if own is not None:
            page.link(own, found, "exploits")


def _relations(
    waiting: Mapping[str, list[Mapping[str, Any]]], names: Mapping[str, list[Name]], origin: Origin
) -> Iterator[RawDocument]:
    for source_id, rows in waiting.items():
        sources = names.get(source_id) or [unknown(source_id)]
        page, said, part = Page(), 0, 1
        for row in rows:
            prose = plain(text(row.get("description")))[:_RELATION_CHARS]
            if said and (said >= _BATCH or page.length + len(prose) > _BATCH_CHARS):
                yield _batch(page, source_id, sources, part, said, origin)
                page, said, part = Page(), 0, part + 1
            _relation(page, row, sources, names, prose)
            said += 1
        if said:
            yield _batch(page, source_id, sources, part, said, origin)


def _batch(
    page: Page, source_id: str, sources: list[Name], part: int, said: int, origin: Origin
) -> RawDocument:
    return page.document(
        origin,
        f"{source_id or 'relationships'}.{part}",
        "stix",
        title=f"{sources[0].text}: relationships",
        meta={"stix_type": "relationship", "stix_id": source_id, "relationships": str(said)},
    )


def _relation(
    page: Page, row: Mapping[str, Any], sources: list[Name],
    names: Mapping[str, list[Name]], prose: str,
) -> None:  # fmt: skip
    """``APT29 (G0016) uses PowerShell (T1059.001): what is known of it``, a line."""
    page.write("\n" if page.length else "")
    target_id = text(row.get("target_ref"))
    targets = names.get(target_id) or [unknown(target_id)]
    heads = _write_names(page, sources)
    kind = text(row.get("relationship_type"))
    page.write(f" {kind.replace('-', ' ')} ")
    tails = _write_names(page, targets)
    if row.get("revoked") is True:
        page.write(" (revoked)")
    elif tie := _TIES.get(kind):
        for head in heads:
            for tail in tails:
                page.link(head, tail, tie, text(row.get("start_time")))
    page.write(f": {prose}" if prose else "")


def _write_names(page: Page, names: list[Name]) -> list[int]:
    found: list[int] = []
    for place, name in enumerate(names):
        page.write(", " if place else "")
        if name.type and name.text:
            found.append(page.name(name.text, name.type, concepts=name.concepts, ref=name.ref))
        else:
            page.write(name.text)
        code = next((c.code for c in name.concepts), "")
        page.write(f" ({code})" if code and code != name.text else "")
    return found
