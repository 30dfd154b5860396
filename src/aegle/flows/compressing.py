"""Searches methods x bits x kept layers for a smaller model that keeps its score; writes it."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from aegle.compress import finish, search
from aegle.compress.method import Made, Method
from aegle.compress.search import Target, Trial
from aegle.core.artifacts import read_json, sha256_tree, write_bytes, write_json
from aegle.core.errors import BackendError, InputError, MissingExtraError, StoppedError, UsageError
from aegle.core.plugins import load
from aegle.core.ports import Progress
from aegle.core.records import Measure
from aegle.flows import compress_tasks
from aegle.flows.compress_parts import Data
from aegle.flows.compress_table import ORIGINALS, Known, methods
from aegle.flows.compress_tasks import Reader, Task
from aegle.flows.runs import locked
from aegle.lm.catalog import cache_folder, resolve
from aegle.metrics import retention

_ROUNDS: Final = 5
_TIMED: Final = 24
_MOST_TIMED: Final = 512
_LASTS_S: Final = 1.0
"""The pace is of rounds in turn by both models, each of as many texts, within these bounds, as the
float model reads in so long: shorter ones measure what else the machine does."""
_KEPT: Final = (1, 2, 4, 8, 16)
"""How many of the most sensitive layers are kept in float, one after the other."""
_SENSED: Final = 16
"""Texts by which layers are ranked: each layer costs a pass over all of them."""
_FEWEST_TEXTS: Final = 4


@dataclass
class _Run:
    """A search as it goes on."""

    source: Path
    parent: str
    task: Task
    held: Task
    target: Target
    out: Path
    known: Reader
    known_counts: retention.Counts
    held_counts: retention.Counts
    whole_bytes: int
    trials: int
    until: float
    seed: int
    progress: Progress
    stop: Callable[[], bool]
    done: list[Trial] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)

    def left(self) -> bool:
        """Whether the budget allows one more; raises StoppedError where a stop was asked for."""
        if self.stop():
            raise StoppedError(f"stopped after {len(self.done)} trials, which are kept; to go on")
        return len(self.done) < self.trials and time.monotonic() < self.until


def compress(
    model: str,
    *,
    data: Data,
    target: Target,
    methods_wanted: Sequence[str] = (),
    out: Path,
    trials: int = 40,
    minutes: float = 60.0,
    threads: int = 0,
    seed: int = 0,
    progress: Progress,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Try methods until the budget is spent, choose for the target, write model, JSON and page.

    ``out`` holds ``model`` (the choice), ``trials/KEY`` (the Pareto set's models, all figures),
    ``result.json``, ``report.html``. What was tried there with the same model and documents is not
    tried again. Trials are chosen by some of the documents, the choice is reported on others.

    Args:
        model: a path, or a reference of `aegle models`. ``data``: documents. ``target``: the goal.
        methods_wanted: names of `aegle.flows.compress_table`; none, or ``auto``: all.
        trials: so many at most, those of earlier runs included.
        minutes: for this run; the trial that is running is finished.
        threads: 0 for all cores. ``seed``: of the bootstrap.
        progress: told of each trial. ``stop`` is asked between trials.

    Raises `NotFoundError` (no such model), `InputError` (model or documents), `UsageError` (method,
    budget), `StoppedError`, `WorkspaceBusyError` (another search is at work in ``out``).
    """
    source = resolve(f"path:{model}" if Path(model).exists() else model)
    _check(source, out, trials, minutes)
    kind: str = load("aegle.compress.source:kind_of")(source)
    chosen, (source, dequantised) = methods(kind, methods_wanted), floats(kind, source)
    parent = sha256_tree(source)
    with locked(out):
        folder = out / "trials" / search.key_of(parent, "float") / "model"
        made = _original(kind, source, folder, progress, dequantised=dequantised)
        task, held = _tasks(kind, data, made.folder, threads)
        known = task.open(made.folder)
        try:
            until = time.monotonic() + 60 * minutes
            counts = (known.counts(), _counts(held, made.folder))
            about = (source, parent, task, held, target, out, known, *counts, made.bytes)
            run = _Run(*about, trials, until, seed, progress, stop)
            _searched(run, chosen)
        finally:
            known.close()
        return _finished(run, kind, model, made)


def _searched(run: _Run, chosen: Sequence[Known]) -> None:
    """Every method's trials; first whether there is anything to keep."""
    _quality(run.task, run.known_counts, run.seed)
    _quality(run.held, run.held_counts, run.seed)
    for entry in chosen:
        _try(run, entry)


def floats(kind: str, source: Path) -> tuple[Path, bool]:
    """What methods start from, and whether it was made of a quantised GGUF file's numbers."""
    if kind != "decoder" or (source.is_dir() and any(source.glob("*.safetensors"))):
        return source, False
    files = [source] if source.is_file() else sorted(source.glob("*.gguf"))
    if len(files) != 1:
        raise InputError(f"{source} holds {len(files)} GGUF files and no safetensors; name one")
    spread: Any = load("aegle.train.causal.load:trainable")
    tensors = load("aegle.compress.causal.container:opened")(files[0]).tensors
    rounded = any(one.tensor_type.name not in ("F32", "F16", "BF16") for one in tensors)
    return spread(files[0], cache_folder()), rounded


def _check(source: Path, out: Path, trials: int, minutes: float) -> None:
    """Raises UsageError for no budget, and where the search would write over something else."""
    if trials < 1 or minutes <= 0:
        raise UsageError("a search needs a budget: trials of 1 or more, minutes above 0")
    if out.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"{out} lies in the model's own folder; let --out name another")
    model = out / "model"
    manifest = model / "manifest.json"
    ours = manifest.is_file() and "scored" in read_json(manifest).get("compressed", {})
    if model.exists() and not ours:
        raise UsageError(
            f"{model} is there and is no compressed model, which would take its place; let --out "
            "name another folder"
        )


def _tasks(kind: str, data: Data, reference: Path, threads: int) -> tuple[Task, Task]:
    task, held = compress_tasks.tasks(kind, data, reference=reference, threads=threads)
    if len(task.texts) < _FEWEST_TEXTS:
        raise InputError(
            f"{len(task.texts)} texts are left to calibrate with and {_FEWEST_TEXTS} are needed; "
            "give more documents, or --calibrate a file of them"
        )
    return task, held


def _counts(task: Task, folder: Path) -> retention.Counts:
    reader = task.open(folder)
    try:
        return reader.counts()
    finally:
        reader.close()


def _original(
    kind: str, source: Path, folder: Path, progress: Progress, *, dequantised: bool
) -> Made:
    if (folder / "manifest.json").is_file():
        about = read_json(folder / "manifest.json")["compressed"]
        made = Made(folder, finish.size_of(folder), about)
    else:
        make: Method = load(ORIGINALS[kind])
        made = make(source, folder, texts=(), settings={}, progress=progress)
    told = dequantised or bool(made.about.get("dequantised"))
    return Made(made.folder, made.bytes, {**made.about, "dequantised": told})


def _try(run: _Run, entry: Known) -> None:
    """A method's ladder; then more and more layers kept in float where it lost too much."""
    best: Trial | None = None
    for settings in entry.ladder:
        trial = _trial(run, entry, settings)
        if trial is None:
            continue
        if best is None or trial.retention.value > best.retention.value:
            best = trial
        if entry.graded and not run.target.keeps(trial.retention):
            break
    if best is None or not entry.refines or run.target.keeps(best.retention):
        return
    for keep in _kept(run, entry, best.settings):
        trial = _trial(run, entry, {**best.settings, "keep": keep})
        large = trial and run.target.size is not None and trial.size > run.target.size
        if trial is None or large or run.target.keeps(trial.retention):
            return


def _kept(run: _Run, entry: Known, settings: Mapping[str, Any]) -> Iterator[list[str]]:
    """The 1, 2, 4, ... most sensitive layers, ranked once and written down."""
    if not run.left():
        return
    about = [run.parent, run.task.digest, entry.name, dict(settings)]
    path = run.out / "trials" / f"sensitivity-{search.key_of(*about)}.json"
    if not path.is_file():
        source = load("aegle.compress.source:open_source")(run.source)
        given = load("aegle.compress.feeds:feeds")(source, run.task.texts, most=_SENSED)
        rank: Any = load("aegle.compress.sensitivity:ranked")
        costs = rank(source, entry.name, given, progress=run.progress, **settings)
        write_json(path, costs)
    names = [name for name, _ in read_json(path)]
    for count in _KEPT:
        if count < len(names):
            yield names[:count]


def _trial(run: _Run, entry: Known, settings: Mapping[str, Any]) -> Trial | None:
    """One trial, made and measured or read back; None where it failed or the budget is spent."""
    key = search.key_of(run.parent, run.task.digest, entry.name, dict(settings))
    folder = run.out / "trials" / key
    if not run.left():
        return None
    if (folder / "trial.json").is_file():
        trial = Trial.read(read_json(folder / "trial.json"))
    else:
        run.progress(f"trial {entry.name}", len(run.done), run.trials)
        try:
            made = _made(run, entry, settings, folder / "model")
            trial = _measured(run, key, entry, settings, made)
        except (InputError, UsageError, MissingExtraError, BackendError) as error:
            # A step of a ladder may not fit a model: a width, a number of layers.
            run.failed.append({"method": entry.name, "settings": settings, "why": str(error)})
            return None
        write_json(folder / "trial.json", trial.plain())
    run.done.append(trial)
    run.progress(f"trial {entry.name}", len(run.done), run.trials)
    return trial


def _made(run: _Run, entry: Known, settings: Mapping[str, Any], folder: Path) -> Made:
    make: Method = load(entry.target)
    return make(run.source, folder, texts=run.task.texts, settings=settings, progress=run.progress)


def _measured(run: _Run, key: str, entry: Known, settings: Mapping[str, Any], made: Made) -> Trial:
    task, statistic = run.task, retention.STATISTICS[run.task.score]
    reader = task.open(made.folder)
    try:
        counts = reader.counts()
        pace, faster = _pace(reader, run.known)
    finally:
        reader.close()
    failing = retention.failing(counts, run.known_counts, task.labels) if task.labels else {}
    return Trial(
        *(key, entry.name, dict(settings), made.bytes, made.bytes / run.whole_bytes),
        retention.measured(counts, task.groups, statistic, seed=run.seed),
        _retained(task, counts, run.known_counts, run.seed),
        *(pace, faster, failing, made.about),
    )


def _retained(task: Task, new: retention.Counts, old: retention.Counts, seed: int) -> Measure:
    lower = task.score in retention.LOWER
    how: Any = {"lower": lower, "seed": seed}
    return retention.retained(new, old, task.groups, retention.STATISTICS[task.score], **how)


def _pace(reader: Reader, known: Reader) -> tuple[float, float]:
    """Texts a second, and how many times the float model's: medians of rounds in turn."""
    rates, shares = [], []
    for one in (reader, known):
        one.read(2)  # what is loaded at the first use is no part of the pace
    many = min(max(round(_LASTS_S / _took(known, _TIMED)), _TIMED), _MOST_TIMED)
    for _ in range(_ROUNDS):
        new, old = _took(reader, many), _took(known, many)
        rates.append(1 / new)
        shares.append(old / new)
    return statistics.median(rates), statistics.median(shares)


def _took(reader: Reader, many: int) -> float:
    """Seconds a text."""
    began = time.perf_counter()
    count = reader.read(many)
    return max(time.perf_counter() - began, 1e-9) / max(count, 1)


def _finished(run: _Run, kind: str, model: str, made: Made) -> dict[str, Any]:
    best, meets = search.choose(run.done, run.target)
    good = search.front(run.done)
    held = _held(run, kind, best)
    meets = meets and held["keeps"]
    result = {
        "model": model,
        "kind": kind,
        "parent": run.parent,
        "score": run.task.score,
        "documents": len(run.task.groups),
        "groups": len(set(run.task.groups)),
        "calibration_texts": len(run.task.texts),
        "target": asdict(run.target),
        "float": {
            "bytes": made.bytes,
            "quality": asdict(_quality(run.task, run.known_counts, run.seed)),
            "dequantised": made.about["dequantised"],
        },
        "trials": [
            {
                "name": one.name,
                **one.plain(),
                "front": one in good,
                "meets": run.target.meets(one),
                "chosen": one is best,
            }
            for one in run.done
        ],
        "failed": run.failed,
        "choice": best.name,
        "held_out": held,
        "meets": meets,
        "artifact": str(run.out / "model") if meets else None,
        "page": str(run.out / "report.html"),
    }
    _keep(run, good, best if meets else None, result)
    page: str = load("aegle.evaluate.compress_page:page")(result)
    write_bytes(run.out / "report.html", page.encode())
    write_json(run.out / "result.json", result)
    return result


def _held(run: _Run, kind: str, best: Trial) -> dict[str, Any]:
    """The choice on documents that chose nothing."""
    task = run.held
    counts = _counts(task, _ready(run, kind, best))
    kept = _retained(task, counts, run.held_counts, run.seed)
    statistic = retention.STATISTICS[task.score]
    failing = retention.failing(counts, run.held_counts, task.labels) if task.labels else {}
    return {
        "documents": len(task.groups),
        "groups": len(set(task.groups)),
        "float": asdict(_quality(task, run.held_counts, run.seed)),
        "quality": asdict(retention.measured(counts, task.groups, statistic, seed=run.seed)),
        "retention": asdict(kept),
        "labels_failed": failing,
        "keeps": run.target.keeps(kept),
        "digest": task.digest,
    }


def _ready(run: _Run, kind: str, trial: Trial) -> Path:
    """A trial's model; made again where a run let it go that knew a better one."""
    folder = run.out / "trials" / trial.key / "model"
    if not folder.is_dir():
        (entry,) = methods(kind, [trial.method])
        _made(run, entry, trial.settings, folder)
    return folder


def _quality(task: Task, counts: retention.Counts, seed: int) -> Measure:
    """The float model's score; raises InputError where there is nothing to keep."""
    found = retention.measured(counts, task.groups, retention.STATISTICS[task.score], seed=seed)
    if not found.value:
        raise InputError(
            f"the float model's {task.score} on these documents is 0, of which no share can be "
            "kept; are they of the model's own task?"
        )
    return found


def _keep(run: _Run, good: Sequence[Trial], best: Trial | None, result: Mapping[str, Any]) -> None:
    """The choice as ``model``, the Pareto set's folders as they are, the others' let go."""
    for one in run.done:
        if one not in good and one is not best:
            shutil.rmtree(run.out / "trials" / one.key / "model", ignore_errors=True)
        else:
            _ready(run, result["kind"], one)
    if best is None:
        shutil.rmtree(run.out / "model", ignore_errors=True)  # it would be another target's
        return
    scored = {
        "score": run.task.score,
        "chosen_by": {"retention": asdict(best.retention), "documents": run.task.digest},
        "size": best.size,
        "speedup": best.speedup,
        **{name: result["held_out"][name] for name in ("quality", "retention", "labels_failed")},
        "documents": run.held.digest,
    }
    finish.copied(run.out / "trials" / best.key / "model", run.out / "model", scored)
