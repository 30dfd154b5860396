"""Causal models: a recipe of some kind, trained in a folder of its own, followed by a tracker."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aegle.core import plugins
from aegle.core.artifacts import read_json, sha256_tree, write_json
from aegle.core.errors import NotFoundError, UsageError
from aegle.core.ports import Progress, quiet
from aegle.flows.runs import ABOUT, RESULT, Figures, begun, digest_of, followed, locked, no_figures
from aegle.lm.catalog import resolve


def train(
    recipe: Path,
    kind: str,
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
    """Train a recipe with a kind; what it made ends in ``out/NAME/model``.

    Args:
        recipe: a YAML file.
        kind: of its training, a key of `aegle.train.causal.kinds.KINDS`.
        data, out, changes, resume, device, tracker, progress, figures, stop: as for
            `aegle.flows.model.train`.

    Returns:
        ``run_id`` (the tracker's, or from the hash of recipe and data without one), ``artifact``,
        ``steps``, ``seconds`` (of the training here, loading counted), ``tokens_per_s`` (padding
        not counted), ``peak_memory_bytes`` (of the machine; of the accelerator where one computed),
        ``metrics``.

    Raises:
        UsageError: the folder holds another run, or a finished one.
        InputError: a recipe, data or base that can't be read, or a loss that is no number.
        BackendError: out of memory.
        WorkspaceError: the disk is full.
        MissingExtraError: the extra ``train`` (or ``track``) is not installed.
        StoppedError: ``stop`` said so; ``resume`` goes on from there.
    """
    if not data.is_dir():
        raise NotFoundError(f"{data} is no folder; --data names the one that holds the data")
    told = plugins.load("aegle.train.causal.kinds:reader")(kind)(recipe, changes=changes)
    run: Any = plugins.load("aegle.train.causal.kinds:runner")(kind)  # torch
    folder = out / told.name
    base = resolve(told.base, progress=progress)
    how: dict[str, Any] = {"base": base, "data": data, "resume": resume, "device": device}
    how |= {"stop": stop, "progress": lambda done, total: progress("train", done, total)}
    if learns := getattr(told, "distillation", None):
        how["teacher"] = resolve(learns.teacher, progress=progress)
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
    if about["recipe"] != told.model_dump(mode="json") or about["hashes"] != _hashes(told, data):
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
        identity = {"recipe": about["recipe"], "hashes": about["hashes"]}
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
    seconds = time.perf_counter() - follow.began
    peaks = plugins.load("aegle.train.memory:peaks")()
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
    }
