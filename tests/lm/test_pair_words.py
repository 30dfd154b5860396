"""What words say of two things: the same whichever comes first, for any text, weighed exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.lm.pair_words import Features, PairWords, Thing, features, pairs_of, stem

TEXT = "Aspirin and ulcers\nAspirin often induces ulcers. Heparin was not given. Ulcers heal."


def thing(kind: str, name: str, text: str = TEXT) -> Thing:
    """Every mention of a name."""
    low, spans, at = text.lower(), [], -1
    while (at := low.find(name, at + 1)) >= 0:
        spans.append((at, at + len(name)))
    return kind, spans


def told(*things: Thing) -> list[Features]:
    return list(features(TEXT, things))


def test_words_between_and_places_are_told() -> None:
    (found,) = told(thing("chemical", "aspirin"), thing("disease", "ulcers"))
    assert found["is chemical-disease"] == 1
    assert found["both in title"] == 1
    assert found["between induc & chemical-disease>"] == 1
    assert found["said often"] == 1
    assert "said aspirin" not in found
    assert found["name chemical aspirin"] == 1


def test_a_denial_is_told_where_both_stand() -> None:
    text = "Aspirin does not cause ulcers."
    things = [thing("chemical", "aspirin", text), thing("disease", "ulcers", text)]
    (found,) = features(text, things)
    assert found["denied & chemical-disease"] == 1


def test_the_order_of_things_does_not_matter() -> None:
    things = [
        thing("chemical", "aspirin"),
        thing("disease", "ulcers"),
        thing("chemical", "heparin"),
    ]
    forward = dict(zip(pairs_of(things), features(TEXT, things), strict=True))
    backward = dict(zip(pairs_of(things), features(TEXT, things[::-1]), strict=True))
    for (a, b), one in forward.items():
        assert backward[2 - b, 2 - a] == one


def test_endings_fall_so_that_forms_meet() -> None:
    assert {stem(word) for word in ("inhibits", "inhibited", "inhibition")} == {"inhibit"}
    assert stem("as") == "as"


@settings(max_examples=60)
@given(
    st.text(max_size=120),
    st.lists(
        st.tuples(
            st.sampled_from(["x", "y"]),
            st.lists(st.tuples(st.integers(0, 119), st.integers(1, 9)), min_size=1, max_size=3),
        ),
        min_size=2,
        max_size=4,
    ),
)
def test_any_text_and_any_things_give_finite_features(
    text: str, made: list[tuple[str, list[tuple[int, int]]]]
) -> None:
    size = len(text)
    things = [
        (kind, [(min(at, size), min(at + length, size)) for at, length in spans])
        for kind, spans in made
    ]
    found = list(features(text, things))
    assert len(found) == len(list(pairs_of(things)))
    assert all(
        np.isfinite(value) and "\n" not in name for one in found for name, value in one.items()
    )


def test_weights_are_kept_and_add_up() -> None:
    words = PairWords(
        {"a": 0, "b & c": 1},
        np.array([0.5, -1], np.float32),
        np.array([[1, 2], [3, 4]], np.float32),
        np.array([0.25, 0, 1], np.float32),
    )
    again = PairWords.read(words.tensors("r"), "r")
    assert again.place == words.place
    found = again.logits({"a": 2.0, "b & c": 1.0, "unknown": 9.0})
    np.testing.assert_allclose(found, [0.25 + 1 - 1, 2 + 3, 1 + 4 + 4])
    np.testing.assert_allclose(again.logits({}), [0.25, 0, 1])
    with pytest.raises(KeyError):
        PairWords.read(words.tensors("r"), "other")
