"""A decoder's graph says what the network says, by a cache, token by token, in any shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="compression of generators needs the extra 'train'")

import onnxruntime
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MambaConfig, Qwen2Config

import tiny_models as tiny
from aegle.compress.decoders import DECODERS
from aegle.core.errors import InputError, UsageError
from aegle.core.ports import quiet

SIZES: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}


def export(folder: Path, config: Any, **settings: Any) -> tuple[Any, Any]:
    """(network, session)."""
    model = tiny.save(folder / "base", config, kind=AutoModelForCausalLM)
    out = folder / "graph"
    made = DECODERS["onnx"](folder / "base", out, texts=(), settings=settings, progress=quiet)
    assert made.bytes == sum(one.stat().st_size for one in out.glob("model.onnx*"))
    assert not any(one.suffix in {".pt", ".bin", ".pkl"} for one in out.iterdir())
    return model, onnxruntime.InferenceSession(str(out / "model.onnx"))


def greedy(session: Any, ids: list[int], count: int) -> list[int]:
    """The likeliest tokens, one at a time: only the last is given, the cache has the rest."""
    names = [one.name for one in session.get_inputs() if one.name.startswith("past")]
    shape = next(one.shape for one in session.get_inputs() if one.name in names)
    past = {name: np.zeros((1, shape[1], 0, shape[3]), np.float32) for name in names}
    said: list[int] = []
    new, seen = ids, 0
    for _ in range(count):
        given = {
            "input_ids": np.array([new]),
            "attention_mask": np.ones((1, seen + len(new)), np.int64),
            "position_ids": np.arange(seen, seen + len(new))[None],
        }
        outputs = [one.name for one in session.get_outputs()]
        got = dict(zip(outputs, session.run(None, given | past), strict=True))
        past = {name: got[name.replace("past_key_values", "present")] for name in names}
        seen += len(new)
        new = [int(got["logits"][0, -1].argmax())]
        said += new
    return said


@pytest.mark.parametrize(
    "config", [LlamaConfig(**SIZES, tie_word_embeddings=True), Qwen2Config(**SIZES)], ids=type
)
def test_it_writes_on_as_the_network_does(config: Any, tmp_path: Path) -> None:
    model, session = export(tmp_path, config)
    ids = tiny.tokenizer()(tiny.TEXTS[0]).input_ids
    want = model.generate(torch.tensor([ids]), max_new_tokens=9, do_sample=False, eos_token_id=None)
    assert greedy(session, ids, 9) == want[0, len(ids) :].tolist()


def test_fewer_bits_are_smaller_and_near(tmp_path: Path) -> None:
    sizes, far = [], []
    ids = torch.tensor([tiny.tokenizer()(tiny.TEXTS[1]).input_ids])
    for bits in (8, 4):
        folder = tmp_path / str(bits)
        model, session = export(folder, LlamaConfig(**SIZES | {"num_hidden_layers": 1}), bits=bits)
        sizes.append(sum(one.stat().st_size for one in (folder / "graph").glob("model.onnx*")))
        given = {
            "input_ids": ids.numpy(),
            "attention_mask": np.ones_like(ids),
            "position_ids": np.arange(ids.shape[1])[None],
            **{
                f"past_key_values.0.{one}": np.zeros((1, 2, 0, 16), "f") for one in ("key", "value")
            },
        }
        odds = torch.from_numpy(session.run(["logits"], given)[0]).log_softmax(-1)
        with torch.no_grad():
            far.append(float((odds - model(ids).logits.log_softmax(-1)).abs().mean()))
    assert sizes[0] > sizes[1]
    assert 0 < far[0] < far[1] < 0.2


def test_what_has_no_such_cache_is_refused_by_name(tmp_path: Path) -> None:
    config = MambaConfig(vocab_size=320, hidden_size=32, num_hidden_layers=1, state_size=4)
    with pytest.raises(InputError, match="gguf"):
        export(tmp_path, config)
    with pytest.raises(UsageError, match="32, 8, 4"):
        export(tmp_path, LlamaConfig(**SIZES), bits=3)
