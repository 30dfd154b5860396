"""Abbreviations: a document's own definitions win, senses are chosen by what stands around."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.facts.abbreviations import Senses, definitions, expand, long_forms


@pytest.mark.parametrize(
    ("text", "short", "long"),
    [
        ("Known heart failure (HF) since May.", "HF", "heart failure"),
        ("with acute heart failure (HF).", "HF", "heart failure"),
        (
            "the heat shock transcription factor (HSF) binds",
            "HSF",
            "heat shock transcription factor",
        ),
        (
            "chronic obstructive pulmonary disease [COPD]",
            "COPD",
            "chronic obstructive pulmonary disease",
        ),
        ("Findings: CKD (chronic kidney disease), stable", "CKD", "chronic kidney disease"),
        ("two urinary tract infections (UTIs) in May", "UTIs", "urinary tract infections"),
        ("remote access trojan (RAT; see below)", "RAT", "remote access trojan"),
        ("in vitro. Heart failure (HF)", "HF", "Heart failure"),
        ("command-and-control (C2) server", "", ""),
        ("potassium was high (see note)", "", ""),
        ("pain in the abdomen (CT)", "", ""),
        ("HF (HF)", "", ""),
        ("he was seen (2019)", "", ""),
    ],
)
def test_finds_what_a_text_defines(text, short, long):
    found = definitions(text)
    assert [(one.short, one.long) for one in found] == ([(short, long)] if short else [])
    assert all(text[one.start : one.end] == one.long for one in found)


def test_the_first_definition_stands_and_plurals_are_known():
    known = long_forms("heart failure (HF) and hot flushes (HF); urinary tract infections (UTIs)")
    assert known["HF"] == "heart failure"
    assert known["UTI"] == known["UTIs"] == "urinary tract infections"


def test_expands_whole_words_only_in_their_case():
    known = {"HF": "heart failure"}
    assert expand("acute HF, HFpEF, hf", known) == "acute heart failure, HFpEF, hf"


@given(st.text(max_size=200))
def test_definitions_are_where_they_say(text):
    for found in definitions(text):
        assert text[found.start : found.end] == found.long
        assert len(found.long) > len(found.short)


def test_senses_are_the_commonest_or_the_nearest_to_the_text():
    senses = Senses({"cp": ["chest pain", "cerebral palsy"]})
    text = "Child with spastic CP, walks with aids; no cp."

    def embed(texts):
        spastic = ("spastic", "palsy")
        return np.array([[float(any(w in t for w in spastic)), 0.1] for t in texts], np.float32)

    assert senses.read(text, 0, len(text)) == {"CP": "chest pain"}
    assert senses.read(text, 0, len(text), embed=embed) == {"CP": "cerebral palsy"}
    assert senses.read(text, 0, 10) == {}


def test_a_text_of_brackets_takes_no_time():
    assert definitions("(" * 100_000) == []
    assert definitions("a (A" * 20_000) is not None
