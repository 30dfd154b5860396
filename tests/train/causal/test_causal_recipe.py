"""Recipes of causal models: every key checked, with a suggestion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aegle.core.errors import InputError
from aegle.train.causal.kinds import KINDS, kind_of
from aegle.train.causal.recipe import OPTIONS, PROMPTS, Adapter, read_recipe

RECIPE = """
kind: sft
name: one
data: [{train: a.jsonl, licence: ours, safe_because: made here}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "one.yaml"
    path.write_text(RECIPE)
    return path


@pytest.mark.parametrize("method", OPTIONS)
def test_an_adapter_is_one_key(file: Path, method: str) -> None:
    short = read_recipe(file, changes={"adapter": method})
    long = read_recipe(file, changes={"adapter.method": method})
    assert short == long
    assert short.adapter.method == method
    assert short.packed == (method not in PROMPTS)


def test_a_written_recipe_is_read_again_as_it_was(file: Path) -> None:
    for method in OPTIONS:
        adapter = Adapter.model_validate(method)
        plain = adapter.model_dump(mode="json")
        assert {*plain} == {"method", *OPTIONS[method]}
        assert Adapter.model_validate(plain) == adapter


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": "stf"}, "'pretrain' or 'sft'; did you mean 'sft'"),
        ({"adaptor": "lora"}, "adaptor: no such key; did you mean 'adapter'"),
        ({"optimiser.epoch": 2}, "optimiser.epoch: no such key; did you mean 'epochs'"),
        ({"adapter": "lorra"}, "no adapter 'lorra'; did you mean 'lora'"),
        ({"adapter.method": "ia3", "adapter.rank": 4}, "ia3 has no option 'rank'"),
        ({"adapter.method": "lora", "adapter.ranc": 4}, "did you mean 'rank'"),
        ({"adapter.method": "adalora", "adapter.rank": 20}, "start_rank > rank"),
        ({"adapter": "prefix", "batches.packing": "on"}, "can't each have the learned tokens"),
        ({"adapter": "prompt", "merge": True}, "can't be merged"),
        ({"adapter": "prefix", "gradient_checkpointing": True}, "computed twice"),
        ({"adapter": "bottleneck", "merge": True}, "isn't linear"),
        ({"adapter.targets": ["lm_head"]}, "name others, or set loss_chunk to 0"),
        ({"overlong": "split"}, "only a text of pretrain"),
        ({"optimiser.lr": 0}, "greater than 0"),
        ({"data": [{"train": "a", "safe_because": "x"}]}, "data.0.licence: this key is missing"),
        ({"data": []}, "data"),
        ({"name": "a/b"}, "name"),
    ],
)
def test_what_is_wrong_is_said(file: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        read_recipe(file, changes=changes)
    assert says in str(caught.value)


def test_kinds_are_listed() -> None:
    assert kind_of("sft") is KINDS["sft"]
    with pytest.raises(InputError, match="did you mean 'pretrain'"):
        kind_of("pretrian")
