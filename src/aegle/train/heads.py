"""A batch's mentions and pairs through the network: their logits beside what they should be."""

from __future__ import annotations

import torch
from torch import Tensor

from aegle.lm.pieces import Ints
from aegle.train.batches import Batch
from aegle.train.mentions import Mentions
from aegle.train.network import Network


def tensors(net: Network, *arrays: Ints) -> tuple[Tensor, ...]:
    """Arrays on the network's device."""
    device = next(net.parameters()).device
    return tuple(torch.from_numpy(one).to(device) for one in arrays)


def mention_logits(net: Network, batch: Batch, states_BSC: Tensor) -> tuple[Tensor, Tensor]:
    """(targets (M,), logits (M, L)) of a span or text head."""
    told = _told(batch)
    words, targets = tensors(net, told.words_J3, told.targets_M)
    pooled_MC = net.mentions(states_BSC, words, len(targets))
    return targets, net.classify(batch.task, pooled_MC)


def relation_logits(net: Network, batch: Batch, states_BSC: Tensor) -> tuple[Tensor, Tensor]:
    """(relations (P,), logits (P, 1 + L)) of a pair head."""
    told = _told(batch)
    words, related, *things = tensors(
        net,
        told.words_J3,
        told.related_P,
        told.things_I2,
        told.rows_K,
        told.kinds_K,
        told.pairs_P2,
        told.near_P,
    )
    pooled_MC = net.mentions(states_BSC, words, len(told.targets_M))
    rows, places = tensors(net, batch.rows_N, batch.places_N)
    firsts_BS = torch.zeros(states_BSC.shape[:2], dtype=torch.bool, device=states_BSC.device)
    firsts_BS[rows, places] = True
    return related, net.relate(batch.pairs, states_BSC, firsts_BS, pooled_MC, tuple(things))


def _told(batch: Batch) -> Mentions:
    if batch.mentions is None:
        raise ValueError(f"the batch of task {batch.task!r} tells of no mentions")
    return batch.mentions
