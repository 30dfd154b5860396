"""The noun after a finding decides: a vaccine is given, a clinic visited, a test has a result."""

from __future__ import annotations

import pytest
from clinic import assertions, facts, said


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Influenza vaccine given.", "CVX:88"),
        ("Flu shot today.", "CVX:88"),
        ("Vaccinated against influenza.", "CVX:88"),
        ("Tdap given in 2015.", "CVX:115"),
        ("Received the MMR.", "CVX:03"),
        ("Pneumococcal vaccine last year.", "CVX:109"),
        ("Hepatitis B vaccination completed.", "CVX:45"),
        ("COVID-19 booster given.", "CVX:213"),
        ("Malaria vaccine given.", "immunization:malaria vaccine"),
    ],
)
def test_a_vaccine_is_an_immunization_and_no_disease(text, key):
    found = facts(text)
    by_id = {entity.id: entity for entity in found.entities}
    assert [(r.type, by_id[r.tail].key) for r in found.relations] == [("had_immunization", key)]
    assert not [e for e in found.entities if e.type in ("condition", "procedure")]


def test_vaccines_share_their_noun_and_what_is_no_vaccine_does_not():
    assert said("Influenza and pneumococcal vaccines given.") == {
        ("had_immunization", "influenza"),
        ("had_immunization", "pneumococcal vaccines"),
    }
    assert ("has_condition", "asthma") in said("Asthma and flu shot.")
    assert said("Immunized against hepatitis B and measles.") == {
        ("had_immunization", "immunized against hepatitis b")
    }


@pytest.mark.parametrize("text", ["Flu shot declined.", "Tdap due.", "Due for a flu shot."])
def test_a_vaccine_that_was_not_given_is_none_of_the_patient(text):
    assert said(text) == set()


def test_who_is_allergic_to_a_vaccine_did_not_just_get_it():
    assert said("Allergic to influenza vaccine.") == {("allergic_to", "influenza vaccine")}


@pytest.mark.parametrize(
    "text",
    [
        "Seen in diabetes clinic.",
        "Asthma action plan reviewed.",
        "Transferred to stroke unit.",
        "Colorectal cancer screening up to date.",
        "Depression screen negative.",
        "Depression and anxiety screening done.",
        "Screening for colon cancer.",
        "Risk of falls.",
        "DVT prophylaxis.",
        "Seizure precautions.",
        "Family history of breast cancer.",
        "Flu-like illness.",
        "Diabetes-clinic letter.",
    ],
)
def test_a_finding_that_only_names_something_else_is_not_the_patients(text):
    assert said(text) == set()


def test_a_test_for_a_disease_is_a_result():
    assert said("Hepatitis B surface antigen positive.") == {
        ("has_result", "hepatitis b surface antigen")
    }
    assert said("Hepatitis C titer drawn.") == {("has_result", "hepatitis c titer")}


@pytest.mark.parametrize("text", ["Rule out sepsis.", "?Sepsis.", "? sepsis", "Sepsis?"])
def test_what_is_asked_is_possible(text):
    assert assertions(text)["sepsis"] == "possible"


def test_a_question_mark_doubts_what_it_touches_only():
    told = assertions("Hypertension, ?PE. Chest pain ?pneumonia.")
    assert (told["hypertension"], told["pe"]) == ("present", "possible")
    assert (told["chest pain"], told["pneumonia"]) == ("present", "possible")


@pytest.mark.parametrize(
    "text",
    [
        "Has asthma. Clinic visit today.",
        "Asthma\nClinic visit today.",
        "Diagnosis: Asthma Unit: ICU-3",
        "Asthma - clinic letter.",
        "Asthma, clinic visit.",
        "Asthma controlled; diabetes clinic tomorrow.",
    ],
)
def test_a_noun_that_does_not_follow_the_name_changes_nothing(text):
    assert ("has_condition", "asthma") in said(text)


@pytest.mark.parametrize(
    "text",
    [
        "Wife has asthma.",
        "The patient's husband has pneumonia.",
        "Scheduled for colonoscopy in May.",
    ],
)
def test_what_another_has_or_what_may_come_is_not_the_patients(text):
    assert said(text) == set()


def test_what_is_weighed_is_possible_and_what_is_unlikely_denied():
    weighed = assertions("CT: pneumonia versus bronchitis.")
    assert weighed["pneumonia"] == weighed["bronchitis"] == "possible"
    assert assertions("CT: unlikely pulmonary embolism.")["pulmonary embolism"] == "negated"
    assert assertions("CT: pneumonia is unlikely.")["pneumonia"] == "negated"


def test_who_tells_does_not_have_it():
    assert said("Wife reports asthma.") == {("has_condition", "asthma")}
