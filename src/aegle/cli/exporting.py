"""The command that writes a model for another server: export."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from aegle.cli import show
from aegle.cli.options import Json
from aegle.core import plugins


class To(StrEnum):
    """Who loads it."""

    TRITON = "triton"
    TORCHSERVE = "torchserve"
    BENTO = "bento"
    ONNX = "onnx"


def export(
    to: Annotated[To, typer.Argument(help="Who loads it.")],
    model: Annotated[str, typer.Argument(help="A name of aegle models, path: or a folder.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A new folder.")] = Path("exported"),
    name: Annotated[str, typer.Option(help="Of the model there.")] = "",
    bits: Annotated[int, typer.Option(help="Of onnx: 32, 8 or 4.")] = 32,
    json_: Json = False,
) -> None:
    """Write a model repository for Triton, TorchServe or BentoML (taggers, classifiers, embedders;
    their Python needs this package), or a generator as an ONNX graph with a cache.

    Whatever is asked of those servers isn't de-identified, limited or audited by Aegle.

    \b
    Examples:
      aegle export triton tagger --out repository --name clinical
      aegle export bento compressed/model --out bento
      aegle export torchserve runs/sections/model --out store
      aegle export onnx smollm2 --bits 4 --out graph
    """
    flow = plugins.load("aegle.flows.exporting:export")
    with show.bar() as progress:
        made = flow(to.value, model, out, name=name, bits=bits, progress=progress)
    show.emit(made, json_, _shown)


def _shown(made: dict[str, Any]) -> None:
    size = f"{made['bytes'] / 1e6:.1f} MB"
    show.say(f"{made['kind']} {made['name']} for {made['target']}: {made['folder']} ({size})")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(export)
