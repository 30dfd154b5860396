"""Runs that are stopped go on to the same bits; runs that go wrong say what to change."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason="training needs the extra 'train'")

import torch
from tiny_causal import corpus, recipe, tiny
from torch import nn
from transformers import TrainingArguments

from aegle.core.errors import BackendError, InputError, StoppedError, WorkspaceError
from aegle.train import checkpoint
from aegle.train.causal import adapters, steady
from aegle.train.causal import run as running
from aegle.train.causal.chat import Tokens
from aegle.train.causal.load import load_causal
from aegle.train.causal.packing import Batches, only
from aegle.train.causal.run import Tuner, run
from aegle.train.causal.steady import Watch


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    tiny(folder / "base")
    corpus(folder / "train.jsonl", count=24)
    return folder


def go(told: Any, made: Path, folder: Path, **how: Any) -> Any:
    return run(told, base=made / "base", data=made, folder=folder, device="cpu", **how)


def weights(done: Any) -> dict[str, Any]:
    return {name: one.detach().clone() for name, one in adapters.trained(done.model).items()}


def stop_at(step: int) -> Any:
    """A stop that is asked for after so many steps."""
    asked = iter(range(1, 1000))
    return lambda: next(asked) == step


HARD: dict[str, Any] = {
    "optimiser": {"lr": 0.02, "epochs": 2, "accumulation": 2, "weight_decay": 0.01},
    "stopping": {"per_epoch": 2, "patience": 9},
    "gradient_checkpointing": True,
}


@pytest.mark.parametrize(
    "adapter",
    [
        {"method": "lora", "dropout": 0.3},
        {"method": "adalora"},
        {"method": "pissa"},
        "full",
        "prompt",
    ],
    ids=lambda one: one if isinstance(one, str) else one["method"],
)
def test_stopped_and_resumed_it_ends_at_the_same_bits(
    made: Path, tmp_path: Path, adapter: Any
) -> None:
    told = recipe(made / "base", adapter=adapter, **HARD)
    if adapter == "prompt":  # a prefix can't be computed twice, a prompt can
        told = told.model_copy(update={"gradient_checkpointing": False})
    whole = go(told, made, tmp_path / "whole")
    half = whole.steps // 2
    for step in (3, whole.steps - 1) if "dropout" in adapter else (half,):
        folder = tmp_path / f"stopped-{step}"
        with pytest.raises(StoppedError, match=f"stopped at step {step}"):
            go(told, made, folder, stop=stop_at(step))
        torch.manual_seed(99)  # what happened in between doesn't matter
        resumed = go(told, made, folder, resume=True)
        assert resumed.steps == whole.steps
        assert resumed.tokens == whole.tokens
        assert resumed.metrics["history"] == whole.metrics["history"]
        for name, one in weights(resumed).items():
            assert torch.equal(one, weights(whole)[name]), name


def test_accumulated_batches_are_one_step(made: Path, tmp_path: Path) -> None:
    """The mean is over the tokens of a step, however many batches they come in."""
    few: dict[str, Any] = {"optimiser": {"lr": 0.05, "epochs": 1, "schedule": "constant"}}
    few["optimiser"] |= {"warmup": 0, "max_steps": 1}
    big = recipe(made / "base", **{**few, "batches": {"tokens": 4096}})
    small = recipe(made / "base", **{**few, "batches": {"tokens": 70}})
    small = small.model_copy(
        update={"optimiser": small.optimiser.model_copy(update={"accumulation": 99})}
    )
    found = [go(one, made, tmp_path / str(n)) for n, one in enumerate((big, small))]
    for name, one in weights(found[0]).items():
        torch.testing.assert_close(one, weights(found[1])[name], rtol=1e-3, atol=2e-3)


def test_what_a_method_adds_counts_once_a_step(made: Path, tmp_path: Path) -> None:
    losses: list[float] = []

    def log(name: str, value: float, step: int) -> None:
        losses.extend([value] * (name == "loss/train"))

    for accumulation, tokens in ((1, 4096), (99, 70)):
        told = recipe(
            made / "base",
            adapter={"method": "adalora", "start_rank": 12},
            optimiser={"max_steps": 1, "accumulation": accumulation},
            batches={"tokens": tokens},
        )
        go(told, made, tmp_path / str(tokens), log=log)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_an_output_layer_is_adapted_where_the_loss_is_not_in_chunks(
    made: Path, tmp_path: Path
) -> None:
    told = recipe(
        made / "base",
        adapter={"method": "lora", "targets": ["lm_head"]},
        loss_chunk=0,
        optimiser={"lr": 0.02, "max_steps": 2},
    )
    ups = [one for name, one in weights(go(told, made, tmp_path)).items() if "lora_B" in name]
    assert ups and all(one.any() for one in ups)
    hidden = told.model_copy(update={"loss_chunk": 64})  # a name that no recipe can know of
    with pytest.raises(InputError, match="without the adapter"):
        go(hidden, made, tmp_path / "chunks")


def test_chunked_or_not_packed_or_not_the_loss_is_the_same(made: Path, tmp_path: Path) -> None:
    ways: list[dict[str, Any]] = [
        {},
        {"loss_chunk": 0},
        {"batches": {"tokens": 128, "packing": "off"}},
    ]
    frozen = {"optimiser": {"lr": 1e-9, "epochs": 1}}
    found = [
        go(recipe(made / "base", **{**frozen, **way}), made, tmp_path / str(n)).metrics["dev"]
        for n, way in enumerate(ways)
    ]
    for one in found[1:]:
        assert one["loss"]["value"] == pytest.approx(found[0]["loss"]["value"], rel=1e-5)
        assert one["token_accuracy"] == found[0]["token_accuracy"]


def test_it_ends_early_where_dev_gains_no_more(made: Path, tmp_path: Path) -> None:
    told = recipe(made / "base", optimiser={"lr": 0.5, "epochs": 12}, stopping={"patience": 2})
    done = go(told, made, tmp_path)
    losses = [one["loss"] for one in done.metrics["history"]]
    assert len(losses) < 12
    assert min(losses) == losses[-3]
    assert done.metrics["dev"]["loss"]["value"] == pytest.approx(min(losses), rel=1e-5)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoint(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = running.Tuner.compute_loss

    def broken(self: Any, *given: Any, **told: Any) -> Any:
        loss = plain(self, *given, **told)
        return loss * float("nan") if self.state.global_step == 4 else loss

    monkeypatch.setattr(running.Tuner, "compute_loss", broken)
    with pytest.raises(InputError, match=r"loss of step 5 is nan.*optimiser\.lr"):
        go(recipe(made / "base"), made, tmp_path, save_s=0)
    state, tensors = checkpoint.read(tmp_path)
    assert state["step"] == 4
    assert all(torch.isfinite(one).all() for name, one in tensors.items() if name[:4] == "net.")
    monkeypatch.undo()
    assert go(recipe(made / "base"), made, tmp_path, resume=True).steps > 4


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA"), RuntimeError("DefaultCPUAllocator: can't allocate memory: x")],
)
def test_out_of_memory_names_what_to_change(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(self: Any, *given: Any, **told: Any) -> Any:
        raise error

    monkeypatch.setattr(running.Tuner, "compute_loss", full)
    with pytest.raises(BackendError, match=r"batches\.tokens.*gradient_checkpointing"):
        go(recipe(made / "base"), made, tmp_path)


def test_a_full_disk_leaves_the_checkpoint_before(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors import SafetensorError

    plain = checkpoint.save_file

    def full(tensors: Any, path: Path) -> None:
        if "checkpoint-4" in str(path):
            path.write_bytes(b"half")
            raise SafetensorError(f"IoError: No space left on device (os error {errno.ENOSPC})")
        plain(tensors, path)

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(WorkspaceError, match="the disk is full"):
        go(recipe(made / "base"), made, tmp_path, save_s=0)
    state, _ = checkpoint.read(tmp_path)
    assert state["step"] == 3
    assert not list(tmp_path.glob(".*.part"))
    monkeypatch.undo()
    assert go(recipe(made / "base"), made, tmp_path, resume=True).steps > 4


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"max_tokens": 500}, "reads 128 at most"),
        ({"max_tokens": 120, "adapter": "prompt"}, "with 16 learned tokens in front"),
        ({"max_tokens": 8}, "more than max_tokens"),
    ],
)
def test_what_does_not_fit_is_refused(made: Path, tmp_path: Path, more: Any, says: str) -> None:
    with pytest.raises(InputError) as caught:
        go(recipe(made / "base", **more), made, tmp_path)
    assert says in str(caught.value)


def test_texts_are_learned_whole(made: Path, tmp_path: Path) -> None:
    (made / "texts.jsonl").write_text(
        "\n".join(f'{{"text": "{"abcd" * n}"}}' for n in range(3, 40))
    )
    told = recipe(
        made / "base",
        kind="pretrain",
        overlong="split",
        data=[{"train": "texts.jsonl", "share": 0.2, "licence": "l", "safe_because": "s"}],
    )
    done = go(told, made, tmp_path)
    assert done.metrics["data"]["cut"] > 0
    history = done.metrics["history"]
    assert history[-1]["loss"] < history[0]["loss"]


def test_a_base_whose_packed_texts_see_each_other_gets_padded_batches(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.attention, "separates", lambda model: False)
    with pytest.raises(InputError, match="packing is on, but in LlamaForCausalLM a text sees"):
        go(recipe(made / "base", batches={"tokens": 128, "packing": "on"}), made, tmp_path)
    done = go(recipe(made / "base", optimiser={"max_steps": 1}), made, tmp_path)
    how = json.loads((done.artifact / "card.json").read_text())["how"]
    assert how["packed"] is False
    assert how["attention"] == "masked"
    assert "see the one before" in how["padded"]


def test_one_device_computes_where_there_are_several_and_no_launcher(
    made: Path, tmp_path: Path
) -> None:
    """Transformers would give each a part of a batch, and a packed row has no parts."""
    model, _ = load_causal(made / "base")
    args = TrainingArguments(**steady.arguments(tmp_path, use_cpu=True))
    args._n_gpu = 2  # what Transformers counts on a machine with two
    data = Batches.of([Tokens((5, 6, 7), (False, True, True), "g")], size=8, packed=True, pad=0)
    given: dict[str, Any] = {"train_dataset": data, "eval_dataset": data, "data_collator": only}
    trainer = Tuner(model=model, args=args, watch=Watch(tmp_path), **given)
    assert trainer.args.n_gpu == 1
    assert trainer._train_batch_size == args.per_device_train_batch_size
    assert not isinstance(trainer._wrap_model(trainer.model), nn.DataParallel)
