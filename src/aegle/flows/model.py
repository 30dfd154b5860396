"""The model lane: a recipe trained or searched in a folder of its own, followed by a tracker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Protocol

from aegle.backends.lock import FolderLock
from aegle.core import plugins
from aegle.core.artifacts import read_json, sha256_file, sha256_tree, write_json
from aegle.core.errors import NotFoundError, UsageError
from aegle.core.ports import Progress, Tracker, quiet
from aegle.lm.catalog import cache_folder, resolve
from aegle.lm.dequantise import trainable

RESULT: Final = "result.json"
"""In a run's folder once it is finished: scores, and where the model lies."""

ABOUT: Final = "run.json"
"""In a run's folder from its beginning: its recipe, the hashes of its data, the tracker's run."""

CHALLENGER: Final = "challenger"
"""What a model just trained is to the one that serves."""

_PACKAGE: Final = Path(__file__).parents[1]
_SHELVES: Final = (_PACKAGE / "recipes", _PACKAGE.parents[1] / "recipes")
"""Where recipes lie: in an installed package, in a checkout."""


class Figures(Protocol):
    """Takes a figure of training as it comes: ``loss/TASK``, ``tokens``, ``dev/TASK``..."""

    def __call__(self, name: str, value: float, step: int) -> None:
        """``step``: how many steps were done."""


def no_figures(name: str, value: float, step: int) -> None:
    """A `Figures` that shows nothing."""


def recipe_file(name: str) -> Path:
    """A recipe by its path, or by the name of one that ships.

    Raises:
        NotFoundError: neither; the message lists those that ship.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path
        raise NotFoundError(f"{name}: there is no such file")
    shipped = {file.stem: file for shelf in _SHELVES for file in sorted(shelf.glob("*.yaml"))}
    if name not in shipped:
        raise NotFoundError(
            f"no recipe named {name!r}; there are: {', '.join(sorted(shipped))}, or name a file "
            "that ends in .yaml"
        )
    return shipped[name]


def train(
    recipe: Path,
    *,
    data: Path,
    out: Path,
    changes: Mapping[str, Any] | None = None,
    resume: bool = False,
    device: str = "auto",
    tracker: str | None = None,
    progress: Progress = quiet,
    figures: Figures = no_figures,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Train a recipe; its model ends in ``out/NAME/model``, its scores in ``out/NAME/result.json``.

    Args:
        recipe: a YAML file.
        data: the folder that its corpora's paths begin in.
        out: where runs lie.
        changes: dotted names of the recipe and their values.
        resume: go on from the run's last checkpoint.
        device: cpu, cuda or auto.
        tracker: where figures are followed, an MLflow URI as `tracker_in` makes; None: nowhere.
        progress: takes a step's name, how much is done and of how much.
        figures: takes each figure.
        stop: asked after each step whether to end there, with a checkpoint.

    Raises:
        UsageError: the folder holds another run, or a finished one.
        InputError: a recipe, corpus or base that can't be read.
        MissingExtraError: the extra ``train`` (or ``track``) is not installed.
        StoppedError: ``stop`` said so; ``resume`` goes on from there.
    """
    run: Any = plugins.load("aegle.train.run:run")  # torch, which nothing else loads
    told = _read(recipe, data, changes)
    folder = out / told.name
    base = _base(told, progress)
    with _locked(folder):
        about = _about(told, data, folder, resume)
        with _followed(tracker, told, about, folder, figures) as follow:
            how = {"resume": resume, "log": follow, "device": device, "stop": stop}
            how["progress"] = lambda done, total: progress("train", done, total)
            fitted, test = run(told, base=base, data=data, folder=folder, **how)
            result = _result(told, folder, fitted, test, follow)
            follow.finish(told.name, result)
        write_json(folder / RESULT, result)
    return result


def search(
    recipe: Path,
    *,
    data: Path,
    out: Path,
    trials: int,
    changes: Mapping[str, Any] | None = None,
    device: str = "auto",
    progress: Progress = quiet,
    figures: Figures = no_figures,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Search what a recipe declares under ``search``; the best into ``out/NAME-search/best.yaml``.

    Dev scores decide and are all that is told: no test part is scored. Trials that the folder
    holds already count, so that a search that was stopped goes on.

    Args:
        trials: how many in all.
        recipe, data, out, changes, device, progress, figures, stop: as for `train`.

    Raises:
        UsageError: nothing to search, or the folder holds another search.
        InputError: a recipe, corpus or base that can't be read.
        MissingExtraError: the extra ``train`` or ``search`` is not installed.
        StoppedError: ``stop`` said so; the same call goes on from there.
    """
    find = plugins.load("aegle.train.search:search")
    told = _read(recipe, data, changes)
    read = plugins.load("aegle.train.recipe:read_recipe")
    folder = out / f"{told.name}-search"
    base = _base(told, progress)
    with _locked(folder):
        found = find(
            lambda more: read(recipe, changes={**(changes or {}), **more}),
            base=base,
            data=data,
            folder=folder,
            trials=trials,
            device=device,
            log=figures,
            progress=lambda done, total: progress("search", done, total),
            told=lambda trial: figures("trial", trial.score, trial.number),
            stop=stop,
        )
    rows = [
        {"trial": one.number, "dev": one.score, "pruned": one.pruned, **one.values} for one in found
    ]
    return {"name": told.name, "recipe": str(folder / "best.yaml"), "best": rows[0], "trials": rows}


def tracker_in(out: Path) -> str:
    """The URI of the tracker's file in a folder of runs."""
    return f"sqlite:///{out.resolve() / 'mlflow.db'}"


def _read(recipe: Path, data: Path, changes: Mapping[str, Any] | None) -> Any:
    if not data.is_dir():
        raise NotFoundError(f"{data} is no folder; --data names the one that holds the corpora")
    return plugins.load("aegle.train.recipe:read_recipe")(recipe, changes=dict(changes or {}))


def _base(told: Any, progress: Progress) -> Path:
    folder = resolve(told.base, progress=progress)
    return folder if told.frozen else trainable(folder, cache_folder() / "trainable")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FolderLock(folder)
    try:
        yield
    finally:
        lock.release()


def _about(told: Any, data: Path, folder: Path, resume: bool) -> dict[str, Any]:
    """What the run is, written at its beginning and compared when it goes on."""
    if (folder / RESULT).is_file():
        raise UsageError(
            f"{folder} holds a finished run; name another folder with --out, or remove it"
        )
    if resume != (folder / "checkpoint.json").is_file():
        if resume:
            raise UsageError(f"{folder} has no checkpoint to go on from; start without --resume")
        raise UsageError(
            f"{folder} holds a run that was stopped; go on with --resume, or remove it"
        )
    about = {
        "recipe": told.model_dump(mode="json"),
        "hashes": {
            f"data.{number}.{corpus.task}.{part}": sha256_tree(data / path)
            for number, corpus in enumerate(told.corpora)
            for part in ("train", "dev", "test")
            if (path := getattr(corpus, part))
        }
        | {
            f"data.unlabelled.{number}": sha256_tree(data / one.train)
            for number, one in enumerate(told.unlabelled if told.distillation else ())
        },
        "run": "",
        "tracker": "",
    }
    if resume:
        before = read_json(folder / ABOUT)
        for what in ("recipe", "hashes"):
            changed = sorted(
                key
                for key in {*about[what], *before[what]}
                if about[what].get(key) != before[what].get(key)
            )
            if changed:
                raise UsageError(
                    f"{folder} was begun with another {', '.join(changed)}; resume it as it was, "
                    "or name another folder with --out"
                )
        return dict(before)
    write_json(folder / ABOUT, about)
    return about


class _Follow:
    """Figures on their way to a tracker and to whoever watches, those of a step together."""

    def __init__(self, tracker: Tracker | None, figures: Figures) -> None:
        self._tracker, self._figures = tracker, figures
        self._waiting: dict[str, float] = {}
        self._step = 0
        self.tokens, self.began = 0, time.perf_counter()

    def __call__(self, name: str, value: float, step: int) -> None:
        if step != self._step:
            self.flush()
        self._waiting[name], self._step = value, step
        if name == "tokens":
            self.tokens = int(value)
        if name == "dev/mean":  # what comes next may be far off, or a stop
            self.flush()
        self._figures(name, value, step)

    def flush(self) -> None:
        if self._tracker and self._waiting:
            self._tracker.log(self._waiting, step=self._step)
        self._waiting = {}

    def finish(self, name: str, result: dict[str, Any]) -> None:
        """The test scores, and the model, if it is to serve, as the challenger."""
        for task, one in result["test"].items():
            self(f"test/{task}", one["f1"]["value"], result["steps"])
        self.flush()
        if self._tracker:
            if result["serves"]:
                model = Path(result["model"])
                tags = {"manifest.sha256": sha256_file(model / "manifest.json")}
                version = self._tracker.register(name, f"path:{model.resolve()}", tags=tags)
                self._tracker.alias(name, CHALLENGER, version)
                result["version"] = version
            self._tracker.end()


@contextmanager
def _followed(
    uri: str | None, told: Any, about: dict[str, Any], folder: Path, figures: Figures
) -> Iterator[_Follow]:
    """A tracker's run around the training; one that fails or is stopped can be gone on with."""
    if uri is None:
        yield _Follow(None, figures)
        return
    tracker: Tracker = plugins.find("tracker", "mlflow")(uri)
    try:
        packages = {name: version(name) for name in ("aegle", "torch", "transformers")}
        run = about["run"] if about["tracker"] == uri else ""
        tags = {**about["hashes"], **packages, "folder": str(folder.resolve())}
        run = tracker.start(told.name, params=about["recipe"], tags=tags, run=run)
        write_json(folder / ABOUT, {**about, "run": run, "tracker": uri})
        follow = _Follow(tracker, figures)
        yield follow
    finally:
        tracker.close()


def _result(
    told: Any, folder: Path, fitted: Any, test: Mapping[str, Any], follow: _Follow
) -> dict[str, Any]:
    seconds = time.perf_counter() - follow.began
    model = folder / "model" if told.serve else folder
    return {
        "name": told.name,
        "model": str(model),
        "serves": told.serve,
        "best_epoch": fitted.best_epoch,
        "epochs": len(fitted.history),
        "steps": fitted.steps,
        "seconds": round(seconds, 1),
        "tokens": follow.tokens,
        "tokens_per_s": round(follow.tokens / seconds, 1),
        **plugins.load("aegle.train.memory:peaks")(),
        "history": fitted.history,
        "dev": read_json(folder / "scores.json")["dev"],
        "test": {task: asdict(one) for task, one in test.items()},
    }
