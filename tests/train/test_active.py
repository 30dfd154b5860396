"""Active learning: each measure against its definition, and choices that keep their promises."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.train import active

RNG = np.random.default_rng(5)


@st.composite
def tables(draw: st.DrawFn, dims: int = 2) -> np.ndarray:
    shape = [draw(st.integers(1, 6)) for _ in range(dims - 1)] + [draw(st.integers(1, 5))]
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    return rng.dirichlet(np.full(shape[-1], draw(st.sampled_from([0.05, 1.0]))), shape[:-1])


@st.composite
def pools(draw: st.DrawFn) -> np.ndarray:
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    return rng.normal(size=(draw(st.integers(1, 12)), 3)).round(draw(st.integers(0, 2)))


@given(tables())
def test_uncertainty_is_as_defined(told: np.ndarray) -> None:
    for n, row in enumerate(told):
        assert active.entropy(told)[n] == pytest.approx(-sum(p * math.log(p) for p in row if p > 0))
        order = sorted(row, reverse=True)
        gap = order[0] - order[1] if len(order) > 1 else 1.0
        assert active.margin(told)[n] == pytest.approx(1 - gap)
        assert active.least_confidence(told)[n] == pytest.approx(1 - order[0])


@pytest.mark.parametrize("name", active.UNCERTAINTIES)
def test_the_even_row_is_the_least_sure_and_classes_have_no_order(name: str) -> None:
    measure = active.UNCERTAINTIES[name]
    told = np.vstack([RNG.dirichlet(np.ones(4), 20), np.full(4, 0.25), [1, 0, 0, 0]])
    unsure = measure(told)
    assert unsure.argmax() == 20
    assert unsure.argmin() == 21
    assert unsure[21] == pytest.approx(0)
    assert measure(told[:, ::-1]) == pytest.approx(unsure)


@given(tables(dims=3))
def test_disagreement_is_as_defined(told: np.ndarray) -> None:
    members, texts, classes = told.shape
    mean = told.mean(0)
    for n in range(texts):
        apart = [
            sum(p * math.log(p / q) for p, q in zip(told[m, n], mean[n], strict=True) if p > 0)
            for m in range(members)
        ]
        assert active.mean_divergence(told)[n] == pytest.approx(sum(apart) / members, abs=1e-9)
        votes = told[:, n].argmax(-1).tolist()
        shares = [votes.count(one) / members for one in set(votes)]
        expected = -sum(p * math.log(p) for p in shares)
        got = active.vote_entropy(told.argmax(-1), classes=classes)[n]
        assert got == pytest.approx(expected)
    assert active.mean_divergence(np.repeat(told[:1], 3, axis=0)) == pytest.approx(0)


def naive_centres(pool: np.ndarray, k: int, taken: list[np.ndarray], first: int) -> list[int]:
    chosen: list[int] = []
    while len(chosen) < k:
        centres = [*taken, *(pool[one] for one in chosen)]
        if not centres:
            chosen.append(first)
            continue
        gaps = [
            -1.0 if n in chosen else min(float(((one - c) ** 2).sum()) for c in centres)
            for n, one in enumerate(pool)
        ]
        chosen.append(gaps.index(max(gaps)))
    return chosen


@given(pools(), st.data())
def test_centres_are_those_of_the_definition(pool: np.ndarray, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, len(pool)))
    first = data.draw(st.integers(0, len(pool) - 1))
    taken = pool[:: data.draw(st.integers(2, 5))] + 0.5 if data.draw(st.booleans()) else None
    got = active.k_centres(pool, k=k, labelled_LC=taken, first=first)
    assert got == naive_centres(pool, k, [] if taken is None else list(taken), first)
    assert len(set(got)) == k


@given(pools(), st.integers(1, 3))
def test_the_radius_is_at_most_twice_the_best(pool: np.ndarray, k: int) -> None:
    k = min(k, len(pool))
    best = min(active.radius(pool, list(c)) for c in itertools.combinations(range(len(pool)), k))
    assert active.radius(pool, active.k_centres(pool, k=k)) <= 2 * best + 1e-9


def test_badge_draws_by_distance_of_gradients() -> None:
    told = RNG.dirichlet(np.ones(3), 8)
    pool = RNG.normal(size=(8, 4))
    error = told.copy()
    error[np.arange(8), told.argmax(1)] -= 1
    gradients = np.einsum("nk,nc->nkc", error, pool).reshape(8, -1)
    counts = np.zeros((8, 8))
    for seed in range(2000):
        one, other = active.badge(told, pool, k=2, rng=np.random.default_rng(seed))
        counts[one, other] += 1
    norms = (gradients**2).sum(1)
    first = norms / norms.sum()
    assert counts.sum(1) / 2000 == pytest.approx(first, abs=0.04)
    gaps = ((gradients[:, None] - gradients[None]) ** 2).sum(-1)
    joint = first[:, None] * gaps / gaps.sum(1, keepdims=True)
    assert counts / 2000 == pytest.approx(joint, abs=0.04)


@pytest.mark.parametrize("strategy", active.STRATEGIES)
def test_every_strategy_chooses_as_many_and_none_twice(strategy: str) -> None:
    told, pool = RNG.dirichlet(np.ones(3), 30), RNG.normal(size=(30, 5))
    for k in (0, 1, 7, 30):
        rng = np.random.default_rng(3)
        got = active.choose(strategy, told, pool, k=k, rng=rng, labelled_LC=pool[:2] + 1)
        assert len(set(got)) == k == len(got)
        rng = np.random.default_rng(3)
        assert got == active.choose(strategy, told, pool, k=k, rng=rng, labelled_LC=pool[:2] + 1)
    same = np.zeros((6, 2))
    sure = np.tile([1.0, 0.0], (6, 1))
    rng = np.random.default_rng(0)
    assert sorted(active.choose(strategy, sure, same, k=6, rng=rng)) == list(range(6))


def test_bad_input() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="sum to 1"):
        active.entropy([[0.5, 0.6]])
    with pytest.raises(ValueError, match="2 axes"):
        active.margin([0.5, 0.5])
    with pytest.raises(ValueError, match=r"votes lie in \[0, 2\)"):
        active.vote_entropy([[0, 2]], classes=2)
    with pytest.raises(ValueError, match="0 to 2 can be chosen, got 3"):
        active.k_centres(np.eye(2), k=3)
    with pytest.raises(ValueError, match="one width"):
        active.k_centres(np.eye(2), k=1, labelled_LC=np.eye(3))
    with pytest.raises(ValueError, match="finite"):
        active.k_centres([[np.nan]], k=1)
    with pytest.raises(ValueError, match="a strategy is one of"):
        active.choose("best", [[1.0]], [[0.0]], k=1, rng=rng)
