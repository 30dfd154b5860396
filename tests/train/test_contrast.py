"""Contrastive training: what a batch holds, what the loss is, and that a run learns and resumes."""

import json
import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.core.artifacts import sha256_tree
from aegle.core.errors import InputError, StoppedError
from aegle.core.text import SafeText
from aegle.lm import delta
from aegle.lm.encoder import SentenceEncoder, pool
from aegle.train import embedder, lowrank
from aegle.train.contrast import Drawn, How, info_nce, tokens
from aegle.train.data.beir import Asked, read
from aegle.train.mine import Lexical, Miner

sys.path.insert(0, str(Path(__file__).parent))
from asked import write

HOW = How(steps=30, seeds=4, more=4, dimensions=(32, 8), rank=4, lr=1e-2, passage_pieces=40, seed=3)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write(tmp_path_factory.mktemp("pairs"))


def test_bm25_is_that_of_the_formula():
    passages = ["pain in the chest", "the chest drain", "a firewall rule the rule"]
    index = Lexical(passages)
    lengths = [len(one.split()) for one in passages]
    mean = sum(lengths) / 3
    expected = []
    for one, length in zip(passages, lengths, strict=True):
        total = 0.0
        for word in ("chest", "rule"):
            holding = sum(word in other.split() for other in passages)
            idf = math.log(1 + (3 - holding + 0.5) / (holding + 0.5))
            count = one.split().count(word)
            total += idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / mean))
        expected.append(total)
    np.testing.assert_allclose(index.scores("Rule, chest?"), expected)
    assert index.top("rule", 3) == [2]
    assert index.top("nothing", 3) == []


def test_what_is_held_out_is_never_a_negative(source):
    data = read(source)
    held = {n for one in data.asked["dev"] for n in one.gold}
    assert held
    assert not held & data.free
    miner = Miner(data)
    for one in data.asked["train"]:
        for found in (miner.by_words(one, k=6), miner.by_graph(one, k=6)):
            assert not set(found) & (one.gold | held)
    drawn = Drawn(data, HOW).batches(np.random.default_rng(0))
    texts = {data.passages[n] for n in held}
    for _ in range(20):
        batch = next(drawn)
        assert not set(batch.passages) & texts
        assert len(batch.passages) > HOW.seeds  # hard negatives are there


def test_graph_negatives_are_neighbours(source):
    data = read(source)
    one = data.asked["train"][3]
    (gold,) = one.gold
    assert Miner(data).by_graph(one, k=3) == [gold + 1]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**20), st.integers(2, 5), st.integers(2, 6))
def test_the_loss_is_cross_entropy_of_cosines(seed, questions, passages):
    rng = np.random.default_rng(seed)
    asked, told = rng.normal(size=(questions, 8)), rng.normal(size=(passages, 8))
    right = rng.integers(passages, size=questions)
    other = rng.random((questions, passages)) < 0.3
    other[np.arange(questions), right] = False
    expected = []
    for size in (8, 4):
        for row in range(questions):
            a = asked[row, :size] / np.linalg.norm(asked[row, :size])
            near = [a @ (t[:size] / np.linalg.norm(t[:size])) / 0.1 for t in told]
            kept = [math.exp(x) for x, hide in zip(near, other[row], strict=True) if not hide]
            expected.append(math.log(sum(kept)) - near[right[row]])
    found = info_nce(
        torch.tensor(asked),
        torch.tensor(told),
        torch.tensor(right),
        torch.tensor(other),
        temperature=0.1,
        dimensions=(8, 4),
    )
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-6)


def test_it_learns_resumes_to_the_same_bits_and_serves(tiny, source, tmp_path, monkeypatch):
    losses = []
    whole = embedder.network(tiny, HOW)
    data = [read(source)]
    embedder.fit(whole, data, HOW, folder=tmp_path / "a", log=lambda n, v, s: losses.append(v))
    assert np.mean(losses[-5:]) < np.mean(losses[:5])

    parts = embedder.network(tiny, HOW)
    asked = iter(range(99))
    with pytest.raises(StoppedError, match="step 9"):
        embedder.fit(parts, data, HOW, folder=tmp_path / "b", stop=lambda: next(asked) == 9)
    parts = embedder.network(tiny, HOW)
    embedder.fit(parts, data, HOW, folder=tmp_path / "b", resume=True)
    for name, value in lowrank.changes(whole.encoder).items():
        np.testing.assert_array_equal(value, lowrank.changes(parts.encoder)[name])

    told = embedder.run([source], base="tiny", base_folder=tiny, folder=tmp_path / "c", how=HOW)
    model = Path(told["model"])
    card = json.loads((model / "card.json").read_text())
    assert (card["dimensions"], card["data"]["made"]["train"]) == ([32, 8], 18)
    said = {"licence": "ours", "safe_because": "made for a test"}
    assert said.items() <= card["data"]["made"].items()
    manifest = json.loads((model / "manifest.json").read_text())
    assert manifest["sources"]["made"] == {**said, "sha256": sha256_tree(source)}
    monkeypatch.setenv("AEGLE_CACHE", str(tmp_path / "cache"))
    folder = delta.whole(model, tiny, tmp_path / "cache")
    served, short = SentenceEncoder(folder), SentenceEncoder(folder, dimensions=8)
    with torch.inference_mode():
        mine = torch.nn.functional.normalize(whole(["what of abc"], 40), dim=1).numpy()
    if told["share"] == 1:
        assert (served.embed(["what of abc"]) * mine).sum() > 0.99
    np.testing.assert_allclose(
        short.embed(["what of abc"])[0],
        (v := served.embed(["what of abc"])[0, :8]) / np.linalg.norm(v),
        atol=1e-6,
    )


def test_a_guard_that_loses_forbids_the_change(tiny, source, tmp_path, monkeypatch):
    net = embedder.network(tiny, HOW)
    data = read(source)
    guard = read(source)
    guard.name, guard.asked = "guard", {"train": [], "dev": data.asked["dev"], "test": []}
    scores = iter([(0.5, 0.5), (0.9, 0.3), (0.8, 0.498), (0.7, 0.6), (0.6, 0.6)])
    monkeypatch.setattr(
        embedder, "dev_scores", lambda *_: dict(zip(("made", "guard"), next(scores), strict=True))
    )
    share, told = embedder.choose(net, [data, guard], HOW, folder=tmp_path)
    assert share == 0.5  # mean .65 there, .649 at three quarters
    assert told["1"]["guard"] == 0.3


def test_a_folder_must_say_why_its_texts_may_be_used(source, tmp_path):
    for name in ("corpus.jsonl", "queries.jsonl"):
        (tmp_path / name).write_text((source / name).read_text())
    with pytest.raises(InputError, match="safe_because"):
        read(tmp_path)
    (tmp_path / "card.json").write_text('{"licence": "x", "safe_because": "y"}')
    with pytest.raises(InputError, match="qrels"):
        read(tmp_path)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_it_trains_with_the_pooling_that_serves(tiny, source, tmp_path, monkeypatch, pooling):
    base = shutil.copytree(tiny, tmp_path / "base")
    (base / "1_Pooling").mkdir()
    told = {
        "pooling_mode_cls_token": pooling == "cls",
        "pooling_mode_mean_tokens": pooling != "cls",
    }
    (base / "1_Pooling/config.json").write_text(json.dumps(told))
    net = embedder.network(base, HOW)
    how = replace(HOW, steps=10)
    embedder.fit(net, [read(source)], how, folder=tmp_path / "run")
    net.eval()
    texts = ["what of abc", "is told here, it is told"]
    with torch.inference_mode():
        mine = torch.nn.functional.normalize(net(texts, 40), dim=1).numpy()
        ids_BS, mask_BS = tokens(net.tokenizer, texts, 40)
        states = net.encoder(input_ids=ids_BS, attention_mask=mask_BS).last_hidden_state.numpy()
    np.testing.assert_allclose(mine, pool(states, mask_BS.numpy(), pooling), atol=1e-5)
    other = pool(states, mask_BS.numpy(), "mean" if pooling == "cls" else "cls")
    lowrank.save_delta(
        tmp_path / "model",
        base="tiny",
        base_folder=base,
        tensors=lowrank.changes(net.encoder),
        card={},
    )
    monkeypatch.setenv("AEGLE_CACHE", str(tmp_path / "cache"))
    served = SentenceEncoder(delta.whole(tmp_path / "model", base, tmp_path / "cache")).embed(texts)
    assert (served * mine).sum(1).min() > 0.99
    assert (served * mine).sum(1).min() > (served * other).sum(1).max()


def test_a_pooling_that_is_not_known_is_refused(tiny, tmp_path):
    base = shutil.copytree(tiny, tmp_path / "base")
    (base / "1_Pooling").mkdir()
    (base / "1_Pooling/config.json").write_text('{"pooling_mode_max_tokens": true}')
    with pytest.raises(InputError, match="pooling_mode_max_tokens"):
        embedder.network(base, HOW)


@given(st.permutations([Asked(SafeText(f"q{n}", by="made"), frozenset()) for n in range(12)]))
def test_dev_questions_are_drawn_in_whatever_order_they_lie(asked):
    first = embedder.sample(sorted(asked, key=lambda one: int(one.text[1:])), 5, 17)
    assert embedder.sample(asked, 5, 17) == first
    assert first != asked[:5] or embedder.sample(asked[::-1], 5, 17) == first


def test_what_chooses_is_a_sample_not_the_first_of_the_file(tiny, source, monkeypatch):
    net, data = embedder.network(tiny, HOW), read(source)
    monkeypatch.setattr(embedder, "DEV_QUESTIONS", 3)
    drawn = []
    monkeypatch.setattr(
        embedder, "sample", lambda asked, most, seed: drawn.append(most) or asked[-most:]
    )
    last = embedder.dev_scores(net, [data], HOW)
    data.asked["dev"] = data.asked["dev"][-3:]
    assert embedder.dev_scores(net, [data], HOW) == last
    assert drawn == [3, 3]
