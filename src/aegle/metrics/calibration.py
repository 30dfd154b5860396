"""Calibration error: how far confidences are from how often they are right, with intervals.

Letters: N predictions, G groups, R rounds, B bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.records import Measure
from aegle.metrics.stats import ROUNDS

BINS: Final = 15
"""Of equal width, as Guo et al. (2017)."""

Floats = NDArray[np.float64]


def calibration_error(
    confidences: Sequence[float], right: Sequence[bool], groups: Sequence[str], *, seed: int = 0
) -> Measure:
    """Expected calibration error: the mean distance of confidence and accuracy over bins.

    The interval is a percentile bootstrap's over whole groups. Of few predictions the error is
    biased upwards, and each round's more so: the interval tells how much it shakes, and compares
    models on the same documents; it is none of the error that endless documents would show.

    Args:
        confidences: of each prediction, in [0, 1].
        right: whether it was.
        groups: the patient, host or report of each.
        seed: of the resampling.

    Raises:
        ValueError: no predictions, not as many of all three, or a confidence outside of [0, 1].

    References:
        Naeini, Cooper & Hauskrecht (2015), Obtaining Well Calibrated Probabilities Using Bayesian
        Binning. Guo et al. (2017), On Calibration of Modern Neural Networks.
    """
    sure_N, right_N = np.asarray(confidences, float), np.asarray(right, float)
    if not len(sure_N) or not len(sure_N) == len(right_N) == len(groups):
        raise ValueError("as many confidences as outcomes and groups are needed, one at least")
    if not ((sure_N >= 0) & (sure_N <= 1)).all():
        raise ValueError("a confidence lies in [0, 1]")
    order = {name: place for place, name in enumerate(dict.fromkeys(groups))}
    bins_N = np.minimum((sure_N * BINS).astype(int), BINS - 1)
    sums_GB = np.zeros((len(order), BINS))
    np.add.at(sums_GB, ([order[one] for one in groups], bins_N), right_N - sure_N)
    numbers_G = np.bincount([order[one] for one in groups], minlength=len(order)).astype(float)
    rng = np.random.default_rng(seed)
    drawn_RG = rng.integers(0, len(order), size=(ROUNDS, len(order)))
    often_RG = np.stack([np.bincount(row, minlength=len(order)) for row in drawn_RG])
    value = float(_error(sums_GB.sum(0)[None], numbers_G.sum()[None])[0])
    rounds_R = _error(often_RG @ sums_GB, often_RG @ numbers_G)
    low, high = np.percentile(rounds_R, [2.5, 97.5])
    return Measure(value, min(value, float(low)), max(value, float(high)), len(order))


def _error(sums_RB: Floats, numbers_R: Floats) -> Floats:
    out: Floats = np.abs(sums_RB).sum(1) / np.maximum(numbers_R, 1)
    return out
