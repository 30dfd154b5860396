"""One process of a run that several make: it joins the others, trains, and tells if it is first."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from aegle.train.causal import parallel
from aegle.train.causal.recipe import Recipe
from aegle.train.causal.run import run


def work(
    *,
    place: dict[str, Any],
    recipe: dict[str, Any],
    base: Path,
    data: Path,
    folder: Path,
    resume: bool,
    device: str,
    progress: Callable[[int, int], None],
    figures: Callable[[str, float, int], None],
    stop: Callable[[], bool],
    save_s: float | None = None,
) -> dict[str, Any]:
    """Train as one of several processes.

    Args:
        place: of `aegle.train.causal.parallel.Place`.
        recipe: of `aegle.train.causal.recipe.Recipe`.
        base, data, folder, resume, device, progress, stop, save_s: as `run` takes them.
        figures: as its ``log``.

    Returns:
        The fields of `aegle.train.causal.run.Done` but its model.

    Raises:
        AegleError: as `run` does; BackendError with `parallel.GONE` where another process failed.
    """
    here = parallel.Place(**place)
    on = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    first = here.rank == 0
    with parallel.joined(here, on):
        done = run(
            Recipe.model_validate(recipe),
            base=base,
            data=data,
            folder=folder,
            resume=resume,
            device=device,
            log=figures if first else lambda name, value, step: None,
            progress=progress if first else lambda done, total: None,
            stop=stop,
            save_s=save_s,
        )
        plain = ("steps", "tokens", "metrics", "artifact", "extra")
        names = [one.name for one in dataclasses.fields(done) if one.name in plain]
        told = {name: getattr(done, name) for name in names}
        del done  # its model holds the process group, which is to end before this process does
    return told
