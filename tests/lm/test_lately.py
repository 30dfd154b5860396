"""What was read just now is told once more, exactly, within a bound."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aegle.lm.lately import Lately, Rows


def rows(number: int, size: int = 1) -> Rows:
    return np.full((size, 2), number, np.float32), np.full((size, 4), number, np.float16)


ONE = sum(one.nbytes for one in rows(0))


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(1, 3)), max_size=60),
    st.integers(0, 6),
)
def test_it_holds_the_newest_within_its_room_and_tells_each_once(steps, most):
    lately = Lately(most * ONE)
    held: dict[int, int] = {}  # a plain dictionary keeps the order of insertion
    for puts, key, size in steps:
        if puts:
            held.pop(key, None)
            held[key] = size
            while sum(held.values()) > most:
                del held[next(iter(held))]
            lately.put(bytes([key]), rows(key, size))
        else:
            found = lately.take(bytes([key]))
            assert (found is None) == (key not in held)
            assert found is None or (found[0] == key).all()
            assert found is None or len(found[0]) == held.pop(key)
    lately.clear()
    assert all(lately.take(bytes([key])) is None for key in range(7))
