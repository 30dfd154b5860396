"""The research decoder's feed-forward part: SwiGLU, or routed experts with a shared one.

Letters: N tokens, C width of the stream, E experts, T experts that a token passes through.

References:
    Shazeer (2020), GLU variants improve transformer.
    Jiang et al. (2024), Mixtral of experts.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from aegle.lm.shape import Experts


class SwiGLU(nn.Module):
    """Two products, one of them gated, and one back."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        gated = functional.silu(self.gate_proj(states)) * self.up_proj(states)
        out: Tensor = self.down_proj(gated)
        return out


class RoutedExperts(nn.Module):
    """Each token passes through the experts that its router likes best, and the shared one."""

    def __init__(self, width: int, shape: Experts) -> None:
        super().__init__()
        self.chosen = shape.chosen
        self.gate = nn.Linear(width, shape.count, bias=False)
        self.experts = nn.ModuleList(SwiGLU(width, shape.width) for _ in range(shape.count))
        self.shared_expert = SwiGLU(width, shape.shared_width) if shape.shared_width else None

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """(..., C) -> (..., C), and the router's logits (N, E)."""
        states_NC = states.reshape(-1, states.shape[-1])
        logits_NE = self.gate(states_NC)
        odds_NE = logits_NE.float().softmax(-1)
        weights_NT, chosen_NT = odds_NE.topk(self.chosen, dim=-1)
        weights_NT = (weights_NT / weights_NT.sum(-1, keepdim=True)).to(states.dtype)
        out_NC = torch.zeros_like(states_NC)
        for number, expert in enumerate(self.experts):
            row, place = torch.where(chosen_NT == number)
            # An expert that got nobody still takes part, with nothing: processes that train
            # together wait for the gradient of every weight.
            found = expert(states_NC[row]) * weights_NT[row, place, None]
            out_NC = out_NC.index_add(0, row, found.to(out_NC.dtype))
        if self.shared_expert is not None:
            out_NC = out_NC + self.shared_expert(states_NC)
        return out_NC.view_as(states), logits_NE


def balance_loss(logits: Sequence[Tensor], chosen: int, kept_N: Tensor | None = None) -> Tensor:
    """How unevenly tokens are spread over experts; as many as are chosen where they are even.

    Args:
        logits: of each layer's router, (N, E).
        chosen: experts that a token passes through.
        kept_N: which tokens count, not padding; None: all.

    References:
        Fedus et al. (2022), equations 4 to 6; over all layers together, as Mixtral has it.
    """
    odds = torch.cat([one.float().softmax(-1) for one in logits])
    count = odds.shape[-1]
    taken = functional.one_hot(odds.topk(chosen, dim=-1).indices, count).sum(1).float()
    weight = odds.new_ones(len(odds)) if kept_N is None else kept_N.float().repeat(len(logits))
    share = weight[:, None] / weight.sum().clamp(min=1)
    return count * ((taken * share).sum(0) * (odds * share).sum(0)).sum()


def z_loss(logits: Sequence[Tensor], kept_N: Tensor | None = None) -> Tensor:
    """The mean square of the logits' log-sum-exp: keeps the router's logits small.

    References:
        Zoph et al. (2022), ST-MoE, equation 5.
    """
    squares = torch.cat([one.float().logsumexp(-1).square() for one in logits])
    weight = torch.ones_like(squares) if kept_N is None else kept_N.float().repeat(len(logits))
    return (squares * weight).sum() / weight.sum().clamp(min=1)
