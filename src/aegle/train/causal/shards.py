"""A model cut into rows over processes (FSDP2), its checkpoints: a file of each process, no pickle.

A checkpoint's index names for each tensor its shape and, of each process, the rows that it wrote;
any number of processes can go on from it, one alone too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, OffloadPolicy, fully_shard
from torch.distributed.tensor import DTensor, Shard

from aegle.core.artifacts import read_json, sha256_file, write_json
from aegle.core.errors import InputError
from aegle.train import checkpoint
from aegle.train.causal.parallel import Team


def spread(model: Any, team: Team, *, offload: bool) -> Any:
    """Cut a model's weights into rows, in place: a part for each layer, and one for the rest.

    By Torch itself: Accelerate's FSDP makes plain DDP of a run on CPUs, and says nothing.

    Args:
        model: the same in each process.
        team: the processes.
        offload: keep in main memory what isn't computed with.

    Raises:
        InputError: offload without an accelerator.
    """
    if offload and team.device == "cpu":
        raise InputError("parallel.offload: on a CPU everything is in main memory; leave it out")
    if team.device == "cuda" and not offload:
        model.to(team.device)
    for one in model.parameters():
        if one.requires_grad:
            torch.distributed.broadcast(one.data, 0)
    mesh = init_device_mesh(team.device, (team.world,))
    how: dict[str, Any] = {"offload_policy": CPUOffloadPolicy() if offload else OffloadPolicy()}
    names = {
        name for one in model.modules() for name in getattr(one, "_no_split_modules", ()) or ()
    }
    for one in model.modules():
        if type(one).__name__ in names:
            fully_shard(one, mesh=mesh, **how)
    fully_shard(model, mesh=mesh, **how)
    return model


def settle(model: nn.Module) -> None:
    """Every weight in rows again; what is computed with stands whole until the next step."""
    for one in model.modules():
        if isinstance(one, FSDPModule):
            one.reshard()


@contextmanager
def kept_back(model: Any) -> Iterator[None]:
    """Gradients stay where they are inside the block: a step has more batches."""
    model.set_requires_gradient_sync(False)
    try:
        yield
    finally:
        model.set_requires_gradient_sync(True)


def whole(tensor: Tensor) -> Tensor:
    """All rows of a tensor; every process asks at once."""
    found: Tensor = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return found


def put(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Whole tensors into a model's own rows, by their names."""
    settle(model)
    with torch.no_grad():
        for name, one in model.named_parameters():
            if name in tensors:
                low, high = _rows(one)
                _local(one).copy_(tensors[name][low:high] if one.dim() else tensors[name])


def gathered(model: nn.Module, team: Team) -> None:
    """Make the model of the first process whole and plain again, as it was before `spread`."""
    settle(model)
    known: dict[int, nn.Parameter] = {}  # tied weights stay one
    for module in model.modules():
        for name, one in list(module._parameters.items()):
            if one is None or not isinstance(one, DTensor):
                continue
            if id(one) not in known:
                full = whole(one.detach()).cpu()
                known[id(one)] = nn.Parameter(
                    full if team.first else torch.empty(0), requires_grad=one.requires_grad
                )
            module._parameters[name] = known[id(one)]
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.__class__ = type(module).__mro__[2]  # FSDPX(FSDPModule, X)


def _local(one: Tensor) -> Tensor:
    found: Tensor = one.to_local() if isinstance(one, DTensor) else one
    return found


def _rows(one: Tensor) -> tuple[int, int]:
    """Which rows this process has: [low, high), of a number [0, 1)."""
    size = one.shape[0] if one.dim() else 1
    if not isinstance(one, DTensor) or not any(isinstance(p, Shard) for p in one.placements):
        return 0, size
    each = -(-size // one.device_mesh.size())  # as torch.chunk
    low = min(one.device_mesh.get_local_rank() * each, size)
    return low, min(low + each, size)


def save(
    folder: Path,
    net: nn.Module,
    optimiser: torch.optim.Optimizer,
    state: dict[str, Any],
    team: Team,
    *,
    more: Mapping[str, Tensor],
) -> None:
    """Write a checkpoint, each process its rows; the one before stays whole until all have.

    Args:
        folder: where it lies.
        net, optimiser: what it holds of them is what is trained.
        state: as JSON, with ``step``.
        team: the processes, all of which call this.
        more: other tensors to keep, of the first process.

    Raises:
        WorkspaceError: the disk is full; the checkpoint before is whole.
    """
    tensors, index = _mine(net, optimiser, team)
    tensors |= {f"more.{name}": one for name, one in more.items()} if team.first else {}
    tensors["random"] = torch.get_rng_state()
    begins = f"checkpoint-{state['step']}"
    mine = folder / f"{begins}.{team.rank}-of-{team.world}.safetensors"
    checkpoint.write_tensors(mine, tensors)
    sums = team.gather(torch.tensor(list(bytes.fromhex(sha256_file(mine))), dtype=torch.uint8))
    if team.first:
        files = [
            {
                "file": f"{begins}.{rank}-of-{team.world}.safetensors",
                "sha256": bytes(one.tolist()).hex(),
            }
            for rank, one in enumerate(sums)
        ]
        write_json(folder / "checkpoint.json", {**state, "shards": files, "tensors": index})
        for old in folder.glob("checkpoint-*.safetensors"):
            if not old.name.startswith(f"{begins}."):
                old.unlink()
    team.wait()


def _mine(
    net: nn.Module, optimiser: torch.optim.Optimizer, team: Team
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """This process's rows of what is trained and of its optimiser; the index of all."""
    settle(net)
    tensors: dict[str, Tensor] = {}
    index: dict[str, Any] = {}
    for name, one in net.named_parameters():
        if not one.requires_grad:
            continue
        parts = {f"net.{name}": one.detach()}
        told = optimiser.state.get(one, {})
        parts |= {f"optimiser.{name}.{key}": torch.as_tensor(part) for key, part in told.items()}
        for key, part in parts.items():
            if isinstance(part, DTensor) or team.first:
                tensors[key] = _local(part)
            index[key] = {"shape": list(part.shape), "cut": isinstance(part, DTensor)}
    return tensors, index


class Stored:
    """A checkpoint of any kind: tensors by name, or some of their rows.

    Args:
        folder: where it lies.

    Raises:
        InputError: there is none, or a file of it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        told = folder / "checkpoint.json"
        if not told.is_file():
            raise InputError(f"{folder} has no checkpoint to go on from; start without --resume")
        self.state: dict[str, Any] = read_json(told)
        self._files: list[Any] = []
        for one in self.state.get("shards", [self.state]):
            file = folder / one["file"]
            if not file.is_file() or sha256_file(file) != one["sha256"]:
                raise InputError(f"{file} is missing or damaged; start the run anew")
            opened: Any = safe_open(str(file), framework="pt")
            self._files.append(opened)
        self._index = self.state.get("tensors", {})

    def names(self, begin: str) -> list[str]:
        """The names that begin so, without it."""
        found = self._index or self._files[0].keys()
        known = {*found, *self._files[0].keys()}
        return sorted(name.removeprefix(begin) for name in known if name.startswith(begin))

    def get(self, name: str, low: int = 0, high: int | None = None) -> Tensor:
        """A tensor, or its rows from ``low`` to below ``high``."""
        about = self._index.get(name, {"cut": False})
        if not about["cut"]:
            found: Tensor = self._files[0].get_tensor(name)
            return found[low:high] if found.dim() else found
        size = about["shape"][0]
        each, high = -(-size // len(self._files)), size if high is None else high
        parts = []
        for number, file in enumerate(self._files):
            first, last = min(number * each, size), min((number + 1) * each, size)
            begin, end = max(low, first), min(high, last)
            if begin < end:
                parts.append(file.get_slice(name)[begin - first : end - first])
        empty = torch.empty(0, *about["shape"][1:])
        return torch.cat(parts) if parts else empty

    def random(self, rank: int) -> Tensor | None:
        """A process's random state, if it was there."""
        if "shards" in self.state:
            return self._files[rank].get_tensor("random") if rank < len(self._files) else None
        name = f"more.random.{rank}" if rank else "random"
        return self._files[0].get_tensor(name) if name in self._files[0].keys() else None  # noqa: SIM118 - no mapping


def load(net: nn.Module, optimiser: torch.optim.Optimizer, stored: Stored) -> dict[str, Tensor]:
    """Put a checkpoint of any number of processes into this one's rows; its other tensors."""
    settle(net)
    for name, one in net.named_parameters():
        if not one.requires_grad:
            continue
        low, high = _rows(one)
        with torch.no_grad():
            _local(one).copy_(stored.get(f"net.{name}", low, high))
        state: dict[str, Tensor] = {}
        for key in stored.names(f"optimiser.{name}."):
            full = f"optimiser.{name}.{key}"
            if key == "step":
                state[key] = stored.get(full)
                continue
            part = stored.get(full, low, high).to(_local(one).device)
            state[key] = _like(one, part)
        if state:
            optimiser.state[one] = state
    return {name: stored.get(f"more.{name}") for name in stored.names("more.")}


def _like(one: Tensor, part: Tensor) -> Tensor:
    """Rows as a part of a tensor that is cut like ``one``."""
    if not isinstance(one, DTensor):
        return part
    told: Any = {"shape": one.shape, "stride": one.stride(), "run_check": False}
    found: Tensor = DTensor.from_local(part, one.device_mesh, one.placements, **told)
    return found
