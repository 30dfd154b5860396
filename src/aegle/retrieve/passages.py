"""Passages and what they name as a graph in memory: who names what, who is about what."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from aegle.core.sparse import Floats, Indices, Matrix
from aegle.retrieve.names import Gazetteer, Key, names, title_keys


@dataclass(frozen=True, slots=True)
class Mention:
    """A passage names something ``count`` times, or is ``about`` it: its title says so."""

    passage: int
    key: Key
    count: float
    about: bool = False


def read(passages: Sequence[tuple[str, str]]) -> list[Mention]:
    """What passages (title, text) name; a lone capital at a sentence's start needs a witness."""
    about = [title_keys(title) for title, _ in passages]
    known = Gazetteer(key for keys in about for key in keys)
    found = [names(text, known=known) for _, text in passages]
    sure = {one.key for each in found for one in each if one.sure}
    mentions = []
    for number, (keys, each) in enumerate(zip(about, found, strict=True)):
        counts = Counter(one.key for one in each if one.key in sure)
        mentions += [Mention(number, key, 1.0, about=True) for key in keys]
        mentions += [Mention(number, key, n) for key, n in counts.items() if key not in keys]
    return mentions
