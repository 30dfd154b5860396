"""An ablation: every combination of values and seeds trained, each once; then a report."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aegle.core import plugins
from aegle.core.artifacts import read_json, sha256_tree, write_bytes, write_json
from aegle.core.errors import (
    AegleError,
    MissingExtraError,
    NotFoundError,
    StoppedError,
    UsageError,
    WorkspaceError,
)
from aegle.core.ports import Progress, quiet
from aegle.evaluate import ablate as tables
from aegle.evaluate.ablate_stats import ratio
from aegle.flows import model
from aegle.flows.apart import apart
from aegle.flows.runs import RESULT, Figures, digest_of, locked, no_figures

REPORT: Final = "report.json"
PAGE: Final = "report.html"
"""In an ablation's folder."""

_SERVED: Final = "served.json"
_DEV: Final = "dev.json"
_TEXTS: Final = 200
_WEIGHTS: Final = (".safetensors", ".onnx", ".gguf")
_READY: Final = {False: ("aegle.train.run",), True: ("aegle.train.causal.run",)}

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A run to be: its arm, its seed, what changes in the recipe, where it lies."""

    arm: str
    values: Mapping[str, Any]
    seed: int
    changes: Mapping[str, Any]
    out: Path
    folder: Path


def ablate(
    recipe: Path,
    *,
    data: Path,
    out: Path,
    vary: Mapping[str, Sequence[Any]],
    seeds: int,
    against: str = "",
    metric: str = "",
    changes: Mapping[str, Any] | None = None,
    resume: bool = True,
    device: str = "auto",
    progress: Progress = quiet,
    figures: Figures = no_figures,
    tell: Told = lambda line: None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Train a recipe with every combination of values and every seed, and compare dev scores.

    A run lies in ``out/NAME-ablate/KEY``, by the key of its recipe and its data: what is finished
    is not trained again. One that fails is told of in the report, and the others go on.

    Args:
        recipe, data, out, changes, device, progress, figures, stop: as for
            `aegle.flows.model.train`.
        vary: dotted name of the recipe -> values, at least one.
        seeds: how many, from the recipe's own upwards.
        against, metric: see `aegle.evaluate.ablate.report`.
        resume: go on with runs that were stopped; False: begin those again.
        tell: takes a line for people as each run ends.

    Returns:
        The report (see docs/howto/compare.md), with ``page``, the path of its page.

    Raises:
        UsageError: nothing (or ``seed`` or ``name``) is varied; no such arm or figure.
        InputError: a recipe or its data can't be read.
        AegleError: what the first run raised, where every run failed.
        StoppedError: ``stop`` said so; the same call goes on.
    """
    told, plans = _plans(recipe, data, out, vary, seeds, dict(changes or {}))
    _known_arm(plans, against)
    kind = str(getattr(told, "kind", ""))
    work = _Work(recipe, data, device, resume, kind, (progress, figures, tell, stop))
    curve = _curve_of(kind, metric)
    about = {"name": told.name, "kind": kind or "encoder", "curve": curve, "vary": dict(vary)}
    home = out / f"{told.name}-ablate"
    with locked(home):
        arms = _arms(plans, work.all(plans), curve)
        return _kept(home, tables.report(arms, against=against, metric=metric, about=about))


def _kept(home: Path, found: dict[str, Any]) -> dict[str, Any]:
    """The report, written as JSON and as a page."""
    found["page"] = str(home / PAGE)
    write_json(home / REPORT, found)
    page: str = plugins.load("aegle.evaluate.ablate_page:page")(found)
    write_bytes(home / PAGE, page.encode())
    return found


def _plans(
    recipe: Path,
    data: Path,
    out: Path,
    vary: Mapping[str, Sequence[Any]],
    seeds: int,
    changes: dict[str, Any],
) -> tuple[Any, list[_Plan]]:
    """(the recipe as it is, every run); all recipes are checked before the first is trained."""
    if not data.is_dir():
        raise NotFoundError(f"{data} is no folder; --data names the one that holds the data")
    if not vary or not all(vary.values()):
        raise UsageError("nothing to vary; say --vary KEY=A,B with a key of the recipe")
    if taken := {"seed", "name"} & {*vary}:
        raise UsageError(f"{', '.join(taken)} can't be varied; --seeds N takes several seeds")
    hashes: dict[str, str] = {}
    first: Any = None
    plans: list[_Plan] = []
    for number, values in enumerate(itertools.product(*vary.values())):
        mine = dict(zip(vary, values, strict=True))
        label = tables.labels(vary, mine)
        base = _read(recipe, {**changes, **mine})
        first = first or base
        for seed in range(base.seed, base.seed + seeds):
            told = {**changes, **mine, "seed": seed}
            one = _read(recipe, told)
            key = digest_of({"recipe": one.model_dump(mode="json"), **_hashes(one, data, hashes)})
            home = out / f"{first.name}-ablate" / key
            if any(other.out == home for other in plans):
                raise UsageError(
                    f"value {number + 1} of what is varied ({label}) says the same as another; "
                    "take one out"
                )
            plans.append(_Plan(label, mine, seed, told, home, home / one.name))
    return first, plans


def _read(recipe: Path, changes: dict[str, Any]) -> Any:
    tree = plugins.load("aegle.train.keys:read_tree")(recipe, changes=changes)
    if kind := str(tree.get("kind") or ""):
        return plugins.load("aegle.train.causal.kinds:reader")(kind)(recipe, changes=changes)
    return plugins.load("aegle.train.recipe:read_recipe")(recipe, changes=changes)


def _hashes(told: Any, data: Path, known: dict[str, str]) -> dict[str, Any]:
    """What a run's result follows from beside its recipe: the data, and a base that lies in a
    folder. Each path is read once."""
    parts = list(getattr(told, "data", getattr(told, "corpora", ())))
    parts += list(getattr(told, "unlabelled", ()))
    paths = {
        str(data / path)
        for one in parts
        for part in ("train", "dev", "test")
        if (path := getattr(one, part, ""))
    }
    if told.base.startswith("path:"):
        paths.add(told.base.removeprefix("path:"))
    for path in paths - {*known}:
        known[path] = sha256_tree(Path(path))
    return {"hashes": sorted(known[path] for path in paths)}


def _known_arm(plans: Sequence[_Plan], against: str) -> None:
    names = list(dict.fromkeys(one.arm for one in plans))
    if against and against not in names:
        raise UsageError(f"no arm {against!r} to compare with; there are: {'; '.join(names)}")


class _Work:
    """Trains what is not finished, one run after the other."""

    def __init__(
        self, recipe: Path, data: Path, device: str, resume: bool, kind: str, watch: tuple[Any, ...]
    ) -> None:
        self.given = {"recipe": recipe, "data": data, "device": device}
        self.resume, self.kind = resume, kind
        self.ready = _READY[bool(kind)] if device == "cpu" else ()
        self.progress, self.figures, self.tell, self.stop = watch
        self.began = time.monotonic()

    def all(self, plans: Sequence[_Plan]) -> dict[int, str]:
        """Train them; number of a plan -> why it failed."""
        left = [n for n, one in enumerate(plans) if not (one.folder / RESULT).is_file()]
        if len(left) < len(plans):
            self.tell(f"{len(plans) - len(left)} of {len(plans)} runs were finished before")
        failed: dict[int, str] = {}
        first: AegleError | None = None
        for done, number in enumerate(left):
            one = plans[number]
            name = f"run {done + 1} of {len(left)}: {one.arm}, seed {one.seed}"
            began = time.monotonic()
            try:
                self.one(one, done, len(left))
            except (StoppedError, MissingExtraError, WorkspaceError, UsageError):
                raise
            except AegleError as error:
                first = first or error
                failed[number] = f"seed {one.seed}: {error}"
                self.tell(f"{name} failed: {error}")
                continue
            self.tell(f"{name}, {time.monotonic() - began:,.0f} s{self._eta(done + 1, len(left))}")
        if first and len(failed) == len(plans):
            raise first
        return failed

    def _eta(self, done: int, total: int) -> str:
        if done == total:
            return ""
        rest = (time.monotonic() - self.began) / done * (total - done)
        return f"; about {rest / 60:,.0f} min left" if rest >= 90 else f"; about {rest:,.0f} s left"

    def one(self, plan: _Plan, done: int, total: int) -> None:
        """A run in a process of its own; a stopped one goes on."""
        stopped = (plan.folder / "checkpoint.json").is_file()
        if stopped and not self.resume:
            (plan.folder / "checkpoint.json").unlink()
            stopped = False

        def heard(kind: str, told: tuple[Any, ...]) -> None:
            if kind == "figures":
                self.figures(*told)
            elif told[0] == "train" and told[2]:
                # In thousandths of a run: runs of an ablation have unlike numbers of steps.
                self.progress("ablate", done * 1000 + told[1] * 1000 // told[2], total * 1000)

        given = {"changes": dict(plan.changes), "out": plan.out, "resume": stopped}
        apart(
            "aegle.flows.ablating:train_one",
            {**self.given, **given},
            tell=heard,
            stop=self.stop,
            ready=self.ready,
        )
        self.progress("ablate", (done + 1) * 1000, total * 1000)


def train_one(resume: bool, **given: Any) -> None:
    """One run, in the process that it has for itself; then how fast what it made serves.

    Args:
        resume: whether it was stopped before.
        given: of `aegle.flows.model.train`.
    """
    result = model.train(resume=resume, **given)
    folder = given["out"] / result["name"]
    if resume:
        write_json(folder / "resumed.json", True)
    for file in folder.glob("checkpoint*"):  # of no more use, and larger than all else
        file.unlink()
    if result.get("serves") and (folder / "model" / "model.onnx").is_file():
        write_json(folder / _SERVED, _served(folder / "model", given))


def _served(folder: Path, given: Mapping[str, Any]) -> dict[str, float]:
    """Milliseconds of one dev text by the model that serves: p50 and p95."""
    told = _read(given["recipe"], dict(given["changes"]))
    parts = plugins.load("aegle.train.parts:read_parts")(told, given["data"])
    texts = [str(one.text) for some in parts.values() for one in some.dev]
    step = max(1, len(texts) // _TEXTS)
    tagger = plugins.load("aegle.lm.tagger:Tagger")(folder)
    times = []
    for text in texts[::step]:
        began = time.perf_counter()
        tagger.tag([text])
        times.append((time.perf_counter() - began) * 1000)
    tagger.close()
    percentile = plugins.load("aegle.metrics.stats:percentile")
    return {f"p{q}_ms": percentile(times[len(times) // 20 :], q).value for q in (50, 95)}


def _arms(plans: Sequence[_Plan], failed: Mapping[int, str], curve: str) -> list[tables.Arm]:
    arms = []
    for label in dict.fromkeys(one.arm for one in plans):
        mine = [(n, one) for n, one in enumerate(plans) if one.arm == label]
        runs = [finished(one.folder, curve) for n, one in mine if n not in failed]
        why = [failed[n] for n, _ in mine if n in failed]
        arms.append(tables.Arm(label, mine[0][1].values, runs, why))
    return arms


def finished(folder: Path, curve: str) -> tables.Run:
    """What a finished run left.

    Args:
        folder: of the run.
        curve: the figure of each evaluation.
    """
    result = read_json(folder / RESULT)
    recipe = read_json(folder / "run.json")["recipe"]
    dev = read_json(folder / _DEV) if (folder / _DEV).is_file() else {}
    groups = {name: one["groups"] for name, one in dev.items()}
    metrics = result.get("metrics", {})
    values = {name: one["value"] for name, one in result.get("dev", metrics.get("dev", {})).items()}
    values |= {name: ratio(some) for name, some in groups.items()}
    history = result.get("history") or metrics.get("history") or ()
    points = [
        (float(one.get("step", one.get("epoch", -1) + 1)), float(one[curve]))
        for one in history
        if curve in one
    ]
    about = {
        "folder": str(folder),
        "run_id": result.get("run_id", ""),
        "resumed": (folder / "resumed.json").is_file(),
    }
    higher = {name: bool(one["higher"]) for name, one in dev.items()}
    costs = _costs(folder, result)
    return tables.Run(recipe["seed"], groups, higher, values, costs, points, about)


def _costs(folder: Path, result: Mapping[str, Any]) -> dict[str, float]:
    artifact = Path(result.get("artifact") or result["model"])
    kept = [file for file in sorted(artifact.glob("*")) if file.suffix in _WEIGHTS]
    peak = result.get("device_peak_bytes", result.get("peak_bytes"))
    found = {
        "stored_bytes": sum(file.stat().st_size for file in kept),
        "trained_parameters": result.get("metrics", {}).get("trained_parameters"),
        "tokens_per_s": result.get("tokens_per_s"),
        "peak_memory_bytes": result.get("peak_memory_bytes", peak),
        "seconds": result.get("seconds"),
    }
    if (folder / _SERVED).is_file():
        found |= read_json(folder / _SERVED)
    return {name: float(one) for name, one in found.items() if one is not None}


def _curve_of(kind: str, metric: str) -> str:
    """The figure of each evaluation that curves show."""
    if metric and metric != "bits_per_byte":
        return metric
    return "loss" if kind else "mean"
