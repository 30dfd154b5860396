"""What a batch costs: cross-entropy by head, and what the teacher thinks otherwise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from aegle.lm.pieces import Ints
from aegle.train.batches import Batch
from aegle.train.network import Network
from aegle.train.recipe import Recipe


def class_weights(counts_T: Ints, power: float) -> Tensor:
    """(T,) weights 1 / frequency^power with a mean of 1 over the tokens; all 1 for power 0.

    A class that never occurs counts as if it did once.
    """
    seen = np.maximum(counts_T, 1).astype(np.float64)
    weights = (seen.sum() / seen) ** power
    weights /= (weights * seen).sum() / seen.sum()
    return torch.tensor(weights, dtype=torch.float32)


class Criterion:
    """The loss of a batch of tags.

    Args:
        recipe: smoothing, balances, weights, distillation.
        counts: tag counts of each task's training data.
    """

    def __init__(self, recipe: Recipe, counts: Mapping[str, Ints]) -> None:
        self._recipe = recipe
        power = recipe.loss.class_balance
        self._classes = {task: class_weights(count, power) for task, count in counts.items()}

    def __call__(
        self, net: Network, batch: Batch, opinions: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """The loss; ``opinions`` are the teacher's logits (N, T) of this batch's words by task."""
        device = next(net.parameters()).device
        ids, mask, cases, rows, places, tags = (
            torch.from_numpy(part).to(device)
            for part in (
                batch.ids_BS,
                batch.mask_BS,
                batch.cases_BS,
                batch.rows_N,
                batch.places_N,
                batch.tags_N,
            )
        )
        states_NC = net.states(ids, mask, cases)[rows, places]
        logits_NT = net.tag(batch.task, states_NC).float()
        total = functional.cross_entropy(
            logits_NT,
            tags,
            weight=self._classes[batch.task].to(device),
            label_smoothing=self._recipe.loss.smoothing,
        )
        if self._recipe.loss.balance == "uncertainty":
            # Kendall et al. (2018): a loss under a learned variance; the scale is its logarithm.
            scale = net.scales[batch.task]
            total = total * torch.exp(-scale) + scale / 2
        total = total * self._recipe.tasks[batch.task].weight
        told = self._recipe.distillation
        if told is not None and opinions:
            taught = self._taught(net, states_NC, opinions, told.temperature)
            total = (1 - told.weight) * total + told.weight * taught
        return total

    @staticmethod
    def _taught(
        net: Network, states_NC: Tensor, opinions: Mapping[str, Tensor], temperature: float
    ) -> Tensor:
        """Mean divergence from the teacher over heads, Hinton et al. (2015).

        A word that the teacher cuts otherwise has no opinion: its row is NaN.
        """
        parts = []
        for task, theirs_NT in opinions.items():
            known = ~theirs_NT.isnan().any(1)
            if not known.any():
                continue
            mine = functional.log_softmax(net.tag(task, states_NC[known]).float() / temperature, 1)
            theirs = functional.log_softmax(theirs_NT[known].float() / temperature, 1)
            parts.append(
                functional.kl_div(mine, theirs, reduction="batchmean", log_target=True)
                * temperature**2
            )
        return torch.stack(parts).mean() if parts else states_NC.sum() * 0
