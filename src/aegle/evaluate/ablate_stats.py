"""Intervals and comparisons of arms trained with several seeds, scored on groups of held-out texts.

References:
    Owen (2007), The pigeonhole bootstrap: seeds and groups are resampled each on its own.
    Holm (1979), A simple sequentially rejective multiple test procedure.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.records import Measure
from aegle.metrics.stats import ROUNDS

Floats = NDArray[np.float64]
Sums = Mapping[str, Sequence[float]]
"""Group -> (top, bottom)."""
Scored = Mapping[str, Sums]
"""Figure -> sums; several (the heads of an encoder) are averaged."""

_GRID: Final = 20_001


def ratio(sums: Sums) -> float:
    """Sum of tops over sum of bottoms, 0 where there is nothing below."""
    below = sum(one[1] for one in sums.values())
    return sum(one[0] for one in sums.values()) / below if below else 0.0


def value_of(scored: Scored) -> float:
    """The mean of the figures over all groups.

    Raises:
        ValueError: no figure.
    """
    if not scored:
        raise ValueError("a score needs at least one figure")
    return sum(map(ratio, scored.values())) / len(scored)


def drawn(seeds: Sequence[Scored], *, rounds: int = ROUNDS, seed: int = 0) -> Floats:
    """Bootstrap values of an arm's mean over its seeds, (rounds,).

    Groups are resampled, once for all seeds where these have the same groups; and so are seeds, if
    there are several. What is drawn follows from ``seed`` and the groups' names alone: two arms on
    the same groups are resampled alike, so that their difference is a paired one.

    Args:
        seeds: of one arm, each seed's sums.
        rounds: how often.
        seed: of the drawing.

    Raises:
        ValueError: no seeds, or seeds with other figures.
    """
    if not seeds or any(set(one) != set(seeds[0]) for one in seeds):
        raise ValueError("an arm needs at least one seed, and the same figures of each")
    names = sorted(seeds[0])
    values_RS = np.zeros((rounds, len(seeds)))
    for number, scored in enumerate(seeds):
        for name in names:
            values_RS[:, number] += _ratios(scored[name], name, rounds, seed)
    values_RS /= len(names)
    weights_RS = _times(len(seeds), rounds, np.random.default_rng((seed, 1)))
    return np.asarray((values_RS * weights_RS).sum(1) / len(seeds))


def _ratios(sums: Sums, name: str, rounds: int, seed: int) -> Floats:
    groups = sorted(sums)
    told = hashlib.sha256("\0".join((name, *groups)).encode()).digest()
    rng = np.random.default_rng((seed, int.from_bytes(told[:8], "big")))
    weights_RG = _times(len(groups), rounds, rng)
    both_G2 = np.array([sums[one] for one in groups], float)
    top_R, bottom_R = (weights_RG @ both_G2).T
    found: Floats = np.divide(top_R, bottom_R, out=np.zeros(rounds), where=bottom_R > 0)
    return found


def _times(count: int, rounds: int, rng: np.random.Generator) -> Floats:
    """How often each of ``count`` units is drawn, (rounds, count)."""
    return rng.multinomial(count, np.full(count, 1 / count), size=rounds).astype(float)


def measure(value: float, values_R: Floats, n: int) -> Measure:
    """A figure with the 95% percentile interval of its bootstrap values."""
    low, high = np.percentile(values_R, [2.5, 97.5])
    return Measure(value, min(value, float(low)), max(value, float(high)), n)


@dataclass(frozen=True, slots=True)
class Difference:
    """What an arm has over another: its size, and p of both sides; NaN where none can be told."""

    size: Measure
    p: float


def difference(
    new: Sequence[Scored], old: Sequence[Scored], *, rounds: int = ROUNDS, seed: int = 0
) -> Difference:
    """An arm's mean less another's, paired where they were scored on the same groups.

    ``p`` is twice the smaller share of bootstrap differences on one side of 0, so that it is below
    0.05 where the interval leaves 0 out; Efron & Tibshirani (1993), chapter 15. Drawing few groups
    again says no more than they do: p is at least that of the sign test when all G agree, 2^(1-G).

    Raises:
        ValueError: as `drawn`.
    """
    gains_R = drawn(new, rounds=rounds, seed=seed) - drawn(old, rounds=rounds, seed=seed)
    value = float(np.mean([value_of(one) for one in new]) - np.mean([value_of(o) for o in old]))
    least = min(int((gains_R <= 1e-12).sum()), int((gains_R >= -1e-12).sum()))
    size = measure(value, gains_R, min(groups_of(new), groups_of(old)))
    return Difference(size, min(1.0, max((1 + 2 * least) / (1 + rounds), 2.0 ** (1 - size.n))))


def groups_of(seeds: Sequence[Scored]) -> int:
    """How many groups an arm was scored on, over all figures and seeds."""
    return len({(name, key) for one in seeds for name, sums in one.items() for key in sums})


def paired_groups(new: Sequence[Scored], old: Sequence[Scored]) -> bool:
    """Whether two arms were scored on the same groups, seed by seed."""
    design = [[{n: set(sums) for n, sums in one.items()} for one in arm] for arm in (new, old)]
    return design[0] == design[1]


def of_seeds(values: Sequence[float]) -> Measure | None:
    """The mean over seeds with Student's 95% interval; None of fewer than two."""
    count = len(values)
    if count < 2:
        return None
    middle = float(np.mean(values))
    half = student(count - 1) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Measure(middle, middle - half, middle + half, count)


def difference_of_seeds(new: Sequence[float], old: Sequence[float]) -> Difference | None:
    """Seed by seed, where nothing is known of groups; None of fewer than two seeds."""
    gains = [one - other for one, other in zip(new, old, strict=True)]
    size = of_seeds(gains)
    if size is None:
        return None
    spread = float(np.std(gains, ddof=1))
    if spread == 0:
        return Difference(size, 1.0 if size.value == 0 else 0.0)
    return Difference(size, beyond(size.value / spread * math.sqrt(len(gains)), len(gains) - 1))


def beyond(t: float, freedom: int) -> float:
    """How likely Student's t is at least as far from 0, on either side.

    With t = sqrt(freedom) tan(a) the density of a is proportional to cos(a) ** (freedom - 1).
    """
    angles = np.linspace(0, math.pi / 2, _GRID)
    start = math.atan(abs(t) / math.sqrt(freedom))
    tail = np.linspace(start, math.pi / 2, _GRID)
    parts = [np.trapezoid(np.cos(one) ** (freedom - 1), one) for one in (tail, angles)]
    return float(min(1.0, parts[0] / parts[1]))


def student(freedom: int, beyond_share: float = 0.05) -> float:
    """The t that is passed, on either side, with this probability; by bisection."""
    low, high = 0.0, 1e4
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if beyond(middle, freedom) > beyond_share else (low, middle)
    return (low + high) / 2


def holm(ps: Sequence[float]) -> list[float]:
    """Each p corrected for all of them together; a family's error stays at its level.

    Raises:
        ValueError: a p outside [0, 1].
    """
    if any(not 0 <= one <= 1 for one in ps):
        raise ValueError("a p lies in [0, 1]")
    order = sorted(range(len(ps)), key=ps.__getitem__)
    found, most = [0.0] * len(ps), 0.0
    for rank, place in enumerate(order):
        most = max(most, min(1.0, ps[place] * (len(ps) - rank)))
        found[place] = most
    return found


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which (quality, cost) no other point beats: at least as good in both, better in one.

    Args:
        points: more quality is better, less cost is better.
    """
    order = sorted(range(len(points)), key=lambda n: (points[n][1], -points[n][0]))
    front, best = [False] * len(points), -math.inf
    cheapest: dict[float, float] = {}
    for place in order:
        quality, cost = points[place]
        if quality > best or cheapest.get(cost) == quality == best:
            front[place], best, cheapest[cost] = True, quality, quality
    return front
