"""A recipe of an encoder searched for the best dev score, by `trials`; test is never scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from aegle.train import former
from aegle.train.fit import Log
from aegle.train.recipe import Recipe
from aegle.train.run import run
from aegle.train.trials import BEST, STUDY, Lane, Make, Trial, space_of
from aegle.train.trials import search as tried

__all__ = ["BEST", "STUDY", "Trial", "search", "space_of"]

JUDGE: Final = "dev/mean"


def search(
    make: Make,
    *,
    base: Path,
    data: Path,
    folder: Path,
    trials: int,
    hashes: Callable[[], Mapping[str, str]] = dict,
    device: str = "auto",
    log: Log = lambda name, value, step: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    told: Callable[[Trial], None] = lambda trial: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Trial]:
    """Try values of a recipe's ``search``; best trial first. Train ``best.yaml`` for a model.

    Args:
        base, data, device: as for `run`.
        make, folder, trials, hashes, log, progress, told, stop: as for `aegle.train.trials.search`.

    Raises:
        UsageError, InputError, StoppedError: as that one does.
    """

    def train(recipe: Recipe, **how: Any) -> float:
        fitted, _ = run(recipe, base=base, data=data, device=device, finish=False, **how)
        return fitted.best_score

    lane = Lane(JUDGE, True, lambda recipe: int(recipe.optimiser.epochs), train, _clear)
    how: dict[str, Any] = {"log": log, "progress": progress, "told": told, "stop": stop}
    return tried(make, lane, folder=folder, trials=trials, hashes=hashes, **how)


def _clear(folder: Path) -> None:
    """Remove a trial's weights; a teacher's opinions serve the next trial, too."""
    for pattern in ("checkpoint*", former.BEST, former.ABOUT, former.LEARNED):
        for file in folder.glob(pattern):
            file.unlink()
