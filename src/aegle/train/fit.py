"""The loop: steps, warm-up and decay, a dev score an epoch, early stopping, exact resume."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aegle.core.errors import StoppedError
from aegle.metrics.extraction import Scores
from aegle.train import checkpoint
from aegle.train.batches import Batch, TagData, mixed, plain_name
from aegle.train.former import BEST
from aegle.train.loss import Criterion
from aegle.train.network import Network
from aegle.train.predict import macro_f1, score
from aegle.train.recipe import Optimiser, Recipe
from aegle.train.teach import Opinions

Log = Callable[[str, float, int], None]
"""Takes a figure's name, its value and the step."""


@dataclass(slots=True)
class Fitted:
    """How a run went: the best epoch's dev scores, and each epoch's."""

    best_epoch: int
    best_score: float
    steps: int
    history: list[dict[str, Any]] = field(default_factory=list)


def fit(
    net: Network,
    recipe: Recipe,
    *,
    train: Mapping[str, TagData],
    dev: Mapping[str, TagData],
    folder: Path,
    resume: bool = False,
    log: Log = lambda name, value, step: None,
    opinions: Callable[[Batch], Opinions] | None = None,
    stop_after: int = 0,
    save_every: int = 500,
    progress: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> Fitted:
    """Train; the best weights by mean dev F1 end in the network and in ``folder/best.safetensors``.

    On one processor type the same recipe gives the same weights, also when a run was stopped and
    resumed at any step: batches follow from the seed, the epoch and the step.

    Args:
        net: the network, on its device.
        recipe: what to do.
        train: task -> corpus to learn from.
        dev: task -> corpus to score after each epoch.
        folder: where checkpoints lie.
        resume: go on from the last checkpoint there.
        log: where figures go.
        opinions: the teachers', of a batch.
        stop_after: stop at this step as if interrupted (tests).
        save_every: steps between checkpoints within an epoch.
        progress: takes steps done and all steps.
        stop: asked after each step; when it says so, the run ends there with a checkpoint.

    Raises:
        InputError: no checkpoint to resume from.
        StoppedError: stopped; the checkpoint is written.
    """
    return _Run(net, recipe, train, dev, folder, log, opinions, progress).go(
        resume, stop_after, save_every, stop
    )


class _Run:
    def __init__(
        self,
        net: Network,
        recipe: Recipe,
        train: Mapping[str, TagData],
        dev: Mapping[str, TagData],
        folder: Path,
        log: Log,
        opinions: Callable[[Batch], Opinions] | None,
        progress: Callable[[int, int], None],
    ) -> None:
        self.net, self.recipe, self.train, self.dev = net, recipe, train, dev
        self.folder, self.log, self.opinions, self.progress = folder, log, opinions, progress
        self.how: Optimiser = recipe.optimiser
        self.criterion = Criterion(
            recipe,
            {task: one.class_counts() for task, one in train.items() if one.kind == "tags"},
        )
        self.optimiser = _optimiser(net, self.how)
        self.per_epoch = sum(1 for _ in self.batches(0))
        self.total = self.per_epoch * self.how.epochs
        self.fitted = Fitted(-1, -1.0, 0)
        self.tokens = 0

    def batches(self, epoch: int) -> Any:
        return mixed(
            self.train,
            size=self.how.batch_words,
            temperature=self.recipe.loss.temperature,
            seed=self.recipe.seed + epoch,
            shares=shares(self.recipe),
        )

    def go(
        self, resume: bool, stop_after: int, save_every: int, stop: Callable[[], bool]
    ) -> Fitted:
        epoch, done = 0, 0
        if resume:
            state = checkpoint.load(self.folder, self.net, self.optimiser)
            epoch, done = state["epoch"], state["done"]
            self.fitted = Fitted(**state["fitted"])
        else:
            torch.manual_seed(self.recipe.seed)
        while epoch < self.how.epochs and not self.finished(epoch):
            self.net.train()
            for number, batch in enumerate(self.batches(epoch)):
                if number < done:
                    continue
                self.step(batch, epoch * self.per_epoch + number)
                done = number + 1
                here = epoch * self.per_epoch + done
                if here == stop_after or stop():
                    self.save(epoch, done, here)
                    raise StoppedError(f"stopped at step {here}; resume goes on from there")
                if here % save_every == 0:
                    self.save(epoch, done, here)
            self.score(epoch)
            epoch, done = epoch + 1, 0
            self.save(epoch, 0, epoch * self.per_epoch)
        weights = checkpoint.read_tensors(self.folder / BEST)
        self.net.load_state_dict(weights)
        return self.fitted

    def finished(self, epoch: int) -> bool:
        return epoch - self.fitted.best_epoch > self.how.patience and self.fitted.best_epoch >= 0

    def save(self, epoch: int, done: int, step: int) -> None:
        state = {"epoch": epoch, "done": done, "step": step, "fitted": _plain(self.fitted)}
        checkpoint.save(self.folder, self.net, self.optimiser, state)

    def step(self, batch: Batch, number: int) -> None:
        rate = schedule(number, self.total, self.how.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * rate
        theirs = self.opinions(batch) if self.opinions else None
        with autocast(self.net, self.how.precision):
            loss = self.criterion(self.net, batch, theirs)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.how.clip)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.fitted.steps = number + 1
        self.tokens += int(batch.mask_BS.sum())
        if number % 20 == 0:
            self.log(f"loss/{batch.task}", float(loss.detach()), number)
            self.log("norm", float(norm), number)
            self.log("tokens", self.tokens, number)
        self.progress(number + 1, self.total)

    def score(self, epoch: int) -> None:
        found: dict[str, Scores] = {}
        for texts in self.dev.values():
            found |= score(self.net, texts, size=self.how.batch_words * 4)
        mean = macro_f1(found)
        self.fitted.history.append(
            {"epoch": epoch, "mean": mean, **{task: one.f1.value for task, one in found.items()}}
        )
        for task, one in found.items():
            self.log(f"dev/{task}", one.f1.value, self.fitted.steps)
        self.log("dev/mean", mean, self.fitted.steps)
        if mean > self.fitted.best_score:
            self.fitted.best_epoch, self.fitted.best_score = epoch, mean
            checkpoint.write_tensors(self.folder / BEST, dict(self.net.state_dict()))


def schedule(step: int, total: int, warmup: float) -> float:
    """Factor of the learning rate: linear up over the warm-up's share, linear down to 0."""
    first = max(1, math.ceil(total * warmup))
    if step < first:
        return (step + 1) / first
    return max(0.0, (total - step) / max(1, total - first))


def shares(recipe: Recipe) -> dict[str, float]:
    """How many times its size each task's corpora, and each file without labels, count."""
    plain = {plain_name(number): one.share for number, one in enumerate(recipe.unlabelled)}
    return {one.task: one.share for one in recipe.corpora} | plain


def autocast(net: Network, precision: str) -> AbstractContextManager[Any]:
    """bf16 where asked for, or with ``auto`` where the processor computes in it."""
    device = next(net.parameters()).device.type
    able = device == "cuda" or (
        device == "cpu" and torch.cpu._is_avx512_bf16_supported()  # the only way to ask
    )
    if precision == "bf16" or (precision == "auto" and able):
        return torch.autocast(device, torch.bfloat16)
    return nullcontext()


def _optimiser(net: Network, how: Optimiser) -> torch.optim.Optimizer:
    """AdamW: no decay on biases and norms, a rate of their own for what starts from nothing."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, value in net.named_parameters():
        if not value.requires_grad:
            continue
        rate = how.lr if name.startswith("encoder.") else how.head_lr
        decay = how.weight_decay if value.ndim >= 2 else 0.0
        groups.setdefault((rate, decay), []).append(value)
    return torch.optim.AdamW(
        [
            {"params": some, "lr": rate, "base": rate, "weight_decay": decay}
            for (rate, decay), some in groups.items()
        ]
    )


def _plain(fitted: Fitted) -> dict[str, Any]:
    return {
        "best_epoch": fitted.best_epoch,
        "best_score": fitted.best_score,
        "steps": fitted.steps,
        "history": fitted.history,
    }
