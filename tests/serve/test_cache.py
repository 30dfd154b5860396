"""The cache: bounded, by model version and text, empty after `clear`, with no text inside."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegle.serve.cache import Cache


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 60)), max_size=60))
def test_it_holds_the_newest_and_never_more_than_its_size(puts: list[tuple[int, int]]) -> None:
    cache: Cache[int] = Cache(100)
    last: dict[int, int] = {}
    for turn, (name, size) in enumerate(puts):
        cache.put(cache.key("v1", str(name)), turn, size, epoch=cache.epoch)
        last[name] = turn
        assert cache.used_bytes <= 100
        assert cache.get(cache.key("v1", str(name))) == turn
    for name, turn in last.items():
        assert cache.get(cache.key("v1", str(name))) in (None, turn)


@given(
    st.lists(st.text(st.characters(), max_size=4), min_size=1, max_size=3),
    st.lists(st.text(st.characters(), max_size=4), min_size=1, max_size=3),
)
def test_keys_are_equal_for_equal_parts_alone(one: list[str], other: list[str]) -> None:
    cache: Cache[int] = Cache(1)
    assert (cache.key(*one) == cache.key(*other)) == (one == other)


def test_a_lone_surrogate_has_a_key() -> None:
    assert Cache[int](1).key("\ud800")


def test_another_model_version_and_another_process_find_nothing() -> None:
    cache: Cache[str] = Cache(100)
    cache.put(cache.key("v1", "text"), "facts", 5, epoch=cache.epoch)
    assert cache.get(cache.key("v2", "text")) is None
    assert Cache[str](100).key("v1", "text") != cache.key("v1", "text")


def test_what_is_made_while_it_is_cleared_is_not_kept() -> None:
    cache: Cache[str] = Cache(100)
    key, epoch = cache.key("v1", "text"), cache.epoch
    cache.put(key, "old", 5, epoch=epoch)
    cache.clear()
    assert cache.get(key) is None
    cache.put(key, "begun before", 5, epoch=epoch)
    assert cache.get(key) is None
    assert cache.used_bytes == 0


def test_a_size_of_zero_and_a_value_too_large_keep_nothing() -> None:
    for size in (0, 4):
        cache: Cache[str] = Cache(size)
        cache.put(cache.key("x"), "value", 5, epoch=cache.epoch)
        assert cache.get(cache.key("x")) is None
