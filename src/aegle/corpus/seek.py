"""Looks for the identifiers of one document: all its texts at once, then split again.

Title and meta values are sought together with the text, so that each recogniser runs once and what
is found in one of them is found in the others.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Final

from aegle.core.pack import Found, Recogniser
from aegle.core.records import RawDocument
from aegle.corpus import dates
from aegle.corpus.known import Known, is_common, parts
from aegle.corpus.sight import Sight, join

KnownValues = Callable[[list[str]], set[str]]
"""Which of some values were replaced before in the document's group; see `redact`."""

# No recogniser reaches over it: it ends a line, and cleaning leaves no NUL in a text.
_BREAK: Final = "\n\0\n"
_CAPITALISED: Final = re.compile(r"[^\W\d_a-z][^\W\d_]+(?:['’-][^\W\d_]+)*\.?")
_LONG_NUMBER: Final = re.compile(r"(?<![\w-])(?=[\w-]{0,20}\d{3})[\w-]{5,24}(?![\w-])")
_MOST_TRIED: Final = 4_000

# Mentions of these types name no person, nor where they stand nor elsewhere in the document.
_THINGS: Final = frozenset(
    "product vendor vulnerability weakness attack_pattern technique tactic malware tool campaign"
    " threat_group mitigation detection".split()
)
_TITLED: Final = 0.95
"""The score of names from which a title or a label takes the doubt."""

_BORN: Final = re.compile(
    r"(?i)(?:\bdob|\bd\.o\.b\.?|\bdate of birth|\bbirth ?date|\bborn(?: on| in)?|\byear of birth)"
    r"[\s:=|\"']{0,4}$"
)
_BORN_YEAR: Final = re.compile(
    r"(?i)\b(?:dob|d\.o\.b\.?|birth ?year|born(?: in)?|year of birth)[\s:=|\"']{1,4}"
    r"(?P<year>(?:18|19)\d\d)(?![\w/-]|\.\d)"
)
_BORN_CUE: Final = re.compile(r"(?i)dob|d\.o\.b|birth|born")
_OLDEST: Final = 89
_UNDATED: Final = 2030
"""The year of documents that tell no time: rather too late, then a birth is hidden rather."""


def seek(
    texts: Sequence[str],
    doc: RawDocument,
    recognisers: Sequence[Recogniser],
    keeps: frozenset[str],
    known: KnownValues | None = None,
    sight: Sight | None = None,
) -> list[list[Found]]:
    """Identifiers of each text; they may overlap. A name found once is found everywhere."""
    joined = _BREAK.join(texts)
    found = [one for recognise in recognisers for one in recognise(joined)]
    found += dates.find(joined)
    if sight is not None:
        found = join(found, sight.look(joined, keeps))
    found = list(_without_things(found, joined, doc))
    if "date" not in keeps:
        found += births(joined, found, doc)
    if known is not None:
        found += _seen_before(joined, known)
    values = Known()
    for identifier in doc.identifiers:
        if identifier.kind not in keeps:
            values.add(identifier.kind, identifier.value.reveal())
    if "name" not in keeps:
        for name in dict.fromkeys(parts(found, joined)):
            values.add("name", name, sure=False)
    if "place" not in keeps:
        for town in dict.fromkeys(_towns(found, joined)):
            values.add("place", town)
    found += values.finder()(joined)
    return _split(found, [len(text) for text in texts])


def _without_things(found: Iterable[Found], text: str, doc: RawDocument) -> Iterator[Found]:
    """Without the names of products, makers and threats, as fields of the source call them.

    A title or a patient's label beside a name outweighs that; and what a field calls a person is
    found again as such.
    """
    spans = sorted((m.start, m.end) for m in doc.mentions if m.type in _THINGS)
    words = {text[start:end].casefold() for start, end in spans}
    starts = [start for start, _ in spans]
    for one in found:
        at = bisect_right(starts, one.end - 1)
        inside = any(end > one.start for _, end in spans[max(0, at - 3) : at])
        called = text[one.start : one.end].casefold()
        thing = one.kind == "name" and one.score < _TITLED and (
            inside or called in words or any(called.startswith(word + " ") for word in words)
        )  # fmt: skip
        if not thing:
            yield one


def _split(found: Iterable[Found], lengths: Sequence[int]) -> list[list[Found]]:
    """The finds of a joined text by the text they lie in; one across a break is cut there."""
    starts, at = [], 0
    for length in lengths:
        starts.append(at)
        at += length + len(_BREAK)
    split: list[list[Found]] = [[] for _ in lengths]
    for one in found:
        number = bisect_right(starts, one.start) - 1
        while number < len(starts) and starts[number] < one.end:
            start = max(0, one.start - starts[number])
            end = min(lengths[number], one.end - starts[number])
            if start < end:
                split[number].append(Found(start, end, one.kind, one.score))
            number += 1
    return split


def _towns(found: Iterable[Found], text: str) -> Iterator[str]:
    """Towns that a recogniser was sure of, which may stand elsewhere without their cue."""
    for one in found:
        if one.kind == "place" and one.score >= 0.8:
            for part in text[one.start : one.end].split(","):
                name = part.strip()
                long = len(name) > 4 and name[0].isupper() and name.replace(" ", "").isalpha()
                if long and (" " in name or not is_common(name)):
                    yield name


def _seen_before(text: str, known: KnownValues) -> Iterator[Found]:
    """Names of up to three words and long numbers that were replaced in the group before."""
    words = [match.span() for match in _CAPITALISED.finditer(text)]
    spans = [match.span() for match in _LONG_NUMBER.finditer(text)]
    for first, (start, last) in enumerate(words):
        for begin, end in words[first : first + 3]:
            if begin > start and text[last:begin] not in (" ", ", "):
                break
            last = end
            spans.append((start, end - (text[end - 1] == ".")))
    spans = spans[:_MOST_TRIED]
    values = list(dict.fromkeys(text[start:end] for start, end in spans))
    hits = known(values) if values else set()
    for start, end in spans:
        if (value := text[start:end]) in hits:
            yield Found(start, end, "name" if value[-1].isalpha() else "mrn", 0.9)


def births(text: str, found: Iterable[Found], doc: RawDocument) -> Iterator[Found]:
    """Births of people over 89 at the document's time: a shifted birth date would show the age."""
    written = [one for one in found if one.kind == "date"]
    given = [
        day for i in doc.identifiers if i.kind == "date" and (day := dates.day_of(i.value.reveal()))
    ]
    given += [
        day
        for one in written
        if _BORN.search(text, max(0, one.start - 24), one.start)
        and (day := dates.day_of(text[one.start : one.end]))
    ]
    years = list(_BORN_YEAR.finditer(text)) if _BORN_CUE.search(text) else []
    if not given and not years:
        return
    days = [(one, day) for one in written if (day := dates.day_of(text[one.start : one.end]))]
    if doc.time[:4].isdigit():
        now = int(doc.time[:4])
    else:
        now = max((day.year for _, day in days if day not in given), default=_UNDATED)
    old = {_born(day, now) for day in given if now - _born(day, now)[0] > _OLDEST}
    for one, day in days:
        if _born(day, now) in old:
            yield Found(one.start, one.end, "birth", 1.0)
    for match in years:
        if now - int(match["year"]) > _OLDEST:
            yield Found(*match.span("year"), "birth", 1.0)


def _born(day: date, now: int) -> tuple[int, int, int]:
    """A birth; a year of two digits that lies ahead is of the century before."""
    return day.year - 100 if day.year > now else day.year, day.month, day.day
