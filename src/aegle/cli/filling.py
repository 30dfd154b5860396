"""Commands that fill a workspace and look after it: init, sample, ingest, status, forget..."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from aegle.cli import show
from aegle.cli.options import Json, Set, Workspace, parse_set
from aegle.core import plugins
from aegle.flows import commands, workspace


def init(workspace_dir: Workspace, json_: Json = False) -> None:
    """Make a workspace: a folder for settings, corpus, index, graph and journal.

    \b
    Examples:
      aegle init -w hospital
    """
    layout = workspace.create(workspace_dir)
    result = {"workspace": str(layout.root), "settings": str(layout.settings)}
    show.emit(result, json_, show.pairs)


def sample(
    out: Annotated[Path, typer.Argument(help="Folder to write to; new or empty.")],
    patients: Annotated[int, typer.Option(min=5, max=100_000, help="How many patients.")] = 40,
    days: Annotated[int, typer.Option(min=2, max=365, help="How many days of logs.")] = 7,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 17,
    json_: Json = False,
) -> None:
    """Write the sample hospital: files to ingest under OUT/files, gold labels under OUT/gold.

    \b
    Examples:
      aegle sample sample --patients 40 --days 7 --seed 17
      aegle ingest sample/files
    """
    write = plugins.load("aegle.packs.sample:write_sample")
    with show.bar() as report:
        result = write(out, patients=patients, days=days, seed=seed, progress=report)
    show.emit(result, json_, show.pairs)


@contextmanager
def _spooled(paths: list[str], layout: workspace.Layout) -> Iterator[str]:
    """Standard input as a file inside the workspace, so that its owner can read it, too."""
    if "-" not in paths:
        yield ""
        return
    handle, name = tempfile.mkstemp(dir=layout.journal, prefix=".stdin-")
    try:
        with os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield name
    finally:
        Path(name).unlink(missing_ok=True)


def ingest(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, globs, or - for stdin.")],
    workspace_dir: Workspace,
    again: Annotated[
        bool, typer.Option("--again", help="Read files again that were read before.")
    ] = False,
    restore: Annotated[
        bool, typer.Option("--restore", help="Bring back documents that were forgotten, too.")
    ] = False,
    set_: Set = [],  # noqa: B006 - typer copies it
    json_: Json = False,
) -> None:
    """Read files into the workspace: de-identified, chunked, understood, indexed.

    Files read before are skipped by their content. A file that cannot be read goes to quarantine
    with its reason; the others go on. Interrupted, it goes on where it stopped.

    What a file held before and no longer holds is removed, unless another file holds it. The
    documents of a file that was deleted stay; `aegle forget` removes them.

    \b
    Examples:
      aegle ingest notes/ fhir/*.ndjson.gz
      zcat auth.log.gz | aegle ingest -
      aegle ingest sample/files --json
    """
    layout = workspace.create(workspace_dir)
    with show.bar() as report, _spooled(paths, layout) as spool:
        params = {
            "paths": commands.absolute(paths),
            "again": again,
            "restore": restore,
            "spool": spool,
        }
        result = _run(workspace_dir, "ingest", params, set_, report)
    show.emit(result, json_, show.pairs)


def _run(root: Path, command: str, params: dict[str, Any], set_: list[str], report: Any) -> Any:
    return commands.run(root, command, params, options=parse_set(set_), progress=report)


def status(workspace_dir: Workspace, json_: Json = False) -> None:
    """Show what the workspace holds.

    \b
    Examples:
      aegle status -w hospital
    """
    show.emit(commands.run(workspace_dir, "status", {}), json_, show.pairs)


def quarantine(workspace_dir: Workspace, json_: Json = False) -> None:
    """List what could not be read, and why.

    \b
    Examples:
      aegle quarantine --json
    """
    result = commands.run(workspace_dir, "quarantine", {})
    show.emit(result, json_, lambda rows: show.table(rows, "path", "reason"))


def forget(
    what: Annotated[str, typer.Argument(help="A document id, a group, an identifier, or a path.")],
    workspace_dir: Workspace,
    json_: Json = False,
) -> None:
    """Remove documents: no text, chunk, vector or edge of them stays in any file.

    \b
    Examples:
      aegle forget patient:1a2b3c4d5e6f
      aegle forget "MRN 4471233"
      aegle forget notes/discharge.txt
    """
    result = commands.run(workspace_dir, "forget", {"what": what})
    show.emit(result, json_, lambda r: show.pairs({"documents": r["documents"]}))


def reindex(workspace_dir: Workspace, set_: Set = [], json_: Json = False) -> None:  # noqa: B006 - typer copies it
    """Build the index and the graph anew from the corpus.

    \b
    Examples:
      aegle reindex -w hospital
    """
    with show.bar() as report:
        result = _run(workspace_dir, "reindex", {}, set_, report)
    show.emit(result, json_, show.pairs)


def models(
    fetch: Annotated[str, typer.Option(metavar="NAME", help="Fetch this one now.")] = "",
    json_: Json = False,
) -> None:
    """List the weights and terminologies that Aegle knows, with licences; fetch one.

    \b
    Examples:
      aegle models
      aegle models --fetch smollm2
    """
    from aegle.lm import catalog  # here: no other command of the shell needs it

    if fetch:
        with show.bar() as report:
            path = catalog.resolve(fetch, progress=report)
        show.emit({"name": fetch, "path": str(path)}, json_, show.pairs)
        return
    rows = [
        {**asdict(entry), "size_mb": round(entry.size_bytes / 1e6, 1)}
        for entry in catalog.entries()
    ]
    names = ("name", "kind", "licence", "size_mb", "cached", "use")
    show.emit(rows, json_, lambda found: show.table(found, *names))


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (init, sample, ingest, status, quarantine, forget, reindex, models):
        app.command()(command)
