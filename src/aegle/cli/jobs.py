"""The command that makes a training a cluster's job: job, which prints YAML."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from aegle.cli import show
from aegle.cli.options import Json
from aegle.cli.training import Change, Processes, changes_of
from aegle.core import plugins


class On(StrEnum):
    """What runs the job."""

    KUBERNETES = "kubernetes"
    AZUREML = "azureml"


Volume = Annotated[
    str, typer.Option(metavar="NAME", help="A volume claim, or a path of an Azure datastore.")
]


def job(
    recipe: Annotated[str, typer.Argument(help="A .yaml file, or the name of one that ships.")],
    on: Annotated[On, typer.Option(help="What runs it.")],
    image: Annotated[str, typer.Option(help="With Aegle and its extra train.")],
    data: Volume = "data",
    runs: Volume = "runs",
    nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1,
    processes: Processes = None,
    cpus: Annotated[int, typer.Option(min=1, help="Of each machine.")] = 4,
    memory: Annotated[str, typer.Option(help="Of each machine.")] = "16Gi",
    gpus: Annotated[int, typer.Option(min=0, help="Of each machine.")] = 0,
    compute: Annotated[str, typer.Option(help="Azure ML's cluster.")] = "train",
    set_: Change = [],  # noqa: B006 - typer copies it
    json_: Json = False,
) -> None:
    """Print a training as a job of Kubernetes or Azure ML, to be looked at and then given to
    kubectl or az. Nothing is sent anywhere.

    \b
    Examples:
      aegle job wards.yaml --on kubernetes --image registry/aegle:1 --processes 2 > job.yaml
      aegle job wards.yaml --on kubernetes --image registry/aegle:1 --nodes 2 --processes 8 --gpus 4
      aegle job recipes/wards.yaml --on azureml --image registry/aegle:1 --compute gpus
    """
    from aegle.flows import jobs, model

    about = jobs.Job(
        image=image,
        nodes=nodes,
        cpus=cpus,
        memory=memory,
        gpus=gpus,
        data=data,
        runs=runs,
        compute=compute,
    )
    make = jobs.kubernetes if on is On.KUBERNETES else jobs.azureml
    found = make(model.recipe_file(recipe), about, changes=changes_of(set_, None, processes))
    show.emit(found, json_, _yaml)


def _yaml(found: object) -> None:
    dump = plugins.load("yaml:safe_dump_all")
    some = found if isinstance(found, list) else [found]
    show.say(dump(some, sort_keys=False, allow_unicode=True).rstrip("\n"))


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(job)
