"""Forms of questions are read as the plain question that they stand for; days; two spellings."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.answer.concepts import content_words, stem
from aegle.answer.days import days, without_days
from aegle.answer.forms import read
from aegle.answer.question import Named, take_apart
from aegle.answer.spelling import american, others

PUMP = Named("PUMP-0042", "device", "device:pump-0042")
HOST = Named("icu3-gw01", "host", "host:icu3-gw01")
DRUG = Named("heparin", "medication", "RXNORM:5224")


@pytest.mark.parametrize(
    ("question", "types"),
    [
        ("Where is PUMP-0042?", {"ward"}),
        ("Where can I find the pump PUMP-0042?", {"ward"}),
        ("What is the location of PUMP-0042?", {"ward"}),
        ("Whose pump is PUMP-0042?", {"patient"}),
        ("What does the host icu3-gw01 control?", {"device"}),
        ("Which devices stand in ICU-3?", {"device"}),
        ("List the medications of the patient.", {"medication"}),
        ("Any open CVEs on icu3-gw01?", {"vulnerability"}),
        ("Who is on heparin?", {"patient"}),
        ("Which people are on heparin?", {"patient"}),
    ],
)
def test_what_is_asked_for_in_many_forms(question: str, types: set[str]) -> None:
    assert take_apart(question, named=(PUMP, HOST, DRUG)).focus_types == types


def test_who_looks_after_depends_on_whom() -> None:
    assert "attending" in read("Who looks after Ann Lee?", of={"patient"}).text
    assert "owner" in read("Who looks after icu3-gw01?", of={"host"}).text


def test_advice_is_asked_of_the_case_and_not_of_the_staff() -> None:
    form = read("What should staff do when a gateway cannot be patched?")
    assert form.advice
    assert form.text == "a gateway cannot be patched"
    assert not take_apart("What should nurses do when the pump is down?").number


def test_events_days_lengths_and_verdicts_are_told_apart() -> None:
    asked = take_apart("What happened on icu3-gw01 on March 30, 2026?", named=(HOST,))
    assert asked.form.event
    assert asked.anchors == ("icu3-gw01",)
    assert [day.meets(days("2026-03-30")[0]) for day in asked.days] == [True]
    assert read("How long does the battery last?").lasts
    assert read("Is Ann Lee allergic to penicillin?").polar
    assert not read("Which host is down?").polar


@given(st.dates(datetime.date(1970, 1, 1), datetime.date(2099, 12, 31)))
def test_a_day_is_the_same_however_it_is_written(day: datetime.date) -> None:
    forms = [
        f"{day:%Y-%m-%d}",
        f"{day:%B} {day.day}, {day:%Y}",
        f"{day.day} {day:%B} {day:%Y}",
        f"{day:%b} {day.day:2d} 10:11:12 gw01 sshd",
        f"{day:%Y-%m-%d}T10:11:12Z",
    ]
    read_days = [days(text) for text in forms]
    assert all(len(found) == 1 for found in read_days), read_days
    assert all(found[0].meets(read_days[0][0]) for found in read_days)
    assert not any(char.isdigit() for char in without_days(f"on {forms[0]} at night"))


def test_what_is_no_day_is_none() -> None:
    assert days("CVE-2021-44228, 10.20.40.4, PUMP-0042, 2026-13-40, release 8.2.9") == []


@pytest.mark.parametrize(
    ("british", "ours"),
    [("haemoglobin", "hemoglobin"), ("anaemia", "anemia"), ("oedema", "edema"),
     ("leukaemia", "leukemia"), ("tumour", "tumor"), ("paracetamol", "acetaminophen")],
)  # fmt: skip
def test_two_spellings_have_one_stem(british: str, ours: str) -> None:
    assert stem(british) == stem(ours)
    assert ours in others(f"the {british} of")
    assert british in others(f"the {ours} of")


@given(st.text(alphabet="abcdeghimnorstuy", max_size=12))
def test_american_words_stay(word: str) -> None:
    assert american(american(word)) == american(word)


def test_singular_and_plural_have_one_stem_whatever_their_vowel() -> None:
    for one, many in (("gateway", "gateways"), ("kidney", "kidneys"), ("allergy", "allergies")):
        assert content_words(one) == content_words(many)


@given(st.text(max_size=120))
def test_any_question_can_be_read(question: str) -> None:
    form = read(question, of=("patient", "host"))
    assert isinstance(form.text, str)


def test_taking_a_drug_is_being_on_it() -> None:
    for asked in ("Does Ann Lee take metformin?", "Is Ann Lee still taking metformin?"):
        form = read(asked, of={"patient"})
        assert form.text.startswith("is Ann Lee on metformin") and form.polar
