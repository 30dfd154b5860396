"""GPTQ: each column's rounding error is made good by the columns that are still to be rounded.

Groups are llama.cpp's blocks with its scales, chosen once, by the columns' importance; so columns
may be rounded in any order and the result is a GGUF matrix like any other.

References:
    Frantar et al. (2023), GPTQ: accurate post-training quantization for generative pre-trained
    transformers.

Letters: R rows, C columns, L levels of a type.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from aegle.compress.causal import ggml, grid
from aegle.compress.causal.ggml import Bytes
from aegle.core.errors import InputError

_AT_ONCE = 128
"""Columns between two updates of all that follow."""


@dataclass(frozen=True)
class Rounded:
    """A matrix in GGUF, and its mean squared error at the layer's output.

    Attributes:
        made_RB: bytes.
        error: tr(E H E^T), E the weights' error, H the mean of x x^T.
        nearest: the same of rounding each weight to its nearest.
    """

    made_RB: Bytes
    error: float
    nearest: float


def gptq(
    weight_RC: Tensor, products_CC: Tensor, name: str, *, damping: float = 0.01, order: bool = True
) -> Rounded:
    """A matrix rounded so that its outputs, not its numbers, stay.

    Args:
        weight_RC: float32.
        products_CC: the mean of x x^T over tokens of the domain, x what the layer reads.
        name: a type of `aegle.compress.causal.grid.TYPES`.
        damping: this share of the products' mean diagonal is added to it.
        order: columns with the largest inputs first, as their errors cost most.

    Returns:
        The better one of GPTQ and rounding to the nearest, chosen for each row: rows don't touch
        each other, so the error is never above the nearest's.

    Raises:
        InputError: products that are not finite.
        UsageError: the type's codes can't be chosen.
    """
    if not torch.isfinite(products_CC).all():
        raise InputError("a layer's inputs are not finite; the model can't be calibrated")
    weight = weight_RC.float()
    diagonal = products_CC.diagonal().float().numpy()
    made = ggml.quantise(weight.numpy(), name, diagonal)
    plain = torch.from_numpy(ggml.dequantise(made, name))
    told = grid.grid(made, name)
    codes = _codes(weight, products_CC.double(), told, damping, order)
    best = grid.write(made, name, codes.numpy())
    ours = torch.from_numpy(ggml.dequantise(best, name))
    before, after = (errors(weight - one, products_CC) for one in (plain, ours))
    worse = (after > before).numpy()
    best[worse] = made[worse]
    return Rounded(best, float(torch.minimum(before, after).sum()), float(before.sum()))


def errors(apart_RC: Tensor, products_CC: Tensor) -> Tensor:
    """The mean squared error that each row makes at the layer's output, (R)."""
    apart = apart_RC.double()
    return ((apart @ products_CC.double()) * apart).sum(1)


def _codes(
    weight_RC: Tensor, products_CC: Tensor, told: grid.Grid, damping: float, order: bool
) -> Tensor:
    diagonal = products_CC.diagonal()
    columns = len(diagonal)
    places = torch.argsort(diagonal, descending=True) if order else torch.arange(columns)
    upper = _inverse_root(products_CC[places][:, places], damping).float()
    weight = weight_RC[:, places].clone()
    scale = torch.from_numpy(told.scale_RC)[:, places]
    offset = torch.from_numpy(told.offset_RC)[:, places]
    levels = torch.from_numpy(told.levels_L)
    edges = (levels[1:] + levels[:-1]) / 2
    codes = torch.zeros(weight.shape, dtype=torch.uint8)
    for start in range(0, columns, _AT_ONCE):
        end = min(start + _AT_ONCE, columns)
        made = torch.zeros(len(weight), end - start)
        for at in range(start, end):
            wanted = weight[:, at]
            size = scale[:, at]
            # A block of nothing has scale 0: whatever the code, the value is its offset.
            level = torch.where(size == 0, 0.0, (wanted - offset[:, at]) / size)
            code = torch.bucketize(level, edges)
            codes[:, at] = code.to(torch.uint8)
            error = (wanted - (size * levels[code] + offset[:, at])) / upper[at, at]
            weight[:, at:end] -= error[:, None] * upper[at, at:end]
            made[:, at - start] = error
        weight[:, end:] -= made @ upper[start:end, end:]
    back = torch.empty_like(codes)
    back[:, places] = codes
    return back


def _inverse_root(products_CC: Tensor, damping: float) -> Tensor:
    """The upper Cholesky factor of the inverse of the damped products."""
    mean = float(products_CC.diagonal().mean()) or 1.0
    whole = products_CC.clone()
    whole.diagonal().add_(damping * mean)
    try:
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(whole))
        found: Tensor = torch.linalg.cholesky(inverse, upper=True)
    except RuntimeError as error:
        raise InputError(
            f"a layer's inputs are too alike for damping {damping}; give more texts, or raise it"
        ) from error
    return found
