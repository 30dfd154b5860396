"""A causal training in as many processes as its recipe says, here or joined to others' launcher."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from aegle.core import plugins
from aegle.flows.over_ray import over_ray
from aegle.flows.together import together

WORK: Final = "aegle.train.causal.worker:work"
_GONE: Final = "aegle.train.causal.parallel:GONE"
_READY: Final = ("aegle.train.causal.worker",)


def runner(kind: str, told: Any, place: Mapping[str, Any] | None) -> Callable[..., Any]:
    """What trains a recipe: in this process, in several, or as one of several.

    Args:
        kind: of its training.
        told: the recipe.
        place: which process this is of those that another launcher started, as
            `aegle.train.causal.parallel.Place` takes it; None: nobody else did.

    Returns:
        A function with the arguments of a kind's own ``run``; what it returns has the fields of
        `aegle.train.causal.run.Done`, without a model where other processes trained it.
    """
    parallel = getattr(told, "parallel", None)
    if place:
        return lambda told, **how: _joined(told, dict(place), **how)
    if parallel is None or parallel.processes == 1:
        run: Callable[..., Any] = plugins.load("aegle.train.causal.kinds:runner")(kind)
        return run
    return _on_ray if parallel.launcher == "ray" else _local


def _local(
    told: Any,
    *,
    log: Callable[[str, float, int], None],
    progress: Callable[[int, int], None],
    stop: Callable[[], bool],
    device: str,
    **how: Any,
) -> Any:
    """Processes of this machine."""
    plugins.load(WORK)  # what is missing is told before any process starts
    count = told.parallel.processes
    takes: dict[str, Callable[..., None]] = {"progress": progress, "figures": log}
    with tempfile.TemporaryDirectory(prefix="aegle-") as meeting:
        meet = f"file://{Path(meeting) / 'store'}"
        shared = {**how, "recipe": told.model_dump(mode="json"), "device": device}
        given = [
            {**shared, "place": _place(rank, count, meet, local=rank, near=count)}
            for rank in range(count)
        ]
        found = together(
            WORK,
            given,
            tell=lambda kind, some: takes[kind](*some),
            stop=stop,
            ready=_READY if device == "cpu" else (),
            gone=plugins.load(_GONE),
        )
    return SimpleNamespace(**found[0])


def _on_ray(
    told: Any,
    *,
    log: Callable[[str, float, int], None],
    progress: Callable[[int, int], None],
    stop: Callable[[], bool],
    device: str,
    **how: Any,
) -> Any:
    """Workers of a Ray cluster, which see the same folders."""
    plugins.load(WORK)
    takes: dict[str, Callable[..., None]] = {"progress": progress, "figures": log}
    found = over_ray(
        WORK,
        {**how, "recipe": told.model_dump(mode="json"), "device": device},
        told.parallel.processes,
        gpus=device == "cuda",
        tell=lambda kind, some: takes[kind](*some),
        stop=stop,
        gone=plugins.load(_GONE),
    )
    return SimpleNamespace(**found[0])


def _place(rank: int, world: int, meet: str, *, local: int, near: int) -> dict[str, Any]:
    return {"rank": rank, "world": world, "local": local, "near": near, "meet": meet}


def _joined(
    told: Any, place: dict[str, Any], *, log: Callable[[str, float, int], None], **how: Any
) -> Any:
    """This process, as one of those that another launcher started."""
    work = plugins.load(WORK)
    return SimpleNamespace(
        **work(place=place, recipe=told.model_dump(mode="json"), figures=log, **how)
    )
