"""How likely a model finds texts, token by token, whatever adapter it has and whoever trains it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aegle.train.causal.chat import Tokens
from aegle.train.causal.loss import Head, heard, listening, shifted
from aegle.train.causal.packing import grouped, padded

Floats = NDArray[np.float64]


@torch.no_grad()
def token_losses(trainer: Any, texts: Sequence[Tokens], *, size: int) -> list[Floats]:
    """Of each text the losses of its learned tokens, in nats, in order.

    Args:
        trainer: of Transformers, with ``core`` (the causal model inside of its adapters), ``head``
            (its output layer, or None) and ``pad``. It is left in training mode.
        texts: at least one.
        size: tokens of a batch, padding counted.
    """
    found: list[Floats] = [np.zeros(0)] * len(texts)
    trainer.model.eval()
    for places in grouped([len(one) for one in texts], max(size, *map(len, texts), 1)):
        some = [texts[at] for at in places]
        batch = {n: one.to(trainer.args.device) for n, one in padded(some, trainer.pad).items()}
        losses = _losses(trainer, batch).double().cpu()
        sizes = [sum(one.learned) for one in some]
        for at, part in zip(places, torch.split(losses, sizes), strict=True):
            found[at] = part.numpy()
    trainer.model.train()
    return found


def _losses(trainer: Any, batch: dict[str, Tensor]) -> Tensor:
    told = {name: one for name, one in batch.items() if name != "labels"}
    head: Head | None = trainer.head
    with trainer.compute_loss_context_manager():
        if head:
            with listening(trainer.core) as ear:
                trainer.model(**told, use_cache=False)
            return head.each(heard(ear), batch["labels"])[0]
        outputs = trainer.model(**told, use_cache=False)
    logits, wanted = shifted(outputs.logits, batch["labels"])
    return nn.functional.cross_entropy(logits.float(), wanted, reduction="none")


@torch.no_grad()
def text_scores(trainer: Any, texts: Sequence[Tokens], *, size: int) -> Floats:
    """The number that a reward model gives each text; as `token_losses`."""
    found = np.zeros(len(texts))
    trainer.model.eval()
    for places in grouped([len(one) for one in texts], max(size, *map(len, texts), 1)):
        batch = padded([texts[at] for at in places], trainer.pad)
        told = {n: one.to(trainer.args.device) for n, one in batch.items() if n != "labels"}
        with trainer.compute_loss_context_manager():
            logits = trainer.model(**told, use_cache=False).logits
        found[places] = logits[:, 0].double().cpu().numpy()
    trainer.model.train()
    return found
