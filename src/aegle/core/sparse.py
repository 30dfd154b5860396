"""Sparse square matrices by rows, in numpy alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]


class Matrix:
    """A sparse square matrix by rows: row ``i`` is ``starts[i]`` to ``starts[i + 1]`` of the rest.

    Four operations are all that a walk needs; scipy's take longer to import than to answer.
    """

    def __init__(self, starts: Indices, columns: Indices, values: NDArray[Any]) -> None:
        self.starts, self.columns, self.values = starts, columns, values
        self._filled = np.flatnonzero(np.diff(starts))
        self._first = starts[self._filled]

    @classmethod
    def of(cls, size: int, rows: Indices, columns: Indices, values: NDArray[Any]) -> Matrix:
        """The matrix of some entries; those of one place are summed."""
        places, at = np.unique(rows * size + columns, return_inverse=True)
        starts = np.searchsorted(places, np.arange(size + 1) * size)
        return cls(starts, places % max(size, 1), sums(at, values, len(places)))

    @property
    def rows(self) -> Indices:
        """The row of each entry."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def with_values(self, values: NDArray[Any]) -> Matrix:
        """The same places with other entries."""
        return Matrix(self.starts, self.columns, values)

    def turned(self) -> Matrix:
        """Rows for columns."""
        order = np.argsort(self.columns, kind="stable")
        starts = np.searchsorted(self.columns[order], np.arange(len(self.starts)))
        return Matrix(starts, self.rows[order], self.values[order])

    def times(self, vector: NDArray[Any]) -> NDArray[Any]:
        """The product with a vector."""
        product = np.zeros_like(vector)
        if len(self._first):
            entries = self.values * vector[self.columns]
            product[self._filled] = np.add.reduceat(entries, self._first)
        return product

    def columns_of(self, rows: Indices) -> Indices:
        """Every column that has an entry in any of some rows."""
        starts, ends = self.starts[rows], self.starts[rows + 1]
        counts = ends - starts
        # Positions of all the rows' entries in one array, without a Python loop over rows.
        offsets = np.repeat(ends - np.cumsum(counts), counts)
        return self.columns[offsets + np.arange(counts.sum())]


def sums(places: Indices, values: NDArray[Any], size: int) -> Floats:
    """The sum of the values at each of the places 0 to ``size`` - 1."""
    # numpy counts in whole numbers when there is nothing to be summed.
    return np.bincount(places, values, size).astype(np.float64, copy=False)
