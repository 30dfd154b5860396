"""Finds companies and their products, which lists of names would take for people.

Dell, Abbott, Philips and Edwards are names of people, too. A company is *sure* when its name is
nobody's, when a field says what it is, or when a product, a company's suffix or a word like
*manufactured by* stands beside it; else it is a company only where a text is about technology.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Final, NamedTuple

from aegle.core.pack import Found, Recogniser
from aegle.packs.general.gate import Gate
from aegle.packs.general.namelists import folded, is_listed, is_word
from aegle.packs.general.shapes import any_of
from aegle.packs.general.wordlist import entries

SURE: Final = 0.95
"""The score of names that a title or a patient's label vouches for: they are no company."""

# A column of an inventory or a field of a record, and its value up to the end of the cell.
_FIELD: Final = re.compile(
    r"(?im)(?:^|(?<=[;|,{\[\t>])|(?<=[;|,] ))[ \t\"'*-]*"
    r"(?:\w{1,30}[._]){0,3}(?:(?:device|product|asset|equipment|hardware|software) )?"
    r"(?:vendor|manufacturer|mfr|mfg|maker|make|brand|oem|model|product|vendorproject"
    r"|software|firmware|hardware|affects)"
    r"(?:[ _-]?(?:name|project|no|number|id|version))?[\"']?[ \t]*[:=][ \t]*[\"']?"
    r"(?P<value>(?:[^\n;|,.\"{}\[\]]|\.(?=\S)|(?<=\b[A-Z])\.|(?<=\bSt)\.|, ?(?=Dickinson|Inc|Ltd))"
    r"{2,80})"
)
_FIELDS: Final = re.compile(
    r"(?i)vendor|manufacturer|mf[rg]|make|brand|oem|model|product|ware[\"' _:=]|affects"
)
# What makes a surname a firm: how it was incorporated, and what it deals in.
_FIRM: Final = re.compile(
    r",? (?:Inc|Corp|Corporation|Co|Ltd|LLC|GmbH|AG|SE|plc|PLC|S\.?A|N\.?V|KG|Pharma\w*"
    r"|Laborator\w+|Medical|Health ?[Cc]are|Healthineers|Lifesciences|Life Sciences|Diagnostics"
    r"|Technolog\w+|Networks|Systems|Scientific|Instruments|Electronics|Electric|Automation"
    r"|Controls|Software|Security|Biosciences|Surgical|Vascular|Imaging|Group|International)\b"
    r"|(?:®|™|\(R\)|\(TM\))"
)
# What only things are called after their maker: within three words, in lower case.
_PRODUCT: Final = re.compile(
    r"(?:[ /-][\w.+®™-]{1,24}){0,3}?[ ,/-](?:pumps?|monitors?|ventilators?|scanners?|servers?"
    r"|firmware|laptops?|workstations?|switch(?:es)?|routers?|firewalls?|printers?|desktops?"
    r"|notebooks?|tablets?|drivers?|software|appliances?|advisor(?:y|ies)|patch(?:es)?"
    r"|vulnerabilit(?:y|ies)|devices?|equipment|catheters?|stents?|valves?|prosthes[ie]s|implants?"
    r"|beds?|defibrillators?|analy[sz]ers?|meters?|infusers?|infusion|ultrasound|glucometers?"
    r"|controllers?|storage|BIOS|iDRAC|IOS|gateways?|portal|cloud|modems?|phones?|cameras?)\b"
)
# A token that only a product has: a digit, or a capital inside (PowerEdge, MX750, PA-3220).
_MODEL: Final = re.compile(r"[ ,/-](?=[\w-]*(?:\d|[a-z][A-Z]|[A-Z]{2}))[A-Z][\w+-]{1,24}\b")
_BY: Final = re.compile(
    r"(?i)(?:\b(?:made|manufactured|produced|supplied|sold|built|distributed|maintained|serviced"
    r"|developed|marketed|recalled|purchased|bought|leased) (?:by|from)|\bvendors?:?"
    r"|\bmanufacturers?:?|\bdevices? (?:by|from)|\bthe company|\ban?) $"
)
_WORD: Final = re.compile(r" ([^\W\d_]+(?:['’-][^\W\d_]+)*)")


class Company(NamedTuple):
    """Characters [start, end) name a company; ``sure``, or only in a text about technology."""

    start: int
    end: int
    sure: bool


@cache
def _gate() -> Gate:
    names = [
        spelling
        for entry in entries("aegle.packs.general", "companies")
        for spelling in (entry.name, *entry.synonyms)
    ]
    regex = re.compile(rf"{any_of([*names, *(name.upper() for name in names)])}(?![\w])")
    return Gate(regex, " ".join(dict.fromkeys(re.split(r"[^\w]", name)[0] for name in names)))


_COMPANIES: Final = _gate()


@lru_cache(maxsize=1)
def companies(text: str) -> Sequence[Company]:
    """The companies of a text, in order; what a field calls a vendor or a product is one, too."""
    found = [Company(*match.span(), sure=_is_sure(text, match)) for match in _named(text)]
    if _FIELDS.search(text):
        found += [Company(*match.span("value"), sure=True) for match in _FIELD.finditer(text)]
    return sorted(found)


def _named(text: str) -> Iterator[re.Match[str]]:
    for match in _COMPANIES.finditer(text):
        if not text[match.start() - 1 : match.start()].isalnum():
            yield match


def _is_sure(text: str, match: re.Match[str]) -> bool:
    if not is_listed(folded(match[0])):
        return True
    stop = match.end()
    around = _FIRM.match(text, stop) or _PRODUCT.match(text, stop) or _BY.search(
        text, max(0, match.start() - 24), match.start()
    )  # fmt: skip
    if around:
        return True
    model = _MODEL.match(text, stop)
    return model is not None and not is_listed(folded(model[0][1:]))


def without(recognise: Recogniser, *, technical: bool) -> Recogniser:
    """A recogniser of names without the companies.

    Args:
        recognise: finds names.
        technical: whether the texts are about technology; elsewhere a company that bears a
            person's name is left only where it is sure
    """

    def people(text: str) -> Iterable[Found]:
        found = list(recognise(text))
        spans = companies(text) if found else ()
        starts = [one.start for one in spans]
        for one in found:
            at = bisect_right(starts, one.start)
            if one.score >= SURE or not any(
                company.end > one.start and _is_meant(text, company, technical)
                for company in spans[max(0, at - 3) : at]
            ):
                yield one

    return people


def _is_meant(text: str, company: Company, technical: bool) -> bool:
    """Whether a name that starts inside a company is the company, not a person called so."""
    if company.sure or not technical:
        return company.sure
    after = _WORD.match(text, company.end)
    word = folded(after[1]) if after else ""
    return not (after and after[1][0].isupper() and is_listed(word) and not is_word(word))
