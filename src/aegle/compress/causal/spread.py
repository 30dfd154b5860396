"""Which type each matrix gets within a budget of bytes: where rounding costs the loss least.

The loss that rounding adds is told from one reading of the texts: half the sum of each weight's
squared error, times its Fisher information, taken as (mean square of the gradient by its row's
output) x (mean square of its column's input). Bytes go where they take most of it away.

References:
    LeCun et al. (1989), Optimal brain damage; Martens & Grosse (2015), K-FAC (its diagonal).

Letters: R rows, C columns, T tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aegle.compress.causal import ggml
from aegle.compress.causal.hear import Squares, linears
from aegle.core.errors import UsageError
from aegle.core.ports import Progress, quiet


@dataclass(frozen=True)
class Choice:
    """A matrix in a type: its bytes, and the loss (nats a token) that rounding may add."""

    type: str
    bytes: int
    loss: float


def gradients(model: Any, batches: Sequence[Tensor], *, progress: Progress = quiet) -> Squares:
    """Mean squares of the gradient by each row's output, (R) by GGUF's name.

    The gradient is of the sum of a text's losses by one position's output, squared, averaged over
    positions: the Fisher information's own scale.
    """
    sums: dict[str, Tensor] = {}
    layers: dict[str, nn.Module] = dict(linears(model))
    layers["output.weight"] = model.get_output_embeddings()
    handles = []

    def listen(name: str, layer: nn.Module) -> None:
        def hook(_: nn.Module, __: Any, given: tuple[Tensor, ...]) -> None:
            squares = given[0].detach().reshape(-1, given[0].shape[-1]).double().pow(2).sum(0)
            sums[name] = sums[name] + squares if name in sums else squares

        handles.append(layer.register_full_backward_hook(hook))

    table = model.get_input_embeddings().weight
    total = 0
    try:
        for name, layer in layers.items():
            listen(name, layer)
        table.requires_grad_(True)  # so that there is a way back through all blocks
        for number, ids in enumerate(batches):
            logits = model(ids, use_cache=False).logits[0, :-1].float()
            cost = nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum")
            torch.autograd.backward(cost)
            table.grad = None
            total += ids.shape[1]
            progress("weigh", number + 1, len(batches))
    finally:
        table.requires_grad_(False)
        for handle in handles:
            handle.remove()
    found = {name: (one / total).float().numpy() for name, one in sums.items()}
    if model.config.get_text_config().tie_word_embeddings:
        found["token_embd.weight"] = found["output.weight"]
    return found


def choices(
    weight_RC: NDArray[np.float32],
    inputs_C: NDArray[np.float32],
    outputs_R: NDArray[np.float32],
    types: Sequence[str],
) -> list[Choice]:
    """What a matrix weighs and costs in each type that its rows are whole blocks of."""
    found = []
    for name in types:
        if not ggml.fits(name, weight_RC.shape[1]):
            continue
        made = ggml.quantise(weight_RC, name, inputs_C)
        apart = (weight_RC - ggml.dequantise(made, name)) ** 2
        loss = 0.5 * float(outputs_R.astype(np.float64) @ (apart @ inputs_C.astype(np.float64)))
        found.append(Choice(ggml.kind(name).name, made.size, loss))
    return found


def spread(offered: Mapping[str, Sequence[Choice]], budget: int) -> dict[str, Choice]:
    """The choice for each matrix with the least loss in all, within a budget of bytes.

    Greedy along each matrix's convex hull, which is the best there is but for the last step.

    Raises:
        UsageError: the budget is under the smallest that can be had.
    """
    hulls = {name: _hull(some) for name, some in offered.items()}
    at = dict.fromkeys(hulls, 0)
    used = sum(hull[0].bytes for hull in hulls.values())
    if used > budget:
        raise UsageError(
            f"a budget of {budget} bytes for matrices that need {used} in the smallest types "
            "offered; raise share, or offer smaller types"
        )
    left = {name for name, hull in hulls.items() if len(hull) > 1}
    while left:
        name = max(left, key=lambda one: _gain(hulls[one], at[one]))
        more = hulls[name][at[name] + 1].bytes - hulls[name][at[name]].bytes
        if used + more > budget:
            left.discard(name)
            continue
        used, at[name] = used + more, at[name] + 1
        if at[name] + 1 == len(hulls[name]):
            left.discard(name)
    return {name: hull[at[name]] for name, hull in hulls.items()}


def _gain(hull: Sequence[Choice], at: int) -> float:
    """Loss that a step takes away, for a byte."""
    here, there = hull[at], hull[at + 1]
    return (here.loss - there.loss) / (there.bytes - here.bytes)


def _hull(some: Sequence[Choice]) -> list[Choice]:
    """Choices on the lower convex hull of loss over bytes, the smallest first."""
    hull: list[Choice] = []
    for one in sorted(some, key=lambda choice: (choice.bytes, choice.loss)):
        if hull and (one.bytes == hull[-1].bytes or one.loss >= hull[-1].loss):
            continue
        while len(hull) > 1 and _gain([hull[-2], hull[-1]], 0) <= _gain([hull[-1], one], 0):
            hull.pop()
        hull.append(one)
    return hull
