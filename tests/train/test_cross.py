"""Distilling a reranker: candidates, the loss, and a student that serves by its teacher's base."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from aegle.core.errors import InputError
from aegle.lm import delta
from aegle.lm.pairs import CrossEncoder
from aegle.train import cross, reranker
from aegle.train.cross import Listed
from aegle.train.data.beir import read

sys.path.insert(0, str(Path(__file__).parent))
from asked import write

HOW = cross.How(steps=40, lists=4, pieces=40, lr=3e-3)


def words(question, passages):
    """A teacher: how many words are shared, as a logit."""
    asked = set(question.split())
    return np.array([3.0 * len(asked & set(one.split())) - 2 for one in passages])


@pytest.fixture
def base(tiny, tmp_path, monkeypatch):
    """A cross-encoder of three layers with random weights."""
    from transformers import BertConfig, BertForSequenceClassification

    told = json.loads((tiny / "config.json").read_text())
    config = {k: told[k] for k in ("vocab_size", "hidden_size", "intermediate_size")}
    config |= {"num_attention_heads": 2, "max_position_embeddings": 64, "num_hidden_layers": 3}
    monkeypatch.setattr(cross, "MINILM", {**cross.MINILM, **config})
    monkeypatch.setattr(reranker, "MINILM", {**cross.MINILM})
    torch.manual_seed(1)
    kept = {k: v for k, v in cross.MINILM.items() if k != "architectures"}
    folder = tmp_path / "base"
    BertForSequenceClassification(BertConfig(**kept)).save_pretrained(folder)
    (folder / "tokenizer.json").write_text((tiny / "tokenizer.json").read_text())
    return folder


def test_candidates_hold_an_answer_and_what_looks_like_it(tmp_path):
    data = read(write(tmp_path))
    for one in cross.listed(data, part="train", most=10, by_words=3, by_graph=1, seed=0):
        assert len(one.passages) == len(set(one.passages)) == 5
        assert one.right == (0,)
        assert one.question.split()[-1] in one.passages[0]


def test_the_loss_is_least_where_the_student_says_what_the_teacher_says():
    lists = [Listed("s", "q", ("a", "b", "c"), (0,), (4.0, 1.0, -2.0))]
    how = cross.How(gold=0)
    same = torch.tensor([[14.0, 11.0, 8.0]])  # a constant more changes no order
    assert float(cross.ranked_loss(same, lists, how)) == pytest.approx(0, abs=1e-6)
    assert float(cross.ranked_loss(-same, lists, how)) > 1
    told = cross.agreement(same, lists)
    assert told == {"first_mine": 1, "first_teacher": 1, "spearman": pytest.approx(1)}


def test_a_student_of_two_layers_learns_and_serves(base, tmp_path, monkeypatch):
    folders, run = [write(tmp_path / "pairs")], tmp_path / "run"
    some = reranker.Candidates(train=40, dev=6, by_words=2, by_graph=1)
    calls = iter(range(99))
    left = reranker.teach(folders, words, run, some, stop=lambda: next(calls) == 5)
    assert left > 0
    with (run / reranker.LISTS).open("a") as file:
        file.write('{"part": "tra')  # as a killed process leaves it
    assert reranker.teach(folders, words, run, some) == 0  # goes on, asks nothing twice
    with pytest.raises(InputError, match="other folders"):
        reranker.teach(folders, words, run, reranker.Candidates())
    losses = []
    told = reranker.run(
        base="base",
        base_folder=base,
        layers=(0, 2),
        folder=run,
        folders=folders,
        how=HOW,
        log=lambda name, value, step: losses.append(value),
    )
    assert np.mean(losses[-8:]) < np.mean(losses[:8])
    assert set(told["dev"]) == {"made"}
    card = json.loads((Path(told["model"]) / "card.json").read_text())
    assert card["data"]["made"] == {"licence": "ours", "train": 18, "dev": 6}
    assert card["layers"] == [0, 2]
    monkeypatch.setenv("AEGLE_CACHE", str(tmp_path / "cache"))
    folder = delta.whole(Path(told["model"]), base, tmp_path / "cache")
    assert json.loads((folder / "config.json").read_text())["num_hidden_layers"] == 2
    served = CrossEncoder(folder)
    one = reranker.read_lists(run)["dev"][0]
    assert np.isfinite(served.score(one.question, one.passages)).all()
