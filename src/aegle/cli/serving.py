"""Commands that open the server: serve and demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aegle.cli import show
from aegle.cli.options import Set, Workspace, parse_set
from aegle.core import plugins
from aegle.flows import commands, workspace

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="TCP port; 0: any free one.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]


def serve(
    workspace_dir: Workspace,
    host: Host = "",
    port: Port = None,
    grpc_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Open Inference Protocol; 0: none.")
    ] = None,
    set_: Set = [],  # noqa: B006 - typer copies it
) -> None:
    """Open the console and the HTTP API; other commands on the workspace go through it.

    \b
    Examples:
      aegle serve -w hospital --port 8471
      curl -s localhost:8471/v1/ask -d '{"question": "..."}' -H 'content-type: application/json'
    """
    layout = workspace.create(workspace_dir)
    options: dict[str, Any] = parse_set(set_)
    if host:
        options["serve.host"] = host
    if port is not None:
        options["serve.port"] = port
    if grpc_port is not None:
        options["serve.grpc_port"] = grpc_port
    plugins.load("aegle.serve.run:serve")(layout, workspace.load_settings(layout, options))


def demo(
    folder: Annotated[Path, typer.Option(help="Where the sample and its workspace go.")] = Path(
        "demo"
    ),
    patients: Annotated[int, typer.Option(min=5, help="How many patients.")] = 40,
    days: Annotated[int, typer.Option(min=2, help="How many days of logs.")] = 7,
    seed: Annotated[int, typer.Option(help="Same seed, same hospital.")] = 17,
    port: Port = None,
    serve_: Annotated[bool, typer.Option("--serve/--no-serve", help="Open the console.")] = True,
) -> None:
    """Build the sample hospital, read it in, and open the console.

    \b
    Examples:
      aegle demo
      aegle demo --patients 200 --days 14 --no-serve
    """
    layout = workspace.create(folder / "workspace")
    files = folder / "sample"
    if not (files / "gold").exists():
        show.note(f"1/3  Writing a sample hospital of {patients} patients to {files}")
        with show.bar() as report:
            write = plugins.load("aegle.packs.sample:write_sample")
            write(files, patients=patients, days=days, seed=seed, progress=report)
    show.note(f"2/3  Reading it into {layout.root}; the first time fetches the encoder, 84 MB")
    with show.bar() as report:
        params = {"paths": [str((files / "files").absolute())]}
        show.pairs(commands.run(layout.root, "ingest", params, progress=report))
    here = f"-w {folder / 'workspace'}"
    show.note(
        f'3/3  Try:  aegle ask {here} "Which devices are in ICU-3?"\n'
        f"           aegle graph {here} ICU-3\n"
        f"           aegle serve {here}"
    )
    if serve_:
        serve(layout.root, port=port, set_=[])


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (serve, demo):
        app.command()(command)
