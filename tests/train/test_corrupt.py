"""What makes a claim false changes it where it says so; what rewords it keeps its facts."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.lm.opposites import OPPOSITES
from aegle.train.data.corrupt import RULES, Edit, Names, edited, mentions
from aegle.train.data.reword import RULES as SAME
from aegle.train.data.reword import abbreviate, definitions, opener, reword

TEXTS = [
    "Aspirin 81 mg daily reduced the risk of stroke in 240 patients.",
    "The patient denies chest pain and has no fever.",
    "APT29 has used Mimikatz to dump credentials before exfiltration.",
    "In mice, deletion of the gene is not associated with severe disease.",
]
NAMES = Names({"aspirin": "chemical"}, {"chemical": ["warfarin"], "code": ["APT28"]})


@pytest.mark.parametrize("rule", sorted(RULES))
@given(text=st.sampled_from(TEXTS), seed=st.integers(0, 2**31))
def test_a_rule_changes_what_it_is_given_or_finds_nothing(rule: str, text: str, seed: int) -> None:
    edits = RULES[rule](text, np.random.default_rng(seed), NAMES)
    if edits:
        assert edited(text, edits) != text
    assert edits == RULES[rule](text, np.random.default_rng(seed), NAMES)


@given(st.integers(1, 999_999), st.integers(0, 2), st.integers(0, 2**31))
def test_a_number_becomes_another_one(digits: int, places: int, seed: int) -> None:
    number = f"{digits / 10**places:.{places}f}"
    edits = RULES["number"](f"It was {number} in all.", np.random.default_rng(seed), Names())
    for edit in edits:
        assert float(edit.new) != float(edit.old)


def test_edits_are_made_at_once_and_at_whole_words() -> None:
    swap = [Edit("a", "b"), Edit("b", "a")]
    assert edited("a ab b-a a.", swap) == "b ab b-a b."


def test_a_role_is_exchanged_in_both_texts_alike() -> None:
    text = "TNF1 activates IL6R."
    edits = RULES["role"](text, np.random.default_rng(0), Names())
    assert edited(text, edits) == "IL6R activates TNF1."


def test_a_name_is_exchanged_for_one_of_its_type() -> None:
    edits = RULES["entity"]("They gave aspirin.", np.random.default_rng(0), NAMES)
    assert edits == [Edit("aspirin", "warfarin")]
    assert mentions("They gave aspirin.", NAMES) == [("aspirin", "chemical")]


def test_negation_is_put_in_and_taken_out() -> None:
    rng = np.random.default_rng(0)
    assert RULES["negation"]("It is not seen.", rng, Names()) == [Edit("is not", "is")]
    assert RULES["negation"]("It causes pain.", rng, Names()) == [Edit("causes", "does not cause")]


def test_opposites_go_both_ways() -> None:
    for table in OPPOSITES.values():
        for word, others in table.items():
            assert all(word in table[one] for one in others)
            assert word not in others


@given(text=st.sampled_from(TEXTS), seed=st.integers(0, 2**31))
def test_rewording_keeps_digits_and_negation(text: str, seed: int) -> None:
    told = reword(text, np.random.default_rng(seed))
    assert re.findall(r"\d{2,}", told) == re.findall(r"\d{2,}", text)
    denial = re.compile(r"\b(?:not|no|denies|isn't|does not report)\b")
    assert bool(denial.search(told)) == bool(denial.search(text))


def test_rewording_by_rule() -> None:
    rng = np.random.default_rng(0)
    assert opener("However, we found that cells grow.", rng) == "Cells grow."
    assert SAME["front"]("In old mice, the cells grow slowly.", rng) == (
        "The cells grow slowly in old mice."
    )
    assert SAME["aside"]("Cells (of mice) grow.", rng) == "Cells grow."


def test_short_forms_are_those_that_the_text_defines() -> None:
    known = definitions("Many have systemic lupus erythematosus (SLE), some do not (ND).")
    assert known == {"SLE": "systemic lupus erythematosus"}
    seen = {abbreviate("SLE is rare.", known, np.random.default_rng(seed)) for seed in range(8)}
    assert seen == {"SLE is rare.", "systemic lupus erythematosus is rare."}
