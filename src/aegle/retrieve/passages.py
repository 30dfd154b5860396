"""Passages and what they name, as a graph in memory, and walks on it that a question steers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.sparse import Floats, Indices, Matrix
from aegle.retrieve.names import Gazetteer, Key, Name, names, title_keys
from aegle.retrieve.pagerank import pagerank

Tie = tuple[Key, Key, float]
"""Two names that belong together (a relation, or one meaning), and how strongly, in (0, 1]."""

DAMPING: Final = 0.8
SHARPNESS: Final = 5.0
"""Among the passages that name an entity, one is entered by ``exp(SHARPNESS * cosine)`` to what the
question asks of it. Chosen with `DAMPING` and `ABOUT` on half of the questions (decision 0070)."""

ABOUT: Final = 3.0
"""An entity leads to the passage that it is the title of as to so many that only name it."""

_STEPS: Final = 3
"""From a seed over entity, passage, entity to passage: two hops beyond each of the seeds."""

_FAN: Final = 50
"""What more passages than this name leads to none of them that is not in reach otherwise."""

_ROUGHLY: Final = 1e-2
"""Enough to put passages in order."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A text with the title of its document; the id is that of the chunk."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class _Naming:
    """What passages name: row for row a passage, a name, how often, and whether it is its title."""

    passages: Indices
    keys: Sequence[Key]
    counts: Floats
    about: NDArray[np.bool_]


def _read(passages: Sequence[Passage]) -> _Naming:
    """A lone capital at the start of a sentence is a name only if it is one somewhere else."""
    titles = [title_keys(one.title) for one in passages]
    known = Gazetteer(key for keys in titles for key in keys)
    found = [names(one.text, known=known) for one in passages]
    sure = {one.key for each in found for one in each if one.sure}
    sure |= {key for keys in titles for key in keys}
    rows: list[tuple[int, Key, int, bool]] = []
    for number, (keys, each) in enumerate(zip(titles, found, strict=True)):
        counts = Counter(one.key for one in each if one.key in sure and one.key not in keys)
        rows += [(number, key, 1, True) for key in keys]
        rows += [(number, key, count, False) for key, count in counts.items()]
    return _Naming(
        np.array([row[0] for row in rows], np.int64),
        [row[1] for row in rows],
        np.array([row[2] for row in rows], np.float64),
        np.array([row[3] for row in rows], bool),
    )


class PassageGraph:
    """Passages 0..P-1 and the entities that they name, P..P+E-1, with weights of steps.

    An entity leads to the passages that name it, most to those that it is the title of; a passage
    leads to its entities by their specificity, ``log(1 + P / passages that name it)``.

    Args:
        passages: of any domain; the title may be empty.
        ties: between entities, both ways; names that no passage has are left out.
    """

    def __init__(self, passages: Sequence[Passage], *, ties: Iterable[Tie] = ()) -> None:
        naming = _read(passages)
        self.ids = [one.id for one in passages]
        self.titles = [one.title for one in passages]
        self.place = {item: number for number, item in enumerate(self.ids)}
        first = len(passages)
        self.nodes = {key: first + n for n, key in enumerate(dict.fromkeys(naming.keys))}
        self._known = Gazetteer(self.nodes)
        ends = np.array([self.nodes[key] for key in naming.keys], np.int64)
        size = first + len(self.nodes)
        degree = np.bincount(ends, minlength=size)
        self.specificity = np.log1p(first / np.maximum(degree, 1))
        self._open = degree <= _FAN
        forth = np.where(naming.about, ABOUT, 1 + np.log(naming.counts))
        tied = [(self.nodes[a], self.nodes[b], w) for a, b, w in ties if {a, b} <= set(self.nodes)]
        a, b = (np.array([tie[n] for tie in tied], np.int64) for n in (0, 1))
        between = np.array([tie[2] for tie in tied], np.float64)
        self.weights = Matrix.of(
            size,
            np.concatenate([ends, naming.passages, a, b]),
            np.concatenate([naming.passages, ends, b, a]),
            np.concatenate([forth, forth * self.specificity[ends], between, between]),
        )
        self._titled = np.zeros(size, bool)
        self._titled[ends[naming.about]] = True

    def link(self, question: str) -> list[Name]:
        """The names in a question that some passage has, in order."""
        return self._known.find(question)

    def is_title(self, name: Name) -> bool:
        """Whether a document is about what a name names."""
        return bool(self._titled[self.nodes[name.key]])

    def walk(
        self,
        keys: Iterable[Key],
        passages: Mapping[str, float],
        *,
        focus: Callable[[Indices], Floats],
        k: int = 100,
        damping: float = DAMPING,
        sharpness: float = SHARPNESS,
    ) -> list[tuple[str, float]]:
        """Passages by how often walks meet them that start at entities and passages.

        Args:
            keys: what the question names, together of weight 1, each by its specificity.
            passages: id -> weight: where else walks start, such as the first hits of a search.
            focus: places of passages in ``ids`` -> their cosines to what is asked.
            k: how many at most.

        Returns:
            (id, share of walks), best first, ties in the order that passages were given.
        """
        seeds = self._seeds(keys, passages)
        nodes = self._reach(np.flatnonzero(seeds))
        part = self.weights.part(nodes)
        entered = nodes < len(self.ids)
        pull = np.ones(len(nodes))
        pull[entered] = np.exp(sharpness * focus(nodes[entered]))
        steered = part.with_values(part.values * pull[part.columns])
        mass = pagerank(steered, seeds[nodes], damping=damping, tolerance=_ROUGHLY)
        best = np.lexsort((nodes[entered], -mass[entered]))[:k]
        met, share = nodes[entered][best], mass[entered][best]
        return [(self.ids[n], float(x)) for n, x in zip(met, share, strict=True) if x > 0]

    def _seeds(self, keys: Iterable[Key], passages: Mapping[str, float]) -> Floats:
        seeds = np.zeros(len(self.specificity))
        named = [self.nodes[key] for key in dict.fromkeys(keys) if key in self.nodes]
        seeds[named] = self.specificity[named]
        seeds /= max(seeds.sum(), 1e-12)
        for item, weight in passages.items():
            if item in self.place:
                seeds[self.place[item]] += weight
        return seeds

    def _reach(self, seeds: Indices) -> Indices:
        """The nodes within some steps of the seeds, in order; hubs are not walked through."""
        reached = np.zeros(len(self.specificity), bool)
        reached[seeds] = True
        frontier = seeds
        for _ in range(_STEPS):
            onward = frontier[self._open[frontier]]
            fresh = np.zeros_like(reached)
            fresh[self.weights.columns_of(onward)] = True
            frontier = np.flatnonzero(fresh & ~reached)
            reached[frontier] = True
        return np.flatnonzero(reached)
