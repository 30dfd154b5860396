"""A challenger against its champion while both serve: what is counted, and when it is decided.

One figure may show a gain: quality, by feedback. Four may show harm: quality, errors, latency and
agreement; each gets a quarter of ``alpha_harm``, so that together they cost no more than that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from aegle.metrics.sequential import Bets, effect, p_value

HARMS: Final = ("quality", "errors", "latency", "agreement")
LEAST: Final = 100
"""A gain is told when each figure rests on so many values: one that is not looked at is no news."""
_BALANCE_ALPHA: Final = 0.001
"""A rollout whose arms are unbalanced is broken, not unlucky: so rare must it be by luck."""
_PRIOR: Final = 10.0
"""So many values of one half stand before the first feedback, where its mean is guessed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is promised before the first request; it doesn't change while a rollout runs.

    Attributes:
        alpha_gain: most probability that a gain is shown, ever, where there is none.
        alpha_harm: as much of a rollback where nothing is worse than tolerated.
        margin: so much quality, of 1, may be lost; "gain" is shown above, "harm" below -margin.
        errors: share of requests that the challenger may fail at.
        slower: it may take 1 + slower times the champion's time, for half of the texts.
        agreement: least mean share of facts in common with the champion; 0: not asked for.
    """

    alpha_gain: float = 0.05
    alpha_harm: float = 0.05
    margin: float = 0.0
    errors: float = 0.01
    slower: float = 0.25
    agreement: float = 0.5

    def __post_init__(self) -> None:
        within = (
            0 < self.alpha_gain < 1
            and 0 < self.alpha_harm < 1
            and 0 <= self.margin <= 0.5
            and 0 < self.errors < 1
            and 0 <= self.slower < math.inf
            and 0 <= self.agreement < 1
        )
        if not within:
            raise ValueError("a plan's numbers are out of their ranges")

    @property
    def alpha_each(self) -> float:
        """Of each figure that may show harm."""
        return self.alpha_harm / len(HARMS)


def _grid(low: float, high: float, *more: float) -> list[float]:
    """Means to be tried between two bounds, and some more; denser at 0, or at both bounds."""
    steps = np.linspace(-1, 1, 63)[1:-1]
    if low < 0:
        means = np.sign(steps) * np.abs(steps) ** 2 * 0.99
    else:
        means = np.sin(steps * math.pi / 2) / 2 + 0.5
    return sorted({*map(float, means), *more})


class Trial:
    """The tests of one rollout. Each value is taken once; `verdict` may be asked after each.

    Quality's figure is what the challenger changes, in [-1, 1], by units that were assigned at
    random: a unit must be counted once only, and its version may not be chosen by anybody. The
    other figures compare on the same request, or need no comparison.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.bets = {
            "quality": Bets(_grid(-1, 1, -plan.margin)),
            "errors": Bets(_grid(0, 1, plan.errors)),
            "latency": Bets(_grid(0, 1, 0.5)),
            "agreement": Bets(_grid(0, 1, *([plan.agreement] if plan.agreement else []))),
            "balance": Bets([0.0]),
        }
        self.arms = {"champion": [0, 0.0], "challenger": [0, 0.0]}
        self._seen, self._sum = _PRIOR, _PRIOR / 2

    def quality(self, value: float, *, challenger: bool, share: float) -> None:
        """Feedback on one unit, in [0, 1]; ``share`` was its chance to get the challenger.

        Raises:
            ValueError: either is out of its range.
        """
        found, low, high = effect(value, challenger, share, self._sum / self._seen)
        self.bets["quality"].add(found, low, high)
        self.bets["balance"].add(challenger - share, -share, 1 - share)
        self._seen += 1
        self._sum += value
        arm = self.arms["challenger" if challenger else "champion"]
        arm[0] += 1
        arm[1] += value

    def error(self, failed: bool) -> None:
        """Whether the challenger failed at a text that was fit to be read."""
        self.bets["errors"].add(float(failed))

    def latency(self, champion_s: float, challenger_s: float) -> None:
        """Times of both on the same text, under the same conditions, in an order by chance."""
        slow = challenger_s > (1 + self.plan.slower) * champion_s
        self.bets["latency"].add(float(slow))

    def agreement(self, share: float) -> None:
        """Share of facts that both found on the same text, in [0, 1]."""
        self.bets["agreement"].add(share)

    def harm(self) -> str:
        """The first figure that shows harm; empty where none does."""
        enough = -math.log(self.plan.alpha_each)
        for name in HARMS:
            if self._harm(name) >= enough:
                return name
        return ""

    def _harm(self, name: str) -> float:
        """Logarithm of the evidence that a figure is worse than tolerated."""
        bets = self.bets[name]
        if name == "quality":
            return bets.below(-self.plan.margin)
        if name == "errors":
            return bets.above(self.plan.errors)
        if name == "latency":
            return bets.above(0.5)
        return bets.below(self.plan.agreement) if self.plan.agreement else 0.0

    @property
    def unbalanced(self) -> bool:
        """Whether feedback comes oftener from one version than its share of units: no gain then.

        Who answers for one version only (say, when it is wrong) makes any comparison worthless.
        """
        balance = self.bets["balance"]
        enough = -math.log(_BALANCE_ALPHA / 2)
        return max(balance.above(0.0), balance.below(0.0)) >= enough

    def verdict(self) -> str:
        """``harm``, ``gain`` or nothing yet."""
        if self.harm():
            return "harm"
        gain = self.bets["quality"].above(-self.plan.margin) >= -math.log(self.plan.alpha_gain)
        seen = all(self.bets[name].count >= LEAST for name in HARMS)
        return "gain" if gain and seen and not self.unbalanced else ""

    def figures(self) -> dict[str, dict[str, float]]:
        """Of each figure: count, mean, interval, always-valid p-values of gain and harm.

        An interval's ends hold at all times: that on the side of harm at a quarter of
        ``alpha_harm``, the other at ``alpha_gain``; so they cross what is tolerated exactly when
        the tests do.
        """
        found = {}
        for name in HARMS:
            bets, bad = self.bets[name], name in ("errors", "latency")
            alphas = (self.plan.alpha_gain, self.plan.alpha_each)
            bounds = (-1.0, 1.0) if name == "quality" else (0.0, 1.0)
            low, high = bets.interval(*(alphas[::-1] if bad else alphas), bounds)
            tolerated = {"quality": -self.plan.margin, "latency": 0.5}
            found[name] = {
                "n": bets.count,
                "mean": bets.total / bets.count if bets.count else 0.0,
                "low": low,
                "high": high,
                "tolerated": tolerated.get(name, getattr(self.plan, name, 0.0)),
                "p_harm": p_value(self._harm(name)),
            }
        found["quality"]["p_gain"] = p_value(self.bets["quality"].above(-self.plan.margin))
        return found

    def saved(self) -> dict[str, Any]:
        """Its state as plain values, to the bit."""
        return {
            "plan": asdict(self.plan),
            "bets": {name: one.saved() for name, one in self.bets.items()},
            "arms": self.arms,
            "seen": [self._seen, self._sum],
        }

    @classmethod
    def restored(cls, told: Mapping[str, Any]) -> Trial:
        """What `saved` gave.

        Raises:
            ValueError, KeyError, TypeError: it is something else.
        """
        found = cls(Plan(**told["plan"]))
        found.bets = {name: Bets.restored(told["bets"][name]) for name in found.bets}
        found.arms = {
            name: [int(told["arms"][name][0]), *told["arms"][name][1:]] for name in found.arms
        }
        found._seen, found._sum = map(float, told["seen"])
        return found
