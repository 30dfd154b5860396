"""Search at size: made texts and vectors are like the real ones, the nearest are the nearest."""

import json
from itertools import pairwise

import numpy as np
import pytest

from aegle.core.records import Chunk
from aegle.core.text import SafeText
from aegle.retrieve import marks
from aegle.retrieve.namebook import NameBook
from scale_corpus import NOISE, WORDS, Bigrams, jittered, passages
from scale_search import opened
from search_scale import K, exact

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


def test_the_graph_opens_from_the_names_that_are_stored(tmp_path):
    texts = {
        "film": "Blood Orchid is a film by Marten Quell.",
        "man": "Marten Quell was born here.",
    }
    chunks = [
        Chunk(
            name,
            name,
            0,
            len(text),
            SafeText(text, by="made"),
            SafeText("", by="made"),
            "page",
            "general",
        )
        for name, text in texts.items()
    ]
    vectors = unit(2)
    book = NameBook(tmp_path / "names.sqlite")
    book.put(chunks, [marks.read(one.title, one.text) for one in chunks], vectors)
    book.close()
    graph, cosines = opened(tmp_path / "names.sqlite")
    places = graph.places(["man", "film"])
    assert cosines(vectors[0], places) == pytest.approx([vectors[1] @ vectors[0], 1], abs=0.02)
