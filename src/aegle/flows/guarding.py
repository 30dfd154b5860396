"""What small data allows to say: a causal recipe trained by folds, or on growing shares of groups.

Each run lies in a folder of its own: what is finished is not trained again, what was stopped goes
on. Only figures are kept; no weights.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegle.core import plugins
from aegle.core.artifacts import read_json, write_json
from aegle.core.errors import InputError, UsageError
from aegle.core.ports import Progress, quiet
from aegle.core.records import Measure
from aegle.flows import causal
from aegle.flows.runs import RESULT, Figures, locked, no_figures
from aegle.metrics.stats import bootstrap

REPORT: Final = "report.json"
"""In the folder of folds, or of a curve."""

SHARES: Final = (0.125, 0.25, 0.5, 1.0)
"""Of the groups, at the points of a learning curve: each twice the one before."""

_KEPT: Final = (RESULT, "run.json", "dev.json")

Sums = Mapping[str, Sequence[float]]


def folds(recipe: Path, kind: str, *, out: Path, count: int, **how: Any) -> dict[str, Any]:
    """Train a recipe ``count`` times, each time another part of the groups being dev.

    Args:
        recipe, kind, out: as for `aegle.flows.causal.train`; it lies in ``out/NAME-folds-COUNT``.
        count: of folds, 2 at least.
        how: ``data``, ``changes``, ``device``, ``progress``, ``figures``, ``stop``, likewise.

    Returns:
        ``folds``: of each its dev figure with the interval by group, and its gap; ``dev``: of all
        groups together, each scored by the run that has not learned from it (None for a kind whose
        runs leave no sums of groups); ``spread``: lowest and highest fold; ``warnings``.

    Raises:
        InputError: fewer groups than folds, and what the training raises.
        StoppedError: the same call goes on.
        WorkspaceBusyError: another process trains them.
    """
    name, higher, judge = _about(recipe, kind, how)
    folder = out / f"{name}-folds-{count}"
    plans = [(f"fold-{n}", {"fold": [n, count]}) for n in range(count)]
    with locked(folder):
        runs = _trained(recipe, kind, folder, plans, how)
    rows = [{"fold": n, **_row(one, judge)} for n, (one, _) in enumerate(runs)]
    values = [row["dev"]["value"] for row in rows]
    all_groups: dict[str, Sequence[float]] = {}
    for _, sums in runs:
        all_groups |= sums.get(judge, {})
    report = {
        "name": name,
        "judge": judge,
        "higher": higher,
        "folds": rows,
        "dev": asdict(_pooled(all_groups)) if all_groups else None,
        "spread": [min(values), max(values)],
        "warnings": _warnings(rows, "fold"),
    }
    return _written(folder, report)


def curve(
    recipe: Path, kind: str, *, out: Path, shares: Sequence[float] = SHARES, **how: Any
) -> dict[str, Any]:
    """Train a recipe on growing shares of its groups, scored on the same dev.

    Args:
        recipe, kind, out, how: as for `folds`; it lies in ``out/NAME-curve``.
        shares: in (0, 1], ascending, two at least.

    Returns:
        ``points``: of each share how many texts it learned from, its dev figure and its gap;
        ``last_step``: what the last share gained over the one before on the same groups of dev, or
        None for a kind whose runs leave no sums of groups; ``still_rising``: whether all of that
        interval is a gain, so that more data would help; ``warnings``.

    Raises:
        UsageError: shares that are no curve.
        InputError, StoppedError: as for `folds`.
    """
    if len(shares) < 2 or list(shares) != sorted({*shares}) or not 0 < shares[0] <= shares[-1] <= 1:
        raise UsageError("a learning curve needs two ascending shares in (0, 1] at least")
    name, higher, judge = _about(recipe, kind, how)
    folder = out / f"{name}-curve"
    plans = [(f"share-{share:g}", {"learn": share}) for share in shares]
    with locked(folder):
        runs = _trained(recipe, kind, folder, plans, how)
    rows = [{"share": s, **_row(one, judge)} for s, (one, _) in zip(shares, runs, strict=True)]
    last, before = (sums.get(judge, {}) for _, sums in (runs[-1], runs[-2]))
    gained = _gained(last, before, higher) if last else None
    report = {
        "name": name,
        "judge": judge,
        "higher": higher,
        "points": rows,
        "last_step": asdict(gained) if gained else None,
        "still_rising": gained.low > 0 if gained else None,
        "warnings": _warnings(rows, "share"),
    }
    return _written(folder, report)


def _about(recipe: Path, kind: str, how: Mapping[str, Any]) -> tuple[str, bool, str]:
    """(the recipe's name, whether more of its figure is better, the figure)."""
    told = plugins.load("aegle.train.causal.kinds:reader")(kind)(
        recipe, changes=dict(how.get("changes") or {})
    )
    if told.fold or told.learn < 1:
        raise InputError(f"{recipe}: fold and learn are set by the command; leave them out")
    judge, higher = plugins.load("aegle.train.causal.kinds:judge_of")(kind)
    return told.name, higher, judge


def _trained(
    recipe: Path,
    kind: str,
    folder: Path,
    plans: Sequence[tuple[str, Mapping[str, Any]]],
    how: Mapping[str, Any],
) -> list[tuple[dict[str, Any], dict[str, Sums]]]:
    """(result, figure -> sums of dev's groups) of each run."""
    found = []
    for number, (name, more) in enumerate(plans):
        changes = {**(how.get("changes") or {}), **more, "merge": False}
        found.append(_one(recipe, kind, folder / name, changes, number, len(plans), how))
    return found


def _one(
    recipe: Path,
    kind: str,
    out: Path,
    changes: Mapping[str, Any],
    number: int,
    count: int,
    how: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Sums]]:
    progress: Progress = how.get("progress", quiet)
    figures: Figures = how.get("figures", no_figures)
    stop: Callable[[], bool] = how.get("stop", lambda: False)
    told = plugins.load("aegle.train.causal.kinds:reader")(kind)(recipe, changes=changes)
    folder = out / told.name
    if not causal.same(folder, told, how["data"]):
        causal.train(
            recipe,
            kind,
            data=how["data"],
            out=out,
            changes=changes,
            resume=(folder / "checkpoint.json").is_file(),
            device=how.get("device", "auto"),
            figures=figures,
            stop=stop,
            # In thousandths of a run: they have unlike numbers of steps.
            progress=lambda step, done, total=None: progress(
                step, number * 1000 + done * 1000 // max(1, total or 1), count * 1000
            ),
        )
    for path in folder.iterdir():  # weights, of no more use
        if path.name not in _KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    result = dict(read_json(folder / RESULT))
    dev = read_json(folder / "dev.json") if (folder / "dev.json").is_file() else {}
    judge = plugins.load("aegle.train.causal.kinds:judge_of")(kind)[0]
    figures("trial", result["metrics"]["dev"][judge]["value"], number)
    return result, {name: one["groups"] for name, one in dev.items()}


def _row(result: Mapping[str, Any], judge: str) -> dict[str, Any]:
    metrics = result["metrics"]
    sizes = {part: metrics["data"][part] for part in ("train", "dev")}
    row = {"texts": sizes, "dev": metrics["dev"][judge], "gap": metrics.get("gap")}
    return {**row, "steps": result["steps"], "run_id": result["run_id"]}


def _pooled(sums: Sums) -> Measure:
    """The figure of all groups, with an interval over them."""
    rows = np.array(list(sums.values()), float)

    def figure(places: Any) -> float:
        return float(rows[places, 0].sum() / rows[places, 1].sum())

    return bootstrap(figure, list(sums))


def _gained(last: Sums, before: Sums, higher: bool) -> Measure:
    """What the last run has over the one before, above 0 where it is better, by the same groups."""
    if set(last) != set(before):
        raise InputError("two shares of one curve were scored on other groups; remove its folder")
    names = sorted(last)
    new, old = (np.array([sums[name] for name in names], float) for sums in (last, before))
    sign = 1 if higher else -1

    def difference(places: Any) -> float:
        first, second = (one[places, 0].sum() / one[places, 1].sum() for one in (new, old))
        return float(sign * (first - second))

    return bootstrap(difference, names)


def _warnings(rows: Sequence[Mapping[str, Any]], what: str) -> list[str]:
    over = [f"{row[what]:g}" for row in rows if row["gap"] and row["gap"]["overfits"]]
    return [f"train is far better than dev in {what} {', '.join(over)}"] if over else []


def _written(folder: Path, report: dict[str, Any]) -> dict[str, Any]:
    report["report"] = str(folder / REPORT)
    write_json(folder / REPORT, report)
    return report
