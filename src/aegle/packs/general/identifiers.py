"""Recognisers of identifiers that any text may hold: contacts, numbers, addresses, names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from aegle.core.pack import Found, Recogniser
from aegle.packs.general import companies, names, places
from aegle.packs.general.gate import Gate, ending, hinted
from aegle.packs.general.lone import lone

_PHONE: Final = re.compile(
    r"(?<![\w.:/=-])(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}"
    r"(?:(?: ?x ?| ?ext\.? ?)\d{1,5})?(?![\w-]|[.:/]\d)"
    r"|(?<![\w.:/=-])(?:\+\d{1,3}|00[1-9]\d{0,2}(?=[ .-]))[ .-]?\(?\d{1,4}\)?"
    r"(?:[ .-]?\d{2,4}){2,5}(?![\w-]|[.:/]\d)"
    r"|(?<![\w.:/=-])0\d{2,4}[ -]\d{2,4}(?:[ -]\d{2,4}){1,3}(?![\w-]|[.:/]\d)"
)
# Where one may start: each hint looks ahead a bounded number of characters.
_PHONE_HINT: Final = re.compile(
    r"[0-9+(](?<![\w.:/=-].)(?:(?<=[0-9])(?=[0-9]{2}[ .-][0-9]{3}[ .-][0-9]{4})"
    r"|(?<=[+1(])(?=[1 .(-]{0,3}[0-9]{3}[) .-]{1,2}[0-9]{3}[ .-][0-9]{4})"
    r"|(?<=\+)(?=[0-9])|(?<=0)(?=0[1-9])|(?<=0)(?=[0-9]{2,4}[ -][0-9]{2}))"
)
_NUMBER_HINT: Final = re.compile(
    r"[0-9+(](?=[0-9() .-]{6,18}(?:office|fax|mobile|cell|home|work))", re.IGNORECASE
)
_SSN_HINT: Final = re.compile(r"[0-9]{3}(?=[- ][0-9]{2}[- ][0-9]{4})")
_IP_HINT: Final = re.compile(r"[0-9](?<![\w.-].)[0-9]{0,2}(?=\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9])")
_CARD_HINT: Final = re.compile(r"[0-9]{4}(?=[ -][0-9]{4}[ -][0-9]{4}[ -])|[0-9]{12}")
_AGE_HINT: Final = re.compile(r"[0-9]{2,3}(?=[ -]?[yYMF])")
_PHONE_CUED: Final = re.compile(
    r"(?i)\b(?P<cue>fax|tel|phone|ph|cell|mobile|pager|beeper|contact|call|telephone|voice"
    r"|whatsapp|reach(?:ed)?|callback|call back|text|ext)(?: (?:number|no|num|me|her|him|us|at|is"
    r"|on))*"
    r"\.?[ \t]*[:#]?[ \t]*(?P<number>\+?\(?\d[\d ().-]{5,17}\d(?: ?(?:x|ext\.?) ?\d{1,5})?"
    r")(?![\w-])"
)
_PHONE_CUES: Final = Gate(
    _PHONE_CUED,
    "fax tel phone ph cell mobile pager beeper contact call voice whatsapp reach text ext",
)
_PHONE_BEFORE: Final = re.compile(
    r"(?<![\w.:/=-])\(?\+?\d[\d ().-]{5,15}\d(?=[ -]?\(?(?:office|fax|mobile|cell|home|work)\b)",
    re.IGNORECASE,
)
_FAX_BEFORE: Final = re.compile(r"(?i)fax\b[^\n\d]{0,20}$")
_EMAIL: Final = re.compile(
    r"(?<![\w.+%-])[\w.+%'-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])"
)
_URL: Final = re.compile(
    r"(?i)\b(?:https?|ftps?|sftp|ssh|hxxps?)://[^\s<>\"'()\[\]{}|\\^`]{3,2000}"
    r"|(?<![\w@.-])www\.[\w-]+(?:\.[\w-]+){1,6}(?:/[^\s<>\"'()]{0,2000})?"
)
_IPV4: Final = re.compile(
    r"(?<![\w.-])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w-]|\.\d)"
)
_IPV6: Final = re.compile(r"(?<![\w:.])(?=[\da-fA-F]*:[\da-fA-F]*:)[\da-fA-F:]{3,39}(?![\w:])")
_VERSION_BEFORE: Final = re.compile(r"(?i)(?:\bv|version|release|build|firmware)[ :.=]*$")
_SSN: Final = re.compile(
    r"(?<![\w.:/-])(?!000|666)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-]|\.\d)"
)
_SSN_CUED: Final = re.compile(
    r"(?i)\b(?:ssn|ss ?#|social(?: security)?(?: number| no\.?| #)?|soc sec)"
    r"(?:[ \t]*[:#=]|[ \t]+is|)[ \t]*#?[ \t]*(?P<number>\d{3}[- ]?\d{2}[- ]?\d{4})(?![\w-])"
)
_CARD: Final = re.compile(
    r"(?<![\w.:/-])(?:\d{4}[ -]){3}\d{1,7}(?![\w-])|(?<![\w.:/-])\d{12,19}(?![\w.-])"
)
_CARD_CUE: Final = re.compile(r"(?i)\b(?:card|cc|visa|mastercard|amex|credit|debit)\b[^\n]{0,40}$")
_IBAN: Final = re.compile(
    r"\b[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){3,7}(?: [A-Z0-9]{1,3})?)\b"
)

_VALUE: Final = (
    r"(?P<number>(?=[\w/-]{0,19}\d)[A-Z0-9](?:[A-Z0-9]|[-/](?=[A-Z0-9])){2,24})(?![\w-])"
)
_CODE: Final = _VALUE.replace("<number>", "<code>")
_IS: Final = (
    r"(?:[ \t]*(?:number|num|no|nr|id|identifier|code))?\.?(?:[ \t]*[:#=]+|[ \t]+is"
    r"|[ \t])[ \t]*#?[ \t]*"
)


_LABELLED: Final = tuple(
    (kind, Gate(re.compile(rf"\b(?i:{cues})(?i:{_IS}){_VALUE}"), words))
    for kind, words, cues in (
        (
            "mrn",
            "mrn medical med mr chart hospital patient pt unit record nhs case visit "
            "encounter accession specimen har csn fin",
            r"mrn|medical record|med rec|mr ?#|chart|hospital (?:number|no|id)|patient id|pt id"
            r"|unit number|record|nhs|case|visit|encounter|accession|specimen|har|csn|fin",
        ),
        (
            "health_plan",
            "member policy subscriber beneficiary health plan group insurance medicare "
            "medicaid hicn mbi payer claim authorization",
            r"member|policy|subscriber|beneficiary|health plan|plan id|group (?:no|id|number|#)"
            r"|insurance|medicare|medicaid|hicn|mbi|payer id|claim|authorization",
        ),
        (
            "account",
            "account acct a/c guarantor billing invoice iban routing",
            r"account|acct|a/c|guarantor|billing|invoice|iban|routing",
        ),
        (
            "licence",
            "driver lic dl d/l dea npi certifica upin passport",
            r"(?:drivers?['’]?s?,? )?lic(?:en[cs]e)?|dl|d/l|dea|npi|certificate|certification|upin"
            r"|passport",
        ),
        (
            "vehicle",
            "vin vehicle plate license registration tag",
            r"vin|vehicle(?: identification)?|plate|license plate|registration plate|tag number",
        ),
        (
            "device",
            "serial s/n sn udi imei implant lot device",
            r"serial|s/n|sn|udi|imei|implant|lot|device (?:serial|identifier)",
        ),
    )
)
_VIN: Final = re.compile(r"\b(?=[A-HJ-NPR-Z]*\d)(?=\d*[A-HJ-NPR-Z])[A-HJ-NPR-Z0-9]{11}\d{6}\b")
_UDI: Final = re.compile(r"\(01\)\d{14}(?:\(\d\d\)[\w-]{1,20}){0,4}")
_DEA: Final = re.compile(r"\b[ABFMPR][A-Z9]\d{7}\b")
_VIN_HINT: Final = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_DEA_HINT: Final = re.compile(r"[ABFMPR][A-Z9](?=[0-9]{7})")
_IBAN_HINT: Final = re.compile(r"[A-Z]{2}(?=[0-9]{2}[A-Z0-9 ])")
_AGE: Final = re.compile(
    r"(?i)\b(?:9\d|1[0-3]\d)(?=[ -]?(?:years?|yrs?)[ -]?old|[ -]?y[./]?o\b|[ -]years?[ -]of[ -]age)"
    r"|\b(?:9\d|1[0-3]\d)(?=(?:yo|y)? ?(?-i:[MF])\b)"
)
_AGED: Final = Gate(
    re.compile(
        r"(?i)\b(?:aged?|age of|age is|age:|turn(?:ed|s|ing)?|age =)[ \t]*"
        r"(?P<number>9\d|1[0-3]\d)(?![\w%-]|[./]\d)"
    ),
    "age turn",
)
_BIOMETRIC: Final = re.compile(
    r"(?i)\b(?:finger ?prints?|voice ?prints?|retina(?:l)? scan|iris scan|palm print|face ?print"
    r"|biometrics?(?: template)?(?: check-?in)?(?:[:,] \w+)?|dna profile)"
    r"(?: (?:id|ref(?:erence)?|no|number|file|template))?"
    r"[ \t]*[:#=]?[ \t]*#?(?P<number>(?-i:(?=[\w.-]{0,40}\d)[A-Za-z0-9][\w.-]{2,40}))"
)
_PHOTO: Final = re.compile(
    r"(?i)\b(?:photo(?:graph)?s?|picture|image|portrait|headshot|facial image)"
    r"(?: (?:id|ref(?:erence)?|no|number|file|of (?:the )?(?:patient|face)))?[ \t]*[:#=(]?[ \t]*#?"
    r"(?:\w+ (?:as|to|at|in|under) )?"
    r"(?P<number>(?-i:[\w-]{2,60}\.(?:jpe?g|png|tiff?|bmp|heic|gif|dcm)\b"
    r"|(?=[\w-]*\d)[A-Z][\w-]{4,40}))"
)
# Insurance, some words of whose it is, and the number: the words may be any.
_PLAN: Final = re.compile(
    r"\b(?i:ins(?:urance|urer)?|coverage|payer|payor|hmo|ppo|epo|health plan|medicare|medicaid)\b"
    r"[.:,]?[^\n;]{0,48}?\b(?i:id|no|number|nr|member|policy|subscriber|group)\b\.?[ \t:#=]{1,4}"
    r"(?P<number>(?=[A-Z0-9-]{0,6}\d)[A-Z0-9][A-Z0-9-]{4,24})(?![\w-])"
)
_OTHER: Final = re.compile(
    r"\b(?i:study|trial|protocol|research|subject|participant|registry|enrol(?:l?ment|led))"
    r"(?i:,? (?:study|subject|participant|patient|enrol?lment|code|id|no|number|identifier|#)){1,3}"
    rf"\.?[ \t]*[:#=]?[ \t]*(?:is )?{_VALUE}"
    r"|\b(?i:badge|employee id|student id|tattoo|national id|tax id"
    r"|tin|ein"
    rf"|identifier)(?i:{_IS}){_CODE}"
)


# As cameras and telephones name their files; whose face it shows, nobody knows.
_CAMERA: Final = re.compile(
    r"(?<![\w/.-])(?i:IMG|DSC[NF]?|DSC_|PXL|PIC|PHOTO|PORTRAIT|FACE|HEADSHOT|MVIMG|SCREENSHOT)[_-]?"
    r"(?=[\w-]{0,60}\d)[\w-]{1,60}\.(?i:jpe?g|png|tiff?|bmp|heic|gif|dcm)\b"
)
_CAMERA_END: Final = re.compile(r"\.(?i:jpe?g|png|tiff?|bmp|heic|gif|dcm)\b")


_GATED: Final = tuple(
    (kind, Gate(regex, cues))
    for kind, regex, cues in (
        ("ssn", _SSN_CUED, "ssn ss social soc"),
        ("biometric", _BIOMETRIC, "finger voice retina iris palm face biometric dna"),
        ("health_plan", _PLAN, "ins coverage payer payor hmo ppo epo health medicare medicaid"),
        ("photo", _PHOTO, "photo picture image portrait headshot facial"),
        (
            "other",
            _OTHER,
            "badge employee student study subject trial protocol research participant registry "
            "enrol tattoo national tax tin ein identifier",
        ),
    )
)


def recognisers() -> tuple[Recogniser, ...]:
    """All of them, for texts without a domain of their own."""
    return (*contacts(), *numbers(), photos, *people(), places.find)


def people(alone: Recogniser | None = None) -> tuple[Recogniser, ...]:
    """Names by cues, by lists and alone, without the companies that are surely none.

    Args:
        alone: finds lone names; `lone.lone` without a pack's vocabulary by default.
    """
    found = names.cued, names.listed, alone or lone()
    return tuple(companies.without(find, technical=False) for find in found)


def contacts() -> tuple[Recogniser, ...]:
    """Telephone, fax, e-mail, URL and IP."""
    return phones, emails, urls, ips


def numbers() -> tuple[Recogniser, ...]:
    """Numbers by form or by the words before them, and ages over 89."""
    return ssns, cards, labelled, marks, ages


def phones(text: str) -> Iterator[Found]:
    """Telephone and fax numbers."""
    for match in hinted(_PHONE, _PHONE_HINT, text):
        before = text[max(0, match.start() - 30) : match.start()]
        yield Found(*match.span(), "fax" if _FAX_BEFORE.search(before) else "phone", 0.8)
    for match in _PHONE_CUES.finditer(text):
        digits = sum(char.isdecimal() for char in match["number"])
        if 7 <= digits <= 15 and not _IPV4.fullmatch(match["number"]):
            kind = "fax" if match["cue"].casefold() == "fax" else "phone"
            yield Found(*match.span("number"), kind, 0.9)
    for match in hinted(_PHONE_BEFORE, _NUMBER_HINT, text):
        yield Found(*match.span(), "phone", 0.8)


def emails(text: str) -> Iterator[Found]:
    """E-mail addresses."""
    if "@" in text:
        yield from _spans(_EMAIL, "email", text, 0.99)


def urls(text: str) -> Iterator[Found]:
    """Addresses on the web."""
    if "://" not in text and "www." not in text.lower():
        return
    for match in _URL.finditer(text):
        end = match.start() + len(match[0].rstrip(".,;:!?"))
        yield Found(match.start(), end, "url", 0.98)


def ips(text: str) -> Iterator[Found]:
    """IPv4 and IPv6 addresses; four numbers after the word version are a version."""
    for match in hinted(_IPV4, _IP_HINT, text):
        if not _VERSION_BEFORE.search(text, max(0, match.start() - 12), match.start()):
            yield Found(*match.span(), "ip", 0.9)
    if "::" in text or text.count(":") > 6:
        for match in _IPV6.finditer(text):
            if _is_ip(match[0]):
                yield Found(*match.span(), "ip", 0.9)


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return len(text) > 4


def ssns(text: str) -> Iterator[Found]:
    """Social security numbers: 3-2-4 digits; nine after the word are `labelled`."""
    for match in hinted(_SSN, _SSN_HINT, text):
        yield Found(*match.span(), "ssn", 0.9)


def cards(text: str) -> Iterator[Found]:
    """Payment cards (by their check digit, or after the word) and IBANs."""
    for match in hinted(_CARD, _CARD_HINT, text):
        digits = [int(char) for char in match[0] if char.isdecimal()]
        before = text[max(0, match.start() - 60) : match.start()]
        grouped = len(digits) < len(match[0])
        if _CARD_CUE.search(before) or (
            13 <= len(digits) <= 19 and digits[0] in (3, 4, 5, 6, 2) and _luhn(digits)
            and (grouped or len(digits) in (15, 16))
        ):  # fmt: skip
            yield Found(*match.span(), "account", 0.9)
    for match in hinted(_IBAN, _IBAN_HINT, text):
        if sum(char.isdecimal() for char in match[0]) >= 10:
            yield Found(*match.span(), "account", 0.9)


def _luhn(digits: list[int]) -> bool:
    doubled = [d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def labelled(text: str) -> Iterator[Found]:
    """Numbers that a word before them names: records, plans, serials, photographs..."""
    for kind, gate in (*_LABELLED, *_GATED):
        for match in gate.finditer(text):
            group = "code" if match.re is _OTHER and match["code"] else "number"
            yield Found(*match.span(group), kind, 0.9)


def photos(text: str) -> Iterator[Found]:
    """Names of photographs as cameras give them."""
    for match in ending(_CAMERA, _CAMERA_END, text, reach=80, tail=0):
        yield Found(*match.span(), "photo", 0.85)


def marks(text: str) -> Iterator[Found]:
    """VINs, UDIs and DEA numbers, known by their form."""
    for match in hinted(_VIN, _VIN_HINT, text):
        yield Found(*match.span(), "vehicle", 0.9)
    yield from _spans(_UDI, "device", text, 0.95)
    for match in hinted(_DEA, _DEA_HINT, text):
        yield Found(*match.span(), "licence", 0.8)


def ages(text: str) -> Iterator[Found]:
    """Ages over 89: the number only."""
    for match in hinted(_AGE, _AGE_HINT, text):
        yield Found(*match.span(), "age", 0.9)
    for match in _AGED.finditer(text):
        yield Found(*match.span("number"), "age", 0.9)


def _spans(regex: re.Pattern[str], kind: str, text: str, score: float) -> Iterator[Found]:
    for match in regex.finditer(text):
        yield Found(*match.span(), kind, score)
