"""A recipe of a causal model searched for the best dev figure, by `aegle.train.trials`.

A causal recipe names no test part, so a search can look at dev alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna

from aegle.core.errors import UsageError
from aegle.train.causal.distil import TAUGHT
from aegle.train.causal.diverged import DivergedError
from aegle.train.causal.kinds import judge_of, runner
from aegle.train.fit import Log
from aegle.train.trials import Lane, Make, Trial
from aegle.train.trials import search as tried


def search(
    make: Make,
    *,
    folder: Path,
    trials: int,
    hashes: Callable[[], Mapping[str, str]] = dict,
    log: Log = lambda name, value, step: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    told: Callable[[Trial], None] = lambda trial: None,
    stop: Callable[[], bool] = lambda: False,
    **given: Any,
) -> list[Trial]:
    """Try values of a recipe's ``search``; best trial first. Train ``best.yaml`` for a model.

    A trial whose loss is no number any more counts as pruned.

    Args:
        make, folder, trials, hashes, log, progress, told, stop: as for `aegle.train.trials.search`.
        given: ``base``, ``data``, ``device`` and, where there is one, ``teacher`` of the training.

    Raises:
        UsageError: the recipe has ``privacy``; and as that one does.
        InputError, StoppedError: as that one does.
    """
    first = make({})
    if getattr(first, "privacy", None):
        raise UsageError(
            "--search isn't for a recipe with privacy: every trial learns from the same units, and "
            "their budgets would add up uncounted; choose its keys on data of others"
        )
    judge, higher = judge_of(first.kind)
    lane = Lane(f"dev/{judge}", higher, _looks, _trained(judge, higher, given), _clear)
    how: dict[str, Any] = {"log": log, "progress": progress, "told": told, "stop": stop}
    return tried(make, lane, folder=folder, trials=trials, hashes=hashes, **how)


def _clear(folder: Path) -> None:
    """Remove what a trial leaves; a teacher's answers serve the next one, too."""
    for path in folder.glob("*"):
        if path.name != TAUGHT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _looks(recipe: Any) -> int:
    return int(recipe.optimiser.epochs * recipe.stopping.per_epoch)


def _trained(judge: str, higher: bool, given: dict[str, Any]) -> Callable[..., float]:
    def train(recipe: Any, **how: Any) -> float:
        run = runner(recipe.kind)
        try:
            # No trial's weights are kept, merged ones least of all.
            done = run(recipe.model_copy(update={"merge": False}), **given, **how)
        except DivergedError as error:
            raise optuna.TrialPruned from error
        looks = [float(one[judge]) for one in done.metrics["history"] if judge in one]
        if not looks:  # the run was over before it looked
            raise optuna.TrialPruned
        return max(looks) if higher else min(looks)

    return train
