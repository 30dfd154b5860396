"""A trainer whose model and batches may be spread over the processes of a run."""

from __future__ import annotations

from typing import Any

import torch
from torch.distributed.tensor import DTensor

from aegle.train.causal import parallel, shards
from aegle.train.causal.steady import Steady
from aegle.train.memory import peaks


class Shared(Steady):
    """Takes its share of the batches, and says what really ran.

    Attributes:
        asked: the strategy that the recipe asked for.
    """

    asked = "none"

    def get_train_dataloader(self) -> Any:
        """Its batches in order; of several processes, each has its share."""
        if self.team.world == 1:
            return super().get_train_dataloader()
        order: Any = self._get_train_sampler()
        return parallel.loader(self.train_dataset, order, self.team)

    def record(self) -> dict[str, Any]:
        """What was asked for and what really ran."""
        mine = torch.tensor(peaks()["peak_bytes"])
        most = [int(one) for one in self.team.gather(mine)]
        place = self.args.device.type
        return parallel.record(self.asked, self.model_wrapped, self.team, place, most)

    def whole(self) -> None:
        """The model as it was before it was spread, in the first process."""
        if self.sharded:
            shards.gathered(self.model, self.team)

    def _defer_fsdp_gradient_reduction(self) -> Any:
        return shards.kept_back(self.model)

    def _move_model_to_device(self, model: Any, device: Any) -> None:
        if not any(isinstance(one, DTensor) for one in model.parameters()):
            super()._move_model_to_device(model, device)
