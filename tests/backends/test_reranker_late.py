"""Late interaction by the packaged encoder: the contract, and MaxSim of its tokens' vectors."""

import numpy as np
import pytest
from tiny_pairs import write_folder, write_tokenizer

from aegle.backends.encoder_onnx import OnnxEncoder
from aegle.backends.reranker_late import LateReranker
from aegle.core.errors import InputError, NotFoundError
from aegle.lm.token_vectors import TokenEncoder
from aegle.testing.reranker import CHECKS, PASSAGES, QUESTION, check_meaning
from aegle.testing.weights import WeightsUnavailableError, cached


def minilm():
    try:
        return cached("minilm")
    except WeightsUnavailableError as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("check", [*CHECKS, check_meaning], ids=lambda check: check.__name__)
def test_contract(check):
    folder = minilm()
    check(lambda: LateReranker(folder, threads=1))


def test_it_is_the_mean_of_each_words_best_match():
    folder = minilm()
    reranker, tokens = LateReranker(folder, threads=1), TokenEncoder(folder, threads=1)
    found = reranker.score(QUESTION, PASSAGES)
    asked, *told = tokens.vectors([QUESTION, *PASSAGES])
    for score, passage in zip(found, told, strict=True):
        best = [max((float(a @ b) for b in passage), default=-1.0) for a in asked]
        assert score == pytest.approx(sum(best) / len(best), abs=1e-5)
    reranker.close()
    tokens.close()


def test_tokens_are_words_and_their_mean_is_nearly_the_texts_vector():
    """The packaged encoder averages all tokens; ours are those without marks and specials."""
    folder = minilm()
    tokens, encoder = TokenEncoder(folder, threads=1), OnnxEncoder(folder, threads=1)
    text = "The infusion pump (model 3) lost its connection."
    bare, marked, none = tokens.vectors(["pump lost", "pump: lost!", "!?"])
    assert bare.shape == marked.shape == (2, tokens.width)
    assert none.shape == (0, tokens.width)
    (vectors,) = tokens.vectors([text])
    assert len(vectors) == encoder.count(text) - 3
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    assert float(vectors.mean(0) @ encoder.embed([text])[0]) > 0.5
    (long,) = tokens.vectors(["pain " * 400])
    assert len(long) == tokens.max_tokens - 2
    tokens.close()
    encoder.close()


def test_the_graph_of_tokens_is_built_of_any_bert(tmp_path, monkeypatch):
    monkeypatch.setenv("AEGLE_CACHE", str(tmp_path / "cache"))
    tokens = TokenEncoder(write_folder(tmp_path / "model"), threads=1, max_tokens=96)
    together = tokens.vectors(["the pump lost", "pain", "ward " * 50])
    alone = [tokens.vectors([text])[0] for text in ("the pump lost", "pain", "ward " * 50)]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    tokens.close()


def test_a_folder_without_token_vectors(tmp_path):
    with pytest.raises(NotFoundError, match=r"tokenizer\.json"):
        LateReranker(tmp_path)
    try:
        cross = cached("ms-marco-minilm")
    except WeightsUnavailableError as why:
        pytest.skip(str(why))
    write_tokenizer(tmp_path)
    with pytest.raises(InputError, match="a vector for each token"):
        LateReranker(cross)
