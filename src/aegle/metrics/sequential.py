"""Tests of a mean that hold however often one looks: bets, e-values, confidence sequences.

Letters: M means that are tried, L stakes.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STAKES: Final = tuple(2.0**-n for n in range(1, 9))
"""Shares of what may be staked at most without ever owing. Large ones find large effects soon,
small ones small effects at all; the mixture of eight costs no more than log 8 in evidence."""


def stake_factors(value: float, low: float, high: float, means_M: Floats) -> tuple[Floats, Floats]:
    """What one value does to a wealth that bets on a mean above, and below, each of some means.

    Args:
        value: in [low, high].
        low, high: bounds that were known before the value; each mean lies strictly between.

    Returns:
        two arrays (M, L), all above 0. If the value's mean, given all before it, is at most (at
        least) the tried mean, the first (second) factor's is at most 1.
    """
    stakes_L = np.array(STAKES)
    up_M = (value - means_M) / (means_M - low)
    down_M = (means_M - value) / (high - means_M)
    return 1 + up_M[:, None] * stakes_L, 1 + down_M[:, None] * stakes_L


class Bets:
    """Evidence about a mean from bounded values, one at a time; valid at every time at once.

    For each tried mean m two gamblers bet against it, one on a larger mean and one on a smaller.
    Each spreads its wealth over `STAKES`. If E[value | values before] <= m always, the wealth of
    the first is a nonnegative supermartingale that begins with 1: by Ville's inequality it ever
    reaches 1/alpha with probability alpha at most, wherever one stops. Values need not be
    independent, nor come from one distribution. Means that a gambler ever refuted stay refuted;
    those that are left are a confidence sequence.

    Args:
        means: to be tried, ascending; strictly between all bounds that values will come with.

    Raises:
        ValueError: fewer than one mean, or not ascending.

    References:
        Waudby-Smith & Ramdas (2023), Estimating means of bounded random variables by betting;
        Howard et al. (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences.
    """

    def __init__(self, means: Sequence[float]) -> None:
        self.means = np.asarray(means, float)
        if self.means.ndim != 1 or not len(self.means) or (np.diff(self.means) <= 0).any():
            raise ValueError("means to be tried must be ascending, and one at least")
        self.count = 0
        self.total = 0.0
        # Logarithms of wealths: those of the first gambler, then those of the second.
        self._logs_2ML = np.zeros((2, len(self.means), len(STAKES)))
        self._peaks_2M = np.zeros((2, len(self.means)))

    def add(self, value: float, low: float = 0.0, high: float = 1.0) -> None:
        """Take the next value, of which ``low`` and ``high`` were known before it.

        Raises:
            ValueError: the value is not within, or a tried mean isn't strictly.
        """
        if not low <= value <= high or not low < self.means[0] <= self.means[-1] < high:
            raise ValueError(f"value and means must lie in [{low:g}, {high:g}]")
        self._logs_2ML += np.log(stake_factors(value, low, high, self.means))
        top_2M = self._logs_2ML.max(axis=2)
        spread_2M = np.exp(self._logs_2ML - top_2M[..., None]).mean(axis=2)
        np.maximum(self._peaks_2M, top_2M + np.log(spread_2M), out=self._peaks_2M)
        self.count += 1
        self.total += value

    def above(self, mean: float) -> float:
        """Logarithm of the most evidence so far that the mean is above one of those tried.

        Raises:
            ValueError: it isn't among them.
        """
        return float(self._peaks_2M[0, self._place(mean)])

    def below(self, mean: float) -> float:
        """As `above`, that it is below."""
        return float(self._peaks_2M[1, self._place(mean)])

    def _place(self, mean: float) -> int:
        found = np.flatnonzero(self.means == mean)
        if not len(found):
            raise ValueError(f"{mean} is not among the means that are tried")
        return int(found[0])

    def interval(
        self, alpha_low: float, alpha_high: float, bounds: tuple[float, float]
    ) -> tuple[float, float]:
        """Where the mean lies: it leaves below with ``alpha_low`` at most, above ``alpha_high``.

        At all times together. Rounded outward to the means that are tried, so that its lower end
        is at or above one of them exactly when `above` says so at this alpha. Should both ends
        have crossed (which happens with probability alpha), the interval is where they meet.

        Args:
            bounds: the ends where nothing is refuted.
        """
        refuted_up = np.flatnonzero(self._peaks_2M[0] >= -math.log(alpha_low))
        refuted_down = np.flatnonzero(self._peaks_2M[1] >= -math.log(alpha_high))
        low = float(self.means[refuted_up[-1]]) if len(refuted_up) else bounds[0]
        high = float(self.means[refuted_down[0]]) if len(refuted_down) else bounds[1]
        return min(low, high), max(low, high)

    def saved(self) -> dict[str, Any]:
        """Its state as plain values, to the bit."""
        return {
            "means": self.means.tolist(),
            "count": self.count,
            "total": self.total,
            "logs": base64.b64encode(self._logs_2ML.astype("<f8").tobytes()).decode(),
            "peaks": base64.b64encode(self._peaks_2M.astype("<f8").tobytes()).decode(),
        }

    @classmethod
    def restored(cls, told: Mapping[str, Any]) -> Bets:
        """What `saved` gave.

        Raises:
            ValueError, KeyError, TypeError: it is something else.
        """
        found = cls(told["means"])
        found.count, found.total = int(told["count"]), float(told["total"])
        for array, name in ((found._logs_2ML, "logs"), (found._peaks_2M, "peaks")):
            content = base64.b64decode(told[name], validate=True)
            array[:] = np.frombuffer(content, "<f8").reshape(array.shape)
            if not np.isfinite(array).all():
                raise ValueError(f"{name} are not finite")
        return found


def p_value(log_evidence: float) -> float:
    """The always-valid p-value of the most evidence so far, in (0, 1]."""
    return min(1.0, math.exp(-log_evidence))


def effect(value: float, treated: bool, share: float, centre: float) -> tuple[float, float, float]:
    """One unit's estimate of what the treatment changes, with its bounds.

    The unit was treated with probability ``share``, whatever else is known. By inverse propensity
    the estimate's mean, over that draw alone, is what the treatment changes for this very unit:
    nothing is assumed of how units differ or change with time.

    Args:
        value: what was seen of the unit, in [0, 1].
        share: in (0, 1).
        centre: in [0, 1], known before the unit; the nearer to the mean, the less noise.

    Returns:
        the estimate, and the least and the largest that it could have been; the latter lie at or
        beyond -1 and 1.

    References:
        Ham, Bojinov, Lindon & Tingley (2022), Design-based confidence sequences.
    """
    if not (0 < share < 1 and 0 <= value <= 1 and 0 <= centre <= 1):
        raise ValueError("a share lies in (0, 1), value and centre in [0, 1]")
    rest = 1 - share
    found = (value - centre) / share if treated else (centre - value) / rest
    return (
        found,
        min(-centre / share, -(1 - centre) / rest),
        max((1 - centre) / share, centre / rest),
    )
