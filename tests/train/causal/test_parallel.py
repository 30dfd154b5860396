"""Several processes learn what one alone learns; one that dies costs nothing that was saved."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("peft", reason="training needs the extra 'train'")

import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from tiny_causal import corpus, recipe, tiny

from aegle.core.errors import BackendError, InputError, StoppedError, UsageError
from aegle.flows import spread
from aegle.train.causal import parallel
from aegle.train.causal.packing import Order
from aegle.train.causal.recipe import Recipe
from aegle.train.causal.run import run

TRAINED = {"ddp": "lora", "fsdp": "full"}
"""Strategy -> the adapter that is trained under it."""


def told(made: Path, strategy: str, adapter: str = "", **more: Any) -> Recipe:
    """A recipe whose steps are shared by two, the last of an epoch unevenly."""
    rate = 2e-3 if (adapter or TRAINED.get(strategy)) == "full" else 0.02
    spoken: dict[str, Any] = {
        "adapter": adapter or TRAINED[strategy],
        "precision": "fp32",
        "optimiser": {"lr": rate, "epochs": 2, "accumulation": 4, "weight_decay": 0.01},
        "batches": {"tokens": 64},
        "stopping": {"per_epoch": 9, "patience": 99},  # dev's loss after each step
        "parallel": {"strategy": strategy, "processes": 1 if strategy == "none" else 2},
    }
    found: Recipe = recipe(made / "base", **{**spoken, **more})
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    tiny(folder / "base")
    corpus(folder / "train.jsonl", count=27)
    return folder


def go(one: Recipe, made: Path, folder: Path, **how: Any) -> Any:
    """A run in as many processes as the recipe says."""
    quiet: dict[str, Any] = {"log": lambda name, value, step: None, "stop": lambda: False}
    quiet |= {"progress": lambda done, total: None, "resume": False, "save_s": 1e9}
    run = spread.runner("sft", one, None)
    where = {"base": made / "base", "data": made, "folder": folder, "device": "cpu"}
    return run(one, **where, **{**quiet, **how})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """What a run left."""
    return {
        k: t for one in (folder / "model").glob("*.safetensors") for k, t in load_file(one).items()
    }


@pytest.fixture(scope="module")
def alone(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Adapter -> (how its run in one process went, its folder)."""
    known: dict[str, Any] = {}

    def found(adapter: str) -> Any:
        if adapter not in known:
            folder = tmp_path_factory.mktemp(f"alone-{adapter}")
            known[adapter] = SimpleNamespace(
                done=go(told(made, "none", adapter), made, folder), folder=folder
            )
        return known[adapter]

    return found


def same(folder: Path, other: Path, far: float) -> None:
    """Two runs left the same weights."""
    mine, theirs = weights(folder), weights(other)
    assert mine.keys() == theirs.keys()
    for name, one in mine.items():
        torch.testing.assert_close(one, theirs[name], rtol=far, atol=far, msg=name)


@pytest.mark.parametrize("strategy", TRAINED)
def test_two_processes_learn_what_one_learns(
    made: Path, tmp_path: Path, alone: Any, strategy: str
) -> None:
    one = alone(TRAINED[strategy])
    done = go(told(made, strategy), made, tmp_path)
    assert (done.steps, done.tokens) == (one.done.steps, one.done.tokens)
    curve = [told["loss"] for told in done.metrics["history"]]
    assert len(curve) == done.steps
    assert curve == pytest.approx([told["loss"] for told in one.done.metrics["history"]], abs=1e-5)
    assert curve[-1] < curve[0] - 0.1
    same(tmp_path, one.folder, 1e-3)
    ran = done.extra["parallel"]
    assert (ran["strategy"], ran["processes"], ran["backend"]) == (strategy, 2, "gloo")
    assert len(ran["peak_bytes"]) == 2
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert card["how"]["processes"] == 2
    assert not [one for one in tmp_path.rglob("*") if one.suffix in (".pt", ".bin", ".pth")]


@pytest.mark.parametrize("strategy", TRAINED)
def test_one_is_killed_and_nothing_is_lost(made: Path, tmp_path: Path, strategy: str) -> None:
    hard = {"adapter": {"method": "lora", "dropout": 0.2}}  # so that random states count
    recipe_ = told(made, strategy, **hard)
    whole = go(recipe_, made, tmp_path / "whole")
    killed: list[int] = []

    def kill(name: str, value: float, step: int) -> None:
        if name == "dev/loss" and step == 4 and not killed:
            last = max(multiprocessing.active_children(), key=lambda one: str(one.name))
            killed.append(last.pid or 0)
            last.kill()

    half = tmp_path / "half"
    with pytest.raises(
        BackendError, match=r"process \d of the run's 2 was killed .SIGKILL.*resume"
    ):
        go(recipe_, made, half, log=kill, save_s=0)
    assert killed and not multiprocessing.active_children()
    at = json.loads((half / "checkpoint.json").read_text())["step"]
    assert 0 < at < whole.steps
    resumed = go(recipe_, made, half, resume=True)
    assert resumed.steps == whole.steps
    assert resumed.tokens == whole.tokens
    assert resumed.metrics["history"] == whole.metrics["history"]
    same(half, tmp_path / "whole", 0)


def test_it_stops_and_goes_on_in_another_number_of_processes(
    made: Path, tmp_path: Path, alone: Any
) -> None:
    steps: list[int] = []
    stop: Any = {
        "progress": lambda done, total: steps.append(done),
        "stop": lambda: steps[-1:] > [2],
    }
    with pytest.raises(StoppedError, match="stopped at step"):
        go(told(made, "fsdp", "lora"), made, tmp_path, **stop)
    assert len([*tmp_path.glob("checkpoint-*-of-2.safetensors")]) == 2
    go(told(made, "none", "lora"), made, tmp_path, resume=True)
    same(tmp_path, alone("lora").folder, 1e-3)


def test_a_process_that_fails_ends_all_with_its_own_reason(made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="more than max_tokens"):
        go(told(made, "ddp", max_tokens=8), made, tmp_path)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"optimiser": {"accumulation": 3}}, r"2 processes can't share .* set it to 4"),
        ({"parallel": {"strategy": "none", "processes": 2}}, "strategy is none, and processes 2"),
        ({"parallel": {"strategy": "fsdp"}}, "needs several processes"),
        ({"parallel": {"processes": 2, "offload": True}}, "offload is for fsdp"),
        ({"parallel": {"strategy": "fsdp", "processes": 2}, "adapter": "qlora"}, "take ddp"),
        ({"parallel": {"strategy": "zero3", "processes": 2}}, "loss_chunk: under zero3"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(made: Path, more: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        told(made, "ddp", **more)


def test_a_recipe_is_not_trained_in_other_processes_than_it_says(
    made: Path, tmp_path: Path
) -> None:
    where: dict[str, Any] = {"base": made / "base", "data": made, "folder": tmp_path}
    with pytest.raises(UsageError, match="processes is 2, and this runs in 1"):
        run(told(made, "ddp"), **where)


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 3))
def test_shares_make_up_what_one_process_takes(size: int, world: int, epoch: int) -> None:
    order = Order(size, 3)
    order.set_epoch(epoch)
    each = [[*parallel.Share(order, parallel.Team(rank, world))] for rank in range(world)]
    assert len({len(one) for one in each}) == 1
    joined = [number for step in zip(*each, strict=True) for (number,) in step]
    assert [one for one in joined if one >= 0] == [*order]
    assert all(one < 0 for one in joined[size:]), "what stands in comes last"


def test_workers_of_ray_learn_the_same(made: Path, tmp_path: Path, alone: Any) -> None:
    pytest.importorskip("ray", reason="clusters need the extra 'ray'")
    many = {"strategy": "ddp", "processes": 2, "launcher": "ray"}
    done = go(told(made, "ddp", parallel=many), made, tmp_path)
    curve = [told["loss"] for told in done.metrics["history"]]
    wanted = [told["loss"] for told in alone("lora").done.metrics["history"]]
    assert curve == pytest.approx(wanted, abs=1e-5)
    assert done.extra["parallel"]["wrapper"] == "DistributedDataParallel"
