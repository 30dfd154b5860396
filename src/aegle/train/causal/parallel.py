"""The processes of a run: who is who, what they agree on, each one's share of the batches."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import torch
from torch import Tensor, distributed
from torch.utils.data import DataLoader, Dataset, Sampler

from aegle.core.errors import BackendError, UsageError
from aegle.train.causal.packing import IGNORED, Batches, Order, only

WAIT_S: Final = 1800.0
"""For the others at most: a process may load, save or merge for long while they wait."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which of a run's processes one is.

    Attributes:
        rank, world: its number among how many.
        local, near: its number on its machine, among how many there.
        meet: where they find each other, as Torch's ``init_method``.
    """

    rank: int
    world: int
    local: int
    near: int
    meet: str


@dataclass(frozen=True, slots=True)
class Team:
    """The processes that train one model; of one alone everything is its own answer."""

    rank: int = 0
    world: int = 1
    device: str = "cpu"

    @classmethod
    def here(cls) -> Team:
        """Of the process group that this process has joined, if it has."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        return cls(distributed.get_rank(), distributed.get_world_size(), device)

    @property
    def first(self) -> bool:
        """Whether this one writes what the run leaves."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Elementwise over all processes, the same bits in each."""
        if self.world == 1:
            return values
        found = values.to(self.device)
        distributed.all_reduce(found)
        return found.to(values.device)

    def gather(self, values: Tensor) -> list[Tensor]:
        """Each process's tensor, of one shape in all."""
        if self.world == 1:
            return [values]
        mine = values.to(self.device)
        found = [torch.empty_like(mine) for _ in range(self.world)]
        distributed.all_gather(found, mine)
        return [one.to(values.device) for one in found]

    def any(self, *flags: bool) -> list[bool]:
        """Of each flag, whether any process raised it."""
        if self.world == 1:
            return list(flags)
        return [bool(one) for one in self.sum(torch.tensor(flags, dtype=torch.int64))]

    def total(self, value: int) -> int:
        """The sum of a number over all processes."""
        return int(self.sum(torch.tensor(value, dtype=torch.int64)))

    def wait(self) -> None:
        """Until all are here."""
        if self.world > 1:
            self.sum(torch.zeros(1))

    def shares(self, size: int) -> list[int]:
        """This process's numbers below ``size``; as many for each, so that some come twice."""
        even = -(-size // self.world) * self.world
        return [number % size for number in range(self.rank, even, self.world)]


def check(processes: int) -> None:
    """Refuse to train a recipe in other processes than it says: it would be another run.

    Args:
        processes: what the recipe says.

    Raises:
        UsageError: so many are not here.
    """
    if Team.here().world != processes:
        raise UsageError(
            f"parallel.processes is {processes}, and this runs in {Team.here().world}: "
            "searches and federations train in one; leave parallel out, or set "
            "parallel.processes to 1"
        )


@contextmanager
def joined(place: Place, device: str) -> Iterator[Team]:
    """The process group of a run, inside the block.

    Args:
        place: of this process.
        device: cpu or cuda; NCCL there, else gloo.

    Raises:
        BackendError: the others can't be reached, or one is gone (its message is `GONE`).
    """
    began = distributed.is_initialized()  # by Ray Train
    _told(place)
    if device == "cuda":
        torch.cuda.set_device(place.local)
    try:
        if not began:
            distributed.init_process_group(
                "nccl" if device == "cuda" else "gloo",
                init_method=place.meet,
                rank=place.rank,
                world_size=place.world,
                timeout=timedelta(seconds=WAIT_S),
            )
        yield Team.here()
    except RuntimeError as error:
        if lost(error):
            raise BackendError(GONE) from error
        raise
    finally:
        if distributed.is_initialized() and not began:
            gc.collect()  # what still holds the group ends its threads at exit, or aborts there
            distributed.destroy_process_group()


GONE: Final = "another process of the run is gone"
"""What a process says that did not fail of its own; whoever started it looks for the cause."""

_LOST: Final = (
    "gloo",
    "Connection closed by peer",
    "Connection reset by peer",
    "Broken pipe",
    "NCCL",
    "Socket Timeout",
    "client socket",
)


def lost(error: BaseException) -> bool:
    """Whether an error of Torch says that another process can't be reached."""
    return isinstance(error, distributed.DistError) or any(one in str(error) for one in _LOST)


def _told(place: Place) -> None:
    """Accelerate and Transformers learn from the environment alone which process they are in."""
    threads = max(1, (os.cpu_count() or 1) // place.near)
    os.environ |= {
        "RANK": str(place.rank),
        "WORLD_SIZE": str(place.world),
        "LOCAL_RANK": str(place.local),
        "LOCAL_WORLD_SIZE": str(place.near),
        "OMP_NUM_THREADS": str(threads),
    }
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29500")
    torch.set_num_threads(threads)


class Share(Sampler[list[int]]):
    """A process's batches of each step: of the order that one process alone would take, every
    ``world``-th. A batch that is missing at an epoch's end is the complement of a number: it is
    computed like the others, and nothing in it is learned."""

    def __init__(self, order: Order, team: Team) -> None:
        self.order, self.team = order, team

    def set_epoch(self, epoch: int) -> None:
        """Which epoch comes."""
        self.order.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[int]]:
        numbers: list[int] = list(self.order)
        missing = -len(numbers) % self.team.world
        filled = [~numbers[at % len(numbers)] for at in range(missing)]
        yield from ([one] for one in [*numbers, *filled][self.team.rank :: self.team.world])

    def __len__(self) -> int:
        return -(-len(self.order) // self.team.world)


class _Filled(Dataset[dict[str, Tensor]]):
    """Batches by their numbers; the complement of a number is its batch with nothing to learn."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        if number >= 0:
            return self.batches[number]
        batch = self.batches[~number]
        return {**batch, "labels": torch.full_like(batch["labels"], IGNORED)}


class Loader(DataLoader[dict[str, Tensor]]):
    """A process's batches; Transformers tells it the epoch."""

    batch_sampler: Share

    def set_epoch(self, epoch: int) -> None:
        """Which epoch comes."""
        self.batch_sampler.set_epoch(epoch)


def loader(batches: Batches, order: Order, team: Team) -> Loader:
    """This process's batches of ``batches``, in the order that all share."""
    return Loader(_Filled(batches), batch_sampler=Share(order, team), collate_fn=only)


def pooled(
    rows: list[tuple[float, int, int]], plan: Sequence[Sequence[int]], team: Team
) -> list[tuple[float, int, int]]:
    """Rows of figures, each as the process found it that had its batch.

    Args:
        rows: of all texts, in each process; those of other processes' batches are not read.
        plan: the numbers of the texts in each batch, which `Team.shares` shared out.
        team: the processes.
    """
    if team.world == 1:
        return rows
    mine = {text for number in range(team.rank, len(plan), team.world) for text in plan[number]}
    told = [one if at in mine else (0.0, 0, 0) for at, one in enumerate(rows)]
    found = team.sum(torch.tensor(told, dtype=torch.float64)).tolist()
    return [(loss, int(right), int(count)) for loss, right, count in found]


def fills(inputs: Mapping[str, Any]) -> bool:
    """Whether a batch only stands in for a missing one."""
    labels = inputs.get("labels")
    return labels is not None and not bool((labels != IGNORED).any())


def wrapped(model: Any) -> str:
    """The strategy that a model was really given: ``none``, ``ddp``, ``fsdp``, ``zero1``...

    Args:
        model: what the trainer calls, wrappers and all.
    """
    from torch.distributed.fsdp import FSDPModule
    from torch.distributed.tensor import DTensor

    if hasattr(model, "zero_optimization_stage"):  # DeepSpeed's engine
        return f"zero{model.zero_optimization_stage()}"
    if isinstance(model, torch.nn.parallel.DistributedDataParallel):
        return "ddp"
    sharded = any(isinstance(one, DTensor) for one in model.parameters())
    return "fsdp" if sharded and isinstance(model, FSDPModule) else "none"


def record(asked: str, model: Any, team: Team, device: str, peaks: Sequence[int]) -> dict[str, Any]:
    """What was asked for and what really ran, for the run's record.

    Raises:
        BackendError: something else ran than what was asked for.
    """
    found = wrapped(model)
    if found != asked:
        raise BackendError(
            f"parallel.strategy {asked} was asked for, and the model runs as {found} "
            f"({type(model).__name__}); this is a bug of Aegle, or a library of another version"
        )
    backend = distributed.get_backend() if team.world > 1 else ""
    return {
        "strategy": found,
        "asked": asked,
        "wrapper": type(model).__name__,
        "processes": team.world,
        "backend": backend,
        "device": device,
        "peak_bytes": list(peaks),
    }
