"""The commands that make models for retrieval: train-embedder and train-reranker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from aegle.cli import show
from aegle.cli.options import Json, parse_set
from aegle.cli.training import stopping
from aegle.core import plugins
from aegle.core.errors import StoppedError, UsageError

_INTERRUPTED: Final = 130

Pairs = Annotated[
    Path, typer.Argument(metavar="PAIRS", help="A folder in BEIR's layout, or one of such folders.")
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="The folder of this run.")]
Change = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the run; repeatable."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint.")]
Minutes = Annotated[
    float, typer.Option(min=0, metavar="M", help="Stop after so long, with a checkpoint; 0: never.")
]


def train_embedder(
    pairs: Pairs,
    out: Out = Path("runs/embedder"),
    base: Annotated[str, typer.Option(help="A name of `aegle models`, path: or hf:.")] = "minilm",
    set_: Change = [],  # noqa: B006 - typer copies it
    resume: Resume = False,
    minutes: Minutes = 0,
    json_: Json = False,
) -> None:
    """Train the encoder that finds passages, on your own questions. Needs the extra train.

    Hard negatives are mined from the passages' words and from links between them. What was learned
    is a small delta in OUT/model; set backends.encoder_model = "path:OUT/model" and reindex.

    A checkpoint is written every two minutes and on Ctrl-C; --resume goes on from there, with the
    same base, settings and files.

    \b
    Examples:
      aegle train-embedder pairs --out runs/mine
      aegle train-embedder pairs --out runs/mine --set steps=400 --set lr=2e-4 --minutes 10
      aegle train-embedder pairs --out runs/mine --set steps=400 --set lr=2e-4 --resume --json
    """
    from aegle.flows import retrievers  # here: no other command of the shell needs it

    how = {"base": base, "resume": resume, "minutes": minutes}
    _run(retrievers.embedder, pairs, out, set_, json_, how)


def train_reranker(
    pairs: Pairs,
    out: Out = Path("runs/reranker"),
    teacher: Annotated[
        str, typer.Option(help="A cross-encoder of `aegle models`.")
    ] = "ms-marco-minilm",
    layers: Annotated[
        str, typer.Option(metavar="N,N", help="The teacher's layers that are kept, ascending.")
    ] = "0,1,2",
    questions: Annotated[
        int, typer.Option(min=1, metavar="N", help="Most of each folder that the teacher reads.")
    ] = 300,
    set_: Change = [],  # noqa: B006 - typer copies it
    resume: Resume = False,
    minutes: Minutes = 0,
    json_: Json = False,
) -> None:
    """Distil a fast reranker on your own questions. Needs the extra train.

    The teacher reads candidates first, then some of its layers learn what it said. They end in
    OUT/model; set retrieve.rerank = "path:OUT/model".

    What the teacher said is kept at once, a checkpoint is written every two minutes and on Ctrl-C;
    --resume goes on from there, with the same teacher, layers, settings and files.

    \b
    Examples:
      aegle train-reranker pairs --out runs/fast
      aegle train-reranker pairs --out runs/fast --layers 0,1 --minutes 10
      aegle train-reranker pairs --out runs/fast --layers 0,1 --resume --json
    """
    from aegle.flows import retrievers  # here: no other command of the shell needs it

    try:
        kept = [int(one) for one in layers.split(",")]
    except ValueError as error:
        raise UsageError(f"--layers takes numbers with commas between, got {layers!r}") from error
    if min(kept) < 0 or kept != sorted(set(kept)):
        raise UsageError(f"--layers takes numbers from 0, ascending, each once, got {layers!r}")
    how = {"teacher": teacher, "layers": kept, "questions": questions}
    how |= {"resume": resume, "minutes": minutes}
    _run(retrievers.reranker, pairs, out, set_, json_, how)


def _run(
    train: Callable[..., dict[str, Any]],
    pairs: Path,
    out: Path,
    changes: list[str],
    json_: bool,
    how: dict[str, Any],
) -> None:
    read = plugins.load("yaml:safe_load")
    given = {name: _number(read(value)) for name, value in parse_set(changes).items()}
    try:
        with stopping() as stop:
            result = train(pairs, out=out, changes=given, log=_watch, stop=stop, **how)
    except StoppedError as stopped:
        show.note(str(stopped))
        raise typer.Exit(_INTERRUPTED) from stopped
    show.emit(result, json_, lambda told: show.pairs(_summary(told)))


def _summary(told: dict[str, Any]) -> dict[str, Any]:
    dropped = ", ".join(f"{count} of {name}" for name, count in told.get("dropped", {}).items())
    said = {"model": told["model"]}
    return said | ({"questions with too few candidates": dropped} if dropped else {})


def _number(value: Any) -> Any:
    """YAML takes 2e-4 for a word, as its first edition wants a point in a number."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _watch(name: str, value: float, step: int) -> None:
    if step % 20 == 0:
        show.note(f"step {step}  {name} {value:.3f}")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("train-embedder")(train_embedder)
    app.command("train-reranker")(train_reranker)
