"""Passages and what they name, as a graph of arrays, and walks on it that a question steers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aegle.core.sparse import Floats, Indices, Matrix, sums
from aegle.retrieve import marks
from aegle.retrieve.marks import Named
from aegle.retrieve.names import Key, Name, link
from aegle.retrieve.pagerank import pagerank

Flags = NDArray[np.bool_]

DAMPING: Final = 0.8
SHARPNESS: Final = 5.0
"""Among the passages that name an entity, one is entered by ``exp(SHARPNESS * cosine)`` to what the
question asks of it. Chosen with `DAMPING` and `ABOUT` on half of the questions (decision 0070)."""

ABOUT: Final = 3.0
"""An entity leads to the passage that it is the title of as to so many that only name it."""

_STEPS: Final = 3
"""From a seed over entity, passage, entity to passage: two hops beyond each of the seeds."""

_FAN: Final = 50
"""What more passages than this name leads to none of them that is not in reach otherwise; all
passages of one document that is about it count as one."""

_ROUGHLY: Final = 1e-2
"""Enough to put passages in order."""

_BITS: Final = 22
"""Of the table that tells at once of most phrases that they are no title."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What passages name, passage after passage.

    Attributes:
        ids: of the passages; ids of chunks.
        documents: a number for each passage, alike for those of one document.
        names: rows of `marks.NAME`; ``name_ends`` says where the rows of each passage end.
        phrases: rows of `marks.PHRASE`, with ``phrase_ends``.
        apart: of a group that only some questions see (a patient's chart). They are walked by those
            that see them, and count in nothing that others rest on.
        domains: of each passage.
    """

    ids: Sequence[str]
    documents: Indices
    names: NDArray[Any]
    name_ends: Indices
    phrases: NDArray[Any]
    phrase_ends: Indices
    apart: Flags
    domains: NDArray[np.str_]

    @classmethod
    def of(cls, passages: Iterable[tuple[str, str, Named]]) -> Rows:
        """Passages as (id, id of the document, what it names)."""
        given = list(passages)
        place = {one: n for n, one in enumerate(dict.fromkeys(one[1] for one in given))}
        named = [one[2] for one in given] or [marks.NOTHING]
        return cls(
            [one[0] for one in given],
            np.array([place[one[1]] for one in given], np.int64),
            np.concatenate([one.names for one in named]),
            np.cumsum([len(one[2].names) for one in given], dtype=np.int64),
            np.concatenate([one.phrases for one in named]),
            np.cumsum([len(one[2].phrases) for one in given], dtype=np.int64),
            np.zeros(len(given), bool),
            np.full(len(given), "general"),
        )


class PassageGraph:
    """Passages 0..P-1 and the entities that they name, P..P+E-1, with weights of steps.

    An entity leads to the passages that name it, most to those that it is the title of; a passage
    leads to its entities by their specificity, ``log(1 + P / passages that name it)``. It holds
    arrays alone: about 24 bytes for each name of a passage, and no object for any.

    How many passages there are and name an entity, which phrases are titles, which documents are
    about one and which lone capitals are names is told by the passages that all may see alone. So
    what else a workspace holds changes no walk that may not see it. A name that only passages apart
    have is as specific as one that all have: nothing that all may see tells how rare it is.
    """

    def __init__(self, rows: Rows) -> None:
        size = len(rows.ids)
        self.ids = np.array([one.encode() for one in rows.ids] or [b""], "S")[:size]
        self._by_id = np.argsort(self.ids)
        at, entity, count, how = _together(rows)
        self._marks, entity = np.unique(entity, return_inverse=True)
        at, entity, count, about = _joined(at, entity, count, how, len(self._marks))
        told = ~rows.apart[at]
        titles = about & told
        degree = np.bincount(entity[told & ~about], minlength=len(self._marks))
        degree += _documents_about(rows.documents[at[titles]], entity[titles], len(self._marks))
        many = np.count_nonzero(~rows.apart)
        specificity = np.log1p(np.where(degree > 0, many / np.maximum(degree, 1), 1))
        forth = np.where(about, ABOUT, 1 + np.log(count))
        sizes = size, len(self._marks)
        self.weights = _both_ways(at, entity, forth * specificity[entity], forth, sizes)
        self._specificity = np.concatenate([np.zeros(size), specificity])
        self._open = np.concatenate([np.ones(size, bool), degree <= _FAN])
        self._titled = np.zeros(len(self._open), bool)
        self._titled[size + entity[titles]] = True

    def __len__(self) -> int:
        return len(self.ids)

    def places(self, ids: Sequence[str]) -> Indices:
        """The places in ``ids`` of those passages that exist, in the order given."""
        if not len(self) or not ids:
            return np.zeros(0, np.int64)
        wanted = np.array([one.encode() for one in ids])
        found = np.searchsorted(self.ids, wanted, sorter=self._by_id)
        near = self._by_id[np.minimum(found, len(self) - 1)]
        return np.asarray(near[self.ids[near] == wanted])

    def nodes(self, keys: Sequence[Key]) -> Indices:
        """The node of each name, -1 for a name that no passage has."""
        wanted = marks.marks_of(keys)
        if not len(self._marks):
            return np.full(len(wanted), -1, np.int64)
        near = np.minimum(np.searchsorted(self._marks, wanted), len(self._marks) - 1)
        return np.where(self._marks[near] == wanted, len(self) + near, -1)

    def naming(self, key: Key, *, seen: Flags | None = None) -> Indices:
        """The places of the passages that have a name; of those that are ``seen``."""
        nodes = self.nodes([key])
        found = self.weights.columns_of(nodes[nodes >= 0])
        return found if seen is None else found[seen[found]]

    def specificity(self, key: Key) -> float:
        """How much a name says: the more, the fewer passages have it; 0 when none has."""
        node = int(self.nodes([key])[0])
        return float(self._specificity[node]) if node >= 0 else 0.0

    def link(self, question: str, *, seen: Flags | None = None) -> list[Name]:
        """The names in a question that some passage has, in order; some one that is ``seen``."""

        def known(keys: Sequence[Key]) -> Flags:
            found = self.nodes(keys) >= 0
            if seen is not None:
                for at in np.flatnonzero(found):
                    found[at] = bool(len(self.naming(keys[int(at)], seen=seen)))
            return np.asarray(found)

        return link(question, known)

    def is_title(self, name: Name, *, seen: Flags | None = None) -> bool:
        """Whether a document is about what a name names; not when so many are that it is a kind."""
        node = int(self.nodes([name.key])[0])
        if node < 0 or not (self._titled[node] and self._open[node]):
            return False
        start, end = self.weights.starts[node], self.weights.starts[node + 1]
        about = self.weights.values[start:end] == ABOUT
        return seen is None or bool(seen[self.weights.columns[start:end][about]].any())

    def marks_at(self, place: int) -> Indices:
        """The marks of what a passage names."""
        start, end = self.weights.starts[place], self.weights.starts[place + 1]
        return np.asarray(self._marks[self.weights.columns[start:end] - len(self)])

    def walk(
        self,
        keys: Iterable[Key],
        passages: Mapping[str, float],
        *,
        focus: Callable[[Indices], Floats],
        k: int = 100,
        damping: float = DAMPING,
        sharpness: float = SHARPNESS,
        seen: Flags | None = None,
    ) -> list[tuple[str, float]]:
        """Passages by how often walks meet them that start at entities and passages.

        Args:
            keys: what the question names, together of weight 1, each by its specificity.
            passages: id -> weight: where else walks start, such as the first hits of a search.
            focus: places of passages in ``ids`` -> their cosines to what is asked.
            k: how many at most.
            seen: (passages,): which may be met. Walks neither start at others nor lead through
                them.

        Returns:
            (id, share of walks), best first, ties in the order that passages were given.
        """
        seeds, shares = self._seeds(list(dict.fromkeys(keys)), passages, seen)
        nodes = self._reach(seeds, seen)
        met = nodes[nodes < len(self)]
        pull = np.exp(sharpness * focus(met))
        start = np.zeros(len(nodes))
        start[np.searchsorted(nodes, seeds)] = shares
        mass = pagerank(
            self._part(met, nodes[len(met) :], pull), start, damping=damping, tolerance=_ROUGHLY
        )[: len(met)]
        best = np.lexsort((met, -mass))[:k]
        return [(self.ids[met[n]].decode(), float(mass[n])) for n in best if mass[n] > 0]

    def _seeds(
        self, keys: Sequence[Key], passages: Mapping[str, float], seen: Flags | None
    ) -> tuple[Indices, Floats]:
        """Where walks start, in order, and how many of them at each."""
        named = self.nodes(keys)
        named = named[named >= 0]
        told = self._specificity[named]
        items = [item for item in passages if len(self.places([item]))]
        hits = self.places(items)
        weights = np.array([passages[item] for item in items], np.float64)
        if seen is not None:
            hits, weights = hits[seen[hits]], weights[seen[hits]]
        nodes: Indices
        nodes, at = np.unique(np.concatenate([named, hits]), return_inverse=True)
        given = np.concatenate([told / max(told.sum(), 1e-12), weights])
        shares = sums(at, given, len(nodes))
        return nodes[shares > 0], shares[shares > 0]

    def _reach(self, seeds: Indices, seen: Flags | None) -> Indices:
        """The nodes within some steps of the seeds, in order; hubs are not walked through."""
        reached = frontier = seeds
        for _ in range(_STEPS):
            found = np.unique(self.weights.columns_of(frontier[self._open[frontier]]))
            if seen is not None:
                entities = np.searchsorted(found, len(self))
                met = found[:entities]
                found = np.concatenate([met[seen[met]], found[entities:]])
            frontier = np.setdiff1d(found, reached, assume_unique=True)
            reached = np.union1d(reached, frontier)
        return reached

    def _part(self, met: Indices, entities: Indices, pull: Floats) -> Matrix:
        """Steps between some passages and entities, both in order; ``pull`` is that of passages.

        The rows of the passages say it all; those of hubs may be as long as the corpus.
        """
        steps = self.weights
        lengths = steps.starts[met + 1] - steps.starts[met]
        entries = np.repeat(steps.starts[met + 1] - np.cumsum(lengths), lengths)
        entries += np.arange(len(entries))
        columns = steps.columns[entries]
        place = np.searchsorted(entities, columns)
        kept = place < len(entities)
        kept[kept] = entities[place[kept]] == columns[kept]
        at, place = np.repeat(np.arange(len(met)), lengths)[kept], place[kept]
        there = steps.values[entries[kept]].astype(np.float64)
        back = there / self._specificity[entities[place]] * pull[at]
        return _both_ways(at, place, there, back, (len(met), len(entities)))


def _together(rows: Rows) -> tuple[Indices, Indices, Indices, NDArray[np.uint8]]:
    """Passage, mark, count and how of what passages name, with the phrases that are titles.

    A lone capital at the start of a sentence is a name only if it is one somewhere else.
    """
    at = _owners(rows.name_ends)
    names = rows.names
    told = ~rows.apart[at]
    titles = np.unique(names["mark"][told & (names["how"] == marks.ABOUT)])
    sure = np.unique(names["mark"][told & (names["how"] != marks.UNSURE)])
    kept = (names["how"] != marks.UNSURE) | _among(names["mark"], sure)
    owner, phrases = _titled(rows, titles)
    return (
        np.concatenate([at[kept], owner]),
        np.concatenate([names["mark"][kept], phrases["mark"]]),
        np.concatenate([names["count"][kept], np.ones(len(owner))]).astype(np.int64),
        np.concatenate([names["how"][kept], np.full(len(owner), marks.SURE, np.uint8)]),
    )


def _titled(rows: Rows, titles: Indices) -> tuple[Indices, NDArray[Any]]:
    """The phrases that are titles: none inside another, and none that is a name already."""
    which = np.flatnonzero(_among(rows.phrases["mark"], titles))
    phrases = rows.phrases[which]
    owner = np.searchsorted(rows.phrase_ends, which, side="right")
    first = owner * (1 << 17) + phrases["at"]
    order = np.lexsort((-phrases["words"].astype(np.int64), first))
    owner, phrases, first = owner[order], phrases[order], first[order]
    ends = np.maximum.accumulate(first + phrases["words"])
    outer = np.ones(len(ends), bool)
    outer[1:] = first[1:] + phrases["words"][1:] > ends[:-1]
    outer &= ~phrases["own"]
    return owner[outer], phrases[outer]


def _among(found: Indices, known: Indices) -> Flags:
    """Whether each of some marks is among known ones, which are in order."""
    if not len(known) or not len(found):
        return np.zeros(len(found), bool)
    rest = (1 << _BITS) - 1
    table = np.zeros(1 << _BITS, bool)
    table[known & rest] = True
    maybe = np.flatnonzero(table[found & rest])
    near = np.minimum(np.searchsorted(known, found[maybe]), len(known) - 1)
    told = np.zeros(len(found), bool)
    told[maybe[known[near] == found[maybe]]] = True
    return told


def _owners(ends: Indices) -> Indices:
    return np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))


def _joined(
    at: Indices, entity: Indices, count: Indices, how: NDArray[np.uint8], entities: int
) -> tuple[Indices, Indices, Indices, Flags]:
    """Each passage with each of its entities once, in order, and whether it is about it."""
    place = at * entities + entity
    order = np.argsort(place)
    place = place[order]
    first = np.flatnonzero(np.diff(place, prepend=-1))
    if not len(first):
        return at, entity, count, how == marks.ABOUT
    about = np.maximum.reduceat(how[order], first) == marks.ABOUT
    counts = np.add.reduceat(count[order], first)
    return place[first] // entities, place[first] % entities, counts, about


def _documents_about(documents: Indices, entity: Indices, entities: int) -> Indices:
    """How many documents are about each entity."""
    most = int(documents.max(initial=0)) + 1
    pairs = np.unique(entity * most + documents)
    return np.bincount(pairs // most, minlength=entities)


def _both_ways(
    at: Indices, entity: Indices, there: Floats, back: Floats, sizes: tuple[int, int]
) -> Matrix:
    """Steps from passages, which are given in order, to entities and back."""
    order = np.argsort(entity, kind="stable")
    lengths = [
        np.bincount(one, minlength=size) for one, size in zip((at, entity), sizes, strict=True)
    ]
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    columns: NDArray[Any] = np.concatenate([sizes[0] + entity, at[order]]).astype(np.int32)
    values = np.concatenate([there, back[order]]).astype(np.float32)
    return Matrix(starts, columns, values)


@dataclass(frozen=True, slots=True)
class Passage:
    """A text with the title of its document; the id is that of the chunk."""

    id: str
    title: str
    text: str


def graph_of(passages: Iterable[Passage]) -> PassageGraph:
    """The graph of passages, each a document of its own, read here and now."""
    return PassageGraph(
        Rows.of((one.id, one.id, marks.read(one.title, one.text)) for one in passages)
    )
