"""The command that makes models: train, with a live view of loss, pace and dev scores."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from aegle.cli import show
from aegle.cli.options import Json, parse_set, started_place
from aegle.cli.watching import Watch
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
Folds = Annotated[
    int, typer.Option(min=0, metavar="K", help="Train K times, each group in dev once.")
]
Curve = Annotated[
    str,
    typer.Option(metavar="SHARES", help="Train on growing shares of the groups: 0.25,0.5,1."),
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
    folds: Folds = 0,
    learning_curve: Curve = "",
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

    For generators, --folds K scores each group by a run that has not learned from it, and
    --learning-curve says whether more data would help: reports, no models. The same line goes on.

    \b
    Examples:
      aegle train tagger --data data
      aegle train tagger --data data --set optimiser.epochs=4 --seed 3 --out runs/seed-3
      aegle train mine.yaml --data data --search 30
      aegle train sft-answers --data data --folds 5
      aegle train sft-answers --data data --learning-curve 0.25,0.5,1
    """
    no_model = _one_of(search, folds, learning_curve, resume or resume_if_any, tracker)
    changes = changes_of(set_, seed, processes)
    about = {"data": data, "out": out, "changes": changes, "device": device.value}
    if search:
        about["trials"] = search
    elif folds or learning_curve:
        about |= {"folds": folds, "shares": _shares(learning_curve)}
    else:
        about |= _going_on(resume, resume_if_any) | {"tracker": None if no_track else tracker}
    result = _run(recipe, about)
    if "rank" not in result:  # the first of the processes tells
        made = _tuned if "kind" in result else _trained
        show.emit(result, json_, _searched if search else _guarded if no_model else made)


def _going_on(resume: bool, if_any: bool) -> dict[str, Any]:
    """From where a run goes on, and which of the processes of another launcher this is."""
    return {"resume": None if if_any and not resume else resume, "place": started_place()}


def _one_of(search: int, folds: int, learning_curve: str, resume: bool, tracker: str) -> bool:
    """Whether the run is one that makes no model; there is one of them at most."""
    only = [bool(one) for one in (search, folds, learning_curve)]
    if sum(only) > 1:
        raise UsageError("--search, --folds and --learning-curve are three runs; name one")
    if any(only) and resume:
        raise UsageError("a search (or folds, a curve) goes on by itself; leave --resume out")
    if any(only) and tracker:
        raise UsageError("no tracker follows a search, folds or a curve; leave --tracker out")
    return any(only)


def _shares(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(one) for one in text.split(",")) if text else ()
    except ValueError as error:
        raise UsageError("--learning-curve takes shares, as 0.25,0.5,1") from error


def _run(recipe: str, about: dict[str, Any]) -> dict[str, Any]:
    from aegle.flows import model  # here: no other command of the shell needs it

    if about.get("tracker") == "":
        about["tracker"] = model.tracker_in(about["out"])
    run: Callable[..., dict[str, Any]] = model.search if "trials" in about else model.train
    run = model.guard if "folds" in about else run
    try:
        with stopping() as stop, Watch() as watch:
            told: dict[str, Any] = {
                "progress": watch.progress,
                "figures": watch.figure,
                "stop": stop,
            }
            return run(model.recipe_file(recipe), **about, **told)
    except StoppedError as stopped:
        again = [one for one in sys.argv[1:] if one != "--resume"]
        again += [] if {"trials", "folds"} & set(about) or not stopped.resumes else ["--resume"]
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
    rows = [
        {**one, "dev": "-" if one["dev"] is None else f"{one['dev']:.4f}"}
        for one in result["trials"][:10]
    ]
    show.table(rows, *rows[0])
    show.say()
    show.pairs({"trials": len(result["trials"]), "best recipe": result["recipe"]})
    show.note(f"train it: aegle train {shlex.quote(result['recipe'])} --data DIR")


def _guarded(result: dict[str, Any]) -> None:
    """Folds, or the points of a curve, and what they come to."""
    rows = []
    for one in result.get("folds") or result["points"]:
        first = {name: one[name] for name in ("fold", "share") if name in one}
        sizes = {"train": one["texts"]["train"], "dev texts": one["texts"]["dev"]}
        gap = {"gap": "-" if one["gap"] is None else f"{one['gap']['value']:+.3f}"}
        rows.append({**first, **sizes, result["judge"]: _interval(one["dev"]), **gap})
    show.table(rows, *rows[0])
    show.say()
    told = {"all groups": _interval(result["dev"])} if result.get("dev") else {}
    if last := result.get("last_step"):
        told["last step gained"] = _interval(last)
        told["more data would help"] = "yes" if result["still_rising"] else "not shown"
    show.pairs({**told, "report": result["report"]})
    for warning in result["warnings"]:
        show.note(f"warning: {warning}")


def _interval(one: dict[str, Any]) -> str:
    return f"{one['value']:.4f} ({one['low']:.4f} to {one['high']:.4f}, n {one['n']})"


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(train)
