"""Answers that a program rewards become likelier, and runs go on to the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="training needs the extra 'train'")

import torch
from tiny_causal import tiny
from tiny_preference import lines, prompts, recipe

from aegle.core.errors import InputError, StoppedError
from aegle.core.text import SafeText
from aegle.train.causal import adapters
from aegle.train.causal.corpus import Record, Turn
from aegle.train.causal.examples import Example
from aegle.train.causal.rollout import Repeats, check_known, run

REWARDS = {"weights": {"length": 1}, "least": 6, "most": 12}
SAMPLING = {"prompts": 2, "group": 8, "max_new_tokens": 10}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rollouts")
    tiny(folder / "base")
    rows = [{"prompt": one, "answerable": False} for one in prompts(16)]
    lines(folder / "train.jsonl", rows)
    return folder


def told(kind: str, made: Path, **more: Any) -> Any:
    how = {"lr": 0.005, "epochs": 1, "accumulation": 1, "schedule": "constant"}
    base: dict[str, Any] = {"template": "plain", "rewards": REWARDS, "sampling": SAMPLING}
    return recipe(kind, made / "base", **{**base, "optimiser": how, **more})


def go(one: Any, made: Path, folder: Path, **how: Any) -> Any:
    return run(one, base=made / "base", data=made, folder=folder, device="cpu", **how)


@pytest.mark.parametrize("kind", ["grpo", "rloo"])
def test_what_is_rewarded_becomes_likelier(made: Path, tmp_path: Path, kind: str) -> None:
    """Words are blanks between letters: more of them are drawn, the longer it is trained."""
    drawn: list[float] = []

    def log(name: str, value: float, step: int) -> None:
        if name == "reward/train":
            drawn.append(value)

    optimiser = {"lr": 0.01, "max_steps": 14, "accumulation": 1, "schedule": "constant"}
    how: dict[str, Any] = {"adapter": "full", "stopping": {"patience": 99}}
    one = told(kind, made, optimiser=optimiser, **how)
    done = go(one, made, tmp_path, log=log)
    assert len(drawn) == done.steps == 14
    assert sum(drawn[-4:]) > sum(drawn[:4]) * 1.5
    assert done.metrics["dev"]["reward"]["value"] >= done.metrics["before"]["reward"]
    assert set(done.metrics["dev"]) == {"reward", "length"}
    assert done.tokens > 0


def test_stopped_and_resumed_it_ends_at_the_same_bits(made: Path, tmp_path: Path) -> None:
    optimiser = {"lr": 0.01, "epochs": 2, "accumulation": 2}
    one = told("grpo", made, optimiser=optimiser, adapter={"method": "lora", "dropout": 0.2})
    whole = go(one, made, tmp_path / "whole")
    asked = iter(range(1, 100))
    with pytest.raises(StoppedError):
        go(one, made, tmp_path / "half", stop=lambda: next(asked) == whole.steps - 1)
    torch.manual_seed(99)
    again = go(one, made, tmp_path / "half", resume=True)
    assert (again.steps, again.tokens) == (whole.steps, whole.tokens)
    assert again.metrics["history"] == whole.metrics["history"]
    kept = adapters.trained(whole.model)
    for name, weights in adapters.trained(again.model).items():
        assert torch.equal(weights, kept[name]), name


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_distance_to_the_base_counts(made: Path, tmp_path: Path, method: str) -> None:
    optimiser = {"lr": 0.01, "max_steps": 2, "accumulation": 1}
    how: dict[str, Any] = {"optimiser": optimiser, "adapter": method}
    found = [
        go(told("grpo", made, beta=beta, **how), made, tmp_path / str(beta)) for beta in (0.0, 50.0)
    ]
    first, second = (adapters.trained(one.model) for one in found)
    assert any(not torch.equal(one, second[name]) for name, one in first.items())


def test_other_keys_of_a_record_are_not_given_to_rewards(made: Path) -> None:
    answer = Record("here", "g", (Turn("user", SafeText("q", by="test")),) * 2)
    keys = {"answerable": True, "completion": "a", "reply": 1, "self": 2}
    one = Example("here", "g", (answer,), known=keys)
    small = {**SAMPLING, "prompts": 1}
    check_known(told("grpo", made, rewards={"weights": {"refusal": 1}}, sampling=small), [one])


def test_before_is_the_base_s_without_learned_tokens(made: Path, tmp_path: Path) -> None:
    optimiser = {"lr": 0.01, "max_steps": 1, "accumulation": 1}
    found = [
        go(told("grpo", made, optimiser=optimiser, adapter=one), made, tmp_path / one)
        for one in ("prompt", "lora")
    ]
    assert found[0].metrics["before"] == found[1].metrics["before"]


def test_an_epoch_asks_each_prompt_as_often_as_it_is_answered() -> None:
    order = Repeats(7, seed=1, step=2, group=3, batches=2)
    found = list(order)
    assert len(found) == len(order) == 36
    assert all(len(set(found[at : at + 3])) == 1 for at in range(0, 36, 3))
    assert found[:6] == found[6:12]
    assert len(set(found)) == 6
    order.set_epoch(1)
    assert list(order) != found


@pytest.mark.parametrize(
    ("rows", "more", "says"),
    [
        ([{"prompt": "a"}] * 1, {"rewards": {"weights": {"refusal": 1}}}, "column 'answerable'"),
        ([{"prompt": "a", "answerable": "yes"}], {}, "answerable is true or false"),
        ([{"answerable": True}], {}, "has no prompt"),
        (None, {"sampling": {**SAMPLING, "prompts": 99}}, "a step takes 99 prompts"),
        (None, {"max_tokens": 10}, "max_tokens (10) holds a prompt and its answer"),
        (None, {"max_tokens": 11}, "more than max_tokens (1)"),
    ],
)
def test_what_can_not_be_rewarded_is_refused(
    made: Path, tmp_path: Path, rows: Any, more: dict[str, Any], says: str
) -> None:
    data = made
    if rows is not None:
        data = tmp_path
        lines(tmp_path / "train.jsonl", rows)
        lines(tmp_path / "dev.jsonl", [{"prompt": "b", "answerable": True}])
        source = {"train": "train.jsonl", "dev": "dev.jsonl"}
        more = {**more, "data": [{**source, "licence": "l", "safe_because": "s"}]}
    with pytest.raises(InputError) as caught:
        run(told("grpo", made, **more), base=made / "base", data=data, folder=tmp_path)
    assert says in str(caught.value)
