"""Heads: nearness is the least gap of all; pairs say the same however many are judged at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.lm import heads
from aegle.lm.heads import DISTANCES, nearness, pair_logits

PLACES = st.lists(st.integers(0, 2000), min_size=1, max_size=12)


@given(PLACES, PLACES)
def test_nearness_is_the_step_of_the_least_gap(left: list[int], right: list[int]) -> None:
    gap = min(abs(one - other) for one in left for other in right)
    assert nearness(left, right) == min(gap.bit_length(), DISTANCES - 1)


def test_pairs_are_judged_alike_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)

    def numbers(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    shapes = {"ask": (8, 8), "hidden": (5, 32), "out": (3, 5)}
    weights = {f"classifiers.r.{k}.weight": numbers(*shape) for k, shape in shapes.items()}
    weights |= {f"classifiers.r.{k}.bias": numbers(shape[0]) for k, shape in shapes.items()}
    weights |= {"classifiers.r.kinds.weight": numbers(4, 5)}
    weights |= {"classifiers.r.near.weight": numbers(DISTANCES, 5)}
    asked = {
        "things_KC": numbers(9, 8),
        "kinds_K": np.arange(9) % 2,
        "states_SC": numbers(30, 8),
        "pairs_P2": np.stack(np.triu_indices(9, 1), 1),
        "near_P": np.arange(36) % DISTANCES,
    }
    whole = pair_logits(weights, "r", **asked)
    monkeypatch.setattr(heads, "_CELLS", 1000)
    assert pair_logits(weights, "r", **asked) == pytest.approx(whole, abs=1e-5)
