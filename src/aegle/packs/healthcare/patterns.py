"""Clinical measurements in text: doses, laboratory results with units, vital signs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from aegle.core.pack import Pattern
from aegle.core.records import Concept
from aegle.packs.general.wordlist import Entry, entries

_HERE: Final = "aegle.packs.healthcare"
_NUMBER: Final = r"\d{1,5}(?:[.,]\d{1,3})?"
_DOSE: Final = re.compile(
    rf"\b{_NUMBER}(?:\s?-\s?{_NUMBER})?\s?"
    r"(?:mcg|ug|µg|mg|g|mL|ml|units?|IU|mEq|mmol|puffs?|tabs?|tablets?|caps?|drops?|%)"
    r"(?:/(?:kg|h|hr|hour|min|day|dose|mL|m2)){0,3}(?![\w/])"
    r"(?:\s(?:PO|IV|IM|SC|SQ|SL|PR|NG|INH|TOP|po|iv|im|sc|sl|subcut|orally|intravenously|topically))?"
    r"(?:\s(?:once|twice|daily|BID|TID|QID|QHS|QD|bid|tid|qid|qhs|qd|q\.?d\.?|b\.?i\.?d\.?|t\.?i\.?d\.?"
    r"|q\d{1,2}h(?:rs?)?|q \d{1,2} ?h(?:ours?)?|every \d{1,2} hours?|nightly|weekly|PRN|prn|"
    r"at bedtime|in the morning)){0,3}"
)
_UNIT: Final = (
    r"(?:mmol/L|mEq/L|mg/dL|g/dL|g/L|ng/mL|ng/L|pg/mL|ug/L|umol/L|µmol/L|mcg/L|U/L|IU/L|mIU/L|uIU/mL|"
    r"x ?10\^?[39]/(?:u|µ)?L|10\*3/uL|K/uL|k/uL|/uL|mm/h|mmHg|sec|seconds|fL|pg|%|mL/min(?:/1\.73 ?m2)?)"
)
_BP: Final = re.compile(
    r"\b(?:BP|B/P|NIBP|blood pressure)[ :=]{1,3}(?:of |was |is )?\d{2,3}/\d{2,3}(?: ?mmHg)?",
    re.IGNORECASE,
)
_HR: Final = re.compile(
    r"\b(?:HR|P|pulse|heart rate)[ :=]{1,3}(?:of |was |is )?\d{2,3}(?: ?bpm)?\b(?![/.%]\d)"
)
_RR: Final = re.compile(r"\b(?:RR|resp(?:iratory)? rate)[ :=]{1,3}(?:of |was |is )?\d{1,2}\b")
_TEMP: Final = re.compile(
    r"\b(?:T|Temp|temperature|Tmax)[ :=]{1,3}(?:of |was |is )?\d{2,3}(?:\.\d)?(?: ?°?[CF]\b)?"
)
_SPO2: Final = re.compile(
    r"\b(?:SpO2|SaO2|O2 sat|sats?|oxygen saturation)[ :=]{1,3}(?:of |was |is )?\d{2,3} ?%?",
    re.IGNORECASE,
)
_VITALS: Final = (
    (_BP, Concept("LOINC", "85354-9", "blood pressure")),
    (_HR, Concept("LOINC", "8867-4", "heart rate")),
    (_RR, Concept("LOINC", "9279-1", "respiratory rate")),
    (_TEMP, Concept("LOINC", "8310-5", "body temperature")),
    (_SPO2, Concept("LOINC", "59408-5", "oxygen saturation")),
)


def _spellings(entry: Entry) -> list[str]:
    names = (entry.name, *entry.synonyms)
    return [name.rstrip("!?") for name in names if len(name.rstrip("!?")) >= 1]


def _lab_pattern() -> Pattern:
    """``K 5.9 mmol/L``, ``creatinine: 1.4 mg/dL (H)``: a known test, its value and its unit."""
    concepts: dict[str, Concept] = {}
    for entry in entries(_HERE, "labs"):
        system, code = ("LOINC", entry.code) if entry.code else ("lab", entry.name.casefold())
        for spelling in _spellings(entry):
            concepts.setdefault(spelling.casefold(), Concept(system, code, entry.name))
    names = "|".join(re.escape(name) for name in sorted(concepts, key=lambda n: (-len(n), n)))
    regex = re.compile(
        rf"(?<![\w/-])(?P<lab>{names})(?:,? (?:level|count|serum))?[ :=]{{1,3}}"
        rf"(?:of |was |is |at )?[<>~]?{_NUMBER} ?(?:{_UNIT})(?!\w)(?: ?\((?:H|L|HH|LL)\))?",
        re.IGNORECASE,
    )
    return Pattern("lab", regex, concept=lambda match: concepts[match["lab"].casefold()])


def _constant(concept: Concept) -> Pattern:
    regex = next(regex for regex, one in _VITALS if one is concept)
    return Pattern("vital", regex, concept=lambda _: concept)


@cache
def patterns() -> Sequence[Pattern]:
    """Labs with values and units, vital signs, doses."""
    vitals = tuple(_constant(concept) for _, concept in _VITALS)
    return (_lab_pattern(), *vitals, Pattern("dose", _DOSE, score=0.9))
