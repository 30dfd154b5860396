"""A recipe's keys as a trainer's arguments, and what of them really ran."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from aegle.train.causal.parallel import Team
from aegle.train.causal.recipe import Common
from aegle.train.causal.steady import arguments, on_device


def training_arguments(recipe: Common, folder: Path, device: str, per_epoch: int) -> dict[str, Any]:
    """A recipe's keys as arguments of a trainer whose items are whole batches."""
    told = recipe.optimiser
    schedule = "constant_with_warmup" if told.schedule == "constant" else told.schedule
    total = told.max_steps or per_epoch * told.epochs
    return arguments(
        folder,
        **on_device(device, recipe.precision),
        per_device_train_batch_size=1,
        per_device_eval_batch_size=1,
        gradient_accumulation_steps=told.accumulation // Team.here().world,
        ddp_find_unused_parameters=False,  # the head is used outside of the model's forward pass
        learning_rate=told.lr,
        lr_scheduler_type=schedule,
        warmup_steps=round(told.warmup * total),
        weight_decay=told.weight_decay,
        max_grad_norm=told.clip,
        num_train_epochs=told.epochs,
        max_steps=told.max_steps or -1,
        seed=recipe.seed,
        activation_checkpointing=recipe.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False},
        eval_strategy="steps",
        eval_steps=max(1, math.ceil(min(per_epoch, total) / recipe.stopping.per_epoch)),
    )


def ran(trainer: Any) -> dict[str, Any]:
    """What really ran, for the card."""
    return {
        "device": trainer.args.device.type,
        "precision": "bf16" if trainer.args.bf16 else "fp32",
        "attention": "by text" if trainer.by_text else "masked",
        "processes": trainer.accelerator.num_processes,
    }
