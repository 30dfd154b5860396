"""Low-rank changes to an encoder's dense layers: trained here, shipped as `aegle.lm.delta`.

Letters: O outputs, I inputs, R rank.

References:
    Hu et al. (2021), LoRA: Low-Rank Adaptation of Large Language Models.
    Kalajdzievski (2023), A Rank Stabilization Scaling Factor (alpha / sqrt(R)).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.numpy import save
from torch import Tensor, nn

from aegle.core.artifacts import describe, write_bytes, write_json, write_manifest
from aegle.core.errors import InputError
from aegle.lm.delta import CARD, LEFT, RIGHT, Array, check_layers, digest_of, quantised
from aegle.lm.fetch import DELTA

_PREFIX: Final = "bert."


class LowRank(nn.Module):
    """A dense layer that stands still, and a product of thin matrices that learns beside it.

    Args:
        layer: of weight (O, I).
        rank: R.
        alpha: the product counts alpha / sqrt(R) times; it begins at zero.
    """

    def __init__(self, layer: nn.Linear, *, rank: int, alpha: float) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.scale = alpha / math.sqrt(rank)
        self.right = nn.Parameter(torch.empty(rank, layer.in_features))
        self.left = nn.Parameter(torch.zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.right, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) -> (..., O)."""
        told: Tensor = self.layer(x)
        return told + self.scale * ((x @ self.right.T) @ self.left.T)


def adapt(net: nn.Module, *, rank: int, alpha: float = 8.0) -> list[nn.Parameter]:
    """Put a low-rank pair beside each dense layer of an encoder's layers; what is to be trained.

    All else stands still: name what is to learn beside it by ``requires_grad_``.

    Raises:
        InputError: there is no dense layer named ``...encoder.layer...``.
    """
    net.requires_grad_(False)
    made: list[nn.Parameter] = []
    for name, module in list(net.named_modules()):
        for part, layer in list(module.named_children()):
            if isinstance(layer, nn.Linear) and "encoder.layer." in f"{name}.{part}":
                pair = LowRank(layer, rank=rank, alpha=alpha)
                setattr(module, part, pair)
                made += [pair.left, pair.right]
    if not made:
        raise InputError("the network has no dense layer named encoder.layer; is it a BERT?")
    return made


def changes(net: nn.Module, *, also: Collection[str] = ()) -> dict[str, Array]:
    """What a network learned, by the names of the base, in half precision.

    Args:
        net: `adapt` was called on it.
        also: names of parameters (without ``bert.``) that learned as a whole.

    Raises:
        InputError: a name of ``also`` is no parameter.
    """
    found: dict[str, Array] = {}
    for name, module in net.named_modules():
        if isinstance(module, LowRank):
            stem = f"{name.removeprefix(_PREFIX)}.weight"
            found[stem + LEFT] = _half(module.left * module.scale)
            found[stem + RIGHT] = _half(module.right)
    # A dense layer with a pair beside it stands one name deeper than in the base.
    values = {
        name.removeprefix(_PREFIX).replace(".layer.bias", ".bias"): one
        for name, one in net.named_parameters()
    }
    if missing := sorted(set(also) - set(values)):
        raise InputError(f"the network has no parameters named {', '.join(missing)}")
    return found | {name: _half(values[name]) for name in also}


def compact(tensors: Mapping[str, Array], *, least: int = 1 << 16) -> dict[str, Array]:
    """Whole matrices of at least so many numbers in 8 bits, the rest as it is."""
    found: dict[str, Array] = {}
    for name, value in tensors.items():
        thin = name.endswith((LEFT, RIGHT))
        many = value.ndim == 2 and value.size >= least
        found |= quantised(name, value.astype("float32")) if many and not thin else {name: value}
    return found


def save_delta(
    folder: Path,
    *,
    base: str,
    base_folder: Path,
    tensors: Mapping[str, Array],
    card: Mapping[str, Any],
    layers: Sequence[int] | None = None,
    made_from: tuple[str, ...] = (),
    sources: Mapping[str, Any] | None = None,
) -> None:
    """Write ``delta.safetensors``, ``card.json`` and a manifest.

    Args:
        base: the reference of the base, such as its name in the catalog.
        base_folder: where it lies.
        tensors: as `changes` gives them.
        card: data, licences, figures and whatever else a reader should know.
        layers: which of the base's layers are kept, ascending; None for all.
        made_from: hashes of the training data.
        sources: for the manifest: of each source its licence, and why its texts may be used.

    Raises:
        InputError: layers that can't be merged.
    """
    if layers is not None:
        check_layers(layers)
    write_bytes(folder / DELTA, save(dict(tensors)))
    told = dict(card) | {"base": base, "base_sha256": digest_of(base_folder)}
    if layers is not None:
        told["layers"] = list(layers)
    write_json(folder / CARD, told)
    files = [
        replace(describe(folder / name, made_from=made_from), path=name) for name in (DELTA, CARD)
    ]
    about = {} if sources is None else {"sources": dict(sources)}
    write_manifest(folder / "manifest.json", files, **about)


def _half(value: Tensor) -> Array:
    told: Array = value.detach().to(torch.float16).cpu().contiguous().numpy()
    return told
