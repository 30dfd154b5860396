"""Recipes of preferences: keys of the kind, nothing else; PPO is told where it went."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aegle.core.errors import InputError
from aegle.train.causal.kinds import KINDS, kind_of, reader
from aegle.train.causal.preference import read_preference, read_rollout

RECIPE = """
kind: {kind}
name: one
data: [{{train: a.jsonl, licence: ours, safe_because: made here}}]
"""


def file(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / f"{kind}.yaml"
    path.write_text(RECIPE.format(kind=kind))
    return path


def test_ppo_is_told_where_it_went() -> None:
    with pytest.raises(InputError, match=r"left TRL.*rloo or grpo"):
        kind_of("ppo")


@pytest.mark.parametrize("kind", ["dpo", "orpo", "kto", "reward", "grpo", "rloo"])
def test_a_written_recipe_is_read_again_as_it_was(tmp_path: Path, kind: str) -> None:
    assert kind in KINDS
    rewards = {"rewards.weights": {"citations": 1}} if kind in ("grpo", "rloo") else {}
    told = reader(kind)(file(tmp_path, kind), changes=rewards)
    again = type(told).model_validate(told.model_dump(mode="json"))
    assert again == told


@pytest.mark.parametrize(
    ("kind", "changes", "says"),
    [
        ("dpo", {"bta": 1}, "did you mean 'beta'"),
        ("dpo", {"desirable": 2}, "desirable: dpo has no such key"),
        ("orpo", {"loss": "ipo"}, "loss: orpo has no such key"),
        ("kto", {"loss": "ipo"}, "loss: kto has no such key"),
        ("dpo", {"loss": "ip"}, "did you mean 'ipo'"),
        ("reward", {"adapter": "pissa"}, "a reward model is trained with lora"),
        ("dpo", {"batches.packing": "on"}, "in rows of their own"),
        ("dpo", {"overlong": "split"}, "can't be split"),
        ("dpo", {"adapter.targets": ["lm_head"]}, "lm_head is the output layer"),
    ],
)
def test_wrong_keys_are_named(
    tmp_path: Path, kind: str, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_preference(file(tmp_path, kind), changes=changes)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "rewards: this key is missing"),
        ({"rewards.weights": {"citation": 1}}, "rewards are citations, schema, refusal, length"),
        ({"rewards.weights": {"length": 0}}, "one of them is above 0"),
        ({"rewards.weights": {"schema": 1}}, "needs one, as JSON schema"),
        (
            {"rewards.weights": {"schema": 1}, "rewards.answer_schema": {"oneOf": []}},
            "a schema takes",
        ),
        (
            {"rewards.weights": {"length": 1}, "rewards.least": 9, "rewards.most": 2},
            "least: it is above most",
        ),
        ({"rewards.weights": {"length": 1}, "adapter": "prefix"}, "can't be sampled from"),
    ],
)
def test_wrong_rewards_are_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        read_rollout(file(tmp_path, "grpo"), changes=changes)
    assert says in str(caught.value)
