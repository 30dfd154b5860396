"""Grammars give every choice, fill every slot, and never misspell what fills a slot."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.packs.sample.words import choose, data, fill, listed, mistype, say


def test_every_choice_comes_up() -> None:
    rng = random.Random(1)
    found = {choose(rng, "[a|b [c|d]]") for _ in range(200)}
    assert found == {"a", "b c", "b d"}


@given(st.integers(), st.text("abcdefghij {}", min_size=1, max_size=60))
def test_a_typo_keeps_the_letters(seed: int, text: str) -> None:
    typed = mistype(random.Random(seed), text)
    assert sorted(typed) == sorted(text)


@given(st.integers())
def test_a_slot_is_never_misspelled(seed: int) -> None:
    said = say(random.Random(seed), "something about {substance}", {"substance": "norepinephrine"})
    assert "norepinephrine" in said


def test_a_missing_slot_is_an_error() -> None:
    with pytest.raises(KeyError):
        fill("{nothing}", {})


def test_lists_read_as_lists() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"], "or") == "a, b or c"


def test_every_grammar_is_balanced() -> None:
    def templates(value: object) -> list[str]:
        if isinstance(value, dict):
            return [t for v in value.values() for t in templates(v)]
        return list(value) if isinstance(value, list) else []

    for template in templates(data("phrases")):
        chosen = choose(random.Random(2), template)
        assert not set("[]|") & set(chosen), template
