"""The options that every command takes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from aegle.core.errors import UsageError
from aegle.flows import workspace

DEFAULT: Final = "hospital"

# A plugin of pydantic's, installed for something else, would see every question that is checked;
# and looking for one in 200 installed packages takes 50 ms of each command.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# numpy's threads, which nothing here multiplies enough for, spin for 70 ms when they are made.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def default_workspace() -> Path:
    """``AEGLE_WORKSPACE``, else this folder when it is a workspace, else ``./hospital``."""
    named = os.environ.get("AEGLE_WORKSPACE")
    if named:
        return Path(named)
    here = Path()
    return here if workspace.Layout(here.resolve()).manifest.exists() else here / DEFAULT


Workspace = Annotated[
    Path,
    typer.Option(
        "--workspace",
        "-w",
        metavar="DIR",
        default_factory=default_workspace,
        show_default="this folder if it is a workspace, else ./hospital",
        help="The workspace folder.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout.")]
Set = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Override a setting for this run; repeatable."),
]


def parse_set(pairs: list[str]) -> dict[str, Any]:
    """``["retrieve.k=20"]`` -> ``{"retrieve.k": "20"}``.

    Raises:
        UsageError: a pair has no ``=``.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE, got {pair!r}")
        found[key] = value
    return found


def started_place() -> dict[str, Any] | None:
    """Which process this is of those that torchrun, Azure ML or Kubeflow started; None: of none.

    Returns:
        The fields of `aegle.train.causal.parallel.Place`.

    Raises:
        UsageError: the launcher's variables are no numbers.
    """
    told = {name: os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR")}
    if not all(told.values()):
        return None
    try:
        rank, world = int(told["RANK"]), int(told["WORLD_SIZE"])
        local = int(os.environ.get("LOCAL_RANK", "0"))
        near = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    except ValueError as error:
        raise UsageError(
            "RANK, WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE, which a launcher sets for its "
            "processes, have to be numbers; unset them to train in one process"
        ) from error
    if world == 1:
        return None
    return {"rank": rank, "world": world, "local": local, "near": near, "meet": "env://"}
