"""Cross-entropy of the next token, the logits of a chunk of positions at a time.

The logits of a batch are its tokens times the vocabulary: for 8 texts of 512 tokens and 49,152
words 805 MB in 32 bits, and as much again for their gradient. Only those of positions that are
learned are made here, a chunk at a time, and the gradient at once with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from aegle.core.errors import InputError
from aegle.train.causal.packing import IGNORED


class Gradients:
    """Of a loss by what a head reads and by the head's weights, computed with the loss itself.

    Args:
        ctx: of the function that computes the loss; its first three inputs are these.
        hidden_ND, weight_VD, bias_V: N positions, D wide, V words.
    """

    def __init__(
        self, ctx: Any, hidden_ND: Tensor, weight_VD: Tensor, bias_V: Tensor | None
    ) -> None:
        needs = ctx.needs_input_grad[:3]
        self.wanted, self._ctx, self._weight = any(needs), ctx, weight_VD
        self._hidden = torch.empty_like(hidden_ND) if needs[0] else None
        self._d_weight = torch.zeros_like(weight_VD) if needs[1] else None
        self._bias = torch.zeros_like(bias_V) if bias_V is not None and needs[2] else None

    def add(self, at: int, part_CD: Tensor, grad_CV: Tensor) -> None:
        """The gradient by the logits of the C positions that begin at ``at``."""
        if self._hidden is not None:
            self._hidden[at : at + len(part_CD)] = grad_CV @ self._weight.to(grad_CV.dtype)
        if self._d_weight is not None:
            self._d_weight += (grad_CV.T @ part_CD).to(self._d_weight.dtype)
        if self._bias is not None:
            self._bias += grad_CV.sum(0).to(self._bias.dtype)

    def keep(self) -> None:
        """Save them for the way back."""
        all_ = (self._hidden, self._d_weight, self._bias)
        self._ctx.save_for_backward(*(one for one in all_ if one is not None))
        self._ctx.has = [one is not None for one in all_]

    @staticmethod
    def kept(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """What was saved, times the gradient by the loss."""
        kept = iter(ctx.saved_tensors)
        return tuple(next(kept) * grad if has else None for has in ctx.has)


class _Chunked(torch.autograd.Function):
    """The sum of the losses; N positions, D wide, V words."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: Tensor,
        weight_VD: Tensor,
        bias_V: Tensor | None,
        labels_N: Tensor,
        chunk: int,
        scale: float,
        cap: float,
    ) -> Tensor:
        total = torch.zeros((), dtype=torch.float32, device=hidden_ND.device)
        gradients = Gradients(ctx, hidden_ND, weight_VD, bias_V)
        for at in range(0, len(hidden_ND), chunk):
            part, labels = hidden_ND[at : at + chunk], labels_N[at : at + chunk]
            logits, slope = logits_of(part, weight_VD, bias_V, scale, cap)
            norm = logits.logsumexp(1, keepdim=True)
            total += (norm[:, 0] - logits.gather(1, labels[:, None])[:, 0]).sum()
            if not gradients.wanted:
                continue
            grad = logits.sub_(norm).exp_()
            grad[torch.arange(len(labels), device=grad.device), labels] -= 1
            grad = (grad * slope if cap else grad).mul_(scale).to(part.dtype)
            gradients.add(at, part, grad)
        gradients.keep()
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return (*Gradients.kept(ctx, grads[0]), None, None, None, None)


def logits_of(
    hidden_ND: Tensor, weight_VD: Tensor, bias_V: Tensor | None, scale: float, cap: float
) -> tuple[Tensor, Tensor]:
    """(logits in 32 bits, the slope of their soft cap)."""
    bias = bias_V if bias_V is None else bias_V.to(hidden_ND.dtype)
    logits = nn.functional.linear(hidden_ND, weight_VD.to(hidden_ND.dtype), bias).float()
    logits = logits * scale if scale != 1 else logits
    if not cap:
        return logits, logits
    bent = torch.tanh(logits / cap)
    return bent * cap, 1 - bent * bent


def chunked_cross_entropy(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    labels_N: Tensor,
    *,
    bias_V: Tensor | None = None,
    chunk: int = 512,
    scale: float = 1.0,
    cap: float = 0.0,
) -> Tensor:
    """The sum over positions of the cross-entropy of a linear head, a chunk at a time.

    Args:
        hidden_ND: what the head reads; N positions, D wide.
        weight_VD, bias_V: of the head; V words.
        labels_N: the word that comes next, none ignored.
        chunk: positions whose logits exist at a time, >= 1.
        scale: of the logits (Granite, Cohere).
        cap: they are bent below it by ``cap * tanh(logits / cap)`` (Gemma); 0: they aren't.

    Returns:
        A number in 32 bits, to be divided by how many positions count; its gradient is that of
        `torch.nn.functional.cross_entropy` with ``reduction="sum"``.
    """
    given = (hidden_ND, weight_VD, bias_V, labels_N, chunk, scale, cap)
    found: Tensor = _Chunked.apply(*given)  # type: ignore[no-untyped-call]
    return found


class _Ear(nn.Module):
    """In the head's place: keeps what it would have read, and answers in one column."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: Tensor | None = None

    def forward(self, hidden: Tensor) -> Tensor:
        self.heard = hidden
        return hidden[..., :1]


@dataclass(frozen=True, slots=True)
class Head:
    """A model's output layer, apart from the model.

    Attributes:
        layer: the linear layer.
        scale, cap: of its logits, as in `chunked_cross_entropy`.
        chunk: positions at a time.
    """

    layer: nn.Linear
    scale: float
    cap: float
    chunk: int

    @classmethod
    def of(cls, model: Any, chunk: int) -> Head:
        """The head of a causal model of Transformers.

        Raises:
            InputError: its output layer isn't linear; the message names the key to change.
        """
        layer, config = model.get_output_embeddings(), model.config.get_text_config()
        if not isinstance(layer, nn.Linear):
            raise InputError(
                f"the output layer of {type(model).__name__} is a {type(layer).__name__}, not a "
                "linear one, so its loss can't be computed in chunks; set loss_chunk to 0"
            )
        scale = float(getattr(config, "logit_scale", None) or 1.0)
        scale /= float(getattr(config, "logits_scaling", None) or 1.0)
        return cls(
            layer, scale, float(getattr(config, "final_logit_softcapping", None) or 0), chunk
        )

    def loss(self, hidden_BTD: Tensor, labels_BT: Tensor) -> Tensor:
        """The sum of the losses of what is learned; what stands at t is predicted from t - 1."""
        hidden_ND, labels_N = shifted(hidden_BTD, labels_BT)
        return chunked_cross_entropy(
            hidden_ND,
            self.layer.weight,
            labels_N,
            bias_V=self.layer.bias,
            chunk=self.chunk,
            scale=self.scale,
            cap=self.cap,
        )

    @torch.no_grad()
    def each(self, hidden_BTD: Tensor, labels_BT: Tensor) -> tuple[Tensor, Tensor]:
        """(loss, whether the likeliest word is right) of each position that is learned."""
        hidden_ND, labels_N = shifted(hidden_BTD, labels_BT)
        losses, right = [], []
        for at in range(0, len(hidden_ND), self.chunk):
            part, labels = hidden_ND[at : at + self.chunk], labels_N[at : at + self.chunk]
            logits, _ = logits_of(part, self.layer.weight, self.layer.bias, self.scale, self.cap)
            losses.append(nn.functional.cross_entropy(logits, labels, reduction="none"))
            right.append(logits.argmax(1) == labels)
        return torch.cat(losses), torch.cat(right)


def heard(ear: _Ear) -> Tensor:
    """What the head would have read.

    Raises:
        InputError: the model went past its head.
    """
    if ear.heard is None:
        raise InputError("the base computes its logits past its output layer; set loss_chunk to 0")
    return ear.heard


def shifted(hidden_BTD: Tensor, labels_BT: Tensor) -> tuple[Tensor, Tensor]:
    """What is learned: the states that predict, and what they should."""
    hidden_BTD = hidden_BTD[:, hidden_BTD.shape[1] - labels_BT.shape[1] :]  # prompts stand in front
    learned = labels_BT[:, 1:] != IGNORED
    return hidden_BTD[:, :-1][learned], labels_BT[:, 1:][learned]


@contextmanager
def listening(model: Any) -> Iterator[_Ear]:
    """The model without its head inside the block: what the head would have read is `heard`."""
    head, ear = model.get_output_embeddings(), _Ear()
    model.set_output_embeddings(ear)
    try:
        yield ear
    finally:
        model.set_output_embeddings(head)
