"""A tiny cross-encoder learns from pairs, in one piece or in two, and ships what it learned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification

from aegle.core.errors import InputError
from aegle.lm.delta import whole
from aegle.lm.pairs import CrossEncoder
from aegle.train import checkpoint, support
from aegle.train.data.support import Pair
from aegle.train.lowrank import save_delta
from aegle.train.support import How, learn, learned, prepare

CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "vocab_size": 12,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 24,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
}
HOW = How(rank=4, top=1, rate=0.02, batch_tokens=64, most_tokens=20)
PAIRS = [
    Pair(claim, told, claim == told, "", "s", str(n))
    for n in range(10)
    for claim in ("a", "b")
    for told in ("a", "b")
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights without a pooler, with a tokenizer of letters."""
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    net = BertForSequenceClassification(BertConfig(**CONFIG, num_labels=1))
    told = {n: v.numpy() for n, v in net.state_dict().items() if v.dtype.is_floating_point}
    save_file({n: v for n, v in told.items() if "pooler" not in n}, folder / "model.safetensors")
    vocabulary = {w: n for n, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


def test_two_pieces_are_as_good_as_one(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, batches = prepare(PAIRS, base, CONFIG, HOW)
    assert learn(net, batches, tmp_path / "one", log=lambda _: None)
    other, same = prepare(PAIRS, base, CONFIG, HOW)
    clock = iter([0.0, 1.0, 1e9])
    monkeypatch.setattr(support.time, "monotonic", lambda: next(clock))
    assert not learn(other, same, tmp_path / "two", log=lambda _: None)
    monkeypatch.undo()
    again, rest = prepare(PAIRS, base, CONFIG, HOW)
    assert learn(again, rest, tmp_path / "two", log=lambda _: None)
    for name, value in learned(net).items():
        np.testing.assert_array_equal(value, learned(again)[name])


def test_a_piece_that_is_cut_off_leaves_the_one_before(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost when writing the state fails in the middle."""
    net, batches = prepare(PAIRS, base, CONFIG, HOW)
    clock = iter([0.0, 1.0, 1e9])
    monkeypatch.setattr(support.time, "monotonic", lambda: next(clock))
    assert not learn(net, batches, tmp_path, log=lambda _: None)
    monkeypatch.undo()
    before = sorted((one.name, one.read_bytes()) for one in tmp_path.iterdir())

    def full(tensors: object, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint, "save_file", full)
    again, rest = prepare(PAIRS, base, CONFIG, HOW)
    with pytest.raises(OSError, match="disk full"):
        learn(again, rest, tmp_path, log=lambda _: None)
    monkeypatch.undo()
    kept = dict(before)
    assert all((tmp_path / name).read_bytes() == told for name, told in kept.items())
    last, pieces = prepare(PAIRS, base, CONFIG, HOW)
    assert learn(last, pieces, tmp_path, log=lambda _: None)


def test_a_round_sets_out_from_the_one_before(base: Path, tmp_path: Path) -> None:
    net, batches = prepare(PAIRS, base, CONFIG, HOW)
    learn(net, batches, tmp_path, log=lambda _: None)
    other, _ = prepare(PAIRS, base, CONFIG, HOW)
    support.begin(other, tmp_path)
    for name, value in learned(net).items():
        np.testing.assert_array_equal(value, learned(other)[name])
    with pytest.raises(InputError, match="no checkpoint"):
        support.begin(other, tmp_path / "nothing")


def test_what_is_shipped_scores_as_it_learned(base: Path, tmp_path: Path) -> None:
    net, batches = prepare(PAIRS, base, CONFIG, HOW)
    for epoch in range(8):
        learn(net, batches, tmp_path / str(epoch), log=lambda _: None)
    save_delta(
        tmp_path / "delta",
        base="path:base",
        base_folder=base,
        tensors=learned(net),
        card={"config": CONFIG | {"num_labels": 1}},
    )
    (tmp_path / "delta" / "weighing.json").write_text('{"bias": 1}')
    merged = whole(tmp_path / "delta", base, tmp_path / "cache")
    assert json.loads((merged / "weighing.json").read_text()) == {"bias": 1}
    scores = CrossEncoder(merged).score("a", ["a", "b"])
    net.eval()
    with torch.no_grad():
        told, _ = batches.tensors([0, 1])
        wanted = net(**told).logits[:, 0].numpy()
    assert scores == pytest.approx(wanted, abs=0.1)


def test_lower_layers_stand_still(base: Path) -> None:
    net, _ = prepare(PAIRS, base, CONFIG, HOW)
    learning = {name for name, one in net.named_parameters() if one.requires_grad}
    assert not any(".layer.0." in name for name in learning)
    assert any(".layer.1." in name for name in learning)
    assert "classifier.weight" in learning


def test_other_weights_are_refused(base: Path) -> None:
    with pytest.raises(InputError, match="no BERT of this shape"):
        prepare(PAIRS, base, CONFIG | {"num_hidden_layers": 3}, HOW)
