"""Causal models: a recipe of some kind, trained in a folder of its own, followed by a tracker."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from aegle.core import plugins
from aegle.core.artifacts import read_json, sha256_tree, write_json
from aegle.core.errors import NotFoundError, UsageError
from aegle.core.ports import Progress, quiet
from aegle.flows import spread
from aegle.flows.runs import (
    ABOUT,
    RESULT,
    Figures,
    apart_from,
    begun,
    digest_of,
    followed,
    goes_on,
    locked,
    no_figures,
)
from aegle.lm.catalog import resolve


def train(
    recipe: Path,
    kind: str,
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
    """Train a recipe with a kind; what it made ends in ``out/NAME/model``.

    Args:
        recipe: a YAML file.
        kind: of its training, a key of `aegle.train.causal.kinds.KINDS`.
        data, out, changes, resume, device, tracker, progress, figures, stop: as `model.train`'s.
        place: a `aegle.train.causal.parallel.Place` of another launcher; the first alone writes.

    Returns:
        As `_result` makes it, and ``run_id``. Of a process that isn't the first, its ``rank``.

    Raises:
        UsageError, InputError: the folder holds another or a finished run; what can't be read; a
            loss that is no number.
        BackendError, WorkspaceError: out of memory, or a process was killed; the disk is full.
        MissingExtraError: the extra ``train`` (or ``track``) is not installed.
        StoppedError: ``stop`` said so; ``resume`` goes on from there.
    """
    if not data.is_dir():
        raise NotFoundError(f"{data} is no folder; --data names the one that holds the data")
    changes = {**(changes or {}), **({"parallel.processes": place["world"]} if place else {})}
    told = plugins.load("aegle.train.causal.kinds:reader")(kind)(recipe, changes=changes)
    run = spread.runner(kind, told, place)
    folder, base = out / told.name, resolve(told.base, progress=progress)
    if resume is None and (folder / RESULT).is_file():
        return dict(read_json(folder / RESULT))
    resume = goes_on(folder, resume)
    how: dict[str, Any] = {"base": base, "data": data, "resume": resume, "device": device}
    how |= {"stop": stop, "progress": partial(progress, "train")}
    if learns := getattr(told, "distillation", None):
        how["teacher"] = resolve(learns.teacher, progress=progress)
    if place and place["rank"]:
        run(told, folder=folder, log=figures, **how)
        return {"rank": place["rank"]}
    return _recorded(run, told, folder, tracker, figures, how)


def _recorded(
    run: Any, told: Any, folder: Path, tracker: str | None, figures: Figures, how: dict[str, Any]
) -> dict[str, Any]:
    """The training in a folder of this process alone; what it says is kept there."""
    with locked(folder):
        result = _run(run, told, folder, tracker, figures, how)
        write_json(folder / RESULT, result)
    return result


def search(
    recipe: Path,
    kind: str,
    *,
    data: Path,
    out: Path,
    trials: int,
    changes: Mapping[str, Any] | None = None,
    progress: Progress = quiet,
    figures: Figures = no_figures,
    **how: Any,
) -> tuple[str, Path, list[Any]]:
    """(name, folder, trials, best first) of a search of what a recipe declares under ``search``.

    Args: as for `aegle.flows.model.search`, and the kind, as for `train`. Errors likewise.
    """
    if not data.is_dir():
        raise NotFoundError(f"{data} is no folder; --data names the one that holds the data")
    find = plugins.load("aegle.train.causal.search:search")  # optuna, torch
    read = plugins.load("aegle.train.causal.kinds:reader")(kind)
    told = read(recipe, changes=changes)
    folder = out / f"{told.name}-search"
    given: dict[str, Any] = {"base": resolve(told.base, progress=progress), "data": data}
    if learns := getattr(told, "distillation", None):
        given["teacher"] = resolve(learns.teacher, progress=progress)
    with locked(folder):
        found = find(
            lambda more: read(recipe, changes={**(changes or {}), **more}),
            folder=folder,
            trials=trials,
            hashes=lambda: _hashes(told, data),
            log=figures,
            progress=lambda done, total: progress("search", done, total),
            told=lambda one: figures("trial", one.score, one.number),
            **given,
            **how,
        )
    return told.name, folder, found


def same(folder: Path, told: Any, data: Path) -> bool:
    """Whether a folder holds the finished run of this recipe on these data.

    Raises:
        UsageError: it holds a finished run of others.
    """
    if not (folder / RESULT).is_file():
        return False
    about = read_json(folder / ABOUT)
    same_recipe = apart_from(about["recipe"]) == apart_from(told.model_dump(mode="json"))
    if not same_recipe or about["hashes"] != _hashes(told, data):
        raise UsageError(
            f"{folder} holds a finished run of another recipe or other data; name another folder "
            "with --out, or remove it"
        )
    return True


def _run(
    run: Any, told: Any, folder: Path, tracker: str | None, figures: Figures, how: dict[str, Any]
) -> dict[str, Any]:
    """The training itself, in a folder that is locked."""
    about = begun(told, _hashes(told, how["data"]), folder, how["resume"])
    with followed(tracker, told, about, folder, figures) as follow:
        before = _tokens(folder) if how["resume"] else 0
        done = run(told, folder=folder, log=follow, **how)
        result = _result(told, done, follow, before)
        identity = {"recipe": apart_from(about["recipe"]), "hashes": about["hashes"]}
        if "parallel" in result:
            now = read_json(folder / ABOUT)
            write_json(folder / ABOUT, {**now, "parallel": result["parallel"]})
        result["run_id"] = follow.run or f"{told.name}-{digest_of(identity)}"
        if named := follow.register(told.name, done.artifact):
            result["version"] = named
        follow.end()
    return result


def _hashes(told: Any, data: Path) -> dict[str, str]:
    """Name -> SHA-256 of each source."""
    replay = getattr(told, "replay", None)
    return {
        f"data.{number}.{part}": sha256_tree(data / path)
        for number, source in enumerate([*told.data, *(replay.data if replay else ())])
        for part in ("train", "dev")
        if (path := getattr(source, part, ""))
    }


def _tokens(folder: Path) -> int:
    """How many tokens the run had seen when it was stopped."""
    return int(read_json(folder / "checkpoint.json")["watch"]["tokens"])


def _result(told: Any, done: Any, follow: Any, before: int) -> dict[str, Any]:
    """``artifact``, ``steps``, ``seconds`` (of the training here, loading counted),
    ``tokens_per_s`` (padding not counted), ``peak_memory_bytes`` (of the machine; of the
    accelerator where one computed), ``metrics``; of several processes ``parallel``, what ran."""
    seconds = time.perf_counter() - follow.began
    peaks = done.extra.get("peaks") or plugins.load("aegle.train.memory:peaks")()
    spread_over = done.extra.get("parallel", {})
    more = {"parallel": spread_over} if spread_over.get("processes", 1) > 1 else {}
    if more and "device_peak_bytes" not in peaks:  # one machine's memory holds them all
        peaks["peak_bytes"] = sum(spread_over["peak_bytes"])
    return {
        "name": told.name,
        "kind": told.kind,
        "artifact": str(done.artifact),
        "steps": done.steps,
        "seconds": round(seconds, 1),
        "tokens": done.tokens,
        "tokens_per_s": round((done.tokens - before) / seconds, 1),
        "peak_memory_bytes": peaks.get("device_peak_bytes", peaks["peak_bytes"]),
        "metrics": done.metrics,
        **more,
    }
