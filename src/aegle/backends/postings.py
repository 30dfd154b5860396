"""BM25 over hashed terms in memory, beside an engine that knows vectors only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int32]

_MOST_PARTS: Final = 16
"""With more, all are sorted into one: adding n batches costs n / 16 sorts."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Postings sorted by term, then by row: P of them, of T terms."""

    terms_T: NDArray[np.uint32]
    starts_T: NDArray[np.int64]
    most_T: NDArray[np.float32]
    """The greatest weight of each term."""

    rows_P: Rows
    weights_P: NDArray[np.float32]

    def of(self, term: int) -> tuple[Rows, NDArray[np.float32], float]:
        """A term's rows, ascending, their weights, and the greatest of these."""
        place = int(np.searchsorted(self.terms_T, np.uint32(term)))
        if place == len(self.terms_T) or self.terms_T[place] != term:
            return self.rows_P[:0], self.weights_P[:0], 0.0
        end = self.starts_T[place + 1] if place + 1 < len(self.terms_T) else len(self.rows_P)
        at = slice(int(self.starts_T[place]), int(end))
        return self.rows_P[at], self.weights_P[at], float(self.most_T[place])


def _sorted(terms_P: NDArray[np.uint32], rows_P: Rows, weights_P: NDArray[np.float32]) -> _Part:
    order = np.argsort(terms_P, kind="stable")
    terms_T, starts_T = np.unique(terms_P[order], return_index=True)
    ordered_P = weights_P[order]
    most_T = np.maximum.reduceat(ordered_P, starts_T) if len(starts_T) else ordered_P
    return _Part(terms_T, starts_T.astype(np.int64), most_T, rows_P[order], ordered_P)


class _Asked:
    """A term of a query: the rows that hold it, ascending, and what it adds to their scores."""

    def __init__(self, parts: Sequence[_Part], term: int, times: float, count: int) -> None:
        found = [part.of(term) for part in parts]
        self.rows = found[0][0] if len(found) == 1 else np.concatenate([one[0] for one in found])
        weights = found[0][1] if len(found) == 1 else np.concatenate([one[1] for one in found])
        num = len(self.rows)
        worth = times * np.log1p((count - num + 0.5) / (num + 0.5))
        self.adds = worth * weights
        self.most = worth * max((one[2] for one in found), default=0.0)

    def add(self, scores: NDArray[np.float64], wanted: Rows | None = None) -> None:
        """Add it to the scores of all its rows, or of some, given ascending."""
        if wanted is None or 8 * len(wanted) > len(self.rows):
            scores[self.rows] += self.adds
            return
        places = np.searchsorted(self.rows, wanted)
        places[places == len(self.rows)] = 0
        held = self.rows[places] == wanted
        scores[wanted[held]] += self.adds[places[held]]


class Postings:
    """Which rows hold which terms. Rows are numbered in the order added, from 0."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self._count = 0

    def add(
        self,
        terms_P: NDArray[np.uint32],
        weights_P: NDArray[np.float32],
        lengths: NDArray[np.int64],
    ) -> None:
        """Add rows: their terms end to end, with weights, and how many each row has."""
        numbers = np.arange(self._count, self._count + len(lengths), dtype=np.int32)
        self._parts.append(_sorted(terms_P, np.repeat(numbers, lengths), weights_P))
        self._count += len(lengths)
        if len(self._parts) > _MOST_PARTS:
            terms = [np.repeat(part.terms_T, _lengths(part)) for part in self._parts]
            rows = np.concatenate([part.rows_P for part in self._parts])
            weights = np.concatenate([part.weights_P for part in self._parts])
            self._parts = [_sorted(np.concatenate(terms), rows, weights)]

    def best(
        self, asked: Mapping[int, float], limit: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[Rows, NDArray[np.float64]]:
        """The rows with the ``limit`` greatest BM25 scores and all that tie with the last.

        Rows are met by the terms that say most. As soon as what the other terms could add does not
        bring a row that has none of these to place ``limit``, they are only looked up for the rows
        that could still get there: the same result without most of the postings.

        Args:
            asked: term -> how often it is asked for.
            limit: >= 1.
            allowed: (rows,): which may be found; without it all.

        Returns:
            rows that share a term and their scores, in no order.

        References:
            Robertson & Zaragoza (2009); the idf is Lucene's, which is never negative.
            Turtle & Flood (1995), Query evaluation: strategies and optimizations (MaxScore).
        """
        terms = [_Asked(self._parts, term, times, self._count) for term, times in asked.items()]
        terms.sort(key=lambda one: -one.most)
        scores = np.zeros(self._count)
        met = np.zeros(self._count, np.bool_)
        left = sum(one.most for one in terms)
        rows: Rows = np.empty(0, np.int32)
        least, chosen = 0.0, False
        for one in terms:
            if not chosen and left < least:
                rows, chosen = rows[scores[rows] + left >= least], True
            if chosen:
                one.add(scores, rows)
            else:
                one.add(scores)
                met[one.rows] = True
                rows = np.flatnonzero(met if allowed is None else met & allowed).astype(np.int32)
            left -= one.most
            # A hair less: sums in floating point must not lose a row that ties.
            least = _last_of(scores[rows], limit) * (1 - 1e-9)
            if chosen:
                rows = rows[scores[rows] + left >= least]
        found = rows[(scores[rows] >= least) & (scores[rows] > 0)]
        return found, scores[found]


def _last_of(scores: NDArray[np.float64], limit: int) -> float:
    """The score at place ``limit``; 0 where there are fewer."""
    if limit > len(scores):
        return 0.0
    return float(np.partition(scores, -limit)[-limit])


def _lengths(part: _Part) -> NDArray[np.int64]:
    return np.diff(np.append(part.starts_T, len(part.rows_P)))
