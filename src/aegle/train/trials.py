"""Trials of a recipe's declared values, drawn by Optuna, whichever lane trains them.

Tree-structured Parzen estimators draw, the median of earlier trials at the same share of the run
prunes. A trial's draw follows from the seed, its number and the trials before it, so that a search
that was stopped and goes on is the search that was not stopped.

References:
    Bergstra et al. (2011), Algorithms for hyper-parameter optimization.
    Akiba et al. (2019), Optuna: a next-generation hyperparameter optimization framework.
"""

from __future__ import annotations

import json
import math
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
from aegle.core.errors import InputError, UsageError
from aegle.train.fit import Log

BEST: Final = "best.yaml"
STUDY: Final = "search.db"
_FIRST: Final = 5
"""Trials drawn at random before the estimators say anything, and before any trial is pruned."""

Make = Callable[[dict[str, Any]], Any]
"""The recipe with some values changed, by dotted name. It has ``name``, ``seed``, ``search``."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial that ended: what was drawn, its best look at dev (None: it had none), whether it was
    pruned, as one is that diverges."""

    number: int
    score: float | None
    pruned: bool
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lane:
    """How recipes of a sort are trained for a search.

    Attributes:
        judge: the figure that a look at dev tells of.
        higher: whether more of it is better.
        looks: of a recipe, how often it looks at dev.
        train: ``(recipe, folder=, resume=, log=, progress=, stop=)`` -> the best look's figure;
            what diverges raises `optuna.TrialPruned`.
        clear: what a trial leaves in its folder, removed.
    """

    judge: str
    higher: bool
    looks: Callable[[Any], int]
    train: Callable[..., float]
    clear: Callable[[Path], None]

    def best(self, values: Any) -> float | None:
        """The best of some figures; None of none."""
        found: float | None = (max if self.higher else min)(values, default=None)
        return found


def search(
    make: Make,
    lane: Lane,
    *,
    folder: Path,
    trials: int,
    hashes: Callable[[], Mapping[str, str]] = dict,
    log: Log = lambda name, value, step: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    told: Callable[[Trial], None] = lambda trial: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Trial]:
    """Try values of a recipe's ``search``, the best into ``folder/best.yaml``; best trial first.

    Trials that the folder holds already count. Only their figures are kept, not their weights.

    Args:
        make: the recipe with values changed.
        lane: how it is trained.
        folder: of the search.
        trials: how many in all, at least 1.
        hashes: gives name -> SHA-256 of what is learned from; trials on other data don't count.
        log, stop: as the lane's training takes them.
        progress: steps of all trials.
        told: takes each trial as it ends.

    Raises:
        UsageError: the recipe declares nothing to search, or the folder holds another search, or
            one of other data.
        InputError: a value that the recipe can't have, unreadable data, or every trial diverged.
        StoppedError: ``stop`` said so; the same call goes on from there.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    recipe = make({})
    space = space_of(recipe, make)
    study = _study(recipe, folder, lane, hashes())
    left = _left_over(study)
    while len(ended := _ended(study, lane)) < trials:
        number = len(ended)
        study.sampler = optuna.samplers.TPESampler(
            seed=recipe.seed + number, n_startup_trials=_FIRST
        )
        trial = study.ask(space)
        watch = _Watch(trial, make(trial.params), lane, log, progress, number, trials)
        watch.run(folder / "trial", stop, study, left)
        left = None
        told(_ended(study, lane)[-1])
    found = sorted(_ended(study, lane), key=lambda one: _rank(one, lane))
    _write_best(found[0], make, folder)
    return found


def _write_best(found: Trial, make: Make, folder: Path) -> None:
    if found.score is None:
        raise InputError(
            f"no trial of {folder} came to a look at dev: all diverged. Search lower values of "
            "optimiser.lr, with another --out"
        )
    best = make(dict(found.values))
    tree = best.model_dump(mode="json", exclude={"search"}, exclude_unset=True)
    write_bytes(folder / BEST, yaml.safe_dump(tree, sort_keys=False).encode())


def _rank(one: Trial, lane: Lane) -> tuple[bool, float, int]:
    sign = -1 if lane.higher else 1
    return one.pruned, math.inf if one.score is None else sign * one.score, one.number


class _Watch:
    """One trial: trains, reports each look at dev, ends where the pruner says so."""

    def __init__(
        self,
        trial: optuna.Trial,
        recipe: Any,
        lane: Lane,
        log: Log,
        progress: Callable[[int, int], None],
        number: int,
        trials: int,
    ) -> None:
        self.trial, self.recipe, self.lane = trial, recipe, lane
        self._log, self._progress = log, progress
        self.number, self.trials = number, trials
        self.total = 1
        self.reported: set[int] = set()

    def run(
        self,
        folder: Path,
        stop: Callable[[], bool],
        study: optuna.Study,
        left: FrozenTrial | None,
    ) -> None:
        same = left is not None and left.params == self.trial.params
        if left is not None and same:
            for look, value in left.intermediate_values.items():
                self.trial.report(value, look)
                self.reported.add(look)
        resume = same and (folder / "checkpoint.json").is_file()
        if not resume:
            self.lane.clear(folder)
        folder.mkdir(parents=True, exist_ok=True)
        how: dict[str, Any] = {"folder": folder, "resume": resume, "stop": stop}
        try:
            score = self.lane.train(self.recipe, log=self.log, progress=self.progress, **how)
        except optuna.TrialPruned:
            study.tell(self.trial, state=TrialState.PRUNED)
        else:
            study.tell(self.trial, score)
        self.lane.clear(folder)

    def log(self, name: str, value: float, step: int) -> None:
        self._log(name, value, step)
        if name != self.lane.judge:
            return
        if not math.isfinite(value):
            raise optuna.TrialPruned
        # The share of the run and not the step: trials may differ in the size of a batch.
        look = max(0, round(step * self.lane.looks(self.recipe) / self.total) - 1)
        if look not in self.reported:
            self.trial.report(value, look)
            self.reported.add(look)
        if self.trial.should_prune():
            raise optuna.TrialPruned

    def progress(self, done: int, total: int) -> None:
        self.total = max(1, total)
        self._progress(self.number * total + done, self.trials * total)


def space_of(recipe: Any, make: Make) -> dict[str, BaseDistribution]:
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


def _study(recipe: Any, folder: Path, lane: Lane, hashes: Mapping[str, str]) -> optuna.Study:
    folder.mkdir(parents=True, exist_ok=True)
    about = json.dumps(recipe.model_dump(mode="json"), sort_keys=True)
    study = optuna.create_study(
        study_name=recipe.name,
        storage=f"sqlite:///{folder / STUDY}",
        direction="maximize" if lane.higher else "minimize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_FIRST, n_warmup_steps=1),
    )
    if study.user_attrs.get("recipe", about) != about:
        raise UsageError(f"{folder} holds a search of another recipe; name another with --out")
    if study.user_attrs.get("hashes", hashes) != hashes:
        raise UsageError(
            f"{folder} holds a search of other data; name another with --out, or remove it"
        )
    study.set_user_attr("recipe", about)
    study.set_user_attr("hashes", dict(hashes))
    return study


def _ended(study: optuna.Study, lane: Lane) -> list[Trial]:
    """Trials that ran to an end or were pruned, in their order."""
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    found = []
    for number, one in enumerate(study.get_trials(deepcopy=False, states=states)):
        pruned = one.state == TrialState.PRUNED
        best = lane.best(one.intermediate_values.values()) if pruned else one.value
        found.append(Trial(number, best, pruned, dict(one.params)))
    return found


def _left_over(study: optuna.Study) -> FrozenTrial | None:
    """The trial that a stopped search left half-way: it is drawn again, and goes on."""
    left = study.get_trials(deepcopy=True, states=(TrialState.RUNNING,))
    for one in left:
        study.tell(one.number, state=TrialState.FAIL)
    return left[-1] if left else None
