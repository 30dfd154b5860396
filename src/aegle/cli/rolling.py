"""`aegle rollout`: a challenger beside the champion in a served workspace, and how it does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from aegle.cli import show
from aegle.cli.options import Json, Workspace
from aegle.cli.promoting import Key, Name, Where
from aegle.core import plugins
from aegle.core.artifacts import write_bytes
from aegle.flows import commands

group = typer.Typer(no_args_is_help=True, help="A challenger beside the champion, tried live.")
_FOLDER = Path("registry")


@group.command("start")
def start(
    model: Name,
    workspace_dir: Workspace,
    key: Key,
    version: Annotated[
        str, typer.Option("--version", metavar="N", help="A number or an alias.")
    ] = "challenger",
    share: Annotated[
        float, typer.Option(help="Of units that get its answers; 0: it reads in the shadow.")
    ] = 0.0,
    registry: Where = _FOLDER,
    json_: Json = False,
) -> None:
    """Let a version from the registry read beside the tagger that serves.

    \b
    Examples:
      aegle rollout start triage -w hospital                 shadow: nobody gets its answers
      aegle rollout start triage --share 0.05 -w hospital    canary
    """
    where = {"registry": str(registry.absolute()), "key": str(key.absolute())}
    params = {"model": model, "which": version, "share": share, **where}
    show.emit(commands.run(workspace_dir, "rollout_start", params), json_, _shown)


@group.command("grow")
def grow(
    share: Annotated[float, typer.Argument(help="Larger than now, below 1.")],
    workspace_dir: Workspace,
    json_: Json = False,
) -> None:
    """Let more units get the challenger; who has it keeps it."""
    show.emit(commands.run(workspace_dir, "rollout_grow", {"share": share}), json_, _shown)


@group.command("stop")
def stop(
    workspace_dir: Workspace,
    because: Annotated[str, typer.Option(metavar="TEXT", help="For the audit.")] = "",
    json_: Json = False,
) -> None:
    """Let the champion answer everything."""
    show.emit(commands.run(workspace_dir, "rollout_stop", {"because": because}), json_, _shown)


@group.command("status")
def status(
    workspace_dir: Workspace,
    page: Annotated[Path | None, typer.Option(metavar="FILE", help="A page with plots.")] = None,
    json_: Json = False,
) -> None:
    """Show each figure with an interval that holds however often one looks."""
    found = commands.run(workspace_dir, "rollout_status", {})
    if page is not None:
        shown: str = plugins.load("aegle.evaluate.rollout_page:page")(found)
        write_bytes(page, shown.encode())
    show.emit(found, json_, _shown)


@group.command("evidence")
def evidence(workspace_dir: Workspace, json_: Json = False) -> None:
    """Attach to the challenger's version what is shown; the server does so by itself on a gain."""
    show.emit(commands.run(workspace_dir, "rollout_evidence", {}), json_, _shown)


def _shown(told: dict[str, Any]) -> None:
    show.pairs(
        {
            "challenger": told["challenger"]["version"],
            "champion": told["champion"]["version"],
            "status": told["status"] + (f" ({told['reason']})" if told["reason"] else ""),
            "share": f"{told['share']:.3%}",
            "units": told["units"],
            "evidence": told["evidence"] or "none written",
        }
    )
    if told["unbalanced"]:
        show.say("Feedback comes oftener from one version than its share: no gain can be shown.")
    for name, one in told["figures"].items():
        gain = f"  p of gain {one['p_gain']:.3g}" if "p_gain" in one else ""
        mean = f"{one['mean']:.4f}" if one["n"] else "none"
        show.say(
            f"{name:>14}  {mean} [{one['low']:.4f}, {one['high']:.4f}]  n {one['n']:,}  "
            f"tolerated {one['tolerated']:g}  p of harm {one['p_harm']:.3g}{gain}"
        )


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="rollout")
