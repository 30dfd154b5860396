"""Doses, laboratory values and vital signs of clinical text."""

from __future__ import annotations

import pytest

from aegle.packs.healthcare import patterns as clinical


def found(text):
    out = []
    for pattern in clinical.patterns():
        for match in pattern.regex.finditer(text):
            if not pattern.check or pattern.check(match):
                concept = pattern.concept(match) if pattern.concept else None
                out.append((pattern.type, match.group(), concept.key if concept else ""))
    return out


@pytest.mark.parametrize(
    ("text", "type", "piece", "key"),
    [
        ("K 5.9 mmol/L today", "lab", "K 5.9 mmol/L", "LOINC:2823-3"),
        ("HbA1c 8.2 %, next", "lab", "HbA1c 8.2 %", "LOINC:4548-4"),
        ("WBC 12.3 x10^9/L", "lab", "WBC 12.3 x10^9/L", "LOINC:6690-2"),
        ("creatinine was 1.9 mg/dL", "lab", "creatinine was 1.9 mg/dL", "LOINC:2160-0"),
        ("Na: 138 (H)", "lab", "Na: 138 (H)", "LOINC:2951-2"),
        ("BP 120/80, HR 88", "vital", "BP 120/80", "LOINC:85354-9"),
        ("BP 120/80, HR 88", "vital", "HR 88", "LOINC:8867-4"),
        ("T 38.2 C", "vital", "T 38.2 C", "LOINC:8310-5"),
        ("SpO2 91% on RA", "vital", "SpO2 91% on RA", "LOINC:2708-6"),
        ("RR 18", "vital", "RR 18", "LOINC:9279-1"),
        ("weight 72.5 kg", "vital", "weight 72.5 kg", "LOINC:29463-7"),
        ("metformin 500 mg PO BID", "dose", "500 mg PO BID", ""),
        ("insulin 10 units SC nightly", "dose", "10 units SC nightly", ""),
        ("2 puffs q4-6h prn", "dose", "2 puffs q4-6h prn", ""),
    ],
)
def test_measurement_is_found_whole(text, type, piece, key):
    assert (type, piece, key) in found(text)


@pytest.mark.parametrize(
    "text",
    ["k 5 things", "OK 5", "as 3 people", "2/3 of the patients", "p 88", "in room 12", "T 12"],
)
def test_plain_words_are_no_measurement(text):
    assert [one for one in found(text) if one[0] in ("lab", "vital")] == []


def test_a_concentration_is_no_dose():
    assert [one for one in found("glucose 140 mg/dL") if one[0] == "dose"] == []
