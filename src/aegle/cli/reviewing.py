"""The commands of the review queue: review next, label, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aegle.cli import show
from aegle.cli.options import Json, Workspace
from aegle.core.errors import UsageError
from aegle.flows import commands

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Strategy = Annotated[
    str, typer.Option(help="entropy, margin, least_confidence, k_centres, badge, mixed, random.")
]
Labels = Annotated[
    list[str],
    typer.Option("--label", metavar="START:END:TYPE", help="What stands there; repeatable."),
]


@app.command("next")
def next_(
    workspace_dir: Workspace,
    num: Annotated[int, typer.Option("-n", "--num", min=1, help="How many sentences.")] = 5,
    strategy: Strategy = "badge",
    json_: Json = False,
) -> None:
    """Show the sentences that a label would teach most, with what the model sees in them.

    \b
    Examples:
      aegle review next
      aegle review next -n 20 --strategy margin --json
    """
    params = {"num": num, "strategy": strategy}
    show.emit(commands.run(workspace_dir, "review_next", params), json_, _items)


@app.command()
def label(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Of an item, as `next` shows it.")],
    workspace_dir: Workspace,
    label_: Labels = [],  # noqa: B006 - typer copies it
    accept: Annotated[bool, typer.Option("--accept", help="What was suggested is right.")] = False,
    none: Annotated[bool, typer.Option("--none", help="Nothing of it is there.")] = False,
    by: Annotated[str, typer.Option(help="Who decided.")] = "",
    json_: Json = False,
) -> None:
    """Decide about a sentence: accept what was suggested, say what is there, or that nothing is.

    Deciding again replaces the decision; deciding the same again changes nothing.

    \b
    Examples:
      aegle review label 4f2a9c1e0b7d8a36 --accept
      aegle review label 4f2a9c1e0b7d8a36 --label 0:9:medication --label 10:15:dose --by dr-lee
      aegle review label 4f2a9c1e0b7d8a36 --none
    """
    if accept + none + bool(label_) != 1:
        raise UsageError("say one of --accept, --none and --label START:END:TYPE")
    told = None if accept else [_label(one) for one in label_]
    params = {"id": id_, "labels": told, "who": by}
    show.emit(commands.run(workspace_dir, "review_label", params), json_, show.pairs)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines.")],
    workspace_dir: Workspace,
    json_: Json = False,
) -> None:
    """Write what was decided as annotated texts, to train on (a corpus of format json).

    \b
    Examples:
      aegle review export reviewed.jsonl
    """
    (path,) = commands.absolute([str(out)])
    show.emit(commands.run(workspace_dir, "review_export", {"out": path}), json_, show.pairs)


def _label(told: str) -> tuple[int, int, str]:
    start, _, rest = told.partition(":")
    end, _, kind = rest.partition(":")
    if not (start.isdigit() and end.isdigit() and kind):
        raise UsageError(f"--label takes START:END:TYPE, such as 0:9:medication; got {told!r}")
    return int(start), int(end), kind


def _items(result: dict[str, Any]) -> None:
    for one in result["items"]:
        show.say(f"{one['id']}  unsure {one['score']:.2f}")
        show.say(f"  {' '.join(one['text'].split())}")
        for told in one["suggested"]:
            show.say(f"  {told['start']}:{told['end']}:{told['type']}  {told['text']}")
    show.say()
    show.pairs({"waiting": result["waiting"], "decided": result["decided"]})


def register(parent: typer.Typer) -> None:
    """Add these commands to the command line."""
    parent.add_typer(app, name="review", help="Decide about what the models are unsure of.")
