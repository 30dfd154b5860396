"""Commands on API keys: add, list, remove."""

from __future__ import annotations

from typing import Annotated

import typer

from aegle.cli import show
from aegle.cli.options import Workspace
from aegle.flows import keys, workspace

group = typer.Typer(name="keys", no_args_is_help=True, help="API keys of a workspace's server.")

Name = Annotated[str, typer.Argument(help="Who holds the key, as the audit names it.")]


@group.command()
def add(
    name: Name,
    workspace_dir: Workspace,
    role: Annotated[
        str, typer.Option(help="reader: ask and search; analyst: models, too; admin: all.")
    ] = "reader",
    rate: Annotated[int, typer.Option(min=0, help="Requests a minute; 0: no limit.")] = 600,
) -> None:
    """Make a key and print it, once: only its hash is stored.

    \b
    Examples:
      aegle keys add ward-7 --role reader --rate 120 -w hospital
    """
    show.say(keys.add(workspace.check(workspace_dir), name, role=role, rate=rate))


@group.command("list")
def list_(workspace_dir: Workspace) -> None:
    """Show who holds keys, with role and requests a minute."""
    for key in keys.read(workspace.check(workspace_dir)):
        show.say(f"{key.name}  {key.role}  {key.rate or 'no limit'}")


@group.command()
def remove(name: Name, workspace_dir: Workspace) -> None:
    """Take a key back; a running server refuses it at once."""
    keys.remove(workspace.check(workspace_dir), name)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group)
