"""Candidates by spelling: slips, order, plurals; the same as a slow, plain computation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.facts.candidates import Names, Vectors, likeness, plain

NAMES = [
    "Heart failure",
    "Acute myocardial infarction",
    "Type 2 diabetes mellitus",
    "Type 1 diabetes mellitus",
    "Hypertension",
    "Pneumonia due to influenza virus",
]
WORDS = st.text(alphabet="abcd", max_size=12)


@pytest.fixture(scope="module")
def names() -> Names:
    return Names(NAMES)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("hart failure", "Heart failure"),
        ("failures of the heart", "Heart failure"),
        ("myocardail infarcton", "Acute myocardial infarction"),
        ("diabetes, type II", "Type 2 diabetes mellitus"),
        ("HYPERTENSIÓN", "Hypertension"),
        ("influenza pneumonias", "Pneumonia due to influenza virus"),
    ],
)
def test_a_slip_another_order_or_a_plural_still_finds_the_name(names, written, meant):
    assert NAMES[names.search(written, 1)[0][0]] == meant


def test_what_shares_nothing_finds_nothing(names):
    assert names.search("qqq", 3) == []
    assert names.search("", 3) == []
    assert Names([]).search("heart", 3) == []


def test_every_name_finds_itself_with_one(names):
    for at, name in enumerate(NAMES):
        place, score = names.search(name, 1)[0]
        assert place == at
        assert score == pytest.approx(1)


def test_a_word_that_no_name_has_lowers_the_score(names):
    alone = names.search("hypertension", 1)[0][1]
    beside = names.search("hypertension zzzzzz", 1)[0][1]
    assert beside < alone


@given(st.lists(WORDS, max_size=8), WORDS, st.integers(1, 9))
def test_scores_fall_and_lie_between_nought_and_one(some, asked, k):
    found = Names(some).search(asked, k)
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert len(found) <= k
    assert all(0 < score <= 1 + 1e-9 for score in scores)
    assert len({place for place, _ in found}) == len(found)


@given(WORDS, WORDS)
def test_likeness_is_the_edit_distance_of_the_textbook(a, b):
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, 1):
        before, row = row, [i]
        for j, other in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (one != other)))
    longest = max(len(a), len(b))
    expected = 1 - row[-1] / longest if longest else 1.0
    assert likeness(a, b) == pytest.approx(expected)


def test_plain_folds_case_accents_plurals_and_roman_numerals():
    assert plain("Néphropathies,  Type II") == plain("nephropathy type 2")


def test_a_name_is_embedded_once():
    asked: list[str] = []

    def embed(texts):
        asked.extend(texts)
        return np.array([[len(text), 1.0] for text in texts], np.float32)

    vectors = Vectors(["a", "bb", "ccc"], embed)
    first = vectors.nearness("xx", [0, 1])
    assert vectors.nearness("xx", [0, 1]) == first
    assert asked == ["xx", "a", "bb", "xx"]
    assert first == [3.0, 5.0]
