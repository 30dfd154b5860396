"""How much of what is trained on: tasks by temperature, replay of earlier ones, folds by group."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.intp]


def shares(
    sizes: Mapping[str, int], *, temperature: float = 2.0, most: int | None = None
) -> dict[str, float]:
    """Task -> the share of examples that are drawn from it, summing to 1.

    Shares go with ``size ** (1 / temperature)``: 1 draws every example as often, a high temperature
    every task.

    Args:
        sizes: examples of each task, at least 1.
        temperature: >= 1.
        most: sizes above count as this.

    Raises:
        ValueError: no task, an empty one, or a number out of range.

    References:
        Raffel et al. (2020), Exploring the Limits of Transfer Learning, section 3.5.2.
    """
    if not sizes or min(sizes.values()) < 1:
        raise ValueError("every task needs at least one example; leave empty ones out")
    if not temperature >= 1 or not (most is None or most >= 1):
        raise ValueError(f"temperature and most are 1 or more, got {temperature} and {most}")
    logs = np.log([min(one, most or one) for one in sizes.values()]) / temperature
    weights = np.exp(logs - logs.max())
    return {name: float(one) for name, one in zip(sizes, weights / weights.sum(), strict=True)}


def quotas(shares: Mapping[str, float], num: int) -> dict[str, int]:
    """Shares as whole numbers that sum to ``num``, none off by one or more (largest remainders).

    Raises:
        ValueError: shares that don't sum to 1, or ``num < 0``.
    """
    if num < 0 or abs(sum(shares.values()) - 1) > 1e-6 or min(shares.values()) < 0:
        raise ValueError("shares are 0 or more and sum to 1, and a number is 0 or more")
    exact = {name: share * num for name, share in shares.items()}
    found = {name: int(one) for name, one in exact.items()}
    order = sorted(exact, key=lambda name: (found[name] - exact[name], name))
    for name in order[: num - sum(found.values())]:
        found[name] += 1
    return found


def mixed(
    sizes: Mapping[str, int], num: int, *, temperature: float = 2.0, seed: int = 0
) -> list[tuple[str, int]]:
    """``num`` draws as (task, place in the task), shuffled.

    No example of a task comes again before all of it came as often.

    Raises:
        ValueError: see `shares`.
    """
    rng = np.random.default_rng(seed)
    drawn: list[tuple[str, int]] = []
    for name, wanted in quotas(shares(sizes, temperature=temperature), num).items():
        size = sizes[name]
        rounds = [rng.permutation(size) for _ in range(-(-wanted // size))]
        places = np.concatenate(rounds)[:wanted] if rounds else np.zeros(0, int)
        drawn += [(name, int(place)) for place in places]
    return [drawn[place] for place in rng.permutation(len(drawn))]


def with_replay(new: int, old: Mapping[str, int], *, share: float) -> dict[str, int]:
    """How many examples of each old task go beside ``new`` ones, so that ``share`` of all are old.

    Old tasks share equally what their sizes allow; a task smaller than its part gives all it has.

    Args:
        new: examples of what is learned now.
        old: examples kept of each task that was learned before.
        share: in [0, 1).

    Raises:
        ValueError: a number out of range.

    References:
        Scialom et al. (2022), Fine-tuned Language Models are Continual Learners: 1% was enough.
    """
    if new < 0 or not 0 <= share < 1 or any(one < 0 for one in old.values()):
        raise ValueError(f"0 or more examples and a share in [0, 1) are needed, got {share}")
    left = min(round(new * share / (1 - share)), sum(old.values()))
    found = dict.fromkeys(old, 0)
    for done, name in enumerate(sorted(old, key=lambda name: (old[name], name))):
        found[name] = min(old[name], -(-left // (len(old) - done)))
        left -= found[name]
    return found


def folds(groups: Sequence[str], k: int, *, seed: int = 0) -> list[tuple[Places, Places]]:
    """``k`` pairs of (train, held out) rows; a group is wholly in one fold, folds are about even.

    The largest groups are dealt first, each to the smallest fold.

    Args:
        groups: the patient, host or document of each row.
        k: at least 2, at most as many as there are groups.
        seed: of the order among groups of one size.

    Raises:
        ValueError: ``k`` is out of range.
    """
    names = sorted(set(groups))
    if not 2 <= k <= len(names):
        raise ValueError(f"2 to {len(names)} folds can be made of {len(names)} groups, got {k}")
    counts = dict.fromkeys(names, 0)
    for one in groups:
        counts[one] += 1

    def order(name: str) -> tuple[int, str]:
        digest = hashlib.sha256(f"{seed}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()
        return -counts[name], digest

    sizes, fold_of = [0] * k, {}
    for name in sorted(names, key=order):
        fold = sizes.index(min(sizes))
        fold_of[name] = fold
        sizes[fold] += counts[name]
    rows = np.array([fold_of[one] for one in groups])
    return [(np.flatnonzero(rows != one), np.flatnonzero(rows == one)) for one in range(k)]
