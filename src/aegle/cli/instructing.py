"""The command that makes instruction examples of a workspace: instruct."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aegle.cli import show
from aegle.cli.options import Json, Set, Workspace, parse_set
from aegle.flows import commands

Task = Annotated[
    list[str], typer.Option("--task", metavar="TASK", help="Only this task; repeatable.")
]
Against = Annotated[
    list[Path],
    typer.Option(metavar="FILE", help="Keep away from what this file measures; repeatable."),
]
Licence = Annotated[
    str, typer.Option(metavar="TEXT", help="Under which the texts may be learned from.")
]
Reword = Annotated[
    bool, typer.Option("--reword", help="Let the generator reword questions, each one checked.")
]


def instruct(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder for the examples.")],
    workspace_dir: Workspace,
    task: Task = [],  # noqa: B006 - typer copies it
    per_task: Annotated[int, typer.Option(min=1, metavar="N", help="Most of each task.")] = 200,
    seed: Annotated[int | None, typer.Option(help="Instead of the workspace's seed.")] = None,
    against: Against = [],  # noqa: B006 - typer copies it
    licence: Licence = "",
    reword: Reword = False,
    set_: Set = [],  # noqa: B006 - typer copies it
    json_: Json = False,
) -> None:
    """Make instruction examples of the workspace's facts and texts, with citations.

    Tasks: answer, refuse, chain (questions with numbered evidence, as `aegle ask` asks its
    generator), extract, assert, code, summarise, technique, triage, map. OUT gets train.jsonl,
    dev.jsonl and test.jsonl, split by patient, host or document, and card.json.

    An example is made only where the facts are certain. None repeats another, and none shows a
    group, document, question or text of a file that --against names.

    \b
    Examples:
      aegle instruct examples
      aegle instruct examples --per-task 500 --against gold/questions.json
      aegle instruct examples --task answer --task refuse --seed 3 --licence "ours" --json
    """
    held = commands.absolute([str(one) for one in against])
    (folder,) = commands.absolute([str(out)])
    params = {
        "out": folder,
        "tasks": list(task),
        "per_task": per_task,
        "seed": seed,
        "against": held,
        "licence": licence,
        "reword": reword,
    }
    with show.bar() as report:
        result = commands.run(
            workspace_dir, "instruct", params, options=parse_set(set_), progress=report
        )
    show.emit(result, json_, _shown)


def _shown(result: dict[str, Any]) -> None:
    parts = result["tasks"]
    names = sorted({name for told in parts.values() for name in told})
    rows = [
        {"task": name, **{part: told.get(name, 0) for part, told in parts.items()}}
        for name in names
    ]
    show.table(rows, "task", *parts)
    show.say()
    left = ", ".join(f"{count} {why}" for why, count in result["left_out"].items()) or "none"
    show.pairs({"folder": result["folder"], "refusals": result["refusals"], "left out": left})


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(instruct)
