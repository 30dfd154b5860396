"""Questions taken apart: what is asked for, whom it is about, what must be named."""

from hypothesis import given
from hypothesis import strategies as st

from aegle.answer.concepts import content_words, is_kind, stem, synonyms
from aegle.answer.question import Named, anchors, take_apart


def words(needs):
    return {word for need in needs for word in need.words}


def test_the_noun_after_which_is_asked_for():
    asked = take_apart("Which host controls the infusion pump PUMP-0042?")
    assert asked.focus_types == {"host"}
    assert asked.anchors == ("pump-0042",)
    assert asked.types >= {"host", "device"}


def test_an_unknown_attribute_asks_for_all_its_words():
    asked = take_apart("What is the blood group of patient Ann Lee?", hidden={"ann", "lee"})
    assert [need.words & {"blood", "group"} for need in asked.focus] == [{"blood"}, {"group"}]
    assert not {"ann", "lee"} & words((*asked.focus, *asked.links))


def test_an_attribute_without_a_noun_phrase_is_found_by_the_table():
    for question in (
        "What is the patient on PUMP-0042 allergic to?",
        "What is the patient allergic to whose pump raised an alarm?",
        "What is patient 88123401 allergic to?",
    ):
        asked = take_apart(question)
        assert stem("allergies") in words(asked.focus)
        assert "patient" not in words(asked.focus)
        assert not asked.loose


def test_names_with_a_digit_are_subjects_and_others_must_be_said():
    host = Named("icu3-gw01", "host", "host:icu3-gw01")
    test = Named("C-reactive protein", "lab", "LOINC:1988-5")
    asked = take_apart("What C-reactive protein has icu3-gw01?", named=(host, test))
    assert asked.subjects == {"host:icu3-gw01"}
    assert [need.keys for need in asked.focus] == [frozenset({"LOINC:1988-5"})]
    assert asked.focus[0].whole


def test_an_unknown_patient_number_must_be_named():
    assert take_apart("What is patient 5860414 allergic to?").anchors == ("5860414",)
    assert take_apart("What is patient 5860414 allergic to?", hidden={"5860414"}).anchors == ()


def test_how_many_asks_for_a_number():
    assert take_apart("For how many days are logs kept?").number
    assert not take_apart("Which logs are kept?").number


def test_the_query_holds_synonyms_and_no_hidden_words():
    query = take_apart("What is Ann Lee allergic to?", hidden={"ann", "lee"}).query.split()
    assert {"allergic", "allergies"} <= set(query)
    assert "Ann" not in query


def test_singular_and_plural_have_one_stem():
    for one, many in (("vulnerability", "vulnerabilities"), ("allergy", "allergies")):
        assert stem(one) == stem(many)
    assert take_apart("What vulnerabilities does it have?").focus_types == {"vulnerability"}


def test_kinds_are_not_names():
    assert is_kind("infusion pump")
    assert not is_kind("pump-0042")
    assert synonyms("Allergic") == synonyms("allergies")
    assert synonyms("zebra") == ()


@given(st.text(max_size=200))
def test_any_text_can_be_taken_apart(text):
    asked = take_apart(text)
    assert not set(asked.focus) & set(asked.links)
    assert set(asked.focus_types) <= set(asked.types)
    assert all(anchor in text.casefold() for anchor in anchors(text))


@given(st.lists(st.sampled_from(["host", "WARD", "allergies", "icu3-gw01", "the", "of"])))
def test_content_words_fold_case_and_leave_function_words_out(some):
    found = content_words(" ".join(some))
    assert found == content_words(" ".join(word.upper() for word in some))
    assert not {"the", "of"} & set(found)
