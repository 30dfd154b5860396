"""What any trainer of Transformers or TRL is given here: checkpoints without pickle, exact resume,
an orderly stop, errors that say what to change.

``class Preferring(Steady, DPOTrainer)`` makes one of another; `Watch` says where and how.
"""

from __future__ import annotations

import dataclasses
import math
import random
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from transformers import (
    ProgressCallback,
    Trainer,
    TrainerCallback,
)
from transformers.trainer_callback import PrinterCallback
from transformers.utils import logging

from aegle.core.artifacts import write_json
from aegle.core.errors import BackendError, InputError, StoppedError
from aegle.train import checkpoint
from aegle.train.causal import adapters, shards, zero
from aegle.train.causal.diverged import DivergedError
from aegle.train.causal.packing import real_tokens
from aegle.train.causal.parallel import Team, fills
from aegle.train.fit import Log
from aegle.train.resume import SAVE_S

BEST: Final = "best.safetensors"
"""In a run's folder: what was trained, where dev liked it best."""

TELL_S: Final = 1.0
"""Between figures of training at least: a tracker takes 20 ms for one."""

_WATCHED: Final = ("tokens", "best", "history", "spent")
"""What of a watch a checkpoint keeps."""

_STATE: Final = "trainer_state.json"
"""Transformers' name for where its trainer stands."""


@dataclass(slots=True)
class Watch:
    """Where a run lies, who follows it, and when it ends before its time.

    Attributes:
        folder: of the run.
        log: takes figures: ``loss/train``, ``tokens``, ``dev/...``.
        progress: takes steps done and all steps.
        stop: asked after each step whether to end there, with a checkpoint.
        save_s: seconds between checkpoints.
        judge: the figure of an evaluation that decides, without ``eval_``.
        higher: whether more of it is better.
        patience: evaluations without a better one before the end.
        tokens: seen so far, padding not counted.
        best: the judge's best value, at which step, how many evaluations ago.
        history: the figures of each evaluation.
        spent: of a private run (noise, sampling rate, steps), as `private.spent` takes them.
    """

    folder: Path
    log: Log = lambda name, value, step: None
    progress: Callable[[int, int], None] = lambda done, total: None
    stop: Callable[[], bool] = lambda: False
    save_s: float = SAVE_S
    judge: str = "loss"
    higher: bool = False
    patience: int = 3
    tokens: int = 0
    best: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    spent: list[list[float]] = field(default_factory=list)


class Steady(Trainer):
    """A trainer whose runs can be watched, stopped and gone on with. First among the bases.

    Args:
        given: of the trainer.
        args: of the trainer. It computes on one device a process: where there are several and no
            launcher, Transformers would tear batches apart that are rows of whole texts.
        watch: where and how.
        told: of the trainer.
    """

    model: Any
    optimizer: Any
    lr_scheduler: Any
    train_dataset: Any
    eval_dataset: Any
    _random: Tensor | None = None

    def __init__(self, *given: Any, args: Any, watch: Watch, **told: Any) -> None:
        self.watch, self.team, self._counted = watch, Team.here(), 0
        args._n_gpu = min(args.n_gpu, 1)
        super().__init__(*given, **{**told, "args": args})
        for noisy in (PrinterCallback, ProgressCallback):
            self.remove_callback(noisy)
        self.add_callback(_Turns(self))

    def run(self, *, resume: bool) -> int:
        """Train; how many steps were done in all. The best weights are in the model then.

        Raises:
            InputError: no checkpoint to go on from, a loss that is no number.
            BackendError: out of memory; the message names keys of the recipe.
            StoppedError: the watch said so; a checkpoint is written.
        """
        folder = self.watch.folder
        if resume:
            if self.team.first:
                write_json(folder / _STATE, shards.Stored(folder).state["trainer"])
            self.team.wait()
        if self.team.rank:  # each process drops other units than the first; it may have no state
            torch.manual_seed(self.args.seed + self.team.rank)
            self._random = torch.get_rng_state()
        with _explained():
            self.train(resume_from_checkpoint=str(folder) if resume else None)
        if self.team.first:
            (folder / _STATE).unlink(missing_ok=True)
        step = self.state.global_step
        if self.stopped:
            raise StoppedError(f"stopped at step {step}; resume goes on from there")
        if (folder / BEST).is_file():
            place = zero.put if self.is_deepspeed_enabled else shards.put
            place(self.model, checkpoint.read_tensors(folder / BEST))
        return int(step)

    @property
    def stopped(self) -> bool:
        """Whether the watch ended the run."""
        return bool(self.state.global_step < self.state.max_steps and not self._enough())

    def _enough(self) -> bool:
        return bool(self.watch.best) and self.watch.best["stale"] >= self.watch.patience

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """A batch's loss, which has to be a number."""
        if isinstance(inputs, Mapping) and "input_ids" in inputs and not self._fills(inputs):
            self.watch.tokens += real_tokens(dict(inputs))
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        if not torch.isfinite(loss):
            raise DivergedError(_diverged("loss", float(loss), self.state.global_step))
        return loss

    def _fills(self, inputs: Any) -> bool:
        return self.team.world > 1 and fills(inputs)

    def agreed(self, *flags: bool) -> list[bool]:
        """Of each flag whether any process raised it; tokens are then those of all."""
        seen = self.team.total(self.watch.tokens - self._counted)
        self.watch.tokens = self._counted = self._counted + seen
        return self.team.any(*flags)

    def _clip_grad_norm(self, model: Any) -> Any:
        norm = super()._clip_grad_norm(model)  # type: ignore[no-untyped-call]
        norm = norm if norm is None else shards.whole(norm)
        if norm is not None and not math.isfinite(float(norm)):
            raise DivergedError(_diverged("gradient", float(norm), self.state.global_step))
        return norm

    def evaluate(self, *given: Any, **told: Any) -> dict[str, float]:
        """Dev's figures; the weights are kept where they are the best so far."""
        found: dict[str, float] = self.figures(*given, **told)
        step = self.state.global_step
        plain = {
            name.removeprefix("eval_"): float(value)
            for name, value in found.items()
            if isinstance(value, int | float)
        }
        value = plain[self.watch.judge]
        best = self.watch.best
        better = not best or (value > best["value"] if self.watch.higher else value < best["value"])
        if better:
            self._keep_best(self.watch.folder / BEST)
            self.watch.best = {"value": value, "step": step, "stale": 0}
        else:
            best["stale"] += 1
        self.watch.history.append({"step": step, **plain})
        for name, one in plain.items():
            if name != self.watch.judge:
                self.watch.log(f"dev/{name}", one, step)
        self.watch.log(f"dev/{self.watch.judge}", value, step)
        if self._enough():
            self.control.should_training_stop = True
        return found

    def _keep_best(self, target: Path) -> None:
        shards.settle(self.model)
        if self.is_deepspeed_enabled:
            found = zero.whole(self.model)
        else:
            kept = adapters.trained(self.model)
            found = {name: shards.whole(one.detach()) for name, one in kept.items()}
        if self.team.first:
            checkpoint.write_tensors(target, found)
        self.team.wait()

    def figures(self, *given: Any, **told: Any) -> dict[str, float]:
        """What an evaluation finds, ``eval_loss`` and others; here the trainer's own. Who
        overrides it tells ``callback_handler.on_evaluate``."""
        found: dict[str, float] = super().evaluate(*given, **told)
        return found

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Weights, optimiser and random states in safetensors, the rest in JSON; one is kept."""
        tensors, values = adapters.memory(self.model)
        numpy_state: Any = np.random.get_state()
        state = {
            "step": self.state.global_step,
            "trainer": {**dataclasses.asdict(self.state), "log_history": []},
            "schedule": self.lr_scheduler.state_dict(),
            "rates": [group["lr"] for group in self.optimizer.param_groups],
            "method": values,
            "watch": {name: getattr(self.watch, name) for name in _WATCHED},
            "random": {"python": random.getstate(), "numpy": [*numpy_state[2:]]},
        }
        tensors["numpy"] = torch.from_numpy(numpy_state[1].astype(np.int64))
        optimiser = getattr(self.optimizer, "optimizer", self.optimizer)
        told = (self.watch.folder, self.model, optimiser, state)
        if self.is_deepspeed_enabled:
            zero.save(self.watch.folder, self.model, state, self.team, more=tensors)
            return
        if self.sharded:
            shards.save(*told, self.team, more=tensors)
            return
        randoms = self.team.gather(torch.get_rng_state())
        tensors |= {f"random.{rank}": one for rank, one in enumerate(randoms) if rank}
        if self.team.first:
            checkpoint.save(*told, trained_only=True, more=tensors)
        self.team.wait()

    @property
    def sharded(self) -> bool:
        """Whether each process has some rows of the model."""
        return any(isinstance(one, DTensor) for one in self.model.parameters())

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Nothing yet: `_load_optimizer_and_scheduler` puts all back."""

    def _prepare_for_training(self, max_steps: int, loader: Any, resume: str | None) -> Any:
        prepare: Any = super()._prepare_for_training
        if not self.is_deepspeed_enabled:
            return prepare(max_steps, loader, resume)
        found = prepare(max_steps, loader, None)  # or it looks for pickles
        self._load_optimizer_and_scheduler(resume)
        return found

    def _load_optimizer_and_scheduler(self, resume_from_checkpoint: str | None) -> None:
        if resume_from_checkpoint is None:
            return
        optimiser = getattr(self.optimizer, "optimizer", self.optimizer)
        stored = shards.Stored(self.watch.folder)
        if self.is_deepspeed_enabled:
            more = zero.load(self.model, self.model_wrapped, stored)
        else:
            more = shards.load(self.model, optimiser, stored)
        state = stored.state
        self._numpy, found = more.pop("numpy"), stored.random(self.team.rank)
        self._random = self._random if found is None else found
        more = {name: one for name, one in more.items() if not name.startswith("random.")}
        adapters.remember(self.model, more, state["method"])
        self.lr_scheduler.load_state_dict(state["schedule"])
        for group, rate in zip(self.optimizer.param_groups, state["rates"], strict=True):
            group["lr"] = rate
        for name, value in state["watch"].items():
            setattr(self.watch, name, value)
        self._counted = self.watch.tokens

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        state = shards.Stored(self.watch.folder).state
        version, inside, gauss = state["random"]["python"]
        random.setstate((version, tuple(inside), gauss))
        place, has, cached = state["random"]["numpy"]
        keys = self._numpy.numpy().astype(np.uint32)
        np.random.set_state(("MT19937", keys, place, has, cached))
        if self._random is not None:
            torch.set_rng_state(self._random)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Nothing: what a run leaves behind is written by its flow, without pickle."""


class _Turns(TrainerCallback):
    """What happens after each step: figures, AdaLoRA's pruning, checkpoints, the end."""

    def __init__(self, trainer: Steady) -> None:
        self.trainer, self.saved = trainer, time.monotonic()
        self.told = 0.0

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **told: Any) -> None:
        adapters.after_step(self.trainer.model, state.global_step + 1)

    def on_step_end(self, args: Any, state: Any, control: Any, **told: Any) -> None:
        watch = self.trainer.watch
        watch.progress(state.global_step, state.max_steps)
        now = time.monotonic()
        stop, save = self.trainer.agreed(watch.stop(), now - self.saved >= watch.save_s)
        if stop:
            control.should_save = control.should_training_stop = True
        elif save:
            control.should_save, self.saved = True, now

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **told: Any) -> None:
        watch, now = self.trainer.watch, time.monotonic()
        if logs and "loss" in logs and now - self.told >= TELL_S:
            self.told = now
            watch.log("loss/train", float(logs["loss"]), state.global_step)
            watch.log("tokens", float(watch.tokens), state.global_step)


def arguments(folder: Path, **told: Any) -> dict[str, Any]:
    """Arguments of any trainer here: quiet, nothing sent or saved but by `Steady`.

    Args:
        folder: of the run.
        told: others, which count more.
    """
    return {
        "output_dir": str(folder),
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "remove_unused_columns": False,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": False,
        "push_to_hub": False,
        **told,
    }


def quieten() -> None:
    """No bars and no notices of what Transformers will rename: the run tells how far it is."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers|peft")


def on_device(device: str, precision: str) -> dict[str, Any]:
    """Arguments for cpu, cuda or auto, in fp32, bf16 or auto (bf16 where it is computed in)."""
    on_cpu = device == "cpu" or (device == "auto" and not torch.cuda.is_available())
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda: torch sees no GPU; say cpu, or install torch for your GPU")
    able = torch.cpu._is_avx512_bf16_supported() if on_cpu else torch.cuda.is_bf16_supported()
    return {"use_cpu": on_cpu, "bf16": precision == "bf16" or (precision == "auto" and bool(able))}


def _diverged(what: str, value: float, step: int) -> str:
    return (
        f"the {what} of step {step + 1} is {value}: the run has diverged. Set optimiser.lr lower, "
        "or precision to fp32, and look at the data; the last checkpoint is from before, and best "
        "weights are kept"
    )


@contextmanager
def _explained() -> Iterator[None]:
    """Out of memory, told with what to change."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        said = str(error)
        lacking = "not enough memory" in said or "can't allocate memory" in said
        if not lacking and not isinstance(error, torch.OutOfMemoryError | MemoryError):
            raise
        raise BackendError(
            "out of memory: lower batches.tokens (raise optimiser.accumulation by as much, so that "
            "steps stay the same), set gradient_checkpointing to true, lower loss_chunk or "
            "max_tokens, or take adapter qlora; the last checkpoint is kept"
        ) from error
