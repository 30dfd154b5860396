"""BM25 over hashed terms in memory, beside an engine that knows vectors only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_PARTS: Final = 16
"""With more, all are sorted into one: adding n batches costs n / 16 sorts."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Postings sorted by term: P of them, of T terms."""

    terms_T: NDArray[np.uint32]
    starts_T: NDArray[np.int64]
    rows_P: NDArray[np.int32]
    weights_P: NDArray[np.float32]

    def of(self, term: int) -> slice:
        """Where a term's postings lie."""
        place = int(np.searchsorted(self.terms_T, np.uint32(term)))
        if place == len(self.terms_T) or self.terms_T[place] != term:
            return slice(0, 0)
        end = self.starts_T[place + 1] if place + 1 < len(self.terms_T) else len(self.rows_P)
        return slice(int(self.starts_T[place]), int(end))


def _sorted(
    terms_P: NDArray[np.uint32], rows_P: NDArray[np.int32], weights_P: NDArray[np.float32]
) -> _Part:
    order = np.argsort(terms_P, kind="stable")
    terms_T, starts_T = np.unique(terms_P[order], return_index=True)
    return _Part(terms_T, starts_T.astype(np.int64), rows_P[order], weights_P[order])


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

    def score(self, asked: Mapping[int, float]) -> NDArray[np.float64]:
        """The BM25 score of every row; 0 where it shares no term.

        References:
            Robertson & Zaragoza (2009); the idf is Lucene's, which is never negative.
        """
        scores = np.zeros(self._count)
        for term, times in asked.items():
            found = [(part, part.of(term)) for part in self._parts]
            num_rows = sum(place.stop - place.start for _, place in found)
            idf = np.log1p((self._count - num_rows + 0.5) / (num_rows + 0.5))
            for part, place in found:
                scores[part.rows_P[place]] += times * idf * part.weights_P[place]
        return scores


def _lengths(part: _Part) -> NDArray[np.int64]:
    return np.diff(np.append(part.starts_T, len(part.rows_P)))
