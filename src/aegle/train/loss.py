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
from aegle.train.teach import Opinions


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

    def __call__(self, net: Network, batch: Batch, opinions: Opinions | None = None) -> Tensor:
        """The loss; ``opinions`` are the teachers' of this batch."""
        inputs = tensors(net, batch.ids_BS, batch.mask_BS, batch.cases_BS)
        states_BSC = net.states(*inputs)
        if batch.kind in ("tags", "plain"):
            total = self._tags(net, batch, states_BSC, opinions)
        else:
            total = self._mentions(net, batch, states_BSC, opinions)
        if batch.pairs:
            total = total + self._pairs(net, batch, states_BSC, opinions)
        return total

    def _tags(
        self, net: Network, batch: Batch, states_BSC: Tensor, opinions: Opinions | None
    ) -> Tensor:
        rows, places, tags = tensors(net, batch.rows_N, batch.places_N, batch.tags_N)
        states_NC = states_BSC[rows, places]
        parts = [
            self._divergence(net.tag(task, states_NC), theirs)
            for task, theirs in (opinions.words if opinions else {}).items()
        ]
        taught = torch.stack(parts).mean() if parts else None
        if batch.kind == "plain":
            return states_BSC.sum() * 0 if taught is None else taught
        loss = functional.cross_entropy(
            net.tag(batch.task, states_NC).float(),
            tags,
            weight=self._classes[batch.task].to(states_NC.device),
            label_smoothing=self._recipe.loss.smoothing,
        )
        own = self._weighed(net, batch.task, loss)
        if opinions and batch.task not in opinions.words and taught is not None:
            # Teachers speak of other heads only: nobody stands in for this one's labels.
            told = self._recipe.distillation
            return own + (told.weight if told else 0.0) * taught
        return self._both(own, taught)

    def _mentions(
        self, net: Network, batch: Batch, states_BSC: Tensor, opinions: Opinions | None
    ) -> Tensor:
        targets_M, logits_ML = mention_logits(net, batch, states_BSC)
        if not len(targets_M):
            return states_BSC.sum() * 0
        smoothing = self._recipe.loss.smoothing
        loss = functional.cross_entropy(logits_ML.float(), targets_M, label_smoothing=smoothing)
        theirs = opinions.mentions if opinions else None
        taught = None if theirs is None else self._divergence(logits_ML, theirs)
        return self._both(self._weighed(net, batch.task, loss), taught)

    def _pairs(
        self, net: Network, batch: Batch, states_BSC: Tensor, opinions: Opinions | None
    ) -> Tensor:
        related_P, logits_PL = relation_logits(net, batch, states_BSC)
        if not len(related_P):
            return states_BSC.sum() * 0
        loss = functional.cross_entropy(logits_PL.float(), related_P)
        theirs = opinions.pairs if opinions else None
        taught = None if theirs is None else self._divergence(logits_PL, theirs)
        return self._both(self._weighed(net, batch.pairs, loss), taught)

    def _both(self, loss: Tensor, taught: Tensor | None) -> Tensor:
        told = self._recipe.distillation
        if told is None or taught is None:
            return loss
        return (1 - told.weight) * loss + told.weight * taught

    def _weighed(self, net: Network, task: str, loss: Tensor) -> Tensor:
        if self._recipe.loss.balance == "uncertainty":
            # Kendall et al. (2018): a loss under a learned variance; the scale is its logarithm.
            scale = net.scales[task]
            loss = loss * torch.exp(-scale) + scale / 2
        return loss * self._recipe.tasks[task].weight

    def _divergence(self, mine: Tensor, theirs: Tensor) -> Tensor:
        """Mean Kullback-Leibler divergence from what the teachers think, Hinton et al. (2015).

        Rows of NaN, of which they think nothing, do not count.
        """
        told = self._recipe.distillation
        warm = told.temperature if told else 1.0
        known = ~theirs[:, :1].isnan()
        wanted = functional.log_softmax(theirs.float().nan_to_num(0.0) / warm, 1)
        said = functional.log_softmax(mine.float() / warm, 1)
        each = functional.kl_div(said, wanted, reduction="none", log_target=True) * known
        return each.sum() / known.sum().clamp(min=1) * warm**2
