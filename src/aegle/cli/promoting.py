"""`aegle registry`, `aegle promote`: versions of models, their evidence and aliases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer

from aegle.cli import show
from aegle.cli.options import Json
from aegle.core.plugins import load

Where = Annotated[Path, typer.Option("--registry", metavar="DIR", help="The registry's folder.")]
Key = Annotated[
    Path,
    typer.Option(
        metavar="FILE",
        default_factory=lambda: platformdirs.user_config_path("aegle") / "registry.key",
        show_default="registry.key in the user's configuration",
        help="The key that signs; made where it is missing.",
    ),
]
Name = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name in the registry.")]
Which = Annotated[str, typer.Option("--version", metavar="N", help="A number or an alias.")]
Critical = Annotated[
    list[str] | None,
    typer.Option(metavar="LABEL", help="That may not be lost; repeatable. Else the packs'."),
]
Parity = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A certificate of `aegle parity` to attach.")
]
_FOLDER = Path("registry")

group = typer.Typer(no_args_is_help=True, help="Versions of models, their lineage and evidence.")


def _flow(name: str) -> Any:
    return load(f"aegle.flows.promoting:{name}")


@group.command("add")
def add(
    model: Name,
    source: Annotated[Path, typer.Argument(metavar="DIR", help="The model's folder.")],
    key: Key,
    data: Annotated[list[Path], typer.Option(metavar="FILE", help="Trained on; repeatable.")],
    recipe: Annotated[Path | None, typer.Option(metavar="FILE", help="That trained it.")] = None,
    parent: Annotated[
        list[str] | None, typer.Option(metavar="MODEL/N", help="Made of; repeatable.")
    ] = None,
    critical: Critical = None,
    parity: Parity = None,
    registry: Where = _FOLDER,
    json_: Json = False,
) -> None:
    """Copy a model's folder in as the next version, with hashes of all that it came from."""
    store = _flow("opened")(registry, key)
    more = {"recipe": recipe, "parents": parent or (), "critical": critical or (), "parity": parity}
    made = _flow("add")(store, model, source, data=data, **more)
    show.emit(made, json_, _shown)


@group.command("evidence")
def evidence(
    model: Name,
    kind: Annotated[
        str, typer.Argument(help="scores, parity, robustness, fairness, latency, rollout.")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON.")],
    version: Which,
    key: Key,
    registry: Where = _FOLDER,
    json_: Json = False,
) -> None:
    """Attach evidence to a version; refused where it is about another model, or fails."""
    store = _flow("opened")(registry, key)
    show.emit(_flow("attach")(store, model, version, kind, file), json_, _shown)


@group.command("list")
def list_(model: Name, key: Key, registry: Where = _FOLDER, json_: Json = False) -> None:
    """The versions of a model, verified, with what each lacks; its aliases and their history."""
    show.emit(_flow("listed")(_flow("opened")(registry, key), model), json_, _listed)


def promote(
    model: Name,
    key: Key,
    version: Which = "challenger",
    alias: Annotated[str, typer.Option(metavar="NAME", help="champion or challenger.")] = (
        "champion"
    ),
    because: Annotated[str, typer.Option(metavar="TEXT", help="For the history.")] = "",
    tracker: Annotated[str, typer.Option(metavar="URI", help="An MLflow registry, too.")] = "",
    critical: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help="More that may not be lost; repeatable."),
    ] = None,
    parity: Parity = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND", help="Leave out rollout; the history tells it, with --because."
        ),
    ] = None,
    registry: Where = _FOLDER,
    json_: Json = False,
) -> None:
    """Make a version the champion; refused, with what is missing named, without all evidence.

    \b
    Examples:
      aegle promote triage --alias challenger --version 4
      aegle promote triage --because "canary of November" --tracker sqlite:///mlflow.db
    """
    store = _flow("opened")(registry, key)
    about: dict[str, Any] = {"alias": alias, "because": because, "tracker": tracker}
    about |= {"critical": critical or (), "parity": parity, "without": without or ()}
    show.emit(_flow("promote")(store, model, version, **about), json_, _shown)


def _shown(result: dict[str, Any]) -> None:
    named = {"model": f"{result['name']}/{result['number']}", "digest": result["digest"]}
    show.pairs(named | {"missing": "; ".join(result["missing"]) or "nothing"})


def _listed(result: dict[str, Any]) -> None:
    for one in result["versions"]:
        _shown(one)
    show.pairs(result["aliases"])


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="registry")
    app.command()(promote)
