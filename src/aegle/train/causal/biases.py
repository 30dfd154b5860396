"""Room for learned biases in a model that has none: which its configuration can hold, asked of it.

Llama's can say so of attention and of feed-forward layers, Qwen3's and Gemma3's of attention alone,
Mistral's of nothing. No list says so here: a model without weights is built for each key.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from aegle.core.errors import UsageError


def check(model: Any, targets: Iterable[str]) -> None:
    """Refuse biases that could be learned but not merged, before they are.

    Args:
        model: causal, of Transformers, nothing attached to it.
        targets: names of its layers, or ends of them, that would be given a bias.

    Raises:
        UsageError: a layer has no bias and can have none; the message says which can.
    """
    ends = tuple(targets)
    bare = {
        name
        for name, layer in _linear(model).items()
        if layer.bias is None and any(name == one or name.endswith(f".{one}") for one in ends)
    }
    keys(model, bare)


def keys(model: Any, bare: Iterable[str]) -> dict[str, set[str]]:
    """Keys of a model's configuration that give layers a bias, and all the layers that each gives.

    Args:
        model: the plain model, or what adapters were put into.
        bare: names of layers that need one.

    Raises:
        UsageError: no key gives it to one of them.
    """
    missing = set(bare)
    if not missing:
        return {}
    can = _can(model)
    found = {}
    for key in sorted(can, key=lambda one: len(can[one])):
        if can[key] & missing:
            found[key] = can[key]
            missing -= can[key]
    if missing:
        held = sorted({name.rpartition(".")[2] for some in can.values() for name in some})
        others = f", or name adapter.targets among {', '.join(held)}" if held else ""
        raise UsageError(
            f"biases can't be merged into {type(model).__name__}: its "
            f"{', '.join(sorted({one.rpartition('.')[2] for one in missing}))} have none, and its "
            f"configuration no key for them; leave merge out and serve the base with the adapter"
            f"{others}"
        )
    return found


def make_room(model: Any, bare: Iterable[str]) -> None:
    """Biases of 0 in layers without one, and a configuration that says so.

    Args:
        model: the base, with adapters in it.
        bare: names of the layers; a key may give others a bias, too.

    Raises:
        UsageError: as `keys` does.
    """
    told = keys(model, bare)
    layers = dict(model.named_modules())
    for key, names in told.items():
        setattr(model.config.get_text_config(), key, True)
        for name in names:
            layer = layers[name]
            layer = layer.get_base_layer() if hasattr(layer, "get_base_layer") else layer
            if layer.bias is None:
                zeros = torch.zeros(layer.out_features).to(layer.weight)
                layer.bias = nn.Parameter(zeros, requires_grad=False)


def _can(model: Any) -> Mapping[str, set[str]]:
    """Key -> the layers that have a bias with it and none without."""
    config = model.config.get_text_config()
    off = [name for name, one in vars(config).items() if "bias" in name and one is False]
    plain = _biased(model, {}) if off else set()
    found = {key: _biased(model, {key: True}) - plain for key in off}
    return {key: names for key, names in found.items() if names}


def _biased(model: Any, changes: Mapping[str, Any]) -> set[str]:
    """The linear layers with a bias of such a model, which is built without weights."""
    config = copy.deepcopy(model.config)
    for key, value in changes.items():
        setattr(config.get_text_config(), key, value)
    with torch.device("meta"):
        made = type(model)(config)
    return {name for name, layer in _linear(made).items() if layer.bias is not None}


def _linear(model: Any) -> dict[str, nn.Linear]:
    """The linear layers by name."""
    return {name: one for name, one in model.named_modules() if isinstance(one, nn.Linear)}
