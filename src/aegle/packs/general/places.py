"""Finds addresses: streets, boxes, flats, towns before a state, postal codes, institutions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, takewhile
from typing import Final

from aegle.core.pack import Found
from aegle.packs.general.gate import Gate, ending, hinted
from aegle.packs.general.namelists import (
    census,
    folded,
    is_first,
    is_medical,
    is_no_name,
    is_technical,
    lands,
)

_STATES: Final = (
    "A[LKZR]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]"
    "|T[NX]|UT|V[AT]|W[AIVY]|A[AEP]"
)
_STATE_NAMES: Final = (
    "Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia"
    "|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan"
    "|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico"
    "|New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania|Rhode Island"
    "|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia"
    "|Wisconsin|Wyoming"
)
# Bounded, so that a line of one endless word is not tried from each of its letters to its end.
_WORD: Final = r"[^\W\d_a-z][^\W\d_]{0,30}(?:['’.-][^\W\d_]{1,30}){0,3}\.?"
_KIND: Final = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Drive|Dr|Lane|Ln|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Terrace"
    r"|Ter|Circle|Cir|Highway|Hwy|Parkway|Pkwy|Square|Sq|Trail|Trl|Crescent|Close|Gardens|Row|Loop"
    r"|Alley|Turnpike|Pike|Path|Plaza|STREET|ST|AVENUE|AVE|ROAD|RD|DRIVE|DR|LANE|LN|BLVD|COURT|CT"
    r"|WAY|PLACE|PL|TERRACE|CIRCLE|HIGHWAY|PARKWAY)"
)
_FLAT: Final = (
    r"(?:,? ?\n? ?(?:Apt|Apartment|Suite|Ste|Unit|Room|Rm|Floor|Fl|Flat|APT|SUITE|STE"
    r"|UNIT)\.? ?#?\w{1,5}\b|,? ?#\w{1,5}\b)?"
)
_STREET: Final = re.compile(
    rf"(?<![\w.:/-])\d{{1,6}}[A-Za-z]? (?:\d{{1,5}} )?(?:[NSEW]\.? |(?:North|South|East|West) )?"
    rf"(?:{_WORD} |\d{{1,3}}(?:st|nd|rd|th) ){{1,4}}?{_KIND}\b\.?(?: [NSEW]\b\.?)?{_FLAT}"
)
_STREET_HINT: Final = re.compile(
    r"[0-9](?<![\w.:/-].)[0-9]{0,5}(?=[A-Za-z]? (?:[0-9]{1,5} )?"
    r"(?:[^\W\d_a-z]|[0-9]{1,3}(?:st|nd|rd|th)))"
)
_FOREIGN: Final = re.compile(
    rf"(?<![\w.:/-])(?:\d{{1,6}} )?(?:Rua|Rue|Via|Calle|Avenida|Av\.|Vicolo|Viale|Plaza|Piazza"
    rf"|Camino"
    rf"|Paseo|Strada|Ul\.|ul\.)(?: (?:da|de|do|del|della|di|la|las|los|el)){{0,2}}"
    rf"(?: {_WORD}){{1,3}},? \d{{1,5}}[A-Za-z]?\b"
    rf"|(?<![\w.:/-])(?:\d{{1,6}} )?(?:{_WORD} )?[^\W\d_a-z][^\W\d_]{{0,30}}(?:[Ss]tra(?:ss|ß)e"
    rf"|[Ss]tr\."
    rf"|weg|gasse"
    rf"|platz|allee|straat|laan|vej|gade|gatan|vägen|katu|tie|gata|veien|vegen| utca| tér"
    rf"| út)[ ]\d{{1,5}}[A-Za-z]?\b{_FLAT}"
)
_FOREIGN_CUED: Final = Gate(
    _FOREIGN, "rua rue via calle avenida av. vicolo viale plaza piazza camino paseo strada ul."
)
_FOREIGN_NUMBER: Final = re.compile(r"[0-9]{1,6}(?= [^\Wa-z_])")
_FOREIGN_END: Final = re.compile(
    r"[swgpalvkt](?:tra(?:ss|ß)e|tr\.|eg|asse|latz|llee|traat|aan|ej|ade|atan|ägen|atu|ie|ata|eien"
    r"|egen) [0-9]|[ ](?:utca|tér|út) [0-9]",
    re.IGNORECASE,
)
_BOX: Final = re.compile(
    r"\b(?:P\.? ?O\.? ?Box|PO BOX|Post Office Box|Postbox|PSC \d{1,5},? Box"
    r"|Unit \d{1,5} Box) #?\d{1,7}\b"
)
# What follows a street up to the postal code: flat, town, state, country, on lines of their own.
_TAIL: Final = re.compile(
    r"(?:[\s,>]{1,8}(?:(?:Apt|Suite|Unit|Flat)\.? #?\w{1,5}|[^\W\d_a-z][^\W\d_]*)){0,6}"
    r"[\s,>]{1,8}"
    r"(?:\d{5}(?:-\d{4})?|\d{4})(?![\w-]|[./]\d)"
)
_FLAT_ALONE: Final = re.compile(r"\b(?:Apt|Apartment|Suite)\.? #?\d{1,5}[A-Z]?\b")
_TOWN: Final = re.compile(
    rf"(?P<town>(?<![\w'-])[^\W\d_a-z][^\W\d_]+(?:[ .-]{{1,2}}[^\W\d_a-z][^\W\d_]+){{0,3}})[ \t]*"
    rf"(?:,[ \n]*(?:(?:{_STATES})\b\.?(?! ?[=:(]|-\d)|(?:{_STATE_NAMES})\b)|[ \n]"
    rf"(?:{_STATES})(?= \d{{5}}\b))"
    r"(?:[ ,\n]{1,3}(?P<zip>\d{5}(?:-\d{4})?)(?![\w-]))?"
)
_ZIP: Final = re.compile(
    r"(?i)\b(?:zip(?: ?code)?|postal code|postcode)(?:[ \t]*[:#=]|[ \t]+is|)[ \t]*(?P<zip>\d{5}"
    r"(?:-\d{4})?"
    r"|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d)(?![\w-])"
)
_UK: Final = re.compile(
    r"\b[A-Z]{1,2}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}\b|\b[A-CEGHJ-NPR-TVXY]\d[A-Z] \d[A-Z]\d\b"
)
_STATE_HINT: Final = re.compile(
    rf",(?=[ \n]*(?:(?:{_STATES})\b|{_STATE_NAMES}))|[A-Z]{{2}}(?= [0-9]{{5}}\b)"
)
_UK_HINT: Final = re.compile(r"[A-Z]{1,2}(?=[0-9][A-Z0-9]? ?[0-9][A-Z0-9])")
_PART: Final = r"(?:(?:St|Mt|Ft|Pt)\.|[^\W\d_a-z][^\W\d_]{1,30}(?:['’-][^\W\d_]{1,30}){0,2})"
_TOWN_NAME: Final = rf"[ ](?P<town>{_PART}(?: {_PART}){{0,2}})"
_LIVES: Final = re.compile(
    r"\b(?:[Ll]iv(?:es?|ed|ing)\b[^\n.;:]{0,40}? (?:in|at|near|outside|from)"
    r"|[Rr]esid(?:es|ed|ing|ent) (?:in|at|of)|[Mm]oved here from"
    r"|[Bb]orn (?:and raised )?in|[Gg]rew up (?:in|near|outside|around)|[Nn]ative of"
    r"|[Hh]ometown(?: of| is|:)|[Cc]ity:"
    r"|[Tt]own:|[Cc]ounty:|CITY:|[Cc]ity of|[Tt]own of|[Vv]illage of"
    r"|[Hh]ails from|[Oo]riginally from|[Hh]ome in|[Hh]ouse in"
    r"|[Aa]partment in|[Rr]etired to|[Rr]aised in)" + _TOWN_NAME
)
# After these much else may stand: wards, departments, medicines.
_GOES: Final = re.compile(
    r"\b(?:(?:[Mm]ov(?:ed|es|ing)|[Tt]ransfer(?:red|s)?|[Rr]elocat(?:ed|ing)|[Rr]eturn(?:ed|ing|s)"
    r"|[Aa]rrived|[Ff]lew|[Dd]rove|[Cc]ame|[Cc]omes|[Tt]ravel(?:s|led|ed|ling|ing)?|[Tt]rips?"
    r"|[Vv]isiting|[Tt]aken|[Aa]irlifted|[Hh]ome|[Bb]ack)"
    r"(?: (?:here|back|home|away|out))? (?:to|from)|(?:[Ii]s|[Aa]re|[Ww]as|[Ww]ere) from"
    r"|(?:[Ff]amily|[Rr]elatives?|[Ff]riends?|[Ss]ons?|[Dd]aughters?|[Ss]ister|[Bb]rother|[Pp]arents"
    r"|[Mm]other|[Hh]ospitali[sz]ed|[Vv]acation(?:ing|ed)?|[Hh]oliday|[Hh]ospital|[Cc]linic|[Ss]tays?"
    r"|[Ss]chool|[Ww]ork(?:s|ed|ing)\b[^\n.;:]{0,40}?|[Pp]harmacy|[Aa]ccident|[Ff]arm|[Jj]ail"
    r"|[Pp]rison|[Cc]hurch) (?:in|near|outside)|[Dd]owntown|[Vv]isited|[Vv]isiting)" + _TOWN_NAME
)
# Where somebody may live and that is no town.
_NO_TOWN: Final = frozenset(
    """a an the his her their my own house home apartment condo nursing assisted skilled group
    shelter hospital clinic rehab facility icu ed er ward unit hospice halfway memory care senior
    independent retirement board community department emergency florida rehabilitation
    outside jail prison school work church
    bed""".split()
)
_OF_LANDS: Final = frozenset("the of and republic north south east west new saint st".split())
_TOWN_STATES: Final = frozenset({"New York", "Washington"})
# A town after a street, without state or postal code.
_AFTER_STREET: Final = re.compile(
    rf",[ \n]{{1,2}}(?P<town>{_PART}(?: {_PART}){{0,2}})"
    r"(?=[ \t]*(?:[.,;:()\n]|$)| (?:with|w/|and)\b)"
)
_CORNER: Final = re.compile(
    rf"\bcorner of (?P<place>(?:\d{{1,5}} )?(?:{_WORD} ?){{1,4}}(?:\d{{1,4}} )?and "
    rf"(?:{_WORD} ?){{1,4}})"
)


_GATES: Final = (
    Gate(_BOX, "p.o p. po post psc unit"),
    Gate(_FLAT_ALONE, "apt apartment suite"),
)
_ZIPS: Final = Gate(_ZIP, "zip postal postcode")
_LIVING: Final = Gate(
    _LIVES,
    "liv resid moved born grew native hometown city town county village hails originally home "
    "house apartment retired raised",
)
_GOING: Final = Gate(
    _GOES,
    "mov transfer relocat return arrived flew drove came comes travel trip visit taken airlifted "
    "is "
    "are was were home back family relative friend son daughter sister brother parents mother "
    "hospital vacation holiday clinic stay school work pharmacy accident farm jail prison church "
    "downtown",
)
_CORNERS: Final = Gate(_CORNER, "corner")


def find(text: str) -> Iterator[Found]:
    """Geographic units smaller than a state; a state is kept."""
    for match in hinted(_STREET, _STREET_HINT, text):
        yield _with_tail(text, match)
    others = (
        *(gate.finditer(text) for gate in (*_GATES, _FOREIGN_CUED)),
        hinted(_FOREIGN, _FOREIGN_NUMBER, text),
        ending(_FOREIGN, _FOREIGN_END, text, reach=80),
        hinted(_UK, _UK_HINT, text),
    )
    for match in chain.from_iterable(others):
        yield _with_tail(text, match)
    for match in ending(_TOWN, _STATE_HINT, text):
        # `Amelia Hart, MD` is a doctor; Maryland has its postal code.
        degree = match["zip"] is None and text[match.end() - 2 : match.end()] in ("MD", "PA")
        if not (degree and any(map(is_first, match["town"].split()))):
            yield Found(*match.span("town"), "place", 0.8)
        if match["zip"]:
            yield Found(*match.span("zip"), "place", 0.9)
    for match in _ZIPS.finditer(text):
        yield Found(*match.span("zip"), "place", 0.95)
    for match in _LIVING.finditer(text):
        if _is_town(match["town"]):
            yield Found(*match.span("town"), "place", 0.8)
    for match in _GOING.finditer(text):
        parts = list(takewhile(lambda part: not _is_else(part), match["town"].split(" ")))
        if parts and _is_town(town := " ".join(parts)):
            start = match.start("town")
            yield Found(start, start + len(town), "place", 0.6)
    for match in _CORNERS.finditer(text):
        end = match.start() + len(match[0].rstrip())
        yield Found(match.start("place"), end, "place", 0.8)


def _is_town(text: str) -> bool:
    """Whether capitalised words after a cue may be a town: no home, no country, no month."""
    first = re.split(r"[ -]", text.casefold(), maxsplit=1)[0].rstrip(".,")
    if first in _NO_TOWN or is_no_name(first) or text.casefold() in lands():
        return False
    return text in _TOWN_STATES or re.fullmatch(_STATE_NAMES, text) is None


def is_land(text: str) -> bool:
    """Whether a place is a state, a country or larger, and no town of the same name."""
    plain = " ".join(text.split())
    if plain in _TOWN_STATES:
        return False
    if re.fullmatch(rf"(?:{_STATE_NAMES}|{_STATES})\.?", plain, re.IGNORECASE):
        return True
    words = [word for word in re.split(r"[^\w]+", folded(plain)) if word not in _OF_LANDS]
    return bool(words) and all(word in lands() for word in words)


def _is_else(word: str) -> bool:
    """Whether a word is rather a ward, a service, a medicine or a unit's acronym."""
    plain = folded(word).removesuffix("'s").rstrip(".")
    return plain in census("words") or is_medical(plain) or word.isupper() or is_technical(word)


def _with_tail(text: str, match: re.Match[str]) -> Found:
    tail = _TAIL.match(text, match.end())
    if tail is None:
        town = _AFTER_STREET.match(text, match.end())
        if town and _is_town(town["town"]) and not re.fullmatch(_STATE_NAMES, town["town"]):
            return Found(
                match.start(), town.end("town") - town["town"].endswith("."), "place", 0.85
            )
    return Found(match.start(), tail.end() if tail else match.end(), "place", 0.85)
