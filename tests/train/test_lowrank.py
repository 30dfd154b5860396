"""What low-rank pairs learn in torch is what the merged base computes without it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn
from transformers import BertConfig, BertModel

from aegle.core.artifacts import check_manifest
from aegle.core.errors import InputError
from aegle.lm.bert import build
from aegle.lm.delta import is_delta, whole
from aegle.train.lowrank import adapt, changes, compact, save_delta


def base(folder: Path) -> BertModel:
    """A tiny BERT on disk, and in memory."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    net = BertModel(config, add_pooling_layer=False).eval()
    folder.mkdir()
    config.to_json_file(folder / "config.json")
    told = {n: v.numpy() for n, v in net.state_dict().items() if v.dtype.is_floating_point}
    save_file(told, folder / "model.safetensors")
    (folder / "tokenizer.json").write_text("{}")
    return net


def taught(net: BertModel) -> tuple[torch.Tensor, torch.Tensor]:
    """Some steps of learning; the input and what the network makes of it."""
    learning = adapt(net, rank=4)
    net.embeddings.LayerNorm.weight.requires_grad_(True)
    optimiser = torch.optim.Adam([*learning, net.embeddings.LayerNorm.weight], lr=0.01)
    ids = torch.randint(0, 40, (3, 9))
    for _ in range(5):
        optimiser.zero_grad()
        net(ids).last_hidden_state[:, 0].pow(2)[:, :4].sum().backward()
        optimiser.step()
    return ids, net(ids).last_hidden_state


def test_it_begins_as_the_base(tmp_path: Path) -> None:
    net = base(tmp_path / "base")
    ids = torch.randint(0, 40, (2, 7))
    before = net(ids).last_hidden_state
    adapt(net, rank=4)
    assert torch.equal(net(ids).last_hidden_state, before)


def test_merged_into_the_base_it_computes_the_same(tmp_path: Path) -> None:
    net = base(tmp_path / "base")
    ids, expected = taught(net)
    also = ["embeddings.LayerNorm.weight"]
    save_delta(
        tmp_path / "delta",
        base="tiny",
        base_folder=tmp_path / "base",
        tensors=changes(net, also=also),
        card={"licence": "Apache-2.0"},
    )
    assert is_delta(tmp_path / "delta")
    assert len(check_manifest(tmp_path / "delta" / "manifest.json")) == 2
    merged = whole(tmp_path / "delta", tmp_path / "base", tmp_path / "cache")
    model = build(merged, pooling="none", int8=False)
    session = ort.InferenceSession(model.SerializeToString())
    feed = {"input_ids": ids.numpy(), "attention_mask": np.ones_like(ids.numpy())}
    feed["token_type_ids"] = np.zeros_like(ids.numpy())
    (told,) = session.run(None, feed)
    np.testing.assert_allclose(told, expected.detach().numpy(), atol=5e-3)  # half precision


def test_only_what_learned_is_kept_small(tmp_path: Path) -> None:
    net = base(tmp_path / "base")
    adapt(net, rank=2)
    also = ["embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.query.bias"]
    found = changes(net, also=also)
    assert all(one.dtype == np.float16 for one in found.values())
    assert len([name for name in found if ".lora_" in name]) == 2 * 6 * 2
    small = compact(found, least=100)
    assert small["embeddings.word_embeddings.weight.levels"].dtype == np.int8
    assert "embeddings.word_embeddings.weight" not in small
    with pytest.raises(InputError, match="no parameters named nowhere"):
        changes(net, also=["nowhere"])


def test_a_network_of_other_layers_is_refused() -> None:
    with pytest.raises(InputError, match="is it a BERT"):
        adapt(nn.Sequential(nn.Linear(2, 2)), rank=1)
