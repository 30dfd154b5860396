"""Distilling a reranker: candidates, the loss, and a student that serves by its teacher's base."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from aegle.core.artifacts import sha256_tree
from aegle.core.errors import InputError, StoppedError
from aegle.flows import retrievers
from aegle.lm import delta
from aegle.lm.pairs import CrossEncoder
from aegle.train import cross, lowrank, reranker
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
    about = {"base": "base", "base_folder": base, "pieces": HOW.pieces}
    made_of = reranker.made_of(folders, some, **about)
    left = reranker.teach(folders, words, run, some, about=made_of, stop=lambda: next(calls) == 5)
    assert left > 0
    with (run / reranker.LISTS).open("a") as file:
        file.write('{"part": "tra')  # as a killed process leaves it
    # It goes on, and asks nothing twice.
    assert reranker.teach(folders, words, run, some, about=made_of) == 0
    losses = []
    told = reranker.run(
        base="base",
        base_folder=base,
        layers=(0, 2),
        folder=run,
        folders=folders,
        made_of=made_of,
        how=HOW,
        log=lambda name, value, step: losses.append(value),
    )
    assert np.mean(losses[-8:]) < np.mean(losses[:8])
    assert set(told["dev"]) == {"made"}
    card = json.loads((Path(told["model"]) / "card.json").read_text())
    said = {"licence": "ours", "safe_because": "made for a test"}
    assert card["data"]["made"] == {**said, "train": 18, "dev": 6}
    manifest = json.loads((Path(told["model"]) / "manifest.json").read_text())
    assert manifest["sources"]["made"] == {**said, "sha256": sha256_tree(folders[0])}
    assert card["layers"] == [0, 2]
    monkeypatch.setenv("AEGLE_CACHE", str(tmp_path / "cache"))
    folder = delta.whole(Path(told["model"]), base, tmp_path / "cache")
    assert json.loads((folder / "config.json").read_text())["num_hidden_layers"] == 2
    served = CrossEncoder(folder)
    one = reranker.read_lists(run)["dev"][0]
    assert np.isfinite(served.score(one.question, one.passages)).all()


SOME = reranker.Candidates()


def unread(question, passages):
    raise AssertionError("the teacher was asked for nothing")


def test_a_small_source_gives_shorter_lists_which_are_counted(tmp_path):
    """Six passages, and a question that two of them answer: five candidates for it, six else."""
    small, run = write(tmp_path, count=6, dev=0), tmp_path / "run"
    with (small / "qrels/train.tsv").open("a") as file:
        file.write("q0\tp1\t1\n")
    how = {"most": 9, "by_words": 4, "by_graph": 1, "seed": 0}
    lists = cross.listed(read(small), part="train", **how)
    assert sorted(len(one.passages) for one in lists) == [5, 6, 6, 6, 6, 6]
    one = write(tmp_path, name="one", count=1, dev=0)
    about = {"made": "so"}
    assert reranker.teach([small, one], words, run, SOME, about=about) == 0
    assert {len(o.passages) for o in reranker.read_lists(run)["train"]} == {6}
    assert reranker.check_lists(run, about) == {"made": 1, "one": 1}


def test_without_anything_to_learn_the_teacher_is_not_asked(tmp_path):
    guard, one = write(tmp_path, name="guard"), write(tmp_path, name="one", count=1, dev=0)
    (guard / "qrels/train.tsv").unlink()
    for folder, said in ((guard, r"qrels/train\.tsv"), (one, "two passages")):
        with pytest.raises(InputError, match=said):
            reranker.teach([folder], unread, tmp_path / "run", SOME, about={})
    assert not (tmp_path / "run").exists()


def test_no_lists_and_uneven_ones_are_refused(base, tmp_path):
    net = cross.student(delta.base_weights(base), (0,))
    three, one = (Listed("s", "q", ("a",) * k, (0,), (1.0,) * k) for k in (3, 1))
    for lists in ([], [one], [three, one]):
        with pytest.raises(InputError, match="two passages or more"):
            cross.distil(net, None, lists, HOW, folder=tmp_path / "run")


@pytest.mark.parametrize("layers", [(2, 0), (0, 0), (0, 3), ()])
def test_layers_that_cannot_be_kept_are_refused_before_the_teacher_reads(
    base, tmp_path, layers, monkeypatch
):
    monkeypatch.setattr(reranker, "teach", unread)
    pairs, run = write(tmp_path), tmp_path / "run"
    with pytest.raises(InputError, match=r"ascending|\[3\] .* has 0, 1, 2"):
        retrievers.reranker(pairs, out=run, teacher=f"path:{base}", layers=layers)
    assert not (run / "lists.json").exists()
    if layers != (0, 3):  # the base is not asked when a delta is written
        with pytest.raises(InputError, match="ascending"):
            lowrank.save_delta(
                run / "model", base="b", base_folder=base, tensors={}, card={}, layers=layers
            )
        assert not (run / "model").exists()


def test_a_teacher_of_another_shape_is_refused_at_once(base, monkeypatch):
    monkeypatch.setitem(cross.MINILM, "intermediate_size", 96)
    with pytest.raises(InputError, match="ms-marco-minilm's shape"):
        reranker.check_student(base, (0, 1))


def test_a_run_goes_on_only_as_it_was_begun(base, tmp_path, monkeypatch):
    monkeypatch.setenv("AEGLE_CACHE", str(tmp_path / "cache"))
    pairs, run = write(tmp_path), tmp_path / "run"
    other = shutil.copytree(base, tmp_path / "other")
    told = json.loads((base / "config.json").read_text()) | {"layer_norm_eps": 1e-5}
    (other / "config.json").write_text(json.dumps(told))

    def go(*, teacher=base, layers=(0, 1), stop_at=99, **how):
        asked = iter(range(99))
        changes = {"steps": 6, "lists": 2, "pieces": how.pop("pieces", 40)}
        return retrievers.reranker(
            pairs,
            out=run,
            teacher=f"path:{teacher}",
            layers=layers,
            changes=changes,
            stop=lambda: next(asked) == stop_at,
            **how,
        )

    with pytest.raises(StoppedError, match="the teacher has"):
        go(stop_at=3)
    before = (run / "lists.jsonl").read_text()
    for change, said in (
        ({"teacher": other}, r"teacher\.reference was .*; teacher\.sha256 was"),
        ({"pieces": 30}, "pieces was 40, is 30"),
        ({"questions": 5}, r"candidates\.train was 300, is 5"),
    ):
        with pytest.raises(InputError, match=said):
            go(resume=True, **change)
    assert (run / "lists.jsonl").read_text() == before
    with pytest.raises(StoppedError, match="at step"):
        go(resume=True, stop_at=23)  # 20 more lists are read before the first step
    for change, said in (
        ({"layers": (0, 1, 2)}, r"layers was \[0, 1\], is \[0, 1, 2\]"),
        ({"teacher": other}, r"teacher\.sha256"),
        ({"questions": 5}, r"candidates\.train"),
    ):
        with pytest.raises(InputError, match=said):
            go(resume=True, **change)
    card = (pairs / "card.json").read_text()
    (pairs / "card.json").write_text(card.replace("ours", "theirs"))
    with pytest.raises(InputError, match=r"data\.made was"):
        go(resume=True)
    (pairs / "card.json").write_text(card)
    assert go(resume=True)["dropped"] == {}
    assert delta.whole(run / "model", base, tmp_path / "cache").is_dir()
