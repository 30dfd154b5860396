"""Amounts: a number is read with its unit, and what it is said of."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.answer.quantities import aligned, amounts, loose, number_of


def same(one: str, other: str) -> bool:
    (a,), (b,) = amounts(one), amounts(other)
    return a.same(b)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0.25 mg", "250 mcg"),
        ("0.25 mg", "250µg"),
        ("1 g", "1000 mg"),
        ("1 g", "1,000 mg"),
        ("one week", "7 days"),
        ("24 h", "1 day"),
        ("every 8 hours", "q8h"),
        ("twice daily", "BID"),
        ("three times a day", "tid"),
        ("100 mg/dL", "1 g/L"),
        ("38.0 °C", "38 degrees Celsius"),
        ("2 years", "24 months"),
        ("5 million", "5,000,000"),
        ("120/80 mmHg", "120/80 mm Hg"),
        ("1 GB", "1000 MB"),
        ("aspirin 81", "81 mg"),
    ],
)
def test_one_amount_in_two_spellings_is_the_same(one: str, other: str) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10 g", "10 mg"),
        ("20 mg", "20 units"),
        ("0.25 mcg", "0.25 mg"),
        ("7.8 mg/dL", "7.8 mmol/L"),
        ("12 days", "12 hours"),
        ("4 weeks", "1 month"),
        ("5 mg/kg", "5 mg"),
        ("100 mL", "100 mL/hr"),
        ("once daily", "twice daily"),
        ("120/80 mmHg", "80/120 mmHg"),
        ("5 Mbps", "5 MBps"),
    ],
)
def test_other_amounts_are_others(one: str, other: str) -> None:
    assert not same(one, other)


@given(st.integers(1, 10**6), st.sampled_from(["mg", "mL", "hours", "kg"]))
def test_conversions_are_exact(count: int, unit: str) -> None:
    smaller = {"mg": ("mcg", 1000), "mL": ("L", Fraction(1, 1000)), "hours": ("min", 60),
               "kg": ("mg", 10**6)}  # fmt: skip
    other, factor = smaller[unit]
    (one,) = amounts(f"{count} {unit}")
    (small,) = amounts("1 " + other)
    assert isinstance(one.value, Fraction)
    assert one.value == count * factor * small.value  # type: ignore[operator]


def test_a_range_has_two_amounts() -> None:
    assert [one.number for one in amounts("5-10 mg")] == [5, 10]
    assert [one.powers for one in amounts("between 5 and 10 mg")] == [(("mass", 1),)] * 2
    assert [one.number for one in amounts("one to three days")] == [1, 3]


@pytest.mark.parametrize(
    "text",
    ["APT28 uses T1059.001", "PUMP-0042", "on 2026-03-30", "K85.90", "one of them", "10.0.0.1x"],
)
def test_parts_of_identifiers_are_no_amounts(text: str) -> None:
    assert amounts(text) == ()


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Takes aspirin 81 mg daily.", "aspirin"),
        ("Takes 81 mg of aspirin.", "aspirin"),
        ("81 mg aspirin", "aspirin"),
        ("Aspirin (81 mg) and metoprolol", "aspirin"),
        ("The dose of aspirin is 81 mg.", "aspirin"),
        ("Aspirin: 81 mg, metoprolol", "aspirin"),
        ("Metoprolol, and aspirin at a dose of 81 mg", "aspirin"),
    ],
)
def test_an_amount_is_of_what_stands_nearest(text: str, near: str) -> None:
    (one,) = amounts(text)
    assert one.near == near


def test_what_is_meant_loosely() -> None:
    told = [(one.number, one.powers) for one in loose("5 mg daily for a week")]
    assert (1, (("time", 1),)) in told
    assert (5, (("mass", 1), ("time", -1))) in told
    assert (5, (("mass", 1),)) in [(one.number, one.powers) for one in loose("5 mg/day")]
    assert loose("5 mg/hour") == ()


def test_amounts_take_the_spelling_of_the_evidence() -> None:
    assert aligned("Digoxin 250 mcg daily.", ["digoxin 0.25 mg"]) == "Digoxin 0.25 mg daily."
    assert aligned("For 7 days.", ["for one week"]) == "For one week."
    assert aligned("Digoxin 250 mg.", ["digoxin 0.25 mg"]) == "Digoxin 250 mg."


@given(st.text(max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    for one in amounts(text):
        assert one.same(one)
    assert aligned(text, [text]) == text


def test_plain_numbers_have_a_value() -> None:
    assert number_of("1,000") == 1000
    assert number_of(".5") == Fraction(1, 2)
    assert number_of("120/80") == "120/80"
