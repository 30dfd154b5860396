"""What a mixture of experts adds to a loss, so that its experts share the work.

A model adds it to a loss that it computes itself; where only its states are asked for, it is here.

References:
    Fedus et al. (2022), the balance of load; Zoph et al. (2022), the size of routers' logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aegle.train.causal.recipe import Adapter

_WEIGHTS: Final[Mapping[str, tuple[str, ...]]] = {
    "aux_loss": ("router_aux_loss_coef", "aux_loss_coef"),
    "z_loss": ("router_z_loss_coef",),
}
"""A loss among a model's outputs, and what configurations call its weight."""


def asked(core: Any, adapter: Adapter) -> dict[str, bool]:
    """Arguments of a model that make it tell its routers' losses; none where it has no experts.

    Not with learned prefixes: Transformers takes their places in the mask for tokens that were
    routed. The research decoder, which doesn't, tells its losses anyway.

    Args:
        core: causal, of Transformers.
        adapter: that it is trained with.
    """
    weighs = bool(_weight(core, "aux_loss")) and adapter.method != "prefix"
    return {"output_router_logits": True} if weighs else {}


def losses(core: Any, outputs: Any) -> Any:
    """The sum of the routers' losses that a model told, each by the weight of its configuration."""
    told = {name: getattr(outputs, name, None) for name in _WEIGHTS}
    return sum(_weight(core, name) * one for name, one in told.items() if one is not None)


def _weight(core: Any, loss: str) -> float:
    config = core.config.get_text_config()
    found = (getattr(config, name, None) for name in _WEIGHTS[loss])
    return float(next((one for one in found if one is not None), 0.0))
