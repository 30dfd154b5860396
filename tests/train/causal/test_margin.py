"""What preferences cost: TRL's losses are those of the papers, by formulas of our own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.train.causal import margin

RATIOS = st.lists(st.floats(-50, 50), min_size=1, max_size=8).map(np.array)


def plain_sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@given(RATIOS, st.floats(0.01, 2))
def test_dpo_is_minus_the_log_of_being_preferred(apart: np.ndarray, beta: float) -> None:
    found = margin.dpo(apart, beta=beta)
    wanted = [-math.log(plain_sigmoid(beta * one)) for one in apart]
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_what_is_far_apart_does_not_overflow() -> None:
    far = np.array([-1e6, 1e6])
    np.testing.assert_allclose(margin.dpo(far, beta=1.0), [1e6, 0.0])
    np.testing.assert_allclose(margin.sigmoid(far), [0.0, 1.0])


def test_ipo_wants_a_margin_by_token_and_no_more() -> None:
    lengths = np.array([[4.0, 2.0]])
    ratios = np.array([[20.0, 0.0]])  # by token 5, which is 1 / (2 beta)
    found = margin.dpo(np.array([20.0]), beta=0.1, loss="ipo", lengths_N2=lengths, ratios_N2=ratios)
    assert found == pytest.approx([0.0])


def test_odds_are_those_of_a_probability() -> None:
    share = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(np.exp(margin.log_odds(np.log(share))), share / (1 - share))


@given(RATIOS, st.floats(-5, 5))
def test_kto_gains_by_good_answers_and_loses_by_bad_ones(ratios: np.ndarray, kl: float) -> None:
    every = np.ones(len(ratios), bool)
    good = margin.kto(ratios, every, kl, beta=0.1)
    bad = margin.kto(ratios, ~every, kl, beta=0.1)
    np.testing.assert_allclose(good + bad, 1.0)
    more = margin.kto(ratios + 1, every, kl, beta=0.1)
    assert (more < good).all()


def test_a_loss_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="sigmoid, hinge or ipo"):
        margin.dpo(np.zeros(1), beta=0.1, loss="ppo")
