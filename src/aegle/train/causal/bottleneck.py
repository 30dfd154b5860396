"""Bottleneck adapters: a small network after a layer, added to what it says. PEFT has none.

References:
    Houlsby et al. (2019), Parameter-efficient transfer learning for NLP.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from aegle.core.errors import InputError
from aegle.train.checkpoint import write_tensors

AFTER: Final = ("o_proj", "down_proj", "out_proj", "fc2", "c_proj", "dense", "dense_4h_to_h", "wo")
"""What architectures call the layers that end the attention and the feed-forward part."""

WEIGHTS: Final = "bottleneck.safetensors"


class Bottleneck(nn.Module):
    """A linear layer with a bottleneck behind it, which changes nothing before it is trained."""

    def __init__(self, base: nn.Linear, *, width: int, dropout: float) -> None:
        super().__init__()
        how: dict[str, Any] = {"device": base.weight.device, "dtype": base.weight.dtype}
        self.base = base
        self.down = nn.Linear(base.out_features, width, **how)
        self.up = nn.Linear(width, base.out_features, **how)
        self.dropout = nn.Dropout(dropout)
        self.enabled = True
        nn.init.normal_(self.down.weight, std=0.02)
        for value in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(value)

    def forward(self, given: Tensor) -> Tensor:
        """The layer's output, and what the bottleneck makes of it."""
        found: Tensor = self.base(given)
        if not self.enabled:
            return found
        more: Tensor = self.up(self.dropout(nn.functional.gelu(self.down(found))))
        return found + more


def attach(model: nn.Module, *, targets: tuple[str, ...], width: int, dropout: float) -> None:
    """Freeze a model and put bottlenecks behind its layers of these names, in place.

    Raises:
        InputError: it has no linear layer of such a name.
    """
    model.requires_grad_(False)
    names = targets or AFTER
    found = [
        (name, layer)
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and name.rpartition(".")[2] in names
    ]
    if not found:
        raise InputError(
            f"{type(model).__name__} has no linear layer named {', '.join(names)}; name those to "
            "adapt in adapter.targets"
        )
    for name, layer in found:
        above, _, last = name.rpartition(".")
        setattr(model.get_submodule(above), last, Bottleneck(layer, width=width, dropout=dropout))


def state(model: nn.Module) -> dict[str, Tensor]:
    """The bottlenecks' weights."""
    return {
        f"{name}.{part}": value
        for name, layer in model.named_modules()
        if isinstance(layer, Bottleneck)
        for part, value in layer.state_dict().items()
        if not part.startswith("base.")
    }


def save(model: nn.Module, folder: Path) -> None:
    """Write the bottlenecks."""
    write_tensors(folder / WEIGHTS, state(model))


def load(model: nn.Module, folder: Path) -> None:
    """Put saved bottlenecks into a model that has been given fresh ones.

    Raises:
        InputError: the file is damaged, or of another model.
    """
    try:
        told = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{folder / WEIGHTS} can't be read ({type(error).__name__})") from error
    wanted = state(model)
    if {name: one.shape for name, one in told.items()} != {n: o.shape for n, o in wanted.items()}:
        raise InputError(f"{folder} holds bottlenecks of another model; load it onto its own base")
    model.load_state_dict(told, strict=False)


def enable(model: nn.Module, on: bool) -> None:
    """Let the bottlenecks speak, or not."""
    for layer in model.modules():
        if isinstance(layer, Bottleneck):
            layer.enabled = on
