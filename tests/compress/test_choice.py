"""Targets, the Pareto set, the choice."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.compress import search
from aegle.compress.search import Target, Trial
from aegle.core.errors import UsageError
from aegle.core.records import Measure


def trial(size: float, kept: float, speed: float = 1.0, low: float | None = None) -> Trial:
    told = Measure(kept, kept if low is None else low, max(kept, 1.0), 9)
    return Trial("k", "int8", {}, int(1000 * size), size, told, told, 10 * speed, speed)


def test_targets_are_read() -> None:
    assert Target.parse("size=50%", keep=0.9) == Target(0.5, None, 0.9)
    assert Target.parse("speed=2x, size=0.3", keep=1, sure=True) == Target(0.3, 2, 1, True)
    assert Target.parse("", keep=0.98) == Target()
    for text in ("size", "bytes=3", "size=abc", "size=50%,size=20%", "size=0", "size=120%"):
        with pytest.raises(UsageError):
            Target.parse(text, keep=0.98)
    with pytest.raises(UsageError, match="share above 0"):
        Target.parse("size=50%", keep=98)


def test_the_fastest_that_is_small_enough_is_chosen() -> None:
    some = [trial(0.5, 1, 1), trial(0.26, 0.99, 3.0), trial(0.25, 0.985, 2.9), trial(0.1, 0.5, 5)]
    assert search.choose(some, Target(0.5)) == (some[2], True)
    assert search.choose(some, Target(0.5, None, 0.99)) == (some[1], True)
    assert search.choose(some, Target(None, 1.0, 0.4)) == (some[3], True)
    assert search.choose(some, Target(0.2, None, 0.9)) == (some[2], False)
    sure = [trial(0.3, 0.99, 2, low=0.9), trial(0.4, 0.99, 1, low=0.985)]
    assert search.choose(sure, Target(0.5, sure=True)) == (sure[1], True)
    with pytest.raises(UsageError, match="nothing was tried"):
        search.choose([], Target())


points = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))


@given(st.lists(points, min_size=1, max_size=12))
def test_the_front_is_what_nothing_beats(some: list[tuple[int, int, int]]) -> None:
    trials = [trial(size / 4, kept / 4, float(speed)) for size, kept, speed in some]
    best = search.front(trials)
    assert best
    for one, (size, kept, speed) in zip(trials, some, strict=True):
        beaten = any(
            (s <= size and k >= kept and v >= speed) and (s, k, v) != (size, kept, speed)
            for s, k, v in some
        )
        assert (one in best) is not beaten


def test_a_trial_is_read_back() -> None:
    one = trial(0.3, 0.99, low=0.9)
    assert Trial.read(json.loads(json.dumps(one.plain()))) == one
    assert Trial.read({**one.plain(), "settings": {"keep": ["a", "b"], "block": 32}}).name == (
        "int8 block=32 keep=2"
    )
    assert search.key_of("a", {"x": 1, "y": 2}) == search.key_of("a", {"y": 2, "x": 1})
    assert search.key_of("a", {"x": 1}) != search.key_of("a", {"x": 2})
