"""Relations that words tell are learned, scaled on texts not seen, and put onto a tagger."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.sparse import csr_matrix

from aegle.core.errors import InputError, StoppedError
from aegle.core.examples import Example, Label, Pair
from aegle.core.text import SafeText
from aegle.lm.pair_words import scaled
from aegle.train.pair_words import (
    PENALTY_RELATED,
    PENALTY_TYPES,
    _logistic,
    _softmax,
    fit_pairs,
    pair_data,
)
from aegle.train.recipe import Recipe

LABELS, THINGS = ("Raises", "Lowers"), ("drug", "gene")
SAYS = {"Raises": "strongly raises", "Lowers": "clearly lowers", "": "was given beside"}


def example(number: int, rng: np.random.Generator) -> Example:
    """Two sentences, each about a drug and a gene."""
    text, labels, pairs = "Some drugs.\n", [], []
    for _ in range(2):
        relation = str(rng.choice(list(SAYS)))
        drug, gene = (f"{kind}{rng.integers(1000)}" for kind in ("dr", "ge"))
        at = len(text)
        text += f"{drug} {SAYS[relation]} {gene} here. "
        labels.append(Label(at, at + len(drug), "drug"))
        start = text.index(gene, at)
        labels.append(Label(start, start + len(gene), "gene"))
        if relation:
            pairs.append(Pair((len(labels) - 2,), (len(labels) - 1,), relation))
    safe = SafeText(text, by="made here")
    things = tuple((place,) for place in range(len(labels)))
    return Example(str(number), str(number), safe, tuple(labels), tuple(pairs), things)


def examples(count: int, seed: int) -> list[Example]:
    rng = np.random.default_rng(seed)
    return [example(number, rng) for number in range(count)]


def test_it_learns_what_words_tell() -> None:
    words, told = fit_pairs(pair_data(examples(120, 0), LABELS, THINGS), LABELS, THINGS, seed=1)
    held = pair_data(examples(40, 1), LABELS, THINGS)
    found = [words.logits(one) for one in held.told]
    said = scaled(np.stack(found), told).argmax(1)
    assert np.mean(said == held.types_P) > 0.95
    assert (told.kind, told.labels, told.things) == ("worded", LABELS, THINGS)


def test_too_few_texts_are_refused() -> None:
    with pytest.raises(InputError, match="at least 5 texts"):
        fit_pairs(pair_data(examples(3, 0), LABELS, THINGS), LABELS, THINGS, seed=1)


def test_relations_of_other_labels_neither_count_nor_hide_a_known_one() -> None:
    (one,) = examples(1, 3)
    known = Pair((0,), (1,), "Raises")
    both = [known, Pair((0,), (1,), "Other"), Pair((2,), (3,), "Other")]
    data = pair_data([replace(one, pairs=tuple(both))], LABELS, THINGS)
    assert data.relations_D.tolist() == [1]
    assert sorted(data.types_P.tolist())[-1] == 1
    assert data.types_P.sum() == 1


def test_it_ends_where_it_is_asked_to() -> None:
    with pytest.raises(StoppedError):
        fit_pairs(
            pair_data(examples(20, 0), LABELS, THINGS), LABELS, THINGS, seed=1, stop=lambda: True
        )


def test_the_least_loss_is_found() -> None:
    """Against scikit-learn's, which penalises alike (C = 1 / penalty, the offset free)."""
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    table = rng.normal(size=(300, 6)) * 8
    types = (table[:, :3] + rng.normal(size=(300, 3)) * 8).argmax(1)
    ours = csr_matrix(np.hstack([table, np.ones((300, 1))]))
    logistic = linear.LogisticRegression(C=1 / PENALTY_RELATED, tol=1e-8, max_iter=1000)
    logistic.fit(table, types == 0)
    found = _logistic(ours, types == 0)
    np.testing.assert_allclose(found[:-1], logistic.coef_[0], atol=1e-3)
    np.testing.assert_allclose(found[-1], logistic.intercept_[0], atol=1e-3)
    softmax = linear.LogisticRegression(C=1 / PENALTY_TYPES, tol=1e-8, max_iter=1000)
    softmax.fit(table, types)
    np.testing.assert_allclose(_softmax(ours, types, 3)[:-1].T, softmax.coef_, atol=1e-3)


def test_a_recipe_says_what_a_worded_task_needs() -> None:
    corpus = {"task": "r", "train": "x", "names": {"D": "drug"}, "licence": "", "safe_because": ""}
    tasks = {"r": {"kind": "worded", "labels": ["Raises"], "things": ["drug"]}}
    told = {"name": "n", "frozen": True, "tasks": tasks, "corpora": [corpus]}
    assert Recipe.model_validate(told).tasks["r"].things == ("drug",)
    with pytest.raises(ValidationError, match="fitted onto a tagger"):
        Recipe.model_validate(told | {"frozen": False})
    with pytest.raises(ValidationError, match="labels of its things"):
        Recipe.model_validate(
            told
            | {
                "tasks": {"r": {"kind": "worded", "labels": ["Raises"]}},
                "corpora": [corpus | {"names": {}}],
            }
        )


def test_the_shipped_tagger_relates_by_words() -> None:
    from aegle.lm.tagger import Tagger

    folder = Path(__file__).parents[2] / "src/aegle/weights/tagger"
    tagger = Tagger(folder, threads=1)
    assert tagger.classifiers["relation"].kind == "worded"
    text = "Aspirin-induced ulcers\nAspirin induced ulcers in 12 patients. Heparin was not studied."
    (reading,) = tagger.read([text], tasks=["biology"])
    things = [("chemical", [(0, 7), (23, 30)]), ("disease", [(16, 22), (39, 45)])]
    told = reading.pairs("relation", things)
    assert told.shape == (2, 2, 9)
    assert told[0, 1, 0] < 0.5
    assert tagger.classifiers["relation"].labels[told[0, 1, 1:].argmax()] == "Positive_Correlation"
    np.testing.assert_allclose(told.sum(-1), 1, atol=1e-5)
    np.testing.assert_array_equal(told, told.transpose(1, 0, 2))
