"""Where a run stands: weights, optimiser, random state, place in the epoch; no pickle."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from aegle.core.artifacts import atomic_path, read_json, sha256_file, write_json
from aegle.core.errors import InputError


def save(
    folder: Path,
    net: nn.Module,
    optimiser: torch.optim.Optimizer,
    state: dict[str, Any],
    *,
    trained_only: bool = False,
    more: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a checkpoint; the one before stays whole until the new one is.

    Args:
        folder: where it lies.
        net, optimiser: what it holds.
        state: as JSON, with ``step``.
        trained_only: leave out what is frozen, which is the base's.
        more: other tensors to keep.

    Raises:
        WorkspaceError: the disk is full; the checkpoint before is whole.
    """
    names = {id(value): name for name, value in net.named_parameters()}
    if trained_only:
        kept = {name: value for name, value in net.named_parameters() if value.requires_grad}
    else:
        kept = net.state_dict()
    tensors = {f"net.{name}": value.detach() for name, value in kept.items()}
    tensors |= {f"more.{name}": value for name, value in (more or {}).items()}
    tensors["random"] = torch.get_rng_state()
    for value, told in optimiser.state.items():
        for key, part in told.items():
            tensors[f"optimiser.{names[id(value)]}.{key}"] = torch.as_tensor(part)
    put(folder, tensors, state)


def put(folder: Path, tensors: Mapping[str, Tensor], state: dict[str, Any]) -> None:
    """Write a checkpoint's tensors by the names that `load` reads, and remove the one before.

    Raises:
        WorkspaceError: the disk is full; the checkpoint before is whole.
    """
    target = folder / f"checkpoint-{state['step']}.safetensors"
    write_tensors(target, tensors)
    before = folder / "checkpoint.json"
    write_json(before, {**state, "file": target.name, "sha256": sha256_file(target)})
    for old in folder.glob("checkpoint-*.safetensors"):
        if old != target:
            old.unlink()


def load(
    folder: Path,
    net: nn.Module,
    optimiser: torch.optim.Optimizer,
    *,
    trained_only: bool = False,
    more: dict[str, Tensor] | None = None,
) -> dict[str, Any]:
    """Put a checkpoint back, random state included; what `save` was told.

    Args:
        folder: where it lies.
        net, optimiser: what is put back; ``trained_only`` as it was saved.
        more: takes the other tensors.

    Raises:
        InputError: there is none, or its file is damaged.
    """
    state, tensors = read(folder)
    net.load_state_dict(
        {name.removeprefix("net."): t for name, t in tensors.items() if name.startswith("net.")},
        strict=not trained_only,
    )
    if more is not None:
        more |= {n.removeprefix("more."): t for n, t in tensors.items() if n.startswith("more.")}
    for name, value in net.named_parameters():
        prefix = f"optimiser.{name}."
        parts = {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
        if parts:
            optimiser.state[value] = parts
    torch.set_rng_state(tensors["random"])
    return state


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(state, tensors) of a checkpoint.

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
    return state, read_tensors(file)


def write_tensors(target: Path, tensors: Mapping[str, Tensor]) -> None:
    """Replace a file by these tensors, whole or not at all.

    Raises:
        WorkspaceError: the disk is full.
    """
    plain = {name: one.detach().cpu().contiguous() for name, one in tensors.items()}
    with atomic_path(target) as part:
        try:
            save_file(plain, part)
        except SafetensorError as error:  # it wraps the system's error in words
            full = f"os error {errno.ENOSPC}" in str(error) or "No space left" in str(error)
            raise OSError(errno.ENOSPC if full else errno.EIO, str(error)) from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file.

    Raises:
        InputError: it is damaged.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} can't be read ({type(error).__name__})") from error
