"""Late interaction: the formula, the codes in their bytes, and the store's file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import InputError, NotFoundError, UsageError
from aegle.lm.token_vectors import maxsim
from aegle.retrieve.late import LateStore
from aegle.retrieve.residual import Int8, nearest, pack, train, unpack

WIDTH = 20


def units(rng, num, width=WIDTH):
    vectors = rng.normal(size=(num, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def clustered(rng, num):
    """Tokens as they are: around a few meanings."""
    near = units(rng, 12)[rng.integers(0, 12, num)] + 0.15 * rng.normal(size=(num, WIDTH))
    return (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)


def literal(question, passage):
    """ColBERT's sum of maxima, divided by the question's length, one product at a time."""
    total = 0.0
    for asked in question:
        best = -2.0
        for told in passage:
            best = max(best, sum(float(a) * float(b) for a, b in zip(asked, told, strict=True)))
        total += best
    return total / len(question)


@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 99))
def test_maxsim_is_the_formula(num_asked, num_told, seed):
    rng = np.random.default_rng(seed)
    question, passage = units(rng, num_asked), units(rng, num_told)
    assert maxsim(question, passage) == pytest.approx(literal(question, passage), abs=1e-5)
    assert maxsim(question, np.concatenate([passage, question])) == pytest.approx(1, abs=1e-5)
    assert maxsim(question, passage[:0]) == maxsim(passage[:0], question) == -1


@given(st.sampled_from([1, 2, 4]), st.integers(0, 5), st.integers(1, 17), st.integers(0, 99))
def test_packing_loses_nothing(bits, num, width, seed):
    buckets = np.random.default_rng(seed).integers(0, 1 << bits, (num, width)).astype(np.uint8)
    packed = pack(buckets, bits)
    assert packed.shape == (num, -(-width * bits // 8))
    np.testing.assert_array_equal(unpack(packed, bits, width), buckets)
    assert bits != 2 or pack(np.array([[3, 0, 1, 2]], np.uint8), 2)[0, 0] == 0b11000110


def test_more_bits_are_nearer_and_int8_nearest():
    rng = np.random.default_rng(1)
    learnt, fresh = clustered(rng, 2000), clustered(np.random.default_rng(1), 300)
    cosines = []
    for bits in (1, 2, 4):
        codec = train(learnt, bits=bits, centroids=16, rng=np.random.default_rng(2))
        parts = codec.encode(fresh)
        assert parts["rest"].shape == (300, -(-WIDTH * bits // 8))
        back = codec.decode(parts)
        np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1, atol=1e-5)
        cosines.append(float((back * fresh).sum(1).mean()))
    cosines.append(float((Int8().decode(Int8().encode(fresh)) * fresh).sum(1).mean()))
    assert cosines == sorted(cosines)
    assert cosines[0] > 0.9
    assert cosines[-1] > 0.9999


def test_a_codebook_is_the_same_for_the_same_seed_and_small_for_few_vectors():
    vectors = clustered(np.random.default_rng(1), 400)
    first, again = (
        train(vectors, bits=2, centroids=64, rng=np.random.default_rng(5)) for _ in range(2)
    )
    np.testing.assert_array_equal(first.centroids_KC, again.centroids_KC)
    assert len(first.centroids_KC) == 10
    one = train(vectors[:3], bits=1, centroids=64, rng=np.random.default_rng(5))
    assert one.centroids_KC.shape == (1, WIDTH)
    assert nearest(vectors[:0], one.centroids_KC).shape == (0,)
    for bits, centroids, some in ((3, 4, vectors), (1, 0, vectors), (1, 4, vectors[:0])):
        with pytest.raises(UsageError, match="1, 2 or 4 bits"):
            train(some, bits=bits, centroids=centroids, rng=np.random.default_rng(5))


def codecs():
    vectors = clustered(np.random.default_rng(3), 800)
    return [Int8(), train(vectors, bits=2, centroids=16, rng=np.random.default_rng(3))]


@pytest.mark.parametrize("codec", codecs(), ids=lambda codec: codec.kind)
def test_the_store_scores_forgets_and_comes_back(codec, tmp_path):
    rng = np.random.default_rng(4)
    passages = {f"c{n}": clustered(rng, n) for n in range(5)}
    question = clustered(rng, 3)
    store = LateStore(codec)
    store.add(list(passages), list(passages.values()))
    exact = [maxsim(question, one) for one in passages.values()]
    np.testing.assert_allclose(store.scores(question, list(passages)), exact, atol=0.2)
    path = tmp_path / "late.safetensors"
    store.save(path)
    again = LateStore.load(path)
    assert len(again) == 5 and "c0" in again and again.size_bytes == store.size_bytes
    np.testing.assert_array_equal(
        again.scores(question, [*passages, "other"]), [*store.scores(question, list(passages)), -1]
    )
    again.remove(["c4", "other"])
    assert "c4" not in again
    with pytest.raises(NotFoundError, match="add it first"):
        again.vectors("c4")
    again.save(path)
    assert len(LateStore.load(path)) == 4
    LateStore(codec).save(path)
    assert len(LateStore.load(path)) == 0


def test_a_file_that_is_no_store(tmp_path):
    path = tmp_path / "late.safetensors"
    with pytest.raises(NotFoundError, match="no such file"):
        LateStore.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="no store"):
        LateStore.load(path)
    store = LateStore(Int8())
    store.add(["a"], [units(np.random.default_rng(0), 2)])
    store.save(path)
    path.write_bytes(path.read_bytes().replace(b"aegle-late/1", b"aegle-late/0"))
    with pytest.raises(InputError, match="another version"):
        LateStore.load(path)
