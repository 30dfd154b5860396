"""A recipe's declared values searched for the best dev score, by Optuna; test is never scored.

Tree-structured Parzen estimators draw, the median of earlier trials at the same epoch prunes. A
trial's draw follows from the seed, its number and the trials before it, so that a search that was
stopped and goes on is the search that was not stopped.

References:
    Bergstra et al. (2011), Algorithms for hyper-parameter optimization.
    Akiba et al. (2019), Optuna: a next-generation hyperparameter optimization framework.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import optuna
import yaml
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from aegle.core.artifacts import write_bytes
from aegle.core.errors import UsageError
from aegle.train import former
from aegle.train.fit import Log
from aegle.train.recipe import Recipe
from aegle.train.run import run

BEST: Final = "best.yaml"
STUDY: Final = "search.db"
_FIRST: Final = 5
"""Trials drawn at random before the estimators say anything, and before any trial is pruned."""

Make = Callable[[dict[str, Any]], Recipe]
"""The recipe with some values changed, by dotted name."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial that ended: what was drawn, its best epoch's dev score, whether it was pruned."""

    number: int
    score: float
    pruned: bool
    values: Mapping[str, Any]


def search(
    make: Make,
    *,
    base: Path,
    data: Path,
    folder: Path,
    trials: int,
    device: str = "auto",
    log: Log = lambda name, value, step: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    told: Callable[[Trial], None] = lambda trial: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Trial]:
    """Try values of a recipe's ``search``, the best into ``folder/best.yaml``; best trial first.

    Trials that the folder holds already count. Only their figures are kept, not their weights:
    train ``best.yaml`` for a model.

    Args:
        make: the recipe with values changed.
        base, data, device, log, progress, stop: as for `run`; progress counts steps of all trials.
        folder: of the search.
        trials: how many in all, at least 1.
        told: takes each trial as it ends.

    Raises:
        UsageError: the recipe declares nothing to search, or the folder holds another search.
        InputError: a value that the recipe can't have, or a corpus that can't be read.
        StoppedError: ``stop`` said so; the same call goes on from there.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    recipe = make({})
    space = space_of(recipe, make)
    study = _study(recipe, folder)
    left = _left_over(study)
    while len(ended := _ended(study)) < trials:
        number = len(ended)
        study.sampler = optuna.samplers.TPESampler(
            seed=recipe.seed + number, n_startup_trials=_FIRST
        )
        trial = study.ask(space)
        watch = _Watch(trial, make(trial.params), log, progress, number, trials)
        watch.run(base, data, folder / "trial", device, stop, study, left)
        left = None
        told(_ended(study)[-1])
    found = sorted(_ended(study), key=lambda one: (one.pruned, -one.score, one.number))
    best = make(dict(found[0].values))
    tree = best.model_dump(mode="json", exclude={"search"}, exclude_unset=True)
    write_bytes(folder / BEST, yaml.safe_dump(tree, sort_keys=False).encode())
    return found


class _Watch:
    """One trial: trains, reports each epoch's dev score, ends where the pruner says so."""

    def __init__(
        self,
        trial: optuna.Trial,
        recipe: Recipe,
        log: Log,
        progress: Callable[[int, int], None],
        number: int,
        trials: int,
    ) -> None:
        self.trial, self.recipe, self._log, self._progress = trial, recipe, log, progress
        self.number, self.trials = number, trials
        self.per_epoch = 1
        self.reported: set[int] = set()

    def run(
        self,
        base: Path,
        data: Path,
        folder: Path,
        device: str,
        stop: Callable[[], bool],
        study: optuna.Study,
        left: FrozenTrial | None,
    ) -> None:
        same = left is not None and left.params == self.trial.params
        if left is not None and same:
            for epoch, value in left.intermediate_values.items():
                self.trial.report(value, epoch)
                self.reported.add(epoch)
        resume = same and (folder / "checkpoint.json").is_file()
        if not resume:
            _clear(folder)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            fitted, _ = run(
                self.recipe,
                base=base,
                data=data,
                folder=folder,
                resume=resume,
                log=self.log,
                progress=self.progress,
                device=device,
                stop=stop,
                finish=False,
            )
        except optuna.TrialPruned:
            study.tell(self.trial, state=TrialState.PRUNED)
        else:
            study.tell(self.trial, fitted.best_score)
        _clear(folder)

    def log(self, name: str, value: float, step: int) -> None:
        self._log(name, value, step)
        if name != "dev/mean":
            return
        epoch = round(step / self.per_epoch) - 1
        if epoch not in self.reported:
            self.trial.report(value, epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned

    def progress(self, done: int, total: int) -> None:
        self.per_epoch = total // self.recipe.optimiser.epochs
        self._progress(self.number * total + done, self.trials * total)


def space_of(recipe: Recipe, make: Make) -> dict[str, BaseDistribution]:
    """What a recipe declares as distributions, after trying the ends and choices of each.

    Raises:
        UsageError: nothing is declared, or a declaration makes no sense.
        InputError: a value that the recipe can't have.
    """
    if not recipe.search:
        raise UsageError(
            f"recipe {recipe.name!r} declares nothing to search; add e.g. "
            "search: {optimiser.lr: [1.0e-5, 1.0e-3, log]}"
        )
    if "base" in recipe.search:
        raise UsageError("base is not searched; run a search for each base")
    space: dict[str, BaseDistribution] = {}
    for name, told in recipe.search.items():
        space[name] = one = _distribution(name, told)
        tried = one.choices if isinstance(one, CategoricalDistribution) else (one.low, one.high)
        for value in tried:
            make({name: value})
    return space


def _distribution(
    name: str, told: tuple[Any, ...]
) -> FloatDistribution | IntDistribution | CategoricalDistribution:
    log = len(told) == 3 and told[2] == "log"
    ends = [_number(one) for one in told[:2]]
    if (len(told) == 2 or log) and None not in ends:
        low, high = ends
        if not low < high or (log and low <= 0):  # type: ignore[operator]
            raise UsageError(f"search: {name} needs low < high, and low > 0 for log")
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, log=log)
        return FloatDistribution(float(low), float(high), log=log)  # type: ignore[arg-type]
    if len(told) < 2 or not all(isinstance(one, str | int | float | bool) for one in told):
        raise UsageError(
            f"search: {name} is [low, high], [low, high, log] or a list of plain choices"
        )
    return CategoricalDistribution(told)


def _number(value: Any) -> float | int | None:
    """YAML reads 1e-5 without a point as a word."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _study(recipe: Recipe, folder: Path) -> optuna.Study:
    folder.mkdir(parents=True, exist_ok=True)
    about = json.dumps(recipe.model_dump(mode="json"), sort_keys=True)
    study = optuna.create_study(
        study_name=recipe.name,
        storage=f"sqlite:///{folder / STUDY}",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_FIRST, n_warmup_steps=1),
    )
    if study.user_attrs.get("recipe", about) != about:
        raise UsageError(f"{folder} holds a search of another recipe; name another with --out")
    study.set_user_attr("recipe", about)
    return study


def _ended(study: optuna.Study) -> list[Trial]:
    """Trials that ran to an end or were pruned, in their order."""
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    found = []
    for number, one in enumerate(study.get_trials(deepcopy=False, states=states)):
        pruned = one.state == TrialState.PRUNED
        best = max(one.intermediate_values.values(), default=0.0) if pruned else one.value or 0.0
        found.append(Trial(number, best, pruned, dict(one.params)))
    return found


def _left_over(study: optuna.Study) -> FrozenTrial | None:
    """The trial that a stopped search left half-way: it is drawn again, and goes on."""
    left = study.get_trials(deepcopy=True, states=(TrialState.RUNNING,))
    for one in left:
        study.tell(one.number, state=TrialState.FAIL)
    return left[-1] if left else None


def _clear(folder: Path) -> None:
    """Remove a trial's weights; a teacher's opinions serve the next trial, too."""
    for pattern in ("checkpoint*", former.BEST, former.ABOUT, former.LEARNED):
        for file in folder.glob(pattern):
            file.unlink()
