"""Support: no number, name or negation that the evidence does not have passes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.answer.verify import numbers, supported

EVIDENCE = ["Allergies: tramadol (vomiting)", "Patient denies chest pain.", "Cr 0.81, WBC 4.5"]


def same(texts):
    """All texts are alike: meaning never decides in these tests."""
    return np.ones((len(texts), 1), np.float32)


def apart(texts):
    """No two texts are alike."""
    return np.eye(len(texts), dtype=np.float32)


@pytest.mark.parametrize(
    "sentence",
    [
        "Allergies: tramadol (vomiting).",
        "The patient denies chest pain.",
        "WBC 4.5.",
    ],
)
def test_what_the_evidence_says_is_supported(sentence):
    assert supported(sentence, EVIDENCE, same)


@pytest.mark.parametrize(
    "sentence",
    [
        "Allergies: morphine.",
        "Patient has chest pain.",
        "No allergies: tramadol.",
        "WBC 5.4.",
        "Cr 4.5, WBC 0.81 in NEURO-6.",
        "Cr 4.5, WBC 0.81.",
        "Patient Ann Lee denies chest pain.",
        "",
    ],
)
def test_what_it_does_not_say_is_not(sentence):
    assert not supported(sentence, EVIDENCE, same)


def test_negation_is_read_in_the_sentence_that_speaks_of_it():
    """Another sentence that denies something else neither helps nor harms."""
    assert supported("Takes aspirin.", ["Takes aspirin daily.", "No fever."], same)
    assert not supported("No aspirin.", ["Takes aspirin daily.", "No fever."], same)


def test_meaning_must_agree():
    assert not supported("Allergies: tramadol (vomiting).", EVIDENCE, apart)


def test_without_evidence_nothing_is_supported():
    assert not supported("Anything.", [], same)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_number_of_its_own_is_never_supported(told, claimed):
    evidence = [f"The dose was {told} mg."]
    assert supported(f"The dose was {claimed} mg.", evidence, same) == (told == claimed)


@given(st.sampled_from(["aspirin", "heparin", "fever", "rash"]), st.booleans(), st.booleans())
def test_negation_has_to_agree(word, told, claimed):
    def said(denied):
        return f"The patient has {'no ' if denied else ''}{word}."

    assert supported(said(claimed), [said(told)], same) == (told == claimed)


def test_numbers_are_whole():
    assert numbers("Cr 0.81 on 2026-03-30, 4.5.") == {"0.81", "2026", "03", "30", "4.5"}


def test_a_negation_elsewhere_in_the_evidence_does_not_license_another():
    told = ["Diagnosis: acute pancreatitis without necrosis or infection [ICD10CM K85.90]"]
    assert not supported("The diagnosis was not [ICD10CM K85.90].", told, same)
    assert not supported("The diagnosis was not acute pancreatitis.", told, same)
    assert supported("Acute pancreatitis without necrosis.", told, same)


def test_two_values_do_not_change_places():
    told = ["BP 119/79, HR 96, RR 16"]
    assert supported("HR 96, RR 16.", told, same)
    assert not supported("HR 16, RR 96.", told, same)


def test_a_conversion_is_the_same_amount():
    told = ["Digoxin 0.25 mg daily.", "Antibiotics for one week."]
    assert supported("Digoxin 250 mcg daily.", told, same)
    assert supported("Antibiotics for 7 days.", told, same)
    assert not supported("Digoxin 250 mg daily.", told, same)
    assert not supported("Digoxin 0.25 mcg daily.", told, same)


def test_doses_do_not_change_places_behind_their_units():
    told = ["Takes aspirin 81 mg and metoprolol 50 mg."]
    assert supported("Takes 50 mg of metoprolol.", told, same)
    assert not supported("Takes aspirin 50 mg and metoprolol 81 mg.", told, same)
