"""Questions are routed by their form, and taken apart where it allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.retrieve.names import key_of, link
from aegle.retrieve.plan import plan

KNOWN = {
    key_of(name)
    for name in ("Blood Street", "Leo Fong", "Aas Ka Panchhi", "Phoolwari", "Publix", "Godomar II")
}


def named_in(question):
    return link(question, lambda keys: [key in KNOWN for key in keys])


def planned(question, **given):
    return plan(question, named_in(question), **given)


@pytest.mark.parametrize(
    ("question", "route"),
    [
        ("CVE-2021-44228", "identifier"),
        ("What is T1059.001?", "identifier"),
        ("chart of MRN0012345", "identifier"),
        ("Which hosts that run our mail service are open to CVE-2021-44228?", "single"),
        ("When was Leo Fong born?", "single"),
        ("Who is the director of Blood Street?", "single"),
        ("What is the place of birth of Leo Fong?", "single"),
        ("What nationality is the director of film Blood Street?", "multi-hop"),
        ("Where did Leo Fong's wife die?", "multi-hop"),
        ("Who is Godomar Ii's stepmother?", "multi-hop"),
        ("Who was the president of the association which published Blood Street?", "multi-hop"),
        ("Which film was released first, Aas Ka Panchhi or Phoolwari?", "comparison"),
        ("Are Leo Fong and Phoolwari from the same country?", "comparison"),
        ("How many stores has Publix?", "aggregate"),
        ("The director of the film Blood Street lowers the level of more proteins.", "single"),
    ],
)
def test_routes(question, route):
    assert planned(question).route == route


def test_two_domains_are_crossed():
    made = planned("Which pump does Leo Fong use?", domains=("healthcare", "cybersecurity"))
    assert made.route == "cross-domain"
    assert made.walks


def test_a_walk_needs_a_name_and_a_form():
    assert planned("Where did Leo Fong's wife die?").walks
    assert not planned("Where did his wife's father die?").walks
    assert not planned("When was Leo Fong born?").walks


def test_a_walk_needs_a_subject():
    assert not planned("Where did Leo Fong's wife die?", is_subject=lambda name: False).walks


def test_what_is_asked_is_the_question_without_its_names():
    assert planned("Where did Leo Fong's wife die?").asked == "Where did wife die?"
    assert planned("Leo Fong").asked == "Leo Fong"


def test_a_comparison_has_a_search_a_side():
    made = planned("Which film was released first, Aas Ka Panchhi or Phoolwari?")
    assert [part.rsplit(" ", 1)[-1] for part in made.parts] == ["Panchhi", "Phoolwari"]


def test_a_chain_has_a_search_for_its_first_step():
    question = "What nationality is the director of film Blood Street?"
    assert planned(question).parts == (question, "the director of film Blood Street")


PIECES = st.sampled_from(
    (
        "Leo Fong",
        "Phoolwari",
        "\x00",
        "\x1f",
        "'s father",
        " the director of film ",
        " or ",
        "?",
        "Who",
    )
)


@given(st.lists(PIECES | st.text(max_size=8), max_size=9).map("".join))
def test_any_text_has_a_plan(question):
    made = planned(question)
    assert all("\x00" not in part for part in (made.asked, *made.parts))


def test_control_characters_are_spaces():
    question = "What nationality is the director of film {} Blood Street?"
    assert planned(question.format("\x00")) == planned(question.format(" "))
