"""Search at size: made texts and vectors are like the real ones, the nearest are the nearest."""

import json
from argparse import Namespace
from itertools import pairwise

import numpy as np
import pytest

from scale_corpus import NOISE, WORDS, Bigrams, jittered, passages
from search_scale import K, check_kept, exact

REAL = [("A", "the fever is high and the pulse is low"), ("", "the pulse is fast")]


def unit(count, seed=0):
    rows = np.random.default_rng(seed).standard_normal((count, 48)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_made_texts_follow_the_real_pairs_of_words():
    texts = list(Bigrams(REAL).texts(50, np.random.default_rng(1)))
    assert len(texts) == 50
    said = {word for _, text in REAL for word in text.split()}
    pairs = {pair for _, text in REAL for pair in pairwise(text.split())}
    starts = {"the", "none"}
    for text in texts:
        words = text.split()
        assert words == ["none"] or set(words) <= said
        odd = {pair for pair in pairwise(words) if pair not in pairs}
        assert all(second in starts for _, second in odd), odd  # a text ended, the next began


def test_noise_moves_a_vector_as_far_as_is_said():
    vectors = unit(20)
    made = jittered(vectors, 400, np.random.default_rng(2))
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, rtol=1e-5)
    nearest = (made @ vectors.T).max(1)
    assert abs(nearest.mean() - 1 / np.sqrt(1 + NOISE**2)) < 0.02


def test_the_nearest_are_those_of_all():
    vectors, asked = unit(300), unit(5, seed=3)
    expected = -np.sort(-(asked @ vectors.T), 1)[:, :K]
    np.testing.assert_allclose(exact(vectors, asked), expected, rtol=1e-5)


def test_passages_are_short_and_stand_once(tmp_path):
    folder = tmp_path / "pubmedqa"
    folder.mkdir()
    text = " ".join(f"word{n}" for n in range(2 * WORDS + 3))
    row = {"QUESTION": "q", "CONTEXTS": [text], "LONG_ANSWER": "so it is"}
    (folder / "ori_pqal.json").write_text(json.dumps({"1": row, "2": row}), "utf-8")
    found = [text for _, text in passages(tmp_path)]
    assert sorted(len(one.split()) for one in found) == [6, WORDS, WORDS]


def test_what_was_built_by_other_arguments_is_not_measured(tmp_path):
    args = Namespace(chunks=10, embed=5, queries=3, warm=1, no_store=False, data=tmp_path)
    check_kept(tmp_path, args)
    check_kept(tmp_path, args)
    args.chunks = 20
    with pytest.raises(SystemExit, match="another chunks"):
        check_kept(tmp_path, args)
