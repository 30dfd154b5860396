"""A vulnerability as its sources tell it, in one shape, and as a document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aegle.core.pack import Origin
from aegle.core.records import Concept, RawDocument
from aegle.packs.cybersecurity.fields import ABSENT
from aegle.packs.cybersecurity.readers.page import Page
from aegle.packs.cybersecurity.readers.stix_names import text, texts

CVE_ID: Final = re.compile(r"CVE-\d{4}-\d{4,}")
_CWE_ID: Final = re.compile(r"CWE-\d{1,5}")
_MOST: Final = 40
_MOST_VERSIONS: Final = 8
_PROSE: Final = 20_000


@dataclass(slots=True)
class Flaw:
    """What is known of one vulnerability.

    Attributes:
        products: (vendor, product, versions); vendor and versions may be empty.
        weaknesses: CWE id -> its name, which may be empty.
        facts: short labelled statements (severity, SSVC, exploitation), in order.
        prose: longer labelled texts.
    """

    id: str
    title: str = ""
    description: str = ""
    time: str = ""
    products: list[tuple[str, str, str]] = field(default_factory=list)
    weaknesses: dict[str, str] = field(default_factory=dict)
    facts: list[tuple[str, str]] = field(default_factory=list)
    prose: list[tuple[str, str]] = field(default_factory=list)
    meta: dict[str, str] = field(default_factory=dict)

    def document(self, origin: Origin, number: int) -> RawDocument:
        """``CVE-2024-0023: ...`` with the products that it affects and the weaknesses behind it."""
        page = Page()
        own = page.name(self.id, "vulnerability", concepts=(Concept("CVE", self.id),))
        page.write(f": {self.title}" if self.title else "")
        for label, said in self.facts:
            page.write(f"\n{label}: {said}")
        self._products(page, own)
        for place, (code, name) in enumerate(self.weaknesses.items()):
            page.write("; " if place else "\nWeaknesses: ")
            there = page.name(code, "weakness", concepts=(Concept("CWE", code, name),))
            page.link(own, there, "has_weakness")
            page.write(f" {name}" if name else "")
        page.write(f"\n\n{self.description[:_PROSE]}" if self.description else "")
        for label, said in self.prose:
            page.write(f"\n\n{label}: {said[:_PROSE]}")
        title = f"{self.id} {self.title}".strip()
        return page.document(origin, number, "cve", title=title, time=self.time, meta=self.meta)

    def _products(self, page: Page, own: int) -> None:
        for place, (vendor, product, versions) in enumerate(self.products[:_MOST]):
            page.write("; " if place else "\nAffects: ")
            maker = page.name(vendor, "vendor") if vendor else None
            page.write(" " if vendor and product else "")
            if product:
                thing = page.name(product, "product")
                page.link(own, thing, "affects")
                if maker is not None:
                    page.link(thing, maker, "made_by")
            page.write(f" ({versions})" if versions else "")
        more = len(self.products) - _MOST
        page.write(f"; and {more} more products" if more > 0 else "")


def from_record(record: Mapping[str, Any]) -> Flaw | None:
    """A CVE record of JSON 5.x: the assigner's container and those of authorised publishers."""
    about = _dict(record.get("cveMetadata"))
    flaw_id = text(about.get("cveId"))
    if not CVE_ID.fullmatch(flaw_id):
        return None
    boxes = _dict(record.get("containers"))
    adp = boxes.get("adp")
    containers = [_dict(boxes.get("cna")), *_dicts(adp)]
    flaw = Flaw(flaw_id, time=text(about.get("datePublished")) or text(about.get("dateReserved")))
    state = text(about.get("state"))
    flaw.meta = {"state": state} if state else {}
    if state == "REJECTED":
        flaw.facts.append(("State", "rejected"))
    seen: set[tuple[str, str, str]] = set()
    for box in containers:
        flaw.title = flaw.title or text(box.get("title"))
        said = _language(box.get("descriptions")) or _language(box.get("rejectedReasons"))
        flaw.description = flaw.description or said
        for metric in _dicts(box.get("metrics")):
            _metric(flaw, metric)
        for row in _dicts(box.get("affected")):
            entry = (_named(row.get("vendor")), _named(row.get("product")), _versions(row))
            if any(entry[:2]) and entry not in seen:
                seen.add(entry)
                flaw.products.append(entry)
        for kind in _dicts(box.get("problemTypes")):
            for row in _dicts(kind.get("descriptions")):
                _weakness(flaw, text(row.get("cweId")) or text(row.get("description")),
                          text(row.get("description")))  # fmt: skip
        for label, key in (("Solution", "solutions"), ("Workaround", "workarounds"),
                           ("Exploitation", "exploits")):  # fmt: skip
            if said := _language(box.get(key)):
                flaw.prose.append((label, said))
    links = [text(row.get("url")) for box in containers for row in _dicts(box.get("references"))]
    _references(flaw, links)
    return flaw


def from_compact(row: Mapping[str, Any]) -> Flaw | None:
    """A row of fields: ``cveId``, ``description``, ``cvss``, ``cwe``, ``ssvc``, ``kev``."""
    flaw_id = text(row.get("cveId") or row.get("cve_id") or row.get("cve") or row.get("id"))
    if not CVE_ID.fullmatch(flaw_id):
        return None
    flaw = Flaw(flaw_id, text(row.get("title")), text(row.get("description")))
    flaw.time = text(row.get("datePublished") or row.get("published"))
    _score(flaw, _dict(row.get("cvss")))
    if ssvc := _dict(row.get("ssvc")):
        _ssvc(flaw, ssvc.items())
    if row.get("kev") is True:
        flaw.facts.append(("Known exploited", "yes, listed by CISA"))
        flaw.meta["kev"] = "yes"
    vendors, products = _names(row.get("vendors")), _names(row.get("products"))
    if len(vendors) == 1:
        flaw.products = [(vendors[0], product, "") for product in products or [""]]
    elif len(vendors) == len(products):
        flaw.products = [(a, b, "") for a, b in zip(vendors, products, strict=True)]
    else:
        flaw.products = [(vendor, "", "") for vendor in vendors] + [("", p, "") for p in products]
    for code in texts(row.get("cwe")):
        _weakness(flaw, code, "")
    return flaw


def from_kev(row: Mapping[str, Any]) -> Flaw | None:
    """An entry of CISA's catalogue of known exploited vulnerabilities."""
    flaw_id = text(row.get("cveID"))
    if not CVE_ID.fullmatch(flaw_id):
        return None
    flaw = Flaw(flaw_id, text(row.get("vulnerabilityName")), text(row.get("shortDescription")))
    flaw.time = text(row.get("dateAdded"))
    flaw.facts.append(("Known exploited", f"yes, listed by CISA on {flaw.time}"))
    ransom = text(row.get("knownRansomwareCampaignUse"))
    if ransom:
        flaw.facts.append(("Used in ransomware campaigns", ransom.lower()))
    flaw.products = [(_named(row.get("vendorProject")), _named(row.get("product")), "")]
    codes = row.get("cwes")
    for code in texts(codes) if isinstance(codes, list) else text(codes).split(","):
        _weakness(flaw, code.strip(), "")
    for label, key in (("Required action", "requiredAction"), ("Due", "dueDate"),
                       ("Notes", "notes")):  # fmt: skip
        if said := text(row.get(key)):
            flaw.prose.append((label, said))
    flaw.meta = {"kev": "yes", "ransomware": ransom.lower(), "due": text(row.get("dueDate"))}
    flaw.meta = {key: value for key, value in flaw.meta.items() if value}
    return flaw


def _metric(flaw: Flaw, metric: Mapping[str, Any]) -> None:
    for key in ("cvssV4_0", "cvssV3_1", "cvssV3_0", "cvssV2_0"):
        _score(flaw, _dict(metric.get(key)))
    other = _dict(metric.get("other"))
    content = _dict(other.get("content"))
    if other.get("type") == "ssvc":
        pairs = [pair for option in _dicts(content.get("options")) for pair in option.items()]
        _ssvc(flaw, pairs)
    elif other.get("type") == "kev":
        flaw.facts.append(("Known exploited", f"yes, listed by CISA on {content.get('dateAdded')}"))
        flaw.meta["kev"] = "yes"


def _score(flaw: Flaw, cvss: Mapping[str, Any]) -> None:
    score, severity = cvss.get("baseScore"), text(cvss.get("baseSeverity"))
    if not isinstance(score, int | float):
        return
    version = text(cvss.get("version"))
    said = f"{severity or 'unrated'}, CVSS {version} {score} {text(cvss.get('vectorString'))}"
    flaw.facts.append(("Severity", " ".join(said.split())))
    flaw.meta.setdefault("cvss", str(score))
    if severity:
        flaw.meta.setdefault("severity", severity.lower())


def _ssvc(flaw: Flaw, pairs: Iterable[tuple[str, Any]]) -> None:
    said = [f"{key.lower()} {value}" for key, value in pairs if isinstance(value, str)]
    if said:
        flaw.facts.append(("SSVC", ", ".join(said)))


def _weakness(flaw: Flaw, code: str, name: str) -> None:
    found = _CWE_ID.search(code)
    if found:
        flaw.weaknesses[found[0]] = name.removeprefix(found[0]).strip(" :-")


def _versions(row: Mapping[str, Any]) -> str:
    said: list[str] = []
    for one in _dicts(row.get("versions")):
        first = text(one.get("version"))
        below, to = text(one.get("lessThan")), text(one.get("lessThanOrEqual"))
        shown = first if first not in ("0", "*", "") or not (below or to) else ""
        shown += f" before {below}" if below else f" to {to}" if to else ""
        status = text(one.get("status"))
        if shown.strip().lower() not in ABSENT:
            said.append(shown.strip() + (f" {status}" if status not in ("", "affected") else ""))
    more = len(said) - _MOST_VERSIONS
    return ", ".join(said[:_MOST_VERSIONS]) + (f" and {more} more" if more > 0 else "")


def _references(flaw: Flaw, links: list[str]) -> None:
    found = list(dict.fromkeys(link for link in links if link))[:_MOST]
    if found:
        flaw.prose.append(("References", " ; ".join(found)))


def _language(rows: Any) -> str:
    """The English one of texts by language, else the first."""
    found = [(text(row.get("lang")), text(row.get("value"))) for row in _dicts(rows)]
    english = [said for lang, said in found if lang.lower().startswith("en") and said]
    return (english or [said for _, said in found if said] or [""])[0]


def _named(value: Any) -> str:
    name = " ".join(text(value).split())[:200]
    return "" if name.lower() in ABSENT else name


def _names(value: Any) -> list[str]:
    return [name for one in texts(value) if (name := _named(one))]


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
