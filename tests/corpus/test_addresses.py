"""The parts of an address are one thing; what stands apart from it stays apart."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.corpus.addresses import PARTS, whole


@dataclass(frozen=True)
class Part:
    start: int
    end: int
    label: str
    score: float = 0.9


def parts(text: str, *told: tuple[str, str]) -> list[Part]:
    return [Part(text.index(word), text.index(word) + len(word), label) for word, label in told]


@pytest.mark.parametrize(
    ("text", "told", "expected"),
    [
        (
            "at 12 Elm Road, Arnsdorf, Germany now",
            (("12 Elm Road", "address"), ("Arnsdorf", "place"), ("Germany", "place")),
            "12 Elm Road, Arnsdorf, Germany",
        ),
        (
            "Elm Road 3\n Suite 112\n Nicosia\n Cyprus (Greek) 51034",
            (("Elm Road 3", "address"), ("Suite 112", "address"), ("Nicosia", "place"),
             ("Cyprus", "place"), ("Greek", "place"), ("51034", "zip")),
            "Elm Road 3\n Suite 112\n Nicosia\n Cyprus (Greek) 51034",
        ),
        (
            "meet at the corner of Elm 3 and Anna Mill today",
            (("Elm 3", "address"), ("Anna Mill", "person")),
            "the corner of Elm 3 and Anna Mill",
        ),
        ("the corner of Elm Road", (("Elm Road", "address"),), "the corner of Elm Road"),
    ],
)  # fmt: skip
def test_parts_become_one(text: str, told: tuple[tuple[str, str], ...], expected: str) -> None:
    ((start, end, score),) = whole(text, parts(text, *told))
    assert (text[start:end], score) == (expected, 0.9)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Arnsdorf, Germany", (("Arnsdorf", "place"), ("Germany", "place"))),
        ("12 Elm Road and Anna", (("12 Elm Road", "address"), ("Anna", "person"))),
        ("12 Elm Road. He flew to Germany", (("12 Elm Road", "address"), ("Germany", "place"))),
        ("12 Elm Road", (("12 Elm Road", "address"),)),
        ("12 Elm Road\n\nGermany won", (("12 Elm Road", "address"), ("Germany", "place"))),
        ("12 Elm Road, 4 Oak Way", (("12 Elm Road", "address"), ("4 Oak Way", "address"))),
    ],
)
def test_what_is_apart_stays_apart(text: str, told: tuple[tuple[str, str], ...]) -> None:
    assert list(whole(text, parts(text, *told))) == []


@given(
    st.text("ab1 ,\n()-", max_size=60),
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9), st.sampled_from([*PARTS, "person"]))),
)
def test_a_whole_begins_and_ends_with_parts(text: str, steps: list[tuple[int, int, str]]) -> None:
    seen, at = [], 0
    for gap, size, label in steps:
        if at + gap + size <= len(text):
            seen.append(Part(at + gap, at + gap + size, label))
            at = seen[-1].end
    found = list(whole(text, seen))
    starts, ends = {one.start for one in seen}, {one.end for one in seen}
    assert all(start in starts and end in ends for start, end, _ in found)
    assert all(one[1] <= other[0] for one, other in pairwise(found))
