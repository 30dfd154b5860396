"""Commands that ask a workspace: ask, search, extract, graph."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aegle.cli import show
from aegle.cli.options import Json, Set, Workspace, parse_set
from aegle.flows import commands, workspace


def ask(
    question: Annotated[str, typer.Argument(help="In your own words; real names are fine.")],
    workspace_dir: Workspace,
    generate: Annotated[
        bool | None,
        typer.Option("--generate/--extract", help="Let the generator phrase the answer, or not."),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=0, help="How many chunks to read; 0: setting.")] = 0,
    set_: Set = [],  # noqa: B006 - typer copies it
    json_: Json = False,
) -> None:
    """Answer a question; every sentence cites its evidence, and nothing is answered without.

    Names and numbers of patients in the question are replaced by their surrogates before anything
    is searched.

    \b
    Examples:
      aegle ask "Which patients are on the pump that the alert on icu3-gw01 touches?"
      aegle ask "What is MRN 4471233 allergic to?" --json
    """
    params = {"question": question, "generate": generate, "k": k}
    with show.bar() as report:
        result = commands.run(
            workspace_dir, "ask", params, options=parse_set(set_), progress=report
        )
    show.emit(result, json_, show.answer)


def search(
    question: Annotated[str, typer.Argument(help="Words or a question.")],
    workspace_dir: Workspace,
    k: Annotated[int, typer.Option("-k", min=0, help="How many hits; 0: setting.")] = 0,
    mode: Annotated[str, typer.Option(help="dense, text, hybrid or graph (all three).")] = "graph",
    set_: Set = [],  # noqa: B006 - typer copies it
    json_: Json = False,
) -> None:
    """Find chunks, with why each was found.

    \b
    Examples:
      aegle search "beta blocker held" -k 5
      aegle search CVE-2021-44228 --mode text --json
    """
    params = {"question": question, "k": k, "mode": mode}
    with show.bar() as report:
        result = commands.run(
            workspace_dir, "search", params, options=parse_set(set_), progress=report
        )
    show.emit(result, json_, show.hits)


def extract(
    file: Annotated[Path, typer.Argument(help="Any file that ingest reads.")],
    workspace_dir: Workspace,
    set_: Set = [],  # noqa: B006 - typer copies it
    json_: Json = False,
) -> None:
    """Show entities, assertions, relations and concepts of a file; nothing is stored.

    Offsets are those of the de-identified text, as in the workspace.

    \b
    Examples:
      aegle extract discharge.txt --json
    """
    workspace.create(workspace_dir)
    params = {"path": str(file.absolute())}
    with show.bar() as report:
        result = commands.run(
            workspace_dir, "extract", params, options=parse_set(set_), progress=report
        )
    show.emit(result, json_, show.facts)


def graph(
    entity: Annotated[str, typer.Argument(help="A name or key, such as PUMP-0042.")],
    workspace_dir: Workspace,
    hops: Annotated[int, typer.Option(min=1, max=4, help="How far to walk.")] = 1,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most edges.")] = 60,
    to: Annotated[str, typer.Option(metavar="ENTITY", help="Explain how it leads there.")] = "",
    json_: Json = False,
) -> None:
    """Show what an entity is tied to, or the shortest explanation of how two are tied.

    \b
    Examples:
      aegle graph PUMP-0042
      aegle graph icu3-gw01 --to ICU-3 --json
    """
    params = {"entity": entity, "hops": hops, "limit": limit, "to": to}
    show.emit(commands.run(workspace_dir, "graph", params), json_, show.graph)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (ask, search, extract, graph):
        app.command()(command)
