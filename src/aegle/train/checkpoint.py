"""Where a run stands: weights, optimiser, random state, place in the epoch; no pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from aegle.core.artifacts import atomic_path, read_json, sha256_file, write_json
from aegle.core.errors import InputError


def save(
    folder: Path, net: nn.Module, optimiser: torch.optim.Optimizer, state: dict[str, Any]
) -> None:
    """Write a checkpoint; the one before stays whole until the new one is."""
    names = {id(value): name for name, value in net.named_parameters()}
    tensors = {f"net.{name}": value.detach() for name, value in net.state_dict().items()}
    tensors["random"] = torch.get_rng_state()
    for value, told in optimiser.state.items():
        for key, part in told.items():
            tensors[f"optimiser.{names[id(value)]}.{key}"] = torch.as_tensor(part)
    target = folder / f"checkpoint-{state['step']}.safetensors"
    write_tensors(target, tensors)
    before = folder / "checkpoint.json"
    write_json(before, {**state, "file": target.name, "sha256": sha256_file(target)})
    for old in folder.glob("checkpoint-*.safetensors"):
        if old != target:
            old.unlink()


def load(folder: Path, net: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """Put a checkpoint back, random state included; what `save` was told.

    Raises:
        InputError: there is none, or its file is damaged.
    """
    told = folder / "checkpoint.json"
    if not told.is_file():
        raise InputError(f"{folder} has no checkpoint to go on from; start without --resume")
    state: dict[str, Any] = read_json(told)
    file = folder / state["file"]
    if not file.is_file() or sha256_file(file) != state["sha256"]:
        raise InputError(f"{file} is missing or damaged; start the run anew")
    tensors = read_tensors(file)
    net.load_state_dict(
        {name.removeprefix("net."): t for name, t in tensors.items() if name.startswith("net.")}
    )
    for name, value in net.named_parameters():
        prefix = f"optimiser.{name}."
        parts = {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
        if parts:
            optimiser.state[value] = parts
    torch.set_rng_state(tensors["random"])
    return state


def write_tensors(target: Path, tensors: dict[str, Tensor]) -> None:
    """Replace a file by these tensors, whole or not at all."""
    with atomic_path(target) as part:
        save_file({name: one.detach().cpu().contiguous() for name, one in tensors.items()}, part)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file.

    Raises:
        InputError: it is damaged.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} can't be read ({type(error).__name__})") from error
