"""The learnt codebook that data-free codes are measured by is a fair one."""

import numpy as np
import pytest

from aegle.core.errors import UsageError
from learnt_codes import BITS, centroids, nearest, train

WIDTH = 20


def clustered(rng, num):
    """Tokens as they are: around a few meanings."""
    near = rng.normal(size=(12, WIDTH))[rng.integers(0, 12, num)]
    near = near + 0.6 * rng.normal(size=(num, WIDTH))
    return (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)


def test_more_bits_are_nearer():
    vectors = clustered(np.random.default_rng(1), 2300)
    book = centroids(vectors[300:], 16, rng=np.random.default_rng(2))
    cosines = []
    for bits in BITS:
        codec = train(vectors[300:], book, bits=bits)
        parts = codec.encode(vectors[:300])
        assert parts["rest"].shape == (300, -(-WIDTH * bits // 8))
        back = codec.decode(parts)
        np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1, atol=1e-5)
        cosines.append(float((back * vectors[:300]).sum(1).mean()))
    assert cosines == sorted(cosines)
    assert cosines[0] > 0.9


def test_a_codebook_is_the_same_for_the_same_seed_and_small_for_few_vectors():
    vectors = clustered(np.random.default_rng(1), 400)
    first, again = (centroids(vectors, 64, rng=np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert len(first) == 10
    assert train(vectors, first, bits=2).size_bytes == 4 * (10 * WIDTH + 3 + 4)
    one = centroids(vectors[:3], 64, rng=np.random.default_rng(5))
    assert one.shape == (1, WIDTH)
    assert nearest(vectors[:0], one).shape == (0,)
    for most, some in ((0, vectors), (4, vectors[:0])):
        with pytest.raises(UsageError, match="1 to 65536 centroids"):
            centroids(some, most, rng=np.random.default_rng(5))
    with pytest.raises(UsageError, match="1, 2 or 4 bits"):
        train(vectors, first, bits=3)
