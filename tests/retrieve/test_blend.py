"""Blending: neither the order nor the scale of searchers matters."""

import math

from hypothesis import given
from hypothesis import strategies as st

from aegle.retrieve.blend import blend

scored = st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1), max_size=6).map(
    lambda by: sorted(by.items(), key=lambda one: (-one[1], one[0]))
)


@given(scored, scored)
def test_blending_is_bounded_and_ignores_the_order_and_scale_of_searchers(dense, text):
    weights = {"dense": 1.5, "text": 1.0}
    one = blend({"dense": dense, "text": text}, weights)
    doubled = [(item, 2 * score) for item, score in text]
    assert one == blend({"text": text, "dense": dense}, weights)
    assert [item for item, _ in one] == [
        i for i, _ in blend({"dense": dense, "text": doubled}, weights)
    ]
    assert all(0 <= score <= 1 + 1e-9 and math.isfinite(score) for _, score in one)


def test_blending_nothing_gives_nothing():
    assert blend({"dense": [], "text": [("a", 0.0)]}, {"dense": 1.0, "text": 1.0}) == []
