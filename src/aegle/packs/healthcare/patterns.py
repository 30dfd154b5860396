"""Shapes of clinical text: doses, laboratory values and vital signs with their units.

The entity of a measurement is the whole of it, ``K 5.9 mmol/L``, and its key is the test's: what
was measured is a node, the figure is its evidence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from aegle.core.pack import Pattern
from aegle.core.records import Concept
from aegle.packs.general.patterns import dates, shared_patterns
from aegle.packs.general.shapes import any_of
from aegle.packs.general.wordlist import Entry, entries

_HERE: Final = "aegle.packs.healthcare"
_UNIT: Final = (
    r"(?:mmol/[lL]|mEq/[lL]|meq/[lL]|mg/d[lL]|g/d[lL]|g/[lL]|ng/m[lL]|ng/[lL]|pg/m[lL]|ng/d[lL]"
    r"|[uµμm]?IU/m?[lL]|U/[lL]|IU/[lL]|[uµμ]mol/[lL]|mcg/[ldLmD]+|[uµμ]g/[mdLl]+|mm/hr?|fL|pg"
    r"|mL/min(?:/1\.73 ?m2)?|x ?10\^?\d{1,2}/[uµμ]?[lL]|x ?10\*\d{1,2}/[lL]|10\^?\d{1,2}/[uµμ]?[lL]"
    r"|K/[uµμ]L|k/[uµμ]L|/[uµμ]L|cells/mm3|mmHg|mm Hg|%|seconds|secs?|mOsm/kg)"
)
_AMOUNT: Final = (
    r"\d{1,6}(?:[.,]\d{1,4})?(?:\s?[-–]\s?\d{1,6}(?:\.\d{1,4})?)?\s?"
    r"(?:mg|mcg|[µμ]g|ug|g|gm|grams?|ml|mL|cc|units?|U|IU|mEq|meq|mmol|tabs?|tablets?|caps?|capsules?"
    r"|puffs?|drops?|gtts?|patch(?:es)?|sprays?|L/min|liters?)"
    r"(?:/(?:kg|h|hr|hour|min|day|d|mL|ml|dose|m2))?(?:/(?:h|hr|min|day|d))?(?![\w/])"
)
_ROUTE: Final = (
    r"(?:PO|po|p\.o\.|by mouth|orally|oral|IV|iv|intravenous(?:ly)?|IM|im|SC|SQ|subQ|subcut(?:an"
    r"eously)?|PR|SL|sublingual|inhaled|topical(?:ly)?|IVPB|NG|intranasal|nebuli[sz]ed|transdermal)"
)
_OFTEN: Final = (
    r"(?:BID|bid|b\.i\.d\.|TID|tid|t\.i\.d\.|QID|qid|q\.i\.d\.|QD|qd|q\.d\.|QHS|qhs|daily"
    r"|once daily|twice (?:a day|daily)"
    r"|three times (?:a day|daily)|nightly|at bedtime|weekly|monthly"
    r"|every \d{1,2}(?:-\d{1,2})? hours|every (?:day|morning|evening|night|week|other day)"
    r"|[qQ]\.?\s?\d{1,2}(?:-\d{1,2})?\s?[hH](?:rs?|ours?)?|QAM|QPM|qam|qpm|QOD|STAT|stat|once"
    r"|per day|a day|x ?\d{1,2} ?(?:days?|doses?|weeks?))"
)
_DOSE: Final = (
    rf"(?<![\w./-]){_AMOUNT}(?:,?\s{_ROUTE}(?!\w))?(?:,?\s{_OFTEN}(?!\w))?"
    r"(?:,?\s(?:PRN|prn)(?!\w))?"
)
_JOIN: Final = r"(?:[ \t]{0,3}(?:of|is|was|at|level|[:=]|\(|->)){0,2}[ \t]{0,3}"
_NUMBER: Final = r"(?P<number>[<>≤≥]?[ ]?\d{1,7}(?:[.,]\d{1,4})?)(?![\d/])"
_FLAG: Final = r"(?:[ ]?\((?:H|L|HH|LL|high|low|critical)\))?"


def patterns() -> Sequence[Pattern]:
    """Every shape of a clinical document."""
    return _patterns()


@cache
def _patterns() -> Sequence[Pattern]:
    return (
        *_measured("lab", "labs", "LOINC"),
        _vitals(),
        Pattern("dose", re.compile(_DOSE), check=_not_a_concentration, score=0.9),
        dates(with_time=True),
        *shared_patterns(),
    )


def _not_a_concentration(match: re.Match[str]) -> bool:
    """``140 mg/dL`` is a result; the dose pattern stops at units per volume of blood."""
    return not re.match(r"\s?(?:/\s?d?L|%)", match.string[match.end() : match.end() + 5])


def _spelled(name: str, exact: bool) -> tuple[dict[str, Entry], str]:
    """The spellings of a list that match in their case only, or in any case."""
    table: dict[str, Entry] = {}
    for entry in entries(_HERE, name):
        for spelling in (entry.name, *entry.synonyms):
            text = spelling.rstrip("!?")
            if (text != spelling) == exact:
                table[text if exact else text.casefold()] = entry
    return table, any_of(table)


def _measured(type: str, name: str, system: str) -> list[Pattern]:
    found = []
    for exact in (True, False):
        table, source = _spelled(name, exact)
        flags = 0 if exact else re.IGNORECASE
        regex = re.compile(
            rf"(?<![\w./-])(?P<name>{source})(?![\w]|-\w)"
            rf"{_JOIN}{_NUMBER}(?:[ ]?{_UNIT})?{_FLAG}(?!\w)",
            flags,
        )
        found.append(Pattern(type, regex, concept=_namer(type, table, system, exact), score=0.95))
    return found


def _namer(
    type: str, table: dict[str, Entry], system: str, exact: bool
) -> Callable[[re.Match[str]], Concept | None]:
    def concept(match: re.Match[str]) -> Concept | None:
        name = " ".join(match["name"].split())
        entry = table[name if exact else name.casefold()]
        if entry.code:
            return Concept(system, entry.code, entry.name)
        return Concept(type, entry.name.casefold(), entry.name)

    return concept


# Each vital sign: its LOINC code and name, how it is called, what value follows. One-letter names
# only as written in vital lines: "P 88", never "p 88".
_VITALS: Final = {
    "bp": (Concept("LOINC", "85354-9", "blood pressure"), r"(?i:BP|B/P|NIBP|blood pressure)",
           r"\d{2,3}/\d{2,3}(?: ?mm ?Hg)?"),
    "hr": (Concept("LOINC", "8867-4", "heart rate"), r"(?:HR|P|(?i:pulse(?: rate)?|heart rate))",
           r"\d{2,3}(?: ?(?:bpm|/min|beats per minute))?"),
    "rr": (Concept("LOINC", "9279-1", "respiratory rate"),
           r"(?:RR|R|(?i:resp(?:irations?| rate)?|respiratory rate))",
           r"\d{1,2}(?: ?(?:/min|breaths per minute))?"),
    "temp": (Concept("LOINC", "8310-5", "body temperature"), r"(?:T|Tm|(?i:Temp(?:erature)?|Tmax))",
             r"(?:3[3-9]|4[0-3]|9\d|10\d)(?:\.\d{1,2})?(?: ?°? ?[CF]\b)?"),
    "spo2": (Concept("LOINC", "2708-6", "oxygen saturation"),
             r"(?i:SpO2|SaO2|O2 ?sats?|sats?|O2 saturation|oxygen saturation|pulse ox)",
             r"\d{2,3} ?%?(?: (?:on )?(?:RA|room air|\d{1,2} ?L(?: NC)?))?"),
    "weight": (Concept("LOINC", "29463-7", "body weight"), r"(?:Wt|[Ww]eight)",
               r"\d{1,3}(?:\.\d{1,2})? ?(?:kg|lbs?|pounds|kilograms)"),
    "height": (Concept("LOINC", "8302-2", "body height"), r"(?:Ht|[Hh]eight)",
               r"\d{1,3}(?:\.\d{1,2})? ?(?:cm|inches|in|m)\b"),
    "bmi": (Concept("LOINC", "39156-5", "body mass index"), r"(?:BMI|[Bb]ody mass index)",
            r"\d{2}(?:\.\d{1,2})?"),
    "gcs": (Concept("LOINC", "9269-2", "Glasgow coma scale"), r"GCS", r"\d{1,2}"),
}  # fmt: skip


def _vitals() -> Pattern:
    # One alternation and not nine patterns: the text is walked once.
    branches = "|".join(
        f"(?P<{name}>{names}{_JOIN}{value})" for name, (_, names, value) in _VITALS.items()
    )
    regex = re.compile(rf"(?<![\w./-])(?=[A-Za-z])(?:{branches})(?![\w/]|\.\d)")
    return Pattern(
        "vital", regex, concept=lambda match: _VITALS[match.lastgroup or ""][0], score=0.95
    )
