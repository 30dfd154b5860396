"""What a batch costs: cross-entropy by head, and what the teacher thinks otherwise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from aegle.lm.pieces import Ints
from aegle.train.batches import Batch
from aegle.train.heads import mention_logits, relation_logits, tensors
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
    """The loss of a batch: of its tags, mentions or texts, and of its pairs.

    Args:
        recipe: smoothing, balances, weights, distillation.
        counts: tag counts of each tag task's training data.
    """

    def __init__(self, recipe: Recipe, counts: Mapping[str, Ints]) -> None:
        self._recipe = recipe
        power = recipe.loss.class_balance
        self._classes = {task: class_weights(count, power) for task, count in counts.items()}

    def __call__(
        self, net: Network, batch: Batch, opinions: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """The loss; ``opinions`` are the teacher's logits (N, T) of this batch's words by task."""
        inputs = tensors(net, batch.ids_BS, batch.mask_BS, batch.cases_BS)
        states_BSC = net.states(*inputs)
        if batch.kind == "tags":
            total = self._tags(net, batch, states_BSC, opinions)
        else:
            total = self._mentions(net, batch, states_BSC)
        if batch.pairs:
            total = total + self._pairs(net, batch, states_BSC)
        return total

    def _tags(
        self,
        net: Network,
        batch: Batch,
        states_BSC: Tensor,
        opinions: Mapping[str, Tensor] | None,
    ) -> Tensor:
        rows, places, tags = tensors(net, batch.rows_N, batch.places_N, batch.tags_N)
        states_NC = states_BSC[rows, places]
        loss = functional.cross_entropy(
            net.tag(batch.task, states_NC).float(),
            tags,
            weight=self._classes[batch.task].to(states_NC.device),
            label_smoothing=self._recipe.loss.smoothing,
        )
        total = self._weighed(net, batch.task, loss)
        told = self._recipe.distillation
        if told is not None and opinions:
            taught = self._taught(net, states_NC, opinions, told.temperature)
            total = (1 - told.weight) * total + told.weight * taught
        return total

    def _mentions(self, net: Network, batch: Batch, states_BSC: Tensor) -> Tensor:
        targets_M, logits_ML = mention_logits(net, batch, states_BSC)
        if not len(targets_M):
            return states_BSC.sum() * 0
        smoothing = self._recipe.loss.smoothing
        loss = functional.cross_entropy(logits_ML.float(), targets_M, label_smoothing=smoothing)
        return self._weighed(net, batch.task, loss)

    def _pairs(self, net: Network, batch: Batch, states_BSC: Tensor) -> Tensor:
        related_P, logits_PL = relation_logits(net, batch, states_BSC)
        if not len(related_P):
            return states_BSC.sum() * 0
        return self._weighed(
            net, batch.pairs, functional.cross_entropy(logits_PL.float(), related_P)
        )

    def _weighed(self, net: Network, task: str, loss: Tensor) -> Tensor:
        if self._recipe.loss.balance == "uncertainty":
            # Kendall et al. (2018): a loss under a learned variance; the scale is its logarithm.
            scale = net.scales[task]
            loss = loss * torch.exp(-scale) + scale / 2
        return loss * self._recipe.tasks[task].weight

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
