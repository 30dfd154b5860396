"""The model lane: a recipe trained or searched in a folder of its own, followed by a tracker."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from aegle.core import plugins
from aegle.core.artifacts import read_json, sha256_tree, write_json
from aegle.core.errors import NotFoundError, UsageError
from aegle.core.ports import Progress, quiet
from aegle.flows import causal, guarding
from aegle.flows.runs import RESULT, Figures, Follow, begun, followed, goes_on, locked, no_figures
from aegle.lm.catalog import cache_folder, resolve
from aegle.lm.dequantise import trainable

_PACKAGE: Final = Path(__file__).parents[1]
_SHELVES: Final = (_PACKAGE / "recipes", _PACKAGE.parents[1] / "recipes")
"""Where recipes lie: in an installed package, in a checkout."""


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
    resume: bool | None = False,
    device: str = "auto",
    tracker: str | None = None,
    progress: Progress = quiet,
    figures: Figures = no_figures,
    stop: Callable[[], bool] = lambda: False,
    place: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train a recipe; its model ends in ``out/NAME/model``, its scores in ``out/NAME/result.json``.

    Args:
        recipe: a YAML file; one with a ``kind`` is `aegle.flows.causal.train`'s.
        data: where its corpora's paths begin.
        out: where runs lie.
        changes: dotted names of the recipe and their values.
        resume: go on from the run's last checkpoint; None: if there is one.
        device: cpu, cuda or auto.
        tracker: where figures are followed, an MLflow URI as `tracker_in` makes; None: nowhere.
        progress, figures: take a step's name, how much is done and of how much; each figure.
        stop: asked after each step whether to end there, with a checkpoint.
        place: as `aegle.flows.causal.train` takes it.

    Raises:
        UsageError, InputError: the folder holds another or a finished run; what can't be read.
        MissingExtraError: the extra ``train`` (or ``track``) is not installed.
        StoppedError: ``stop`` said so; ``resume`` goes on from there.
    """
    if kind := _kind(recipe, changes):
        more: Any = {"changes": changes, "resume": resume, "device": device, "tracker": tracker}
        more |= {"progress": progress, "figures": figures, "stop": stop, "place": place}
        return causal.train(recipe, kind, data=data, out=out, **more)
    run: Any = _alone(recipe, place)
    told = _read(recipe, data, changes)
    folder, base = out / told.name, _base(told, progress)
    resume = goes_on(folder, resume)
    with locked(folder):
        about = begun(told, _hashes(told, data), folder, resume)
        how = {"resume": resume, "device": device, "stop": stop, "progress": _of(progress)}
        with followed(tracker, told, about, folder, figures) as follow:
            fitted, test = run(told, base=base, data=data, folder=folder, log=follow, **how)
            result = _result(told, folder, fitted, test, follow)
            _finish(told, result, follow)
        write_json(folder / RESULT, result)
    return result


def _alone(recipe: Path, place: Mapping[str, Any] | None) -> Any:
    """What trains encoders; loads torch, which nothing else does."""
    if place:
        raise UsageError(f"{recipe}: an encoder is trained in one process; start one alone")
    return plugins.load("aegle.train.run:run")


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
    if kind := _kind(recipe, changes):
        how: Any = {"changes": changes, "device": device, "progress": progress}
        how |= {"figures": figures, "stop": stop, "data": data, "out": out}
        return _searched(*causal.search(recipe, kind, trials=trials, **how))
    find = plugins.load("aegle.train.search:search")
    told = _read(recipe, data, changes)
    folder = out / f"{told.name}-search"
    base = _base(told, progress)
    with locked(folder):
        found = find(
            lambda more: _read(recipe, data, {**(changes or {}), **more}),
            base=base,
            data=data,
            folder=folder,
            trials=trials,
            hashes=lambda: _hashes(told, data),
            device=device,
            log=figures,
            progress=lambda done, total: progress("search", done, total),
            told=lambda trial: figures("trial", trial.score, trial.number),
            stop=stop,
        )
    return _searched(told.name, folder, found)


def guard(
    recipe: Path,
    *,
    folds: int = 0,
    shares: Sequence[float] = (),
    changes: Mapping[str, Any] | None = None,
    **how: Any,
) -> dict[str, Any]:
    """`aegle.flows.guarding.folds` or `aegle.flows.guarding.curve` of a recipe with a kind.

    Raises:
        UsageError: the recipe is an encoder's, or neither was asked for.
    """
    kind = _kind(recipe, changes)
    if not kind:
        raise UsageError(
            f"{recipe}: folds and learning curves are for recipes with a kind (generators); "
            "train an encoder with several seeds, by aegle ablate"
        )
    if folds:
        return guarding.folds(recipe, kind, count=folds, changes=changes, **how)
    return guarding.curve(recipe, kind, shares=shares or guarding.SHARES, changes=changes, **how)


def _searched(name: str, folder: Path, found: Sequence[Any]) -> dict[str, Any]:
    rows = [
        {"trial": one.number, "dev": one.score, "pruned": one.pruned, **one.values} for one in found
    ]
    return {"name": name, "recipe": str(folder / "best.yaml"), "best": rows[0], "trials": rows}


def _of(progress: Progress) -> Callable[[int, int], None]:
    """Takes steps done and all steps of the training."""
    return lambda done, total: progress("train", done, total)


def _finish(told: Any, result: dict[str, Any], follow: Follow) -> None:
    """The test scores, and the model, if it is to serve, as the challenger."""
    for task, one in result["test"].items():
        follow(f"test/{task}", one["f1"]["value"], result["steps"])
    if result["serves"] and (named := follow.register(told.name, Path(result["model"]))):
        result["version"] = named
    follow.end()


def tracker_in(out: Path) -> str:
    """The URI of the tracker's file in a folder of runs."""
    return f"sqlite:///{out.resolve() / 'mlflow.db'}"


def _kind(recipe: Path, changes: Mapping[str, Any] | None) -> str:
    """The kind of causal training that a recipe asks for; "" of an encoder's."""
    tree = plugins.load("aegle.train.keys:read_tree")(recipe, changes=dict(changes or {}))
    return str(tree.get("kind") or "")


def _read(recipe: Path, data: Path, changes: Mapping[str, Any] | None) -> Any:
    if not data.is_dir():
        raise NotFoundError(f"{data} is no folder; --data names the one that holds the corpora")
    return plugins.load("aegle.train.recipe:read_recipe")(recipe, changes=dict(changes or {}))


def _hashes(told: Any, data: Path) -> dict[str, str]:
    """Name -> SHA-256 of each corpus."""
    return {
        f"data.{number}.{corpus.task}.{part}": sha256_tree(data / path)
        for number, corpus in enumerate(told.corpora)
        for part in ("train", "dev", "test")
        if (path := getattr(corpus, part))
    } | {
        f"data.unlabelled.{number}": sha256_tree(data / one.train)
        for number, one in enumerate(told.unlabelled if told.distillation else ())
    }


def _base(told: Any, progress: Progress) -> Path:
    folder = resolve(told.base, progress=progress)
    return folder if told.frozen else trainable(folder, cache_folder() / "trainable")


def _result(
    told: Any, folder: Path, fitted: Any, test: Mapping[str, Any], follow: Follow
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
