"""A trial: who decides what, that ends and tests agree, and that nothing is lost by saving."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.evaluate.rollout import HARMS, LEAST, Plan, Trial
from aegle.registry import rollout as registry_rollout

arms = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.5, 1.0])), max_size=40)


def fed(trial: Trial, champion: float, challenger: float, count: int, share: float = 0.5) -> int:
    """How many units it took to a verdict, or all of them."""
    rng = np.random.default_rng(3)
    for number in range(count):
        treated = bool(rng.random() < share)
        good = rng.random() < (challenger if treated else champion)
        trial.quality(float(good), challenger=treated, share=share)
        trial.error(False)
        trial.latency(1, 1)
        trial.agreement(1)
        if trial.verdict():
            return number + 1
    return count


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_gains_and_harms_are_seen(share: float) -> None:
    better, worse = Trial(Plan()), Trial(Plan())
    assert fed(better, 0.5, 0.9, 3000, share) < 1000
    assert better.verdict() == "gain"
    told = better.figures()["quality"]
    assert 0 <= told["low"] <= 0.4 <= told["high"]
    assert told["p_gain"] <= 0.05
    assert fed(worse, 0.9, 0.5, 3000, share) < 1000
    assert (worse.verdict(), worse.harm()) == ("harm", "quality")


def test_a_gain_waits_for_every_figure() -> None:
    assert LEAST == registry_rollout.LEAST
    trial = Trial(Plan())
    for number in range(LEAST + 50):
        trial.quality(float(number % 2), challenger=bool(number % 2), share=0.5)
        trial.latency(1, 1)
        trial.agreement(1)
    for _ in range(LEAST):
        assert trial.verdict() == ""
        trial.error(False)
    assert trial.verdict() == "gain"


def test_a_margin_lets_an_equal_model_pass() -> None:
    equal = Trial(Plan(margin=0.2))
    fed(equal, 0.8, 0.8, 3000)
    assert equal.verdict() == "gain"
    none = Trial(Plan())
    fed(none, 0.8, 0.8, 1500)
    assert none.verdict() == ""


@given(arms)
@settings(max_examples=30)
def test_the_interval_crosses_when_the_test_does(rows: list[tuple[bool, float]]) -> None:
    trial = Trial(Plan(alpha_gain=0.3, alpha_harm=0.8, margin=0.1))
    for treated, value in rows:
        trial.quality(value, challenger=treated, share=0.5)
        trial.error(value == 0)
        told = trial.figures()
        assert (told["quality"]["p_gain"] <= 0.3) <= (told["quality"]["low"] >= -0.1)
        assert (told["quality"]["p_harm"] <= 0.2) <= (told["quality"]["high"] <= -0.1)
        assert (told["errors"]["p_harm"] <= 0.2) <= (told["errors"]["low"] >= 0.01)


@pytest.mark.parametrize("name", HARMS[1:])
def test_each_other_figure_shows_harm_alone(name: str) -> None:
    trial = Trial(Plan())
    for _ in range(40):
        trial.error(name == "errors")
        trial.latency(1.0, 1.5 if name == "latency" else 1.2)
        trial.agreement(0.1 if name == "agreement" else 0.9)
    assert trial.verdict() == "harm"
    assert trial.harm() == name


def test_feedback_on_one_version_only_is_no_gain() -> None:
    trial = Trial(Plan())
    for _ in range(60):
        trial.quality(1.0, challenger=True, share=0.2)
    assert trial.unbalanced
    assert trial.verdict() == ""


@given(arms)
@settings(max_examples=20)
def test_a_trial_goes_on_from_what_was_saved(rows: list[tuple[bool, float]]) -> None:
    whole, broken = Trial(Plan()), Trial(Plan())
    for treated, value in rows:
        broken = Trial.restored(json.loads(json.dumps(broken.saved())))
        for one in (whole, broken):
            one.quality(value, challenger=treated, share=0.3)
            one.latency(1, 2 * value)
    assert broken.saved() == whole.saved()


def test_plans_that_make_no_sense_are_refused() -> None:
    for wrong in ({"alpha_gain": 0}, {"margin": -1}, {"errors": 0}, {"agreement": 1}):
        with pytest.raises(ValueError, match="out of their ranges"):
            Plan(**wrong)  # type: ignore[arg-type]
