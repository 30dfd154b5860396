"""How a run is spread over processes, as a recipe says it."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator

from aegle.train.keys import Part

SHARDED: Final = ("fsdp", "zero1", "zero2", "zero3")
"""Strategies under which no process holds all that is trained, or its optimiser."""

_WHOLE: Final[dict[str, str]] = {
    "qlora": "4-bit weights can't be cut into rows",
    "adalora": "its ranks are pruned by comparing all of them",
    **dict.fromkeys(("prefix", "prompt", "ptuning"), "its tokens are looked up outside the layers"),
}
"""Adapters that need the whole model in each process, and why."""


class Parallel(Part):
    """Processes that train one model together, on the same batches as one alone would."""

    strategy: Literal["auto", "none", "ddp", "fsdp", "zero1", "zero2", "zero3"] = Field(
        "auto",
        description="auto: ddp where there are several processes; ddp: each holds all; fsdp: each "
        "holds a part of all; zero1 to zero3 (DeepSpeed): a part of the optimiser, of gradients "
        "too, of weights too",
    )
    processes: int = Field(1, ge=1, description="in all; each takes its share of accumulation")
    offload: bool = Field(
        False, description="of what is sharded, keep in main memory what isn't computed with"
    )
    launcher: Literal["local", "ray"] = Field(
        "local", description="processes of this machine, or workers of a Ray cluster"
    )

    @model_validator(mode="after")
    def _spread(self) -> Parallel:
        if self.strategy == "none" and self.processes > 1:
            raise ValueError(
                f"parallel.strategy is none, and processes {self.processes}: leave strategy out, "
                "or set processes to 1"
            )
        if self.strategy in ("ddp", *SHARDED) and self.processes == 1:
            raise ValueError(
                f"parallel.strategy {self.strategy} needs several processes; set processes (or "
                "--processes) to 2 or more"
            )
        if self.offload and self.strategy not in SHARDED:
            raise ValueError(f"parallel.offload is for {', '.join(SHARDED)}; leave it out")
        if self.launcher == "ray" and self.processes == 1:
            raise ValueError("parallel.launcher ray starts several processes; set processes")
        return self

    @property
    def wanted(self) -> str:
        """The strategy, ``auto`` resolved."""
        if self.strategy == "auto":
            return "ddp" if self.processes > 1 else "none"
        return self.strategy

    def check(self, accumulation: int, method: str) -> None:
        """Refuse what can't be shared out.

        Args:
            accumulation: batches of a step.
            method: of the adapter.

        Raises:
            ValueError: batches of a step that processes can't share evenly, or an adapter that
                needs the whole model.
        """
        if accumulation % self.processes:
            above = -(-accumulation // self.processes) * self.processes
            raise ValueError(
                f"optimiser.accumulation is {accumulation}: {self.processes} processes can't "
                f"share the batches of a step evenly; set it to {above} (and lower batches.tokens "
                "by as much to keep the size of a step), or change parallel.processes"
            )
        if self.wanted in SHARDED and method in _WHOLE:
            raise ValueError(
                f"adapter {method} can't be trained with parallel.strategy {self.wanted}: "
                f"{_WHOLE[method]}; take ddp"
            )
