"""How often does a rollout promote or roll back what is no better or worse, and how soon if it is?

    python benchmarks/rollout.py [--months 2000] [--worlds NAME ...] [--quick]
        [--http --data DIR]

Simulated months of 30 days with 1,000 units a day, each with feedback (champion: 80% good), looked
at after each unit; half of the units get the challenger. Peers in the same run, on the same values:
a one-sided z-test of two shares at 5%, looked at after each unit from the 100th on ("naive") and
once at the end of the month ("fixed": valid, but it can't stop). ``drift``: no difference, quality
moves between 70% and 90% over each week, and the share grows from 10% to 50% on the tenth day.
``edge``: each figure of harm is exactly what is just tolerated. Intervals: Clopper-Pearson for
shares; medians by bootstrap over months. ``--http``: also a short month through a real server with
two real taggers (`rollout_http`). Seeds are fixed.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm

from aegle.evaluate.rollout import HARMS, Plan, Trial
from aegle.metrics.sequential import STAKES, stake_factors
from aegle.metrics.stats import percentile

DAYS, A_DAY, BASE = 30, 1000, 0.8
LEAST = 100
"""Units before the naive test looks."""
SPREAD = 0.3 * math.sqrt(2)
"""Standard deviation of the log ratio of two times, each log-normal with 0.3."""
Floats = NDArray[np.float64]
PLAN = Plan()


@dataclass(frozen=True)
class World:
    """What is true in the months of one row.

    Attributes:
        effect: of the challenger on quality.
        errors: its share of failures. slow: how often it is slower than tolerated.
        agreement: mean share of facts in common.
        drift: quality and share move.
    """

    effect: float = 0.0
    errors: float = 0.002
    slow: float = float(norm.sf(math.log(1.25) / SPREAD))
    agreement: float = 0.9
    drift: bool = False


WORLDS = {
    "no difference": World(),
    "no difference, drift": World(drift=True),
    "no difference, edge": World(errors=PLAN.errors, slow=0.5, agreement=PLAN.agreement),
    "gain +2": World(effect=0.02),
    "gain +5": World(effect=0.05),
    "harm -2": World(effect=-0.02),
    "harm -5": World(effect=-0.05),
    "errors 3%": World(errors=0.03),
    "latency x1.5": World(slow=float(norm.sf(math.log(1.25 / 1.5) / SPREAD))),
}


class Wealth:
    """Log wealth of one gambler in each month."""

    def __init__(self, months: int, mean: float, up: bool) -> None:
        self.logs_RL = np.zeros((months, len(STAKES)))
        self.mean_R, self.up = np.full(months, mean), up

    def add(self, value_R: Floats, low_R: Any, high_R: Any) -> Floats:
        """The evidence after one more value a month."""
        factors = stake_factors(value_R, low_R, high_R, self.mean_R)  # type: ignore[arg-type]
        self.logs_RL += np.log(factors[0 if self.up else 1])
        top_R = self.logs_RL.max(1)
        return top_R + np.log(np.exp(self.logs_RL - top_R[:, None]).mean(1))


class Naive:
    """The z-test of two shares with pooled variance, in each month."""

    def __init__(self, months: int) -> None:
        self.count_2R, self.sum_2R = np.zeros((2, months)), np.zeros((2, months))

    def add(self, value_R: Floats, treated_R: NDArray[np.bool_]) -> Floats:
        """z, above 0 where the challenger is better."""
        for arm, own_R in enumerate((~treated_R, treated_R)):
            self.count_2R[arm] += own_R
            self.sum_2R[arm] += value_R * own_R
        counts = np.maximum(self.count_2R, 1)
        pooled = self.sum_2R.sum(0) / counts.sum(0)
        error = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-9) * (1 / counts).sum(0))
        return (self.sum_2R[1] / counts[1] - self.sum_2R[0] / counts[0]) / error


def first(when_R: Floats, now_R: NDArray[np.bool_], step: int) -> None:
    """Note months in which it happens for the first time."""
    when_R[now_R & np.isinf(when_R)] = step + 1


def simulated(world: World, months: int, days: int, seed: int) -> dict[str, Floats]:
    """Units until each decision, a number a month; infinite where it never comes."""
    rng = np.random.default_rng(seed)
    never = {one: np.full(months, np.inf) for one in ("gain", "harm", "naive gain", "naive harm")}
    never |= {"fixed gain": np.full(months, np.inf), "fixed harm": np.full(months, np.inf)}
    up, down = Wealth(months, 0.0, True), Wealth(months, 0.0, False)
    others = (
        (Wealth(months, PLAN.errors, True), lambda: rng.random(months) < world.errors),
        (Wealth(months, 0.5, True), lambda: rng.random(months) < world.slow),
        (Wealth(months, PLAN.agreement, False), lambda: rng.random(months) < world.agreement),
    )
    naive, z_R = Naive(months), np.zeros(months)
    seen_R, sum_R = np.full(months, 10.0), np.full(months, 5.0)
    gain, harm = -math.log(PLAN.alpha_gain), -math.log(PLAN.alpha_each)
    bar = norm.isf(0.05)
    for step in range(days * A_DAY):
        share, base = 0.5, BASE
        if world.drift:
            share = 0.1 if step < 10 * A_DAY else 0.5
            base += 0.1 * math.sin(2 * math.pi * step / (7 * A_DAY))
        treated_R = rng.random(months) < share
        value_R = (rng.random(months) < base + world.effect * treated_R).astype(float)
        c_R = sum_R / seen_R
        found_R = np.where(treated_R, (value_R - c_R) / share, (c_R - value_R) / (1 - share))
        low_R = np.minimum(-c_R / share, -(1 - c_R) / (1 - share))
        high_R = np.maximum((1 - c_R) / share, c_R / (1 - share))
        first(never["gain"], up.add(found_R, low_R, high_R) >= gain, step)
        first(never["harm"], down.add(found_R, low_R, high_R) >= harm, step)
        for wealth, draw in others:
            first(never["harm"], wealth.add(draw().astype(float), 0.0, 1.0) >= harm, step)
        z_R = naive.add(value_R, treated_R)
        if step >= LEAST:
            first(never["naive gain"], z_R >= bar, step)
            first(never["naive harm"], z_R <= -bar, step)
        seen_R += 1
        sum_R += value_R
    first(never["fixed gain"], z_R >= bar, days * A_DAY - 1)
    first(never["fixed harm"], z_R <= -bar, days * A_DAY - 1)
    return never


def rate(hits: int, count: int) -> dict[str, float]:
    """A share with its 95% interval by Clopper and Pearson."""
    low = float(beta.ppf(0.025, hits, count - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, count - hits)) if hits < count else 1.0
    return {"value": hits / count, "low": low, "high": high, "n": count}


def row(world: World, months: int, days: int, seed: int) -> dict[str, Any]:
    """Of each decision how often it came, and the median days until then over all months.

    A gain after a harm doesn't count: the rollout has ended. Harm is watched after a gain, too.
    """
    told = simulated(world, months, days, seed)
    found: dict[str, Any] = {}
    for prefix in ("", "naive ", "fixed "):
        gain, harm = told[prefix + "gain"], told[prefix + "harm"]
        for name, own, other in (("gain", gain, harm), ("harm", harm, gain)):
            hit = np.isfinite(own) & ((own < other) | (name == "harm"))
            found[prefix + name] = one = rate(int(hit.sum()), months)
            if hit.mean() > 0.6:
                in_days = np.where(hit, own, days * A_DAY) / A_DAY
                one["median_days"] = asdict(percentile(in_days.tolist(), 50))
    return found


def check(seed: int = 4) -> None:
    """The arrays above say what `Trial` says, to rounding."""
    rng = np.random.default_rng(seed)
    trial = Trial(PLAN)
    up, seen, total = Wealth(1, 0.0, True), 10.0, 5.0
    peak = 0.0
    for _ in range(2000):
        treated, value = bool(rng.random() < 0.5), float(rng.random() < 0.8)
        trial.quality(value, challenger=treated, share=0.5)
        c = np.array([total / seen])
        found = (value - c) / 0.5 if treated else (c - value) / 0.5
        ends = np.minimum(-c / 0.5, -(1 - c) / 0.5), np.maximum((1 - c) / 0.5, c / 0.5)
        peak = max(peak, float(up.add(found, *ends)[0]))
        seen, total = seen + 1, total + value
    assert abs(peak - trial.bets["quality"].above(0.0)) < 1e-9


def shown(name: str, told: dict[str, Any]) -> None:
    """A line for people."""
    parts = []
    for what, one in told.items():
        median = f" {one['median_days']['value']:.1f}d" if "median_days" in one else ""
        parts.append(f"{what} {one['value']:.4f} [{one['low']:.4f}, {one['high']:.4f}]{median}")
    print(f"{name:22} " + "  ".join(parts), flush=True)


def main() -> None:
    """Print a table, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--months", type=int, default=2000)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS), choices=list(WORLDS))
    parser.add_argument("--quick", action="store_true", help="100 months of three days")
    parser.add_argument("--http", action="store_true", help="a month through a real server, too")
    parser.add_argument("--data", type=Path, help="the public data sets; for --http")
    args = parser.parse_args()
    if args.http and args.data is None:
        parser.error("--http needs --data")
    if args.quick:
        args.months, args.days = 100, 3
    check()
    result: dict[str, Any] = {"months": args.months, "days": args.days, "harms": list(HARMS)}
    result |= {"alpha_gain": PLAN.alpha_gain, "alpha_harm": PLAN.alpha_harm, "worlds": {}}
    for number, (name, world) in enumerate(WORLDS.items()):
        if name not in args.worlds:
            continue
        months = args.months if name.startswith("no") else max(50, args.months // 4)
        began = time.perf_counter()
        result["worlds"][name] = told = row(world, months, args.days, 1000 + number)
        shown(f"{name} ({time.perf_counter() - began:.0f}s)", told)
    if args.http:
        import rollout_http

        result["http"] = rollout_http.month(args.data)
    worst = max(
        (one["gain"]["high"] for name, one in result["worlds"].items() if name.startswith("no")),
        default=None,
    )
    result["false_promotion_at_most"] = worst
    print(json.dumps(result))


if __name__ == "__main__":
    main()
