"""A comparison of finished runs, models, adapters and quantisations on the same held-out texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aegle.core import plugins
from aegle.core.artifacts import read_json, sha256_file
from aegle.core.errors import InputError, NotFoundError, UsageError
from aegle.core.ports import Progress, quiet
from aegle.evaluate import ablate as tables
from aegle.evaluate.ablate_stats import ratio
from aegle.flows.ablating import finished
from aegle.flows.apart import apart
from aegle.flows.runs import ABOUT, RESULT
from aegle.lm.catalog import resolve

HELD: Final = ("fp32", "bf16", "fp16", "nf4")
_ADAPTER: Final = "adapter.json"
_CARD: Final = "card.json"
_COSTS: Final = {
    "stored_bytes": "weights in memory",
    "tokens_per_s": "tokens read a second",
    "peak_memory_bytes": "peak memory, loading counted",
}


@dataclass(frozen=True, slots=True)
class System:
    """What is compared: its name as it was given, where it lies, how its weights are held.

    Attributes:
        folder: of weights, or a GGUF file.
        base: of an adapter, its base as its card names it.
        run: folder of the run that made it, if it is one's.
        template: auto or plain.
    """

    name: str
    folder: Path
    held: str = "fp32"
    base: str = ""
    run: Path | None = None
    template: str = "auto"


def compare(
    names: Sequence[str],
    *,
    data: Path | None = None,
    against: str = "",
    metric: str = "",
    max_tokens: int = 1024,
    device: str = "auto",
    progress: Progress = quiet,
    tell: Callable[[str], None] = lambda line: None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Compare two or more systems text by text.

    Without ``data`` they are finished runs, of generators or of encoders, compared by the dev
    scores that each left. With ``data`` each generator reads the file in a process of its own.

    Args:
        names: as `system` takes them.
        data: JSON lines of messages, of prompt and completion, or of text.
        against: the name to compare with; "": the first.
        metric: see `aegle.evaluate.ablate.report`.
        max_tokens: of one text; a longer one is an error.
        device, progress, tell, stop: as for `aegle.flows.ablating.ablate`.

    Returns:
        The report of `aegle.evaluate.ablate.report`, whose arms are the systems.

    Raises:
        UsageError: fewer than two names, or one twice.
        InputError: runs of other data or tasks (it says what differs), unreadable weights or texts.
        StoppedError: ``stop`` said so.
    """
    if len(names) < 2 or len(set(names)) < len(names):
        raise UsageError("compare takes two or more systems, each once")
    if against and against not in names:
        raise UsageError(f"no {against!r} to compare with; there are: {', '.join(names)}")
    about: dict[str, Any] = {"name": f"{len(names)} systems", "compared": True, "curve": "loss"}
    if data is None:
        arms = _runs(names)
        _same_texts(arms)
        return tables.report(arms, against=against, metric=metric, about=about)
    if not data.is_file():
        raise NotFoundError(f"{data} is no file; --data names JSON lines of held-out texts")
    how = {"file": data, "max_tokens": max_tokens, "device": device}
    arms, notes = _read_by_each(names, how, progress, tell, stop)
    about |= {"costs": _COSTS, "data": str(data)}
    report = tables.report(arms, against=against, metric=metric, about=about)
    report["notes"] = [*notes, *report["notes"]]
    return report


def _read_by_each(
    names: Sequence[str],
    how: Mapping[str, Any],
    progress: Progress,
    tell: Callable[[str], None],
    stop: Callable[[], bool],
) -> tuple[list[tables.Arm], list[str]]:
    """Each system's scores of the file, and what to say about them."""
    systems = [system(name, progress=progress) for name in names]
    arms, notes = [], []
    for number, one in enumerate(systems):
        tell(f"{number + 1} of {len(systems)}: {one.name}")
        found = _rated(one, how, progress, stop)
        arms.append(_arm(one, found))
        notes += _notes(one, how["file"])
    return arms, notes


def _runs(names: Sequence[str]) -> list[tables.Arm]:
    arms = []
    for name in names:
        folder = _run_folder(Path(name))
        if folder is None:
            raise InputError(
                f"{name} is no finished run (a folder with {RESULT}); name runs, or held-out texts "
                "with --data FILE, which any generator can be scored on"
            )
        curve = "mean" if "history" in read_json(folder / RESULT) else "loss"
        run = finished(folder, curve)
        if not run.groups:
            raise InputError(
                f"{name} left no dev scores by group (dev.json): an older version trained it, or a "
                "kind that leaves none did; name held-out texts with --data FILE"
            )
        arms.append(tables.Arm(name, {}, [run]))
    return arms


def _run_folder(path: Path) -> Path | None:
    """A run's folder, also by the folder above it, if that holds one run."""
    if (path / RESULT).is_file():
        return path
    found = [one.parent for one in path.glob(f"*/{RESULT}")] if path.is_dir() else []
    return found[0] if len(found) == 1 else None


def _same_texts(arms: Sequence[tables.Arm]) -> None:
    """Refuse to compare scores of different texts; the message says what differs."""
    first, one = arms[0], arms[0].runs[0]
    mine = read_json(Path(one.about["folder"]) / ABOUT)
    for other in arms[1:]:
        run = other.runs[0]
        pair = f"{first.label} and {other.label} can't be compared"
        if set(run.groups) != set(one.groups):
            raise InputError(
                f"{pair}: one has scores of {', '.join(sorted(one.groups))}, the other of "
                f"{', '.join(sorted(run.groups))}; compare runs of one task"
            )
        if all(set(run.groups[name]) == set(one.groups[name]) for name in one.groups):
            continue
        theirs = read_json(Path(run.about["folder"]) / ABOUT)
        hashes = {**mine["hashes"], **theirs["hashes"]}
        changed = sorted(
            name for name in hashes if mine["hashes"].get(name) != theirs["hashes"].get(name)
        )
        if changed:
            raise InputError(
                f"{pair}: they were scored on other dev texts, since {', '.join(changed)} differ; "
                "name held-out texts with --data FILE"
            )
        raise InputError(
            f"{pair}: of the same data they hold other texts out (seed {one.seed} and {run.seed}); "
            "name a dev file in the recipe, or held-out texts with --data FILE"
        )


def system(name: str, *, progress: Progress = quiet) -> System:
    """What a name stands for.

    Args:
        name: a run's folder, a folder of a model or of an adapter, a GGUF file, or what
            `aegle.lm.catalog.resolve` knows; ``@bf16``, ``@fp16`` or ``@nf4`` behind it says how
            its weights are held.
        progress: of a download.

    Raises:
        NotFoundError: nothing.
        InputError: an encoder, whose label scores its run left.
    """
    plain, _, held = name.rpartition("@")
    if held not in HELD or not plain:
        plain, held = name, "fp32"
    run = _run_folder(Path(plain))
    path = Path(plain)
    if run is not None:
        result = read_json(run / RESULT)
        if "artifact" not in result:
            raise InputError(
                f"{name} is a run of an encoder; --data scores generators. Leave --data out: runs "
                "are then compared by the label scores that they left"
            )
        path = Path(result["artifact"])
        path = path if path.is_dir() else run / path.name  # it was moved
    elif not path.exists():
        path = resolve(plain, progress=progress)
    return _of_folder(name, path, held, run)


def _of_folder(name: str, path: Path, held: str, run: Path | None) -> System:
    card = read_json(path / _CARD) if (path / _CARD).is_file() else {}
    if "heads" in card:
        raise InputError(f"{name} is an encoder; --data scores generators")
    template = "plain" if card.get("how", {}).get("template") == "plain" else "auto"
    adapter = read_json(path / _ADAPTER) if (path / _ADAPTER).is_file() else {}
    base = str(card.get("base", "")) if adapter and adapter["method"] != "full" else ""
    if adapter and adapter["method"] != "full" and not base:
        raise InputError(f"{name} is an adapter without a card.json that names its base")
    owner = run or (path.parent if (path.parent / RESULT).is_file() else None)
    return System(name, path, held, base, owner, template)


def _rated(
    one: System, how: Mapping[str, Any], progress: Progress, stop: Callable[[], bool]
) -> dict[str, Any]:
    base = resolve(one.base, progress=progress) if one.base else None
    given = {"folder": one.folder, "base": base, "held": one.held, "template": one.template}

    def heard(kind: str, told: tuple[Any, ...]) -> None:
        if kind == "progress":
            progress(one.name, told[1], told[2])

    ready = ("aegle.train.causal.rate",) if how["device"] == "cpu" else ()
    target = "aegle.train.causal.rate:rate_file"
    found: dict[str, Any] = apart(target, {**given, **how}, tell=heard, stop=stop, ready=ready)
    return found


def _arm(one: System, found: Mapping[str, Any]) -> tables.Arm:
    groups = {name: some for name, (_, some) in found["measures"].items()}
    higher = {name: high for name, (high, _) in found["measures"].items()}
    values = {name: ratio(some) for name, some in groups.items()}
    costs = {name: float(found[name]) for name in tables.COSTS if name in found}
    about = {"folder": str(one.folder), "held": one.held, "base": one.base}
    run = tables.Run(0, groups, higher, values, costs, (), about)
    return tables.Arm(one.name, {}, [run])


def _notes(one: System, data: Path) -> list[str]:
    notes = []
    about = one.run / ABOUT if one.run else None
    if about and about.is_file() and sha256_file(data) in read_json(about)["hashes"].values():
        notes.append(f"{one.name} was trained on this file or a part of it: its score flatters it.")
    if one.template == "plain":
        notes.append(f"{one.name} reads texts without a chat template, as it was trained.")
    if one.folder.suffix == ".gguf" or (
        one.folder.is_dir() and not any(one.folder.glob("*.safetensors"))
    ):
        notes.append(
            f"{one.name} is GGUF: its rounded weights are scored, spread out into floats; memory "
            "and pace are those of floats, not of llama.cpp."
        )
    return notes


def page(report: Mapping[str, Any]) -> str:
    """The report as a page of HTML."""
    made: str = plugins.load("aegle.evaluate.ablate_page:page")(report)
    return made
