"""What preferences cost, from log-probabilities: an example at a time, in numpy.

N examples; a log-probability is that of a whole answer, in nats, <= 0. These are dev's figures; the
training's own losses are TRL's, and tests hold the two together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def log_sigmoid(values_N: Floats) -> Floats:
    """log(1 / (1 + exp(-x))), without overflow."""
    found: Floats = -np.logaddexp(0.0, -values_N)
    return found


def sigmoid(values_N: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    found: Floats = np.exp(log_sigmoid(values_N))
    return found


def dpo(
    margin_N: Floats,
    *,
    beta: float,
    loss: str = "sigmoid",
    lengths_N2: Floats | None = None,
    ratios_N2: Floats | None = None,
) -> Floats:
    """The losses of pairs.

    Args:
        margin_N: the chosen answer's log-ratio to the base less the rejected one's.
        beta: > 0.
        loss: sigmoid, hinge, or ipo, for which ratios are taken by token.
        lengths_N2, ratios_N2: tokens and log-ratios of both answers, for ipo.

    Raises:
        ValueError: no such loss, or ipo without lengths.

    References:
        Rafailov et al. (2023), equation 7; Azar et al. (2023), equation 17; Zhao et al. (2023).
    """
    if loss == "sigmoid":
        return -log_sigmoid(beta * margin_N)
    if loss == "hinge":
        return np.maximum(0.0, 1 - beta * margin_N)
    if loss != "ipo" or lengths_N2 is None or ratios_N2 is None:
        raise ValueError(f"a loss is sigmoid, hinge or ipo (with lengths), got {loss!r}")
    by_token = ratios_N2 / np.maximum(lengths_N2, 1)
    found: Floats = (by_token[:, 0] - by_token[:, 1] - 1 / (2 * beta)) ** 2
    return found


def log_odds(mean_N: Floats) -> Floats:
    """log(p / (1 - p)) of answers by the mean of their tokens' log-probabilities, < 0."""
    found: Floats = mean_N - np.log(-np.expm1(mean_N))
    return found


def orpo(means_N2: Floats, chosen_nll_N: Floats, *, beta: float) -> Floats:
    """The losses of pairs without a base.

    Args:
        means_N2: of both answers, the mean of their tokens' log-probabilities.
        chosen_nll_N: mean over the tokens of prompt and chosen answer, in nats.
        beta: weight of the odds.

    References:
        Hong et al. (2024), equations 6 and 7.
    """
    odds_N = log_odds(means_N2[:, 0]) - log_odds(means_N2[:, 1])
    return chosen_nll_N - beta * log_sigmoid(odds_N)


def kto(
    ratios_N: Floats,
    good_N: NDArray[np.bool_],
    kl: float,
    *,
    beta: float,
    desirable: float = 1.0,
    undesirable: float = 1.0,
) -> Floats:
    """The losses of judged answers.

    Args:
        ratios_N: log-ratios of answers to the base.
        good_N: whether an answer is a good one.
        kl: the mean log-ratio of answers to other prompts; below 0 it counts as 0.
        beta, desirable, undesirable: > 0.

    References:
        Ethayarajh et al. (2024), equations 7 and 8.
    """
    kl = max(kl, 0.0)
    good = desirable * (1 - sigmoid(beta * (ratios_N - kl)))
    bad = undesirable * (1 - sigmoid(beta * (kl - ratios_N)))
    return np.where(good_N, good, bad)


def bradley_terry(scores_N2: Floats, *, centre: float = 0.0) -> Floats:
    """The losses of pairs by the scores of a reward model, with a pull to a sum of 0.

    References:
        Ouyang et al. (2022), equation 1; Eisenstein et al. (2023), for the pull.
    """
    apart = -log_sigmoid(scores_N2[:, 0] - scores_N2[:, 1])
    found: Floats = apart + centre * scores_N2.sum(1) ** 2
    return found
