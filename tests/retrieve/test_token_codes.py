"""Codes of token vectors: what they lose is bounded, and nothing but the passage is in them."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.core.errors import UsageError
from aegle.lm.token_vectors import maxsim
from aegle.retrieve.token_codes import CODECS, LEVELS, codec, pack, turning, unpack

WIDTH = 96
COSINES = {"int8": 0.9999, "4bit": 0.993, "2bit": 0.93, "1bit": 0.78}
"""The least mean cosine of what comes back; of 1 bit of normal numbers it is sqrt(2 / pi)."""
ROWS = {"int8": 96, "4bit": 2 + 48, "2bit": 2 + 24, "1bit": 2 + 12}


def units(rng, num, width=WIDTH):
    vectors = rng.normal(size=(num, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def passage(rng, num, width=WIDTH):
    """Tokens of one text: around one meaning, and one coordinate sticks out as in real encoders."""
    near = units(rng, 1, width) + 1.5 * units(rng, num, width)
    near[:, 7] += 0.8
    return (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)


def back(one, code):
    return one.decode(code) @ one.turn(np.eye(WIDTH, dtype=np.float32)).T


@settings(max_examples=50)
@given(st.sampled_from([1, 2, 4]), st.integers(0, 5), st.integers(1, 17), st.integers(0, 99))
def test_packing_loses_nothing(bits, num, width, seed):
    places = np.random.default_rng(seed).integers(0, 1 << bits, (num, width)).astype(np.uint8)
    packed = pack(places, bits)
    assert packed.shape == (num, -(-width * bits // 8))
    np.testing.assert_array_equal(unpack(packed, bits, width), places)
    assert bits != 2 or pack(np.array([[3, 0, 1, 2]], np.uint8), 2)[0, 0] == 0b11000110


@pytest.mark.parametrize("bits", LEVELS)
def test_levels_are_the_means_of_what_they_stand_for(bits):
    """Lloyd's condition: each is the mean of a normal number between the borders around it."""
    half = LEVELS[bits]
    borders = [0.0, *((a + b) / 2 for a, b in pairwise(half)), math.inf]
    for level, (low, high) in zip(half, pairwise(borders), strict=True):
        share = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
        mean = (math.exp(-low * low / 2) - math.exp(-high * high / 2)) / math.sqrt(2 * math.pi)
        assert level == pytest.approx(mean / share, abs=2e-3)


@pytest.mark.parametrize("width", [1, 5, 96, 384])
def test_turning_keeps_every_product(width):
    turned = turning(width)
    np.testing.assert_allclose(turned @ turned.T, np.eye(width), atol=1e-5)


def test_turning_is_always_the_same():
    """Vectors that are kept are compared by it years later."""
    found = turning(384)[[0, 1, 383], [0, 100, 383]]
    np.testing.assert_allclose(found, [-0.051031, 0.024313, 0.000295], atol=1e-6)


@pytest.mark.parametrize("name", CODECS)
def test_what_comes_back_is_near(name):
    rng = np.random.default_rng(1)
    one, cosines, apart = codec(name, WIDTH), [], []
    for num in (1, 2, 40, 200):
        vectors = passage(rng, num)
        code = one.encode(vectors)
        assert len(code) == num * ROWS[name] + (0 if name == "int8" else 2 * WIDTH)
        near = back(one, code)
        own = np.sum(near * vectors, axis=1)
        cosines += (own / np.linalg.norm(near, axis=1)).tolist()
        apart += (own - 1).tolist()
        question = passage(rng, 6)
        exact = maxsim(question, vectors)
        assert maxsim(one.turn(question), one.decode(code)) == pytest.approx(exact, abs=0.1)
    assert np.mean(cosines) > COSINES[name]
    assert abs(np.mean(apart)) < 0.01, "products are neither too small nor too great"
    assert np.abs(apart).max() < 0.15


@pytest.mark.parametrize("name", CODECS)
def test_no_tokens_and_equal_tokens(name):
    one = codec(name, WIDTH)
    assert one.encode(np.empty((0, WIDTH), np.float32)) == b""
    assert one.decode(b"").shape == (0, WIDTH)
    same = np.repeat(units(np.random.default_rng(2), 1), 3, axis=0)
    np.testing.assert_allclose(back(one, one.encode(same)), same, atol=0.01)


@settings(max_examples=30)
@given(st.sampled_from(CODECS), st.integers(1, 4), st.integers(1, 30), st.integers(0, 99))
def test_a_passage_has_one_code_and_no_other_has_its_length_cut(name, num, cut, seed):
    rng = np.random.default_rng(seed)
    vectors = passage(rng, num)
    code = codec(name, WIDTH).encode(vectors)
    codec(name, WIDTH).encode(passage(rng, 5))
    assert codec(name, WIDTH).encode(vectors) == code, "nothing is learnt in between"
    if cut % ROWS[name]:
        with pytest.raises(ValueError, match=r"reshape|tokens"):
            codec(name, WIDTH).decode(code[: max(1, len(code) - cut)])


def test_what_is_no_number_is_no_code():
    one = codec("2bit", WIDTH)
    code = one.encode(passage(np.random.default_rng(3), 4))
    with pytest.raises(ValueError, match="numbers"):
        one.decode(b"\xff\xff" + code[2:])


def test_another_name():
    with pytest.raises(UsageError, match="int8, 4bit, 2bit, 1bit; got '3bit'"):
        codec("3bit", WIDTH)
