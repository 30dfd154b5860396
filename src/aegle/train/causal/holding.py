"""Which records of a causal recipe's train files are held out: a share, or a fold of many."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any, TypeVar

from aegle.core.errors import InputError
from aegle.train.causal.recipe import Common, Source
from aegle.train.data.split import Grouped, split

G = TypeVar("G", bound=Grouped)


def parted(
    some: Sequence[G], source: Source, recipe: Common, dealt: dict[str, int]
) -> tuple[list[G], list[G]]:
    """(train, dev) of a train file's records, no group in both.

    Folds have as many groups as each other, or one more; which group is in which follows from the
    recipe's seed and the groups' names. A group is in the same fold in every source, so that it is
    scored once.

    Args:
        some: of the source; for folds named apart from other sources' already.
        source: that they are of.
        recipe: with ``fold``, or without.
        dealt: group -> its fold in the sources before; takes what this one adds.

    Raises:
        InputError: fewer groups than folds.
    """
    if recipe.fold is None:
        shares = {"train": 1 - source.share, "dev": source.share}
        parts = split(some, shares=shares, seed=recipe.seed)
        return parts["train"], parts["dev"]
    number, of = recipe.fold
    order = _order(some, f"fold {recipe.seed}")
    if len(order) < of:
        raise InputError(
            f"{source.train} has {len(order)} groups ({source.group}), too few for {of} folds; ask "
            "for fewer, or name the key that groups its records"
        )
    for name in order:
        dealt.setdefault(name, len(dealt) % of)
    held = {name for name in order if dealt[name] == number}
    return [o for o in some if o.group not in held], [o for o in some if o.group in held]


def thinned(some: Sequence[G], recipe: Common) -> list[G]:
    """The share of the groups that a recipe learns from, one at least; a larger share holds all of
    a smaller one."""
    if recipe.learn == 1:
        return list(some)
    order = _order(some, f"learn {recipe.seed}")
    kept = set(order[: math.ceil(recipe.learn * len(order) - 1e-9)])
    return [one for one in some if one.group in kept]


def _order(some: Sequence[Any], salt: str) -> list[str]:
    """The names of groups, in an order that follows from the salt and each name alone."""

    def digest(name: str) -> bytes:
        return hashlib.sha256(f"{salt}\0{name}".encode("utf-8", "surrogatepass")).digest()

    return sorted({one.group for one in some}, key=lambda name: (digest(name), name))
