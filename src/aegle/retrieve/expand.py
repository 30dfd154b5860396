"""Other names of what a question names, as alternatives in the search by words.

A chunk's score for a thing is the best of its names' scores; other names weigh less than the
question's own where any chunk calls the thing as the question does. So a chunk with the question's
name keeps its score to the bit, one with another name gets some of what it lacks, and one that has
both gains nothing by that. Nothing of the question is replaced.

References:
    Robertson, Zaragoza & Taylor (2004) and the ``dis_max`` query of Lucene, for why the scores of
    alternatives are not summed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from aegle.core.ports import Found, Vectors
from aegle.lm.terms import STOP_WORDS, terms
from aegle.retrieve.search import Searches, Where

WEIGHT: Final = 0.3
"""What another name counts beside the question's where some chunk has that; where none has, the
other names are all there is and count in full (docs/decisions/0077-expansion.md)."""

MOST_NAMES: Final = 4
"""Other names of one thing; terminologies have dozens, which say the same words in other orders."""

MOST_THINGS: Final = 6
"""Things whose other names are searched for, each at the price of a search a name."""

_LOOKED_AT: Final = 5
"""The first chunks by a name's words, one of which has all of them if any has: the more of them,
the higher the score."""

_DEPTH: Final = 100
"""Chunks that each name gives at least: they are added up before the first are taken."""


@dataclass(frozen=True, slots=True)
class Known:
    """Characters [start, end) of a question, and what else is called so, the best name first."""

    start: int
    end: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Added:
    """Other names of ``of``, which stands in a question."""

    of: str
    names: tuple[str, ...]


def expand(
    question: str, known: Iterable[Known], *, hidden: Collection[str] = ()
) -> tuple[Added, ...]:
    """What is searched for beside what a question names; a question that holds it all gets nothing.

    Args:
        question: de-identified.
        known: what of it has other names. Of two that overlap the longer counts, of two at the
            same characters both.
        hidden: words in lower case that de-identification put in: they name nobody and nothing.
    """
    said = set(terms(question)) | STOP_WORDS
    invented = {term for word in hidden for term in (word, *terms(word))}
    added: list[Added] = []
    for start, end, names in _apart(known):
        of = question[start:end]
        new = tuple(name for name in names if not said.issuperset(terms(name)))[:MOST_NAMES]
        # A part of an invented word is as invented.
        whole = question[:start].rpartition(" ")[2] + of + question[end:].partition(" ")[0]
        told = whole.casefold().split()
        if new and not invented.intersection((*told, *terms(of), *terms(whole))):
            added.append(Added(of, new))
    # What stands in a question twice is looked for once.
    return tuple(dict.fromkeys(added))[:MOST_THINGS]


def _apart(known: Iterable[Known]) -> list[tuple[int, int, tuple[str, ...]]]:
    """What does not overlap, in the order of the question, with the names of all that agree."""
    merged: dict[tuple[int, int], dict[str, None]] = {}
    for one in known:
        merged.setdefault((one.start, one.end), {}).update(dict.fromkeys(one.names))
    kept: list[tuple[int, int]] = []
    for start, end in sorted(merged, key=lambda at: (at[0] - at[1], at)):
        if all(end <= other or start >= last for other, last in kept):
            kept.append((start, end))
    return [(*at, tuple(merged[at])) for at in sorted(kept)]


class Widened:
    """An index that knows other names in its search by words; by meaning it is as before.

    It takes the scores of several searches of one index together, as BM25 is a sum over words: any
    backend will do.
    """

    def __init__(
        self,
        index: Searches,
        added: Sequence[Added],
        *,
        texts: Callable[[Sequence[str]], Sequence[str]],
        weight: float = WEIGHT,
    ) -> None:
        """Widen an index.

        Args:
            index: what is searched.
            added: other names of what the query names.
            texts: ids of chunks -> what they say, with their titles.
            weight: what another name counts, in [0, 1], where the query's own is in use.
        """
        self._index = index
        self._added = tuple(added)
        self._texts = texts
        self._weight = weight

    def search_dense(self, vector: Vectors, *, k: int, where: Where | None = None) -> list[Found]:
        """The nearest chunks, best first."""
        return self._index.search_dense(vector, k=k, where=where)

    def search_text(self, query: str, *, k: int, where: Where | None = None) -> list[Found]:
        """The best chunks by the query's words or the other names, best first, ties by id.

        No chunk scores less than by the query alone.
        """
        depth = max(k, _DEPTH)

        def found(words: str) -> dict[str, float]:
            return dict(self._index.search_text(words, k=depth, where=where))

        if not self._added:
            return self._index.search_text(query, k=k, where=where)
        scores = found(query)
        for one in self._added:
            own = found(one.of)
            weight = self._weight if self._in_use(one.of, own) else 1.0
            # A chunk that its own name did not give may hold it, at no more than the last.
            least = min(own.values()) if len(own) >= depth else 0.0
            best: dict[str, float] = {}
            for name in one.names:
                for item, score in found(name).items():
                    best[item] = max(score, best.get(item, score))
            for item, score in best.items():
                lacking = weight * score - own.get(item, least)
                if lacking > 0:
                    scores[item] = scores.get(item, 0.0) + lacking
        return sorted(scores.items(), key=lambda one: (-one[1], one[0]))[:k]

    def _in_use(self, name: str, found: Iterable[str]) -> bool:
        """Whether one of the first chunks found by a name's words has all of them."""
        wanted = set(terms(name))
        return any(
            wanted.issubset(terms(text))
            for text in self._texts(list(itertools.islice(found, _LOOKED_AT)))
        )
