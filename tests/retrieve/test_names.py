"""Names of any text: runs, codes, quoted terms, known titles; keys do not depend on spelling."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.retrieve.names import key_of, link, names, title_keys, words


def keys(text):
    return {" ".join(one.key) for one in names(text)}


def linked(text, *titles):
    known = {key for title in titles for key in title_keys(title)}
    return {" ".join(one.key) for one in link(text, lambda keys: [key in known for key in keys])}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("He studied at the University of Vienna.", {"university of vienna", "vienna"}),
        ("Sweden at the 1920 Summer Olympics lost.", {"sweden", "1920 summer olympic"}),
        ("It was won by J. R. Smith and Mary Jones.", {"j r smith", "mary jone"}),
        ("They sang “thinking out loud” there.", {"thinking out loud"}),
        ("The host ran a tool for CVE-2021-44228 then.", {"cve-2021-44228"}),
        ("It was found near Berlin. London was next.", {"berlin", "london"}),
        ("Then both cd4 and il6 rose.", {"cd4", "il6"}),
    ],
)
def test_what_is_named(text, named):
    assert named <= keys(text)


def test_two_sentences_are_not_one_name():
    assert "lotharingia he" not in keys("He was of Lotharingia. He died.")


def test_a_lone_capital_at_a_sentence_start_is_not_sure():
    found = names("Directed by Anna Berg, it was shown in Rome. Rome liked it.")
    assert [(one.key, one.sure) for one in found] == [
        (("directed",), False),
        (("anna", "berg"), True),
        (("rome",), True),
        (("rome",), False),
    ]


def test_known_titles_are_found_in_any_case():
    assert linked("what is canon law about", "Canon law") == {"canon law"}
    assert linked("Who made God'S Gift To Women?", "God's Gift to Women") == {"god gift to women"}
    assert linked("he played in a band", "Band") == set()


def test_a_title_is_also_its_name_without_what_tells_it_apart():
    assert title_keys("Hello Love (song)") == [("hello", "love", "song"), ("hello", "love")]
    assert title_keys("Johnnycake, West Virginia")[-1] == ("johnnycake",)
    assert title_keys("") == title_keys("...") == []


def test_keys_fold_case_accents_articles_and_plurals():
    assert key_of("The Aschenbrödels") == key_of("ASCHENBRODEL") == ("aschenbrodel",)


@given(st.text(max_size=200))
def test_spans_lie_in_the_text_and_keys_are_never_empty(text):
    for word in words(text):
        assert 0 <= word.start < word.end <= len(text)
    for one in names(text):
        assert 0 <= one.start < one.end <= len(text)
        assert one.key
        assert all(one.key)


@given(st.lists(st.sampled_from("the Alpha beta Gamma of 12 in Delta".split()), max_size=12))
def test_known_names_do_not_overlap(parts):
    text = " ".join(parts)
    known = [("alpha", "beta"), ("beta", "gamma"), ("delta",)]
    found = link(text, lambda keys: [key in known for key in keys])
    assert all(one.end <= after.start for one, after in pairwise(found))
