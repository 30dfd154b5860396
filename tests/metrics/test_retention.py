"""What is kept of a score: against direct sums, and invariances of paired resampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.metrics import extraction, retention


def counts(seed: int, documents: int = 12, labels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, 5, (documents, labels))
    found = rng.integers(0, 5, (documents, labels))
    right = rng.integers(0, np.minimum(gold, found) + 1)
    return np.stack([gold, found, right], 2).astype(float)


@given(st.integers(0, 200))
def test_scores_are_those_of_the_sums(seed: int) -> None:
    told = counts(seed)
    each = []
    for gold, found, right in told.sum(0):
        precision, recall = right / found if found else 0, right / gold if gold else 0
        each.append(2 * precision * recall / (precision + recall) if right else 0.0)
    there = [f1 for f1, row in zip(each, told.sum(0), strict=True) if row[:2].sum()]
    sums = told.sum(0)[None]
    assert retention.macro_f1(sums)[0] == pytest.approx(sum(there) / len(there))
    gold, found, right = told.sum((0, 1))
    wanted = 2 * right / (gold + found)
    assert retention.micro_f1(sums)[0] == pytest.approx(wanted)
    assert retention.average(told[:, :1, :2].sum(0)[None])[0] == pytest.approx(
        told[:, 0, 0].sum() / max(told[:, 0, 1].sum(), 1)
    )


def test_the_interval_is_that_of_extraction() -> None:
    """The same bootstrap as `aegle.metrics.extraction`, to the last bit."""
    rng = np.random.default_rng(1)
    gold = [{(int(n), int(n) + 1, "x") for n in rng.integers(0, 9, 5)} for _ in range(20)]
    found = [{(int(n), int(n) + 1, "x") for n in rng.integers(0, 9, 5)} for _ in range(20)]
    groups = [f"g{n // 2}" for n in range(20)]
    told = [[[len(a), len(b), len(a & b)]] for a, b in zip(gold, found, strict=True)]
    wanted = extraction.scores(gold, found, groups=groups).f1
    assert retention.measured(np.array(told, float), groups, retention.micro_f1) == wanted


@given(st.integers(0, 50))
def test_the_same_model_keeps_all_of_it(seed: int) -> None:
    told = counts(seed)
    groups = [f"g{n % 5}" for n in range(len(told))]
    kept = retention.retained(told, told, groups, retention.micro_f1)
    assert (kept.value, kept.low, kept.high, kept.n) == (1, 1, 1, 5)


def test_what_is_kept_is_paired() -> None:
    """A loss that every document shares has no spread, however much the documents differ."""
    values = np.random.default_rng(0).random(30)
    old = np.stack([values, np.ones(30)], 1)[:, None]
    new = np.stack([0.9 * values, np.ones(30)], 1)[:, None]
    kept = retention.retained(new, old, [str(n) for n in range(30)], retention.average)
    assert (kept.value, kept.low, kept.high) == pytest.approx((0.9, 0.9, 0.9))
    assert retention.retained(0 * old, 0 * old, ["a"] * 30, retention.average).value == 1


def test_a_label_that_dies_is_named() -> None:
    old = np.array([[[90.0, 90, 90], [4, 4, 4], [0, 0, 0]]])
    new = np.array([[[90.0, 90, 90], [4, 2, 2], [0, 3, 0]]])
    told = retention.failing(new, old, ["often", "rare", "never"])
    assert told == {"rare": {"was": 1.0, "is": pytest.approx(2 / 3), "gold": 4}}


def test_other_documents_are_refused() -> None:
    with pytest.raises(ValueError, match="other documents"):
        retention.retained(counts(1), counts(2, documents=3), ["a"] * 12, retention.micro_f1)
    with pytest.raises(ValueError, match="as many groups, got 2"):
        retention.measured(counts(1), ["a", "b"], retention.micro_f1)


def test_of_perplexity_less_is_better() -> None:
    old = np.array([[[10.0, 5]], [[30.0, 10]]])
    new = np.array([[[12.0, 5]], [[33.0, 10]]])
    told = retention.STATISTICS["perplexity"]
    assert retention.measured(old, ["a", "b"], told).value == pytest.approx(np.exp(40 / 15))
    kept = retention.retained(new, old, ["a", "b"], told, lower=True)
    assert kept.value == pytest.approx(np.exp((40 - 45) / 15))
    assert kept.low == pytest.approx(np.exp(-2 / 5))
    assert kept.high == pytest.approx(np.exp(-3 / 10))
