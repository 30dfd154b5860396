"""Answers that may be withheld: risk against coverage, its area, accuracy of what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Point(NamedTuple):
    """What happens when all that is at least this sure is answered.

    ``coverage``: the share of questions that are answered; ``risk``: their mean loss.
    """

    coverage: float
    risk: float
    confidence: float


def risk_coverage(confidences: Sequence[float], losses: Sequence[float]) -> list[Point]:
    """The risk-coverage curve: one point for each confidence that occurs, surest first.

    Args:
        confidences: of each answer; only their order counts.
        losses: of each answer, in [0, 1]; 1 for a wrong one. The answer to a question that has none
            is wrong.

    Raises:
        ValueError: no answers, not as many losses, a loss outside of [0, 1], or no number.

    References:
        El-Yaniv & Wiener (2010), On the Foundations of Noise-free Selective Classification.
    """
    sure_N, loss_N = _sorted(confidences, losses)
    last = np.flatnonzero(np.append(np.diff(sure_N) != 0, True))
    risk_N = np.cumsum(loss_N) / np.arange(1, len(loss_N) + 1)
    return [
        Point((at + 1) / len(loss_N), float(risk_N[at]), float(sure_N[at])) for at in last.tolist()
    ]


def aurc(confidences: Sequence[float], losses: Sequence[float]) -> float:
    """The area under the risk-coverage curve, in [0, 1]; lower is better.

    The mean of the risks of the surest 1, 2, ... n answers. Among equally sure answers it is the
    mean over all their orders. It holds the accuracy, too: 0 needs answers that are all right.

    Raises:
        ValueError: as `risk_coverage`.

    References:
        Geifman, Uziel & El-Yaniv (2019), Bias-Reduced Uncertainty Estimation for Deep Neural
        Classifiers.
    """
    sure_N, loss_N = _sorted(confidences, losses)
    _, block_N = np.unique(-sure_N, return_inverse=True)
    mean_B = np.bincount(block_N, weights=loss_N) / np.bincount(block_N)
    # The expected sum of the first few of equally sure answers grows by their mean.
    return float(np.mean(np.cumsum(mean_B[block_N]) / np.arange(1, len(loss_N) + 1)))


def selective_accuracy(
    confidences: Sequence[float], losses: Sequence[float], *, coverage: float
) -> float:
    """1 - risk of the surest answers: at least ``coverage`` of all, equally sure ones together.

    Raises:
        ValueError: as `risk_coverage`, or ``coverage`` is not in (0, 1].

    References:
        Geifman & El-Yaniv (2017), Selective Classification for Deep Neural Networks.
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage is a share above 0 and at most 1, got {coverage}")
    points = risk_coverage(confidences, losses)
    # A share such as 0.3 is none of binary's: 3 of 10 must be enough for it.
    return 1 - next(one.risk for one in points if one.coverage >= coverage - 1e-9)


def _sorted(
    confidences: Sequence[float], losses: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    sure_N, loss_N = np.asarray(confidences, float), np.asarray(losses, float)
    if not len(sure_N) or sure_N.shape != loss_N.shape:
        raise ValueError(f"as many losses as confidences: {len(loss_N)} and {len(sure_N)}, above 0")
    if np.isnan(sure_N).any() or not ((loss_N >= 0) & (loss_N <= 1)).all():
        raise ValueError("a confidence is a number, and a loss lies in [0, 1]")
    order_N = np.argsort(-sure_N, kind="stable")
    return sure_N[order_N], loss_N[order_N]
