"""Units as charts and logs spell them, and what each is of a base unit, exactly.

References:
    BIPM (2019), The International System of Units, 9th edition: prefixes and accepted units.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

# Dimension: factor and spellings of each unit. What is only about the same (a month is 4 weeks, an
# equivalent is a mole) stands apart, and so does what is counted.
_ANY_CASE: Final = {
    "mass": "1000 kg kgs kilo kilos kilogram kilograms; 1 gm gms gram grams; .001 mg mgs milligram "
    "milligrams; 1e-6 mcg mcgs ug microgram micrograms; 1e-9 ng nanogram nanograms; "
    "453.59237 lb lbs pound pounds",
    "volume": "1 liter liters litre litres; .1 dl deciliter deciliters; .001 ml mls cc ccs "
    "milliliter milliliters millilitre millilitres; 1e-6 ul microliter microliters; 1e-15 fl",
    "time": "604800 wk wks week weeks; 86400 day days; 3600 hr hrs hour hours; 60 min mins minute "
    "minutes; 1 sec secs second seconds; .001 ms msec millisecond milliseconds; 1e-6 us "
    "microsecond microseconds",
    "month": "12 yr yrs year years y/o yo y.o; 1 mo mos month months",
    "amount": "1 mole moles; .001 mmol millimole millimoles; 1e-6 umol; 1e-9 nmol; 1e-12 pmol",
    "equivalent": "1 eq; .001 meq",
    "unit": "1 iu ius unit units; .001 miu; 1e-6 uiu",
    "percent": "1 % percent pct",
    "pressure": "1 mmhg; 1 torr",
    "water": "1 cmh2o",
    "length": "1000 km kilometer kilometers; 1 meter meters metre metres; .01 cm cms centimeter "
    "centimeters; .001 mm millimeter millimeters; 1e-6 um micrometer micrometers micron microns; "
    "1e-9 nm nanometer nanometers; .3048 ft foot feet; .0254 inch inches",
    "area": "1 m2 m²",
    "beat": "1 beat beats",
    "breath": "1 breath breaths",
    "times": "1 time times",
    "fold": "1 fold",
    "byte": "1e12 tb; 1e9 gb gigabyte gigabytes; 1e6 mb megabyte megabytes; 1e3 kb kilobyte "
    "kilobytes; 1 byte bytes; 1024 kib; 1048576 mib; 1073741824 gib",
    "bit": "1e9 gbit gigabit gigabits; 1e6 mbit megabit megabits; 1e3 kbit kilobit kilobits; "
    "1 bit bits",
    "cycle": "1e9 ghz; 1e6 mhz; 1e3 khz; 1 hz hertz",
    "energy": "1000 kcal kcals; 1 cal calorie calories",
    "gray": "1 gy gray; .01 cgy; .001 mgy",
    "celsius": "1 °c celsius",
    "fahrenheit": "1 °f fahrenheit",
    "decibel": "1 db",
    "tablet": "1 tablet tablets tab tabs pill pills",
    "capsule": "1 capsule capsules cap caps",
    "puff": "1 puff puffs",
    "drop": "1 drop drops gtt gtts",
    "patch": "1 patch patches",
    "spray": "1 spray sprays",
}
_THIS_CASE: Final = {
    "mass": "1 g",
    "volume": "1 L l",
    "time": "86400 d; 3600 h; 1 s",
    "unit": "1 U",
    "amount": "1 mol",
    "bit": "1e6 Mb; 1e3 Kb; 1e9 Gb",
}
_RATES: Final = {
    "bpm": "beats/min", "kbps": "kbit/s", "mbps": "mbit/s", "gbps": "gbit/s", "bps": "bit/s",
    "kbit/s": "kbit/s", "fpm": "feet/min",
}  # fmt: skip
_RATES_THIS_CASE: Final = {
    "mM": "mmol/L", "uM": "umol/L", "nM": "nmol/L", "KBps": "KB/s", "MBps": "MB/s", "GBps": "GB/s",
}  # fmt: skip
_PER: Final = r"\s?/\s?|\s+per\s+|\s+an?\s+|\s+each\s+|\s+every\s+"
PREFIX: Final = str.maketrans({"µ": "u", "μ": "u"})
"""Both letters that stand for a millionth, as one character."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit without its spelling.

    Attributes:
        factor: base units that it is.
        powers: (dimension, power), sorted; two units of equal powers measure the same thing. Mass
            for mass stays both: 5 mg/kg is no number, but a dose for each kilogram of a body.
    """

    factor: Fraction
    powers: tuple[tuple[str, int], ...]

    def per(self, other: Unit) -> Unit:
        """This unit for each of another."""
        below = [(name, -power) for name, power in other.powers]
        return Unit(self.factor / other.factor, tuple(sorted([*self.powers, *below])))


def _read(table: dict[str, str]) -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    for dimension, rows in table.items():
        for row in rows.split(";"):
            factor, *spellings = row.split()
            found |= dict.fromkeys(spellings, Unit(Fraction(factor), ((dimension, 1),)))
    return found


_FOLDED: Final = _read(_ANY_CASE)
_EXACT: Final = _read(_THIS_CASE)


def _some(words: object) -> str:
    every = sorted(map(str, words), key=len, reverse=True)  # type: ignore[call-overload]
    return "|".join(re.escape(one) for one in every)


_SHORT: Final = _some([*(_EXACT.keys() - {"s"}), *_RATES_THIS_CASE])
_ONE: Final = rf"(?:{_SHORT}|(?<!\d)s|(?i:{_some([*_FOLDED, *_RATES])}))(?![\w²])"
"""Seconds stand apart from their number: the 1990s are none."""
PATTERN: Final = rf"{_ONE}(?:(?:{_PER}){_ONE})*"
"""Matches a unit in text that `spelled` has seen, composites such as ``mg/kg/day`` whole."""
_JOINS: Final = re.compile(_PER)
DAY: Final = _FOLDED["day"]
_COMMON: Final = (
    (re.compile(r"\bmm\s?hg\b", re.IGNORECASE), "mmHg"),
    (re.compile(r"\bcm\s?h2o\b", re.IGNORECASE), "cmH2O"),
    (re.compile(r"(?:°|\bdeg(?:rees?|s)?\.?)\s?(?:c|celsius)\b", re.IGNORECASE), " °c"),
    (re.compile(r"(?:°|\bdeg(?:rees?|s)?\.?)\s?(?:f|fahrenheit)\b", re.IGNORECASE), " °f"),
    (re.compile(r"(?<=\d\.\d)\s?([CF])\b"), r" °\1"),
    (re.compile(r"\bbeats\s(?:per|a)\smin(?:ute)?\b", re.IGNORECASE), "bpm"),
    (re.compile(r"\b(?:international|int\.?)\s(?=units?\b)", re.IGNORECASE), ""),
    (re.compile(r"\bkb/s\b", re.IGNORECASE), "KBps"),
    (re.compile(r"\bMB/s\b"), "MBps"),
)


def spelled(text: str) -> str:
    """A text with the units of several words, or marks before them, as `PATTERN` knows them."""
    text = text.translate(PREFIX)
    for pattern, new in _COMMON:
        text = pattern.sub(new, text)
    return text


@lru_cache(maxsize=4096)
def unit(spelling: str) -> Unit | None:
    """What `PATTERN` matched; None for what is no unit."""
    whole: Unit | None = None
    for part in _JOINS.split(spelling):
        one = _single(part.strip())
        if one is None:
            return None
        if whole and whole.powers == one.powers == DAY.powers:
            return whole  # "five days a week" are five days
        whole = one if whole is None else whole.per(one)
    return whole


def _single(part: str) -> Unit | None:
    rate = _RATES_THIS_CASE.get(part) or _RATES.get(part.casefold())
    if rate and rate != part:
        top, _, bottom = rate.partition("/")
        above, below = _single(top), _single(bottom)
        return above.per(below) if above and below else None
    return _EXACT.get(part) or _FOLDED.get(part.casefold())
