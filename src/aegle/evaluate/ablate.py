"""Runs of an ablation as tables: quality with intervals, differences, costs, fronts, curves.

Everything here is arithmetic on what runs left behind; `aegle.flows.ablating` trains them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from aegle.core.errors import InputError, UsageError
from aegle.evaluate import ablate_stats as stats
from aegle.metrics.stats import ROUNDS

COSTS: Final[Mapping[str, tuple[str, bool]]] = {
    "stored_bytes": ("stored size", False),
    "trained_parameters": ("trained parameters", False),
    "tokens_per_s": ("tokens a second", True),
    "p50_ms": ("p50 of one text, ms", False),
    "peak_memory_bytes": ("peak memory", False),
}
"""What quality is weighed against: its name for people, and whether more of it is better."""

LOWER: Final = ("loss", "perplexity", "bits_per_byte")
"""Figures of which less is better, where a run doesn't say."""

FEW_GROUPS: Final = 20
FEW_SEEDS: Final = 3
"""Below these an interval by bootstrap is too short; the report says so."""


@dataclass(frozen=True, slots=True)
class Run:
    """One seed of an arm.

    Attributes:
        seed: of the recipe.
        groups: figure -> group -> (top, bottom), of dev; empty where the kind of training leaves
            none.
        higher: figure -> whether more of it is better.
        values: figure -> its value on all of dev.
        costs: of `COSTS`, and ``seconds``; those that are known.
        curve: (step or epoch, value) of each evaluation.
        about: for the report: folder, run id, whether it was stopped and gone on with.
    """

    seed: int
    groups: Mapping[str, stats.Sums]
    higher: Mapping[str, bool]
    values: Mapping[str, float]
    costs: Mapping[str, float] = field(default_factory=dict)
    curve: Sequence[tuple[float, float]] = ()
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arm:
    """A combination of varied values: its name, the values, its runs, what failed."""

    label: str
    values: Mapping[str, Any]
    runs: Sequence[Run]
    failed: Sequence[str] = ()


def labels(vary: Mapping[str, Sequence[Any]], values: Mapping[str, Any]) -> str:
    """``rank=8, lr=0.001``: by the last part of each key, or all of it where two would be alike."""
    short = [name.rpartition(".")[2] for name in vary]
    parts = []
    for name, last in zip(vary, short, strict=True):
        shown = last if short.count(last) == 1 else name
        told = values[name]
        many = isinstance(told, list | tuple)
        parts.append(f"{shown}={'+'.join(map(str, told)) if many else told}")
    return ", ".join(parts) or "the recipe"


def report(
    arms: Sequence[Arm], *, against: str = "", metric: str = "", about: Mapping[str, Any]
) -> dict[str, Any]:
    """What an ablation found, as JSON.

    Args:
        arms: in the order in which they are shown; one without runs failed.
        against: the label of the arm that the others are compared with; "": the first.
        metric: the figure that decides; "": loss of generators (bits per byte where tokens
            differ), the mean F1 of encoders.
        about: name, recipe, what was varied: joins the report.

    Raises:
        UsageError: no arm of that label, or no such figure.
        InputError: no run was finished, or runs have no figure in common.
    """
    done = [one for one in arms if one.runs]
    if not done:
        raise InputError("no run of the ablation was finished: " + "; ".join(_failures(arms)))
    names, notes = judged_by(done, metric)
    base = _arm(done, against)
    grouped = all(_has_groups(run, names) for arm in done for run in arm.runs)
    higher = _higher(done[0].runs[0], names[0])
    scored = _Scored(names, grouped)
    rows = [_row(arm, scored, base) for arm in done]
    _correct(rows)
    _fronts(rows, higher)
    seeds = min(len(one.runs) for one in done)
    by = ("groups and seeds" if seeds > 1 else "groups") if grouped else "seeds"
    notes += _doubts(done, scored, base, seeds)
    return {
        **about,
        "measure": {
            "name": _title(names, "compared" in about),
            "figures": list(names),
            "higher": higher,
        },
        "intervals": {"by": by, "rounds": ROUNDS if grouped else 0, "seeds": seeds},
        "against": base.label,
        "arms": rows,
        "failed": [{"arm": one.label, "why": why} for one in arms for why in one.failed],
        "notes": notes,
    }


def judged_by(arms: Sequence[Arm], metric: str) -> tuple[tuple[str, ...], list[str]]:
    """(figures whose mean decides, what to say about them)."""
    runs = [run for arm in arms for run in arm.runs]
    shared = [name for name in runs[0].values if all(name in run.values for run in runs)]
    if metric:
        if metric not in shared:
            raise UsageError(f"no figure {metric!r} of all runs; there are: {', '.join(shared)}")
        return (metric,), []
    if not shared:
        raise InputError("the runs have no figure in common; ablate recipes of one kind")
    if "loss" not in shared:
        # Of an encoder every figure is a head's F1.
        return tuple(shared), []
    if same_tokens(arms):
        return ("loss",), []
    note = "Tokens differ between arms (another tokenizer): arms are judged by bits per byte."
    if "bits_per_byte" not in shared:
        raise InputError(
            "tokens differ between arms, so their losses can't be compared, and texts were cut "
            "off, so bits per byte can't either; raise max_tokens, or vary something else"
        )
    return ("bits_per_byte",), [note]


def same_tokens(arms: Sequence[Arm]) -> bool:
    """Whether every arm counts as many tokens in the same groups."""
    counts: dict[tuple[int, str], float] = {}
    for arm in arms:
        for run in arm.runs:
            for group, (_, bottom) in run.groups.get("loss", {}).items():
                if counts.setdefault((run.seed, group), bottom) != bottom:
                    return False
    return True


@dataclass(frozen=True, slots=True)
class _Scored:
    """How arms are scored: by which figures, and whether by groups."""

    names: tuple[str, ...]
    grouped: bool

    def of(self, arm: Arm) -> list[stats.Scored]:
        return [{name: run.groups[name] for name in self.names} for run in arm.runs]

    def values(self, arm: Arm) -> list[float]:
        if self.grouped:
            return [stats.value_of(one) for one in self.of(arm)]
        return [statistics.fmean(run.values[name] for name in self.names) for run in arm.runs]

    def quality(self, arm: Arm) -> dict[str, Any]:
        values = self.values(arm)
        if self.grouped:
            found = stats.measure(
                statistics.fmean(values), stats.drawn(self.of(arm)), stats.groups_of(self.of(arm))
            )
            return asdict(found)
        told = stats.of_seeds(values)
        middle = statistics.fmean(values)
        return asdict(told) if told else {"value": middle, "low": None, "high": None, "n": 1}

    def over(self, arm: Arm, base: Arm) -> stats.Difference | None:
        new, old = _same_seeds(arm, base)
        if not new.runs:
            return None
        if self.grouped:
            return stats.difference(self.of(new), self.of(old))
        return stats.difference_of_seeds(self.values(new), self.values(old))


def _same_seeds(arm: Arm, base: Arm) -> tuple[Arm, Arm]:
    """Both with the seeds that both have (a run may have failed)."""
    both = {run.seed for run in arm.runs} & {run.seed for run in base.runs}
    kept = [tuple(run for run in one.runs if run.seed in both) for one in (arm, base)]
    return Arm(arm.label, arm.values, kept[0]), Arm(base.label, base.values, kept[1])


def _row(arm: Arm, scored: _Scored, base: Arm) -> dict[str, Any]:
    values = scored.values(arm)
    gain = scored.over(arm, base) if arm.label != base.label else None
    return {
        "label": arm.label,
        "values": dict(arm.values),
        "quality": scored.quality(arm),
        "by_seed": values,
        "sd": statistics.stdev(values) if len(values) > 1 else None,
        "difference": asdict(gain.size) if gain else None,
        "p": gain.p if gain and not math.isnan(gain.p) else None,
        "p_holm": None,
        "costs": _costs(arm),
        "front": [],
        "curves": [{"seed": run.seed, "points": [list(p) for p in run.curve]} for run in arm.runs],
        "runs": [{"seed": run.seed, **run.about} for run in arm.runs],
    }


def _costs(arm: Arm) -> dict[str, float]:
    """The mean over seeds; of memory the most."""
    found = {}
    for name in (*COSTS, "seconds"):
        told = [run.costs[name] for run in arm.runs if run.costs.get(name) is not None]
        if len(told) == len(arm.runs):
            found[name] = max(told) if name == "peak_memory_bytes" else statistics.fmean(told)
    return found


def _correct(rows: Sequence[dict[str, Any]]) -> None:
    told = [row for row in rows if row["p"] is not None]
    for row, p in zip(told, stats.holm([row["p"] for row in told]), strict=True):
        row["p_holm"] = p


def _fronts(rows: Sequence[dict[str, Any]], higher: bool) -> None:
    """On which fronts of quality against a cost each arm lies."""
    for name, (_, more) in COSTS.items():
        if not all(name in row["costs"] for row in rows):
            continue
        sign = 1 if higher else -1
        points = [
            (sign * row["quality"]["value"], (-1 if more else 1) * row["costs"][name])
            for row in rows
        ]
        for row, there in zip(rows, stats.pareto(points), strict=True):
            if there:
                row["front"].append(name)


def _doubts(arms: Sequence[Arm], scored: _Scored, base: Arm, seeds: int) -> list[str]:
    """What a reader has to know before believing an interval."""
    told = []
    if scored.grouped:
        if not all(stats.paired_groups(*map(scored.of, _same_seeds(one, base))) for one in arms):
            told.append(
                "Arms were scored on other dev texts, since what was varied changes dev; their "
                "differences are not paired, and may be those of the texts."
            )
        count = min(stats.groups_of(scored.of(one)) for one in arms)
        if count < FEW_GROUPS:
            told.append(
                f"Few groups of texts ({count}): intervals are too short, take them as hints."
            )
    if seeds == 1:
        told.append("One seed each: the intervals don't tell how much training itself varies.")
    elif seeds < FEW_SEEDS:
        told.append(f"{seeds} seeds tell little of how much training varies; five are better.")
    if any(run.about.get("resumed") for arm in arms for run in arm.runs):
        told.append(
            "Runs that were stopped and gone on with tell the time of their last part only."
        )
    return told


def _arm(arms: Sequence[Arm], label: str) -> Arm:
    if not label:
        return arms[0]
    found = next((one for one in arms if one.label == label), None)
    if found is None:
        raise UsageError(
            f"no finished arm {label!r} to compare with; there are: "
            + "; ".join(one.label for one in arms)
        )
    return found


def _has_groups(run: Run, names: Sequence[str]) -> bool:
    return all(run.groups.get(name) for name in names)


def _higher(run: Run, name: str) -> bool:
    return run.higher.get(name, name not in LOWER)


def _title(names: Sequence[str], compared: bool) -> str:
    where = "held-out" if compared else "dev"
    known = {"loss": "loss, nats a token", "bits_per_byte": "bits per byte"}
    if len(names) == 1:
        return f"{where} {known.get(names[0], names[0])}"
    return f"mean {where} F1 of {', '.join(names)}"


def _failures(arms: Sequence[Arm]) -> list[str]:
    return [f"{one.label}: {why}" for one in arms for why in one.failed] or ["there are no arms"]
