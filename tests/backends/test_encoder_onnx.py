"""The ONNX encoder: the contract, over weights that Aegle converts and over a ready graph."""

import json
from itertools import pairwise

import numpy as np
import pytest

from aegle.backends.encoder_onnx import OnnxEncoder
from aegle.core.errors import InputError, NotFoundError, UsageError
from aegle.lm.encoder import pool
from aegle.testing.encoder import CHECKS, TEXTS, check_shape_and_length
from aegle.testing.weights import WeightsUnavailableError, cached


def weights(name):
    try:
        return cached(name)
    except WeightsUnavailableError as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("name", ["minilm", "bge-small"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check, name):
    folder = weights(name)
    check(lambda: OnnxEncoder(folder, threads=1))


def test_fewer_dimensions_are_the_first_ones_at_unit_length():
    folder = weights("minilm")
    check_shape_and_length(lambda: OnnxEncoder(folder, threads=1, dimensions=64))
    whole, short = (OnnxEncoder(folder, threads=1, dimensions=size) for size in (0, 64))
    first = whole.embed(TEXTS)[:, :64]
    expected = first / np.linalg.norm(first, axis=1, keepdims=True)
    np.testing.assert_allclose(short.embed(TEXTS), expected, atol=1e-6)
    assert (short.width, whole.width) == (64, 384)
    assert short.name != whole.name
    with pytest.raises(UsageError, match="384 numbers"):
        OnnxEncoder(folder, dimensions=385)


def test_long_texts_are_cut_not_refused():
    encoder = OnnxEncoder(weights("minilm"), threads=1)
    long = "pain " * 400
    vectors = encoder.embed([long, long + "aspirin " * 50, "pain " * 254])
    assert vectors[0] @ vectors[1] > 0.9999
    assert vectors[0] @ vectors[2] > 0.9999
    encoder.close()


def test_pooling_weighs_by_the_mask():
    states = np.array([[[3.0, 4.0], [0.0, 1.0], [9.0, 9.0]]], np.float32)
    mask = np.array([[1, 1, 0]])
    mean = np.array([3.0, 5.0]) / np.hypot(3, 5)
    np.testing.assert_allclose(pool(states, mask, "mean")[0], mean, rtol=1e-6)
    np.testing.assert_allclose(pool(states, mask, "cls")[0], [0.6, 0.8], rtol=1e-6)


def test_a_folder_that_is_no_encoder(tmp_path):
    with pytest.raises(NotFoundError, match=r"tokenizer\.json"):
        OnnxEncoder(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="no tokenizer"):
        OnnxEncoder(tmp_path)
    (tmp_path / "1_Pooling").mkdir()
    told = {"pooling_mode_max_tokens": True}
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match="pooling_mode_max_tokens"):
        OnnxEncoder(tmp_path)


def test_nearest_sentence_is_the_paraphrase():
    encoder = OnnxEncoder(weights("minilm"), threads=1)
    pairs = [
        ("The patient has high blood pressure.", "Hypertension was diagnosed."),
        ("An attacker guessed passwords.", "A brute force attack on accounts was seen."),
        ("The infusion pump lost its connection.", "The IV device went offline."),
    ]
    left = encoder.embed([one for one, _ in pairs])
    right = encoder.embed([other for _, other in pairs])
    assert (left @ right.T).argmax(1).tolist() == [0, 1, 2]
    counts = [encoder.count("pain " * n) for n in range(5)]
    assert all(b == a + 1 for a, b in pairwise(counts))
    encoder.close()
