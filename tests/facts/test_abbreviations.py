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
    text = "Child with spastic CP, walks with aids; no cp."
    commonest = Senses({"cp": ["chest pain", "cerebral palsy"]})
    assert commonest.read(text, 0, len(text)) == {"CP": "chest pain"}
    assert commonest.read(text, 0, 10) == {}
    nearest = Senses({"cp": ["chest pain", "cerebral palsy"]}, embed=spastic)
    assert nearest.read(text, 0, len(text)) == {"CP": "cerebral palsy"}


def spastic(texts):
    """Unit vectors by which texts about palsy are one thing and all others another."""
    about = [any(word in text for word in ("spastic", "palsy")) for text in texts]
    return np.array([[1.0, 0.0] if one else [0.0, 1.0] for one in about], np.float32)


def test_where_no_sense_is_sure_enough_the_short_form_stays():
    senses = Senses({"cp": {"chest pain": 0.5, "costal pain": 0.5}}, embed=spastic)
    assert senses.read("Has CP.", 0, 7) == {}
    often = Senses({"cp": {"chest pain": 0.9, "costal pain": 0.1}}, embed=spastic)
    assert often.read("Has CP.", 0, 7) == {"CP": "chest pain"}
    assert often.read("Has XY.", 0, 7) == {}


def test_a_short_form_means_one_thing_in_a_text_and_its_senses_are_embedded_once():
    asked: list[str] = []

    def embed(texts):
        asked.extend(texts)
        return spastic(texts)

    senses = Senses({"cp": ["chest pain", "cerebral palsy"], "ra": ["room air"]}, embed=embed)
    text = "spastic CP, spastic CP. " + "x" * 400 + " CP on RA."
    places = [(8, 10), (20, 22), (len(text) - 9, len(text))]
    told = {"CP": "cerebral palsy", "RA": "room air"}
    assert senses.read_all(text, places) == told
    assert senses.read_all(text, places[1:]) == {"RA": "room air"}, "its places disagree"
    assert senses.read_all(text, places, but={"CP", "RA"}) == {}
    assert asked.count("chest pain") == 1
    assert "room air" not in asked


@pytest.mark.parametrize(
    ("written", "known"),
    [("UTIs", True), ("UTI", True), ("Uti", True), ("utis", False), ("Cold", False)],
)
def test_a_short_form_is_written_as_no_word_is(written, known):
    senses = Senses({"uti": ["urinary tract infection"], "cold": ["obstructive lung disease"]})
    assert bool(senses.read(written, 0, len(written))) == known


def test_a_text_of_brackets_takes_no_time():
    assert definitions("(" * 100_000) == []
    assert definitions("a (A" * 20_000) is not None
