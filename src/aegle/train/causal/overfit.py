"""How much better a trained causal model is on what it learned from, and when that is too much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from aegle.train import guards

MOST: Final = 256
"""Texts of train that are scored for the gap: enough for its interval, little beside training."""


def sample(some: Sequence[Any], dev: int, seed: int) -> list[Any]:
    """As many things learned from as dev has, `MOST` at most, drawn from the seed."""
    count = min(len(some), max(dev, 8), MOST)
    places = np.random.default_rng(seed).permutation(len(some))[:count]
    return [some[at] for at in sorted(places.tolist())]


def of_losses(
    trainer: Any, train: Sequence[Any], dev: Sequence[Any], recipe: Any
) -> tuple[dict[str, Any], list[str]]:
    """(the gap of the mean loss of texts in nats a token, warnings), at the weights that are there.

    Args:
        trainer: whose ``losses`` gives each text's.
        train, dev: tokens with a ``group``.
        recipe: whose ``stopping.gap`` is allowed.
    """
    some = sample(train, len(dev), recipe.seed)
    parts = [[-one for one in trainer.losses(texts)] for texts in (some, dev)]
    groups = [[one.group for one in texts] for texts in (some, dev)]
    return told(parts, groups, recipe.stopping.gap, "nats a token", recipe.seed)


def of_choices(
    right: Sequence[Sequence[float]], groups: Sequence[Sequence[str]], seed: int
) -> tuple[dict[str, Any], list[str]]:
    """(the gap of how often the better answer is told, warnings), of train's and of dev's."""
    return told(right, groups, guards.OVERFIT, "of accuracy", seed)


def told(
    scores: Sequence[Sequence[float]],
    groups: Sequence[Sequence[str]],
    allowed: float,
    unit: str,
    seed: int,
) -> tuple[dict[str, Any], list[str]]:
    """The gap as JSON, and a warning where all of its interval lies above what is allowed.

    Args:
        scores: of train and of dev, more is better.
        groups: of each score.
        allowed, unit: of the gap.
        seed: of the resampling.
    """
    found = guards.gap(
        *scores, train_groups=groups[0], dev_groups=groups[1], allowed=allowed, seed=seed
    )
    gap = found.gap
    said = {
        **asdict(gap),
        "unit": unit,
        "allowed": allowed,
        "overfits": found.overfits,
        "train_scored": len(scores[0]),
    }
    if not found.overfits:
        return said, []
    return said, [
        f"train is {gap.value:.3f} {unit} better than dev [{gap.low:.3f}, {gap.high:.3f}], more "
        f"than {allowed:g}: it learned its texts by heart. Name more data, train for fewer epochs, "
        "or take a lower optimiser.lr or adapter.rank, or adapter.dropout; aegle train "
        "--learning-curve says whether more data helps"
    ]
