"""Relations of given things, the combined assertion, the encoder of peers, whole scripts."""

# ruff: noqa: E402 (without torch the whole file is passed over)

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the encoder of peers needs the extra 'train'")

import onnxruntime

import assertion
import ner
import relations
import tagger_texts
import tagger_weights
from aegle.core.artifacts import write_json
from aegle.core.examples import Example, Label, Pair
from aegle.core.text import SafeText
from aegle.lm.bert import Shape
from aegle.lm.pieces import CASES
from aegle.lm.tag_graph import build_tagger
from aegle.train.network import Network
from aegle.train.parts import read_parts
from aegle.train.recipe import Task

TEXT = SafeText("ab cd ef", by="test")
SPANS = (Label(0, 2, "G"), Label(3, 5, "D"), Label(6, 8, "D"))


def test_a_pair_is_right_whatever_its_direction() -> None:
    one = Example("1", "1", TEXT, SPANS, (Pair((1,), (0,), "Bind"),), ((0,), (1,), (2,)))
    told = np.zeros((3, 3, 3))
    told[..., 0] = 0.5
    told[0, 1, 2] = told[1, 0, 2] = 0.9
    said = relations.found(one.things, told, ("Other", "Bind"))
    assert said == relations.gold(one) == [((0,), (1,), "Bind", 0)]


def test_concepts_of_the_same_mentions_count_each() -> None:
    both = Pair((0,), (1,), "Bind")
    one = Example("1", "1", TEXT, SPANS, (both, both), ((0,), (0,), (1,), (2,)))
    assert len(set(relations.gold(one))) == 2
    told = np.zeros((4, 4, 2))
    told[..., 0] = 0.5
    told[0, 2, 1] = told[2, 0, 1] = 0.9
    assert set(relations.found(one.things, told, ("Bind",))) < set(relations.gold(one))


def test_things_of_other_labels_are_not_asked() -> None:
    one = Example("1", "1", TEXT, SPANS, (), ((0,), (1,), (2,)))
    assert relations.things_of(one, {"D": "disease"}) == [(1,), (2,)]


def test_the_dev_part_holds_nothing_that_the_recipe_trains_on(data: Path) -> None:
    corpus = relations.corpus_of("biored")
    recipe = relations.read_recipe(relations.RECIPE).model_copy(update={"corpora": (corpus,)})
    learned = {one.group for one in read_parts(recipe, data)[0].train}
    dev = relations.read(corpus, data, "dev")
    assert dev
    assert not learned & {one.group for one in dev}
    assert any(one.pairs for one in dev)


def test_a_denied_past_is_both_and_stored_as_denied() -> None:
    told = {"present": 0.1, "negated": 0.6, "historical": 0.3}
    past = {"present": 0.1, "negated": 0.3, "historical": 0.6}
    both = frozenset({"negated", "historical"})
    assert assertion.judged(None, told) == (True, True, False)
    assert assertion.judged(None, past) == (False, True, True)
    assert assertion.judged(frozenset({"negated"}), None) == (True, False, False)
    assert assertion.judged(both, None) == (True, True, False)
    assert assertion.judged(frozenset({"historical"}), None) == (False, True, True)
    assert assertion.judged(both, told) == (True, True, False)
    assert assertion.judged(frozenset({"historical"}), past) == (False, True, True)
    sure = {"present": 0.999, "negated": 0.0005, "historical": 0.0005}
    assert assertion.judged(frozenset(), sure) == (False, False, False)


def test_a_served_tagger_is_the_same_encoder_in_torch(tiny: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = Network(tiny, {"x": Task(labels=("a", "b"))}, cases=True, dropout=0.0)
    torch.nn.init.normal_(net.cases.weight, std=0.1)
    weights = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    ids = torch.randint(4, 60, (2, 12))
    cases = np.full((2, 12), CASES.index("lower"))
    feeds = {"input_ids": ids.numpy(), "attention_mask": np.ones((2, 12), int), "cases": cases}
    for int8, within in ((False, 1e-4), (True, 0.2)):
        folder = tmp_path / str(int8)
        folder.mkdir()
        graph = build_tagger(Shape.read(tiny / "config.json"), weights, tasks=["x"], int8=int8)
        (folder / "model.onnx").write_bytes(graph.SerializeToString())
        (folder / "tokenizer.json").write_bytes((tiny / "tokenizer.json").read_bytes())
        write_json(folder / "card.json", {"heads": {"x": {"labels": ["a", "b"]}}})
        session = onnxruntime.InferenceSession(graph.SerializeToString())
        states, tags = session.run(["states", "tags"], feeds)
        again = tagger_weights.trainable(str(folder), tmp_path / f"hf-{int8}")
        plain = Network(again, {}, cases=False, dropout=0.0)
        got = plain.states(ids, torch.ones_like(ids), torch.zeros_like(ids)).detach().numpy()
        assert np.abs(got - states).max() < within
        labels, weight_TC, bias_T = tagger_weights.head(folder)
        assert labels == ["O", "B-a", "I-a", "B-b", "I-b"]
        assert states @ weight_TC.T + bias_T == pytest.approx(tags, abs=1e-4)


def test_texts_of_a_length_have_it(tiny: Path) -> None:
    texts = tagger_texts.pages(None, 3, seed=2)
    assert texts == tagger_texts.pages(None, 3, seed=2)
    tokenizer = tagger_texts.read_tokenizer(tiny / "tokenizer.json")
    found = tagger_texts.of_length(tiny, texts, 32)
    assert found
    assert all(len(tokenizer.encode(text).ids) == 32 for text in found)


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *args: str) -> dict:
    monkeypatch.setattr(sys, "argv", ["ner.py", *args])
    ner.main()
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_folder_is_learned_and_then_read_zero_shot(
    tiny: Path,
    corpora: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = tmp_path / "drugs"
    data.mkdir()
    for ours, theirs in (("train", "train.txt"), ("dev", "valid.iob"), ("test", "test.conll")):
        (data / theirs).write_text((corpora / f"drugs-{ours}.txt").read_text())
    small = "--max-pieces 40 --lr 3e-3 --head-lr 1e-2 --epochs 3 --batch-words 512 --context 0"
    told = said(
        capsys, monkeypatch, "--data", str(data), "--train", "--start", str(tiny),
        "--out", str(tmp_path / "run"), *small.split(),
    )  # fmt: skip
    assert (told["dataset"], told["n"]) == ("drugs", 40)
    assert told["f1"] > 0.9
    model = str(tmp_path / "run" / "run" / "model")
    zero = said(
        capsys, monkeypatch, "--data", str(data), "--model", model, "--context", "0",
        "--labels", "Drug=drug", "--against", model,
    )  # fmt: skip
    assert zero["f1"] == told["f1"]
    assert zero["min_ratio"] == 1.0
    with pytest.raises(SystemExit, match="no part 'dev'"):
        said(capsys, monkeypatch, "--data", str(data / "test.conll"), "--model", model,
             "--split", "dev")  # fmt: skip


def test_what_was_just_learned_is_not_scored(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("all", "train"):
        with pytest.raises(SystemExit):
            said(capsys, monkeypatch, "--data", "x", "--train", "--split", part)
        assert "just learned" in capsys.readouterr().err


def test_labels_that_are_scored_as_one_are_told(data: Path) -> None:
    _, served = ner.ner_known.read("annoctr", data, {"security"}, "test")
    assert ner.ner_known.merged(served) == {"organization": ["GROUP", "ORG"]}


def test_every_known_set_is_in_the_recipe_or_said(data: Path) -> None:
    from aegle.train.recipe import read_recipe

    tasks = read_recipe(ner.ner_known.RECIPE).tasks
    for name in ("cyner", "annoctr"):
        examples, served = ner.ner_known.read(name, data, tasks, "test")
        found = {one.label for some in examples for one in some.labels}
        assert found == {ner.name_of(ours) for ours in served.values()}
