"""The sparse matrix agrees with a dense one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.sparse import Matrix

SIZE = 7
places = st.integers(0, SIZE - 1)
entries = st.lists(st.tuples(places, places, st.integers(1, 9)), max_size=30)


def both(given_entries):
    dense = np.zeros((SIZE, SIZE))
    for row, column, value in given_entries:
        dense[row, column] += value
    columns = np.array(given_entries, np.int64).reshape(-1, 3)
    matrix = Matrix.of(SIZE, columns[:, 0], columns[:, 1], columns[:, 2].astype(np.float64))
    return dense, matrix


@given(entries, st.lists(st.integers(-5, 5), min_size=SIZE, max_size=SIZE))
def test_products_and_turning(some, vector):
    dense, matrix = both(some)
    vector = np.array(vector, np.float64)
    assert np.array_equal(matrix.times(vector), dense @ vector)
    assert np.array_equal(matrix.turned().times(vector), dense.T @ vector)


@given(entries)
def test_entries_of_one_place_are_summed(some):
    dense, matrix = both(some)
    assert len(matrix.values) == np.count_nonzero(dense)
    assert np.array_equal(dense[matrix.rows, matrix.columns], matrix.values)


@given(entries, st.lists(places, max_size=4))
def test_columns_of_rows(some, rows):
    dense, matrix = both(some)
    wanted = {int(column) for row in rows for column in np.flatnonzero(dense[row])}
    assert set(matrix.columns_of(np.array(rows, np.int64)).tolist()) == wanted
