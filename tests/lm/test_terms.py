"""Search terms: what must meet, meets; identifiers whole and in parts."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.lm.terms import fold, phrase, singular, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CVE-2024-1234", ["cve-2024-1234", "cve", "2024", "1234"]),
        ("10.0.0.5:443", ["10.0.0.5:443", "10.0.0.5", "10", "443"]),
        ("PUMP-0042.", ["pump-0042", "pump", "0042"]),
        (r"C:\Windows\cmd.exe", [r"c:\windows\cmd.exe", "window", "cmd.exe", "cmd", "exe"]),
        ("The patient's allergies", ["patient", "s", "allergy"]),
        ("E11.9", ["e11.9", "e11"]),
        ("no fever", ["no", "fever"]),
    ],
)
def test_terms(text, expected):
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("many", "one"),
    [("pumps", "pump"), ("allergies", "allergy"), ("sepsis", "sepsi"), ("virus", "virus"),
     ("diabetes", "diabete"), ("ulcers", "ulcer"), ("abscess", "abscess"), ("x86s", "x86s")],
)  # fmt: skip
def test_singular(many, one):
    assert singular(many) == one


@given(st.text())
def test_case_and_spacing_do_not_matter(text):
    assert terms(fold(text)) == terms(text)
    assert Counter(terms(f"{text} {text}")) == Counter(terms(text) * 2)


@given(st.text())
def test_a_phrase_of_a_phrase_is_itself(text):
    words = phrase(text)
    assert all(words)
    assert phrase("Infusion  Pumps") == phrase("infusion-pump") == ("infusion", "pump")
    assert phrase("PUMP-0042?") == ("pump", "0042")
