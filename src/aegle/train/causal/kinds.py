"""Which recipe class and which run belong to a recipe's ``kind``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aegle.core.errors import InputError
from aegle.core.plugins import load
from aegle.train.keys import closest


@dataclass(frozen=True, slots=True)
class Kind:
    """Where a kind's parts lie, as ``module:name``, imported when named.

    Attributes:
        recipe: ``(path, changes=) -> recipe``, a subclass of `aegle.train.causal.recipe.Common`
            with the field ``data``, whose parts have ``train`` and ``dev``.
        run: ``(recipe, *, base, data, folder, resume, log, progress, device, stop) -> Done``, of
            `aegle.train.causal.run`.
    """

    recipe: str
    run: str


KINDS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(
        ("pretrain", "sft"),
        Kind("aegle.train.causal.recipe:read_recipe", "aegle.train.causal.run:run"),
    ),
    **dict.fromkeys(
        ("dpo", "orpo", "kto", "reward"),
        Kind("aegle.train.causal.preference:read_preference", "aegle.train.causal.prefer:run"),
    ),
    **dict.fromkeys(
        ("grpo", "rloo"),
        Kind("aegle.train.causal.preference:read_rollout", "aegle.train.causal.rollout:run"),
    ),
}

GONE: Final[Mapping[str, str]] = {
    "ppo": "PPO has left TRL, and with it its value model: say rloo or grpo, which learn from the "
    "same rewards",
}
"""Kinds that others know and that are not here, and what to say instead."""


def kind_of(name: str) -> Kind:
    """A kind by its name.

    Raises:
        InputError: there is no such kind; the message lists those that are.
    """
    if name in GONE:
        raise InputError(f"kind: there is no {name}: {GONE[name]}")
    if name not in KINDS:
        raise InputError(
            f"kind: no training of the kind {name!r}{closest(name, list(KINDS))}; there are: "
            f"{', '.join(KINDS)}; a recipe of an encoder has no kind"
        )
    return KINDS[name]


def reader(name: str) -> Any:
    """The function that reads a kind's recipes."""
    return load(kind_of(name).recipe)


def runner(name: str) -> Any:
    """The function that trains a kind's recipes; imports torch."""
    return load(kind_of(name).run)


def judge_of(kind: str) -> tuple[str, bool]:
    """(the figure of dev that decides, whether more of it is better) of a kind of training."""
    return ("reward", True) if kind in ("grpo", "rloo") else ("loss", False)
