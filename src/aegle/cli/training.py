"""The command that makes models: train, with a live view of loss, pace and dev scores."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from aegle.cli import show
from aegle.cli.options import Json, parse_set, started_place
from aegle.core import plugins
from aegle.core.errors import MissingExtraError, StoppedError, UsageError

_INTERRUPTED: Final = 130
"""What a shell knows an interrupted command by."""


class Device(StrEnum):
    """Where a network is trained."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


Change = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe; repeatable."),
]
Search = Annotated[
    int, typer.Option(min=0, metavar="N", help="Try N draws of what the recipe says to search.")
]
IfAny = Annotated[
    bool,
    typer.Option(
        "--resume-if-any", help="Go on where there is a checkpoint, else begin; as jobs need it."
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Instead of the recipe's parallel.processes."),
]
Tracked = Annotated[
    str, typer.Option(metavar="URI", help="An MLflow store; empty: OUT/mlflow.db (SQLite).")
]


def train(
    recipe: Annotated[str, typer.Argument(help="A .yaml file, or the name of one that ships.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="Where the corpora's paths begin.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where runs lie.")] = Path("runs"),
    set_: Change = [],  # noqa: B006 - typer copies it
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's seed.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint.")] = False,
    resume_if_any: IfAny = False,
    search: Search = 0,
    processes: Processes = None,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.AUTO,
    tracker: Tracked = "",
    no_track: Annotated[bool, typer.Option("--no-track", help="Train without MLflow.")] = False,
    json_: Json = False,
) -> None:
    """Train a recipe: one encoder with many heads, or, where the recipe has a `kind` (pretrain,
    sft), a generator with an adapter. Needs: pip install 'aegle[train,track]'.

    The model ends in OUT/NAME/model, its scores in OUT/NAME/result.json. Ctrl-C ends after the
    current step, with a checkpoint; --resume goes on from there, to the same bits.

    --search N tries values that the recipe declares under `search`, by dev scores alone, and
    writes OUT/NAME-search/best.yaml, a recipe to train; it needs the extra search.

    \b
    Examples:
      aegle train tagger --data data
      aegle train tagger --data data --set optimiser.epochs=4 --seed 3 --out runs/seed-3
      aegle train tagger --data data --resume
      aegle train sft-answers --data data --set adapter=dora
      aegle train mine.yaml --data data --search 30
      aegle train runs/mine-search/best.yaml --data data --json
    """
    if search and (resume or resume_if_any):
        raise UsageError("a search that was stopped goes on by itself; leave --resume out")
    changes = changes_of(set_, seed, processes)
    about = {"data": data, "out": out, "changes": changes, "device": device.value}
    if search:
        about["trials"] = search
    else:
        go_on = None if resume_if_any and not resume else resume
        about |= {"resume": go_on, "tracker": None if no_track else tracker}
        about["place"] = started_place()
    result = _run(recipe, about)
    if "rank" in result:  # the first of the processes tells
        return
    shown = _tuned if "kind" in result else _trained
    show.emit(result, json_, _searched if search else shown)


def _run(recipe: str, about: dict[str, Any]) -> dict[str, Any]:
    from aegle.flows import model  # here: no other command of the shell needs it

    if about.get("tracker") == "":
        about["tracker"] = model.tracker_in(about["out"])
    run: Callable[..., dict[str, Any]] = model.search if "trials" in about else model.train
    try:
        with stopping() as stop, _Watch() as watch:
            told = {"progress": watch.progress, "figures": watch.figure, "stop": stop}
            return run(model.recipe_file(recipe), **about, **told)
    except StoppedError as stopped:
        again = [one for one in sys.argv[1:] if one != "--resume"]
        again += [] if "trials" in about or not stopped.resumes else ["--resume"]
        show.note(f"{stopped}:\n  aegle {shlex.join(again)}")
        raise typer.Exit(_INTERRUPTED) from stopped
    except MissingExtraError as error:
        if "mlflow" in str(error):
            show.note("to train without following the run: --no-track")
        raise


def changes_of(pairs: list[str], seed: int | None, processes: int | None = None) -> dict[str, Any]:
    """Values as YAML reads them: numbers, truth values, lists."""
    read = plugins.load("yaml:safe_load")
    changes = {name: read(value) for name, value in parse_set(pairs).items()}
    more = {"seed": seed, "parallel.processes": processes}
    return changes | {name: one for name, one in more.items() if one is not None}


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Whether to stop: the first Ctrl-C (or SIGTERM) asks for it, a second one stops at once."""
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        # Past sys.stderr: the signal may come while that is writing a line, and it can't be entered
        # twice (RuntimeError: reentrant call).
        os.write(2, b"stopping after this step; again: at once, and the last checkpoint counts\n")

    before = {one: signal.signal(one, ask) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


class _Watch:
    """Loss, pace and ETA in a bar on a terminal; a line an epoch or trial everywhere."""

    def __init__(self) -> None:
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._losses: dict[str, float] = {}
        self._epoch: dict[str, float] = {}
        self._epochs = 0
        self._tokens, self._since = 0.0, time.monotonic()
        self._pace = ""

    def __enter__(self) -> _Watch:
        if sys.stderr.isatty():
            self._bars = show.bars("told")
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.stop()

    def progress(self, step: str, done: int, total: int | None = None) -> None:
        """Move a step's bar."""
        if not self._bars:
            return
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total, told="")
        mean = sum(self._losses.values()) / max(1, len(self._losses))
        told = f"loss {mean:.3f}  {self._pace}" if self._losses else ""
        self._bars.update(self._tasks[step], completed=done, total=total, told=told)

    def figure(self, name: str, value: float, step: int) -> None:
        """Take a figure; say an epoch's dev scores when its mean comes, and each trial's."""
        kind, _, task = name.partition("/")
        if kind == "loss":
            self._losses[task] = value
        elif kind == "tokens":
            now = time.monotonic()
            if value > self._tokens and now > self._since:
                self._pace = f"{(value - self._tokens) / (now - self._since):,.0f} tokens/s"
            self._tokens, self._since = value, now
        elif kind == "trial":
            self._say(f"trial {step}  dev {value:.4f}")
            self._epochs, self._tokens = 0, 0.0
        elif name in ("dev/mean", "dev/loss", "dev/reward"):
            self._epochs += 1
            shown = "  ".join(f"{one} {score:.3f}" for one, score in self._epoch.items())
            what = f"epoch {self._epochs}  dev" if task == "mean" else f"step {step}  dev {task}"
            self._say(f"{what} {value:.4f}  {shown}  {self._pace}".rstrip())
            self._epoch = {}
        elif kind == "dev":
            self._epoch[task] = value

    def _say(self, line: str) -> None:
        if self._bars:
            self._bars.console.print(line, highlight=False)
        else:
            show.note(line)


def _trained(result: dict[str, Any]) -> None:
    rows = [_row(task, "dev", one) for task, one in result["dev"].items()]
    rows += [_row(task, "test", one["f1"]) for task, one in result["test"].items()]
    show.table(rows, "task", "part", "f1", "interval", "n")
    show.say()
    peak = result.get("device_peak_bytes", result["peak_bytes"])
    show.pairs(
        {
            "model": result["model"],
            "steps": result["steps"],
            "best_epoch": f"{result['best_epoch'] + 1} of {result['epochs']}",
            "seconds": result["seconds"],
            "tokens_per_s": result["tokens_per_s"],
            "peak_memory": f"{peak / 1e6:,.0f} MB",
        }
    )


def _tuned(result: dict[str, Any]) -> None:
    rows = [
        {
            "dev": name,
            "value": f"{one['value']:.4f}",
            "interval": f"{one['low']:.4f}-{one['high']:.4f}",
            "n": one["n"],
        }
        for name, one in result["metrics"].get("dev", {}).items()
    ]
    if rows:
        show.table(rows, *rows[0])
        show.say()
    peak = result["peak_memory_bytes"]
    told = {name: result[name] for name in ("artifact", "steps", "seconds", "tokens_per_s")}
    for warning in result["metrics"].get("warnings", ()):
        show.note(f"warning: {warning}")
    show.pairs({**told, "peak_memory": f"{peak / 1e6:,.0f} MB", "run_id": result["run_id"]})


def _row(task: str, part: str, one: dict[str, Any]) -> dict[str, Any]:
    interval = f"{one['low']:.3f}-{one['high']:.3f}"
    return {
        "task": task,
        "part": part,
        "f1": f"{one['value']:.3f}",
        "interval": interval,
        "n": one["n"],
    }


def _searched(result: dict[str, Any]) -> None:
    rows = [{**one, "dev": f"{one['dev']:.4f}"} for one in result["trials"][:10]]
    show.table(rows, *rows[0])
    show.say()
    show.pairs({"trials": len(result["trials"]), "best recipe": result["recipe"]})
    show.note(f"train it: aegle train {shlex.quote(result['recipe'])} --data DIR")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(train)
