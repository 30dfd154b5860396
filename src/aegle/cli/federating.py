"""The command that trains one adapter over several sites, whose texts stay where they are."""

from __future__ import annotations

from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from aegle.cli import show
from aegle.cli.options import Json
from aegle.cli.training import Change, Device, changes_of, stopping
from aegle.core.errors import NotFoundError, UsageError


class Over(StrEnum):
    """How rounds reach the sites."""

    HERE = "here"
    FLOWER = "flower"


Sites = Annotated[
    list[Path], typer.Option("--site", metavar="FOLDER", help="A site's data; repeatable.")
]


def federate(
    recipe: Annotated[str, typer.Argument(help="A .yaml file, or the name of one that ships.")],
    site: Sites = [],  # noqa: B006 - typer copies it
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where runs lie.")] = Path("runs"),
    rounds: Annotated[int, typer.Option(min=1, help="In all.")] = 3,
    pull: Annotated[float, typer.Option(min=0, help="FedProx' mu; 0: FedAvg.")] = 0.0,
    clip: Annotated[float, typer.Option(min=0, help="Norm of a site's change; 0: none.")] = 0.0,
    noise: Annotated[float, typer.Option(min=0, help="On the mean, in clips.")] = 0.0,
    at_least: Annotated[int, typer.Option(min=1, help="Sites that a round needs.")] = 1,
    over: Annotated[Over, typer.Option(help="This process, or Flower.")] = Over.HERE,
    superlink: Annotated[str, typer.Option(metavar="HOST:PORT", help="One that runs.")] = "",
    certificates: Annotated[Path | None, typer.Option(help="PEM of its CA; else no TLS.")] = None,
    sites: Annotated[int, typer.Option(min=1, help="That SuperLink's SuperNodes.")] = 2,
    timeout_s: Annotated[float, typer.Option(min=1, help="For a site, in a round.")] = 3600.0,
    set_: Change = [],  # noqa: B006 - typer copies it
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last round.")] = False,
    device: Annotated[Device, typer.Option(help="Where sites compute.")] = Device.AUTO,
    json_: Json = False,
) -> None:
    """Train one adapter over sites: each trains at home, and weights alone travel. Needs:
    pip install 'aegle[train]', and for --over flower 'aegle[federated]'.

    --over here simulates the sites in this process; --over flower starts Flower on this machine.
    The adapter ends in OUT/NAME/model.

    \b
    Examples:
      aegle federate mine.yaml --site a --site b --over flower --pull 0.01
      aegle federate mine.yaml --superlink 127.0.0.1:8000 --sites 3 --resume
    """
    from aegle.flows import federated, flower, model  # here: no other command needs them

    if bool(site) == bool(superlink):
        raise UsageError("name sites' folders with --site, or a SuperLink with --superlink")
    if missing := next((one for one in site if not one.is_dir()), None):
        raise NotFoundError(f"{missing} is no folder; --site names a site's data")
    path = model.recipe_file(recipe)
    named = {f"site-{number}": folder for number, folder in enumerate(site, 1)}
    with ExitStack() as held:
        work = out / f"{path.stem}-sites"
        transport = federated.here(named, work)
        if superlink:
            link: dict[str, Any] = {"certificates": certificates, "timeout_s": timeout_s}
            transport = flower.joined(superlink, work, sites=sites, **link)
        elif over is Over.FLOWER:
            transport = held.enter_context(flower.loopback(named, work, timeout_s=timeout_s))
        told: dict[str, Any] = {"out": out, "resume": resume, "changes": changes_of(set_, None)}
        told["options"] = federated.Options(rounds, pull, clip, noise, at_least)
        told |= {"device": device.value, "say": show.note, "stop": held.enter_context(stopping())}
        show.emit(federated.federate(path, transport, **told), json_, _shown)


def _shown(result: dict[str, Any]) -> None:
    rows = [
        {
            "round": one["round"],
            "site": site["site"],
            "examples": site.get("examples", ""),
            "dev_loss": f"{loss['value']:.4f}" if (loss := site.get("dev_loss")) else "",
            "left_out": site.get("left_out", "")[:60],
        }
        for one in result["metrics"]["rounds"]
        for site in one["sites"]
    ]
    show.table(rows, *rows[0])
    show.say()
    show.pairs({name: result[name] for name in ("artifact", "rounds", "seconds", "run_id")})


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(federate)
