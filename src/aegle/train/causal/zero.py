"""DeepSpeed's ZeRO: its configuration from a recipe, and checkpoints of it without pickle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from aegle.core import plugins
from aegle.train import checkpoint
from aegle.train.causal.parallel import Team
from aegle.train.causal.shards import Stored

if TYPE_CHECKING:
    from aegle.train.causal.recipe import Recipe


def configuration(recipe: Recipe, *, bf16: bool) -> dict[str, Any]:
    """What DeepSpeed is told: a recipe's strategy, accumulation, clipping and precision.

    Args:
        recipe: with ``parallel.strategy`` zero1, zero2 or zero3.
        bf16: whether weights are computed with in 16 bits.

    Raises:
        MissingExtraError: the extra ``deepspeed`` is not installed.
    """
    plugins.load("deepspeed:DeepSpeedConfig")
    stage = int(recipe.parallel.wanted.removeprefix("zero"))
    cut: dict[str, Any] = {"stage": stage, "contiguous_gradients": True, "overlap_comm": False}
    if recipe.parallel.offload:
        cut["offload_optimizer"] = {"device": "cpu"}
        if stage == 3:
            cut["offload_param"] = {"device": "cpu"}
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": recipe.optimiser.accumulation // recipe.parallel.processes,
        "gradient_clipping": recipe.optimiser.clip,
        "zero_optimization": cut,
        "zero_allow_untested_optimizer": True,  # AdamW is Torch's own
        "zero_force_ds_cpu_optimizer": False,  # DeepSpeed's wants a compiler on every machine
        "bf16": {"enabled": bf16},
    }


def whole(model: nn.Module) -> dict[str, Tensor]:
    """What is trained, by name, in 32 bits; every process asks at once."""
    get = plugins.load("deepspeed.utils:safe_get_full_fp32_param")
    return {name: get(one) for name, one in model.named_parameters() if one.requires_grad}


def put(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Whole tensors into what each process has of them."""
    set_ = plugins.load("deepspeed.utils:safe_set_full_fp32_param")
    gather = plugins.load("deepspeed.zero:GatheredParameters")
    for name, one in model.named_parameters():
        if name in tensors:
            set_(one, tensors[name].to(one.device))
            with gather([one], modifier_rank=0), torch.no_grad():
                one.data.copy_(tensors[name])


def save(
    folder: Path, model: nn.Module, state: dict[str, Any], team: Team, *, more: dict[str, Tensor]
) -> None:
    """Write a checkpoint as one process alone would; the one before stays whole until then.

    Args:
        folder: where it lies.
        model: what is trained, inside of DeepSpeed's engine.
        state: as JSON, with ``step``.
        team: the processes, all of which call this.
        more: other tensors to keep, of the first process.

    Raises:
        WorkspaceError: the disk is full; the checkpoint before is whole.
    """
    get = plugins.load("deepspeed.utils:safe_get_full_optimizer_state")
    tensors = {f"net.{name}": one for name, one in whole(model).items()}
    for name, one in model.named_parameters():
        for key in ("exp_avg", "exp_avg_sq") if one.requires_grad else ():
            tensors[f"optimiser.{name}.{key}"] = get(one, key)
            tensors[f"optimiser.{name}.step"] = torch.tensor(float(state["step"]))
    randoms = team.gather(torch.get_rng_state())
    if team.first:
        tensors |= {f"more.{name}": one for name, one in more.items()}
        tensors |= {f"more.random.{rank}": one for rank, one in enumerate(randoms) if rank}
        checkpoint.put(folder, {**tensors, "random": randoms[0]}, state)
    team.wait()


def load(model: nn.Module, engine: Any, stored: Stored) -> dict[str, Tensor]:
    """Put a checkpoint of any strategy into what each process has; its other tensors."""
    set_ = plugins.load("deepspeed.utils:safe_set_full_optimizer_state")
    put(model, {name: stored.get(f"net.{name}") for name in stored.names("net.")})
    for name, one in model.named_parameters():
        for key in ("exp_avg", "exp_avg_sq") if one.requires_grad else ():
            set_(one, stored.get(f"optimiser.{name}.{key}").to(one.device), key)
    step = float(stored.state["step"])
    for told in engine.optimizer.optimizer.state.values():
        told["step"] = torch.full_like(torch.as_tensor(told["step"]), step)
    return {name: stored.get(f"more.{name}") for name in stored.names("more.")}
