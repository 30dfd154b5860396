"""Assignment: for good, one way only, as often as the share says; ids that can't be made up."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from aegle.serve import assign

secrets = st.binary(min_size=16, max_size=32)
shares = st.floats(0, 1, exclude_max=True)


@given(secrets, st.text(max_size=40), st.lists(shares, min_size=1, max_size=6))
def test_a_unit_changes_once_at_most_as_the_share_grows(
    secret: bytes, unit: str, grown: list[float]
) -> None:
    arms = [assign.assigned(secret, unit, share).challenger for share in sorted(grown)]
    assert arms == sorted(arms)
    again = [assign.assigned(secret, unit, share).challenger for share in sorted(grown)]
    assert arms == again


def test_shares_are_kept_and_secrets_independent() -> None:
    units = [f"ward-7 {n}" for n in range(4000)]
    first = [assign.place(b"a" * 32, unit) for unit in units]
    second = [assign.place(b"b" * 32, unit) for unit in units]
    for share in (0.05, 0.5, 0.9):
        off = sum(one < share for one in first) - share * len(units)
        assert abs(off) < 4 * math.sqrt(len(units) * share * (1 - share))
    both = sum(a < 0.5 and b < 0.5 for a, b in zip(first, second, strict=True))
    assert abs(both - len(units) / 4) < 4 * math.sqrt(len(units) * 3 / 16)


@given(secrets, st.text(max_size=40), shares)
def test_an_id_says_what_was_assigned(secret: bytes, unit: str, share: float) -> None:
    one = assign.assigned(secret, unit, share)
    token = one.token(secret)
    assert assign.opened(secret, token) == one
    assert token != one.token(secret)
    assert assign.opened(secret + b"x", token) is None


@given(st.data(), st.text(max_size=80))
def test_an_id_can_not_be_made_up(data: st.DataObject, noise: str) -> None:
    secret = b"s" * 32
    token = assign.assigned(secret, "unit", 0.5).token(secret)
    at = data.draw(st.integers(0, len(token) - 2))  # the last character has unused bits
    other = data.draw(st.sampled_from("ABCxyz019-_"))
    changed = token[:at] + other + token[at + 1 :]
    assert (assign.opened(secret, changed) is None) == (changed != token)
    assert assign.opened(secret, noise) is None
