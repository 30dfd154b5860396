"""Mixing and guards: shares that sum, folds that keep groups, verdicts that need evidence."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.train import guards, mixing

SIZES = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 5000), min_size=1)


@given(SIZES, st.floats(1, 100))
def test_shares_go_with_a_root_of_the_size(sizes: dict[str, int], temperature: float) -> None:
    told = mixing.shares(sizes, temperature=temperature)
    total = sum(one ** (1 / temperature) for one in sizes.values())
    for name, size in sizes.items():
        assert told[name] == pytest.approx(size ** (1 / temperature) / total)
    flat = mixing.shares(sizes, temperature=1e9)
    assert all(one == pytest.approx(1 / len(sizes), rel=1e-6) for one in flat.values())


@given(SIZES, st.integers(0, 300), st.integers(0, 9))
def test_draws_are_even_within_a_task(sizes: dict[str, int], num: int, seed: int) -> None:
    drawn = mixing.mixed(sizes, num, seed=seed)
    assert len(drawn) == num
    assert drawn == mixing.mixed(sizes, num, seed=seed)
    by_task = Counter(name for name, _ in drawn)
    for name, share in mixing.shares(sizes).items():
        assert abs(by_task[name] - share * num) < 1
        counts = Counter(place for task, place in drawn if task == name)
        assert all(0 <= place < sizes[name] for place in counts)
        often = [counts[place] for place in range(sizes[name])] if by_task[name] else [0]
        assert max(often) - min(often) <= 1


@given(
    st.integers(0, 500),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 300)),
    st.floats(0, 0.9),
)
def test_replay_gives_its_share_or_all_there_is(
    new: int, old: dict[str, int], share: float
) -> None:
    told = mixing.with_replay(new, old, share=share)
    wanted = round(new * share / (1 - share))
    assert sum(told.values()) == min(wanted, sum(old.values()))
    assert all(0 <= told[name] <= old[name] for name in old)
    most = max(told.values(), default=0)
    assert all(told[name] in (old[name], most, most - 1) for name in old)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=60), st.integers(0, 5))
def test_folds_keep_groups_and_are_a_partition(groups: list[str], seed: int) -> None:
    names = set(groups)
    if len(names) < 2:
        with pytest.raises(ValueError, match="folds can be made"):
            mixing.folds(groups, 2)
        return
    k = min(3, len(names))
    told = mixing.folds(groups, k, seed=seed)
    held = np.concatenate([out for _, out in told])
    assert sorted(held.tolist()) == list(range(len(groups)))
    for train, out in told:
        assert not {groups[n] for n in train} & {groups[n] for n in out}
        assert len(train) + len(out) == len(groups)
        assert len(out)
    sizes = [len(out) for _, out in told]
    assert max(sizes) - min(sizes) <= max(Counter(groups).values())


def test_a_gap_is_overfitting_only_beyond_chance() -> None:
    rng = np.random.default_rng(0)
    seen, unseen = rng.random(200) < 0.95, rng.random(200) < 0.6
    told = guards.gap(seen.tolist(), unseen.tolist())
    assert told.overfits
    assert told.gap.value == pytest.approx(seen.mean() - unseen.mean())
    assert told.gap.low < told.gap.value < told.gap.high
    few = guards.gap([1, 1, 1, 0], [1, 0, 1, 0])
    assert not few.overfits
    one_patient = guards.gap(seen.tolist(), unseen.tolist(), dev_groups=["p1"] * 100 + ["p2"] * 100)
    assert one_patient.gap.n == 2
    # About as wide as two independent samples by the textbook.
    error = np.sqrt(seen.var() / 200 + unseen.var() / 200)
    assert told.gap.high - told.gap.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_a_curve_says_whether_more_helps() -> None:
    told = guards.learning_curve(
        lambda n, seed: 1 - 1 / n**0.5 + seed / 1e4, [10, 40, 160, 640], seeds=range(5)
    )
    assert told.still_rising
    assert told.needed(0.95) == 160
    assert told.needed(1.0) == 640
    flat = guards.learning_curve(
        lambda n, seed: 0.5 + (seed * n % 7) / 100, [10, 20], seeds=range(6)
    )
    assert not flat.still_rising
    assert flat.needed(0.5) == 10
    for sizes, seeds in (([10], [0, 1]), ([20, 10], [0, 1]), ([10, 20], [0, 0])):
        with pytest.raises(ValueError, match="two ascending sizes and two seeds"):
            guards.learning_curve(lambda n, seed: 0.0, sizes, seeds=seeds)


def test_forgetting_is_told_with_an_interval() -> None:
    rng = np.random.default_rng(1)
    kept = (rng.random(400) < 0.8).astype(float)
    lost = np.where(rng.random(400) < 0.3, 0.0, kept)
    told = guards.forgetting({"a": kept, "b": kept}, {"a": lost, "b": kept})
    assert told.forgotten == ("a",)
    assert not told.passes
    assert told.tasks["b"].difference.value == 0
    assert guards.forgetting({"b": kept}, {"b": kept}).passes
    few = guards.forgetting({"a": [1, 1, 1, 1, 0]}, {"a": [1, 1, 1, 0, 0]})
    assert (few.forgotten, few.unsure, few.passes) == ((), ("a",), False)
    with pytest.raises(ValueError, match="the same tasks"):
        guards.forgetting({"a": [1]}, {"b": [1]})


def test_bad_numbers() -> None:
    with pytest.raises(ValueError, match="empty ones"):
        mixing.shares({"a": 0})
    with pytest.raises(ValueError, match="1 or more"):
        mixing.shares({"a": 1}, temperature=0.5)
    with pytest.raises(ValueError, match="sum to 1"):
        mixing.quotas({"a": 0.4}, 3)
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        mixing.with_replay(1, {}, share=1.0)
