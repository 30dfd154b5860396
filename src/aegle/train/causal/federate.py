"""Federated training of an adapter: a site's round, the mean of sites' weights, what is left.

Weights alone leave a site: what it learned from, and the model around the adapter, stay. A site's
round is an ordinary run of the recipe that begins at the weights which all sites share.

References:
    McMahan et al. (2017), Communication-efficient learning: FedAvg; Li et al. (2020), Federated
    optimization in heterogeneous networks: FedProx, the pull; McMahan et al. (2018), Learning
    differentially private recurrent language models: clip and noise of updates; Zhang et al.
    (2023), Towards building the federated GPT: LoRA's two factors averaged each on its own.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from transformers import TrainerCallback

from aegle.core.errors import InputError
from aegle.train.causal import adapters, private
from aegle.train.causal.keep import keep
from aegle.train.causal.load import load_causal
from aegle.train.causal.private_keys import Privacy
from aegle.train.causal.recipe import Recipe
from aegle.train.causal.run import Tuner, run
from aegle.train.causal.steady import quieten
from aegle.train.checkpoint import read_tensors, write_tensors

APART: Final[Mapping[str, str]] = {
    "full": "adapters only travel between sites",
    "adalora": "each site would keep other ranks",
    "pissa": "each site would cut the base in its own way",
}
"""Methods whose weights have no mean over sites, and why."""


@dataclass(slots=True)
class Update:
    """What a site sends back.

    Attributes:
        weights: what was trained, by name.
        examples: it was trained on.
        about: figures, as JSON.
    """

    weights: dict[str, Tensor]
    examples: int
    about: dict[str, Any]


class _Pull(TrainerCallback):
    """FedProx: the gradient of mu/2 times the squared distance from where the round began."""

    def __init__(self, model: Any, mu: float) -> None:
        self.model, self.mu = model, mu
        self.start = {n: one.detach().clone() for n, one in adapters.trained(model).items()}

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **told: Any) -> None:
        for name, one in adapters.trained(self.model).items():
            if one.grad is not None:
                one.grad.add_(one.detach() - self.start[name], alpha=self.mu)


def check(recipe: Recipe) -> None:
    """Refuse what can't be averaged.

    Raises:
        InputError: the method's weights have no mean; the message says why.
    """
    why = APART.get(recipe.adapter.method)
    if why:
        raise InputError(f"adapter {recipe.adapter.method}: {why}; take lora")


def initial(recipe: Recipe, base: Path) -> dict[str, Tensor]:
    """The weights that all sites begin with."""
    check(recipe)
    quieten()
    model, _ = load_causal(base)
    model = adapters.attach(model, recipe.adapter, steps=1, seed=recipe.seed)
    return {name: one.detach().clone() for name, one in adapters.trained(model).items()}


def site_round(
    recipe: Recipe,
    *,
    base: Path,
    data: Path,
    folder: Path,
    weights: Mapping[str, Tensor],
    pull: float = 0.0,
    spent: Sequence[Sequence[float]] = (),
    device: str = "auto",
) -> Update:
    """Train at a site, from the weights that all sites share.

    Args:
        recipe: of the kind sft or pretrain; with ``privacy``, its budget is for all rounds.
        base, data, folder, device: as of `run`.
        weights: to begin with.
        pull: FedProx' mu; 0: FedAvg.
        spent: of the site's privacy, before.

    Raises:
        InputError: as `run`, or nothing of the budget is left.
    """
    before = [list(one) for one in spent]

    def begin(trainer: Tuner) -> None:
        put(trainer.model, weights)
        if pull:
            trainer.add_callback(_Pull(trainer.model, pull))
        if trainer.keeper:
            _within(trainer.keeper.plan, before)
            trainer.watch.spent = before

    done = run(recipe, base=base, data=data, folder=folder, device=device, begin=begin)
    found = {n: one.detach().cpu().clone() for n, one in adapters.trained(done.model).items()}
    about: dict[str, Any] = {"steps": done.steps, "tokens": done.tokens}
    if recipe.privacy:
        about |= {"privacy": done.metrics["privacy"], "spent": before}
    else:  # figures of a site whose records are protected stay there
        about |= {"dev_loss": done.metrics["dev"]["loss"]}
    return Update(found, int(done.metrics["data"]["train"]), about)


def _within(plan: private.Plan, before: list[list[float]]) -> None:
    budget = plan.told.epsilon
    after = [*before, [plan.noise, plan.rate, plan.steps]]
    if budget and private.spent(plan.told, after) > budget * (1 + 1e-6):
        raise InputError(
            f"privacy: this round would go beyond the site's budget of {budget}; "
            f"{private.spent(plan.told, before):.2f} is spent"
        )


def put(model: Any, weights: Mapping[str, Tensor]) -> None:
    """Weights into a model's adapter.

    Raises:
        InputError: they aren't those of this base and adapter.
    """
    mine = {name: tuple(one.shape) for name, one in adapters.trained(model).items()}
    if mine != {name: tuple(one.shape) for name, one in weights.items()}:
        raise InputError(
            "the weights of the round aren't those of this base and adapter; all sites need the "
            "same base and the same recipe"
        )
    model.load_state_dict(dict(weights), strict=False)


def wrong(start: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """What is wrong with a site's weights; empty: nothing."""
    if {n: one.shape for n, one in start.items()} != {n: one.shape for n, one in found.items()}:
        return "its weights have other names or shapes"
    if not all(bool(torch.isfinite(one).all()) for one in found.values()):
        return "its weights hold what is no number"
    return ""


def average(
    start: Mapping[str, Tensor],
    updates: Sequence[tuple[Mapping[str, Tensor], int]],
    *,
    clip: float = 0.0,
    noise: float = 0.0,
    seed: int | None = None,
) -> dict[str, Tensor]:
    """The next weights: FedAvg, or the mean of clipped updates with noise.

    Args:
        start: that the round began with.
        updates: (weights, examples) of each site, at least one.
        clip: largest norm of a site's change; 0: none. With it each site counts the same, so that
            none counts more than its clip.
        noise: standard deviation of the noise on the sum, in clips.
        seed: of the noise, for tests; None: drawn from the system.
    """
    total = sum(examples for _, examples in updates)
    shares = [1 / len(updates) if clip else examples / total for _, examples in updates]
    found = {name: torch.zeros_like(one, dtype=torch.float64) for name, one in start.items()}
    for share, (weights, _) in zip(shares, updates, strict=True):
        change = {name: weights[name].double() - one.double() for name, one in start.items()}
        norm = math.sqrt(sum(float((one**2).sum()) for one in change.values()))
        short = min(1.0, clip / norm) if clip and norm else 1.0
        for name, one in change.items():
            found[name] += share * short * one
    rng = torch.Generator().manual_seed(secrets.randbits(63) if seed is None else seed)
    for one in found.values():
        if noise:
            drawn = torch.randn(one.shape, generator=rng, dtype=torch.float64)
            one += drawn * (noise * clip / len(updates))
    return {name: (start[name].double() + one).to(start[name]) for name, one in found.items()}


def cost(noise: float, rounds: int, delta: float) -> float:
    """The epsilon of that many noised means, each over all sites, towards one whole site."""
    return private.spent(Privacy(noise=noise, delta=delta), [[noise, 1.0, rounds]] * bool(rounds))


def finish(
    recipe: Recipe,
    base: Path,
    weights: Mapping[str, Tensor],
    folder: Path,
    metrics: Mapping[str, Any],
    about: Mapping[str, Any],
) -> None:
    """Leave the adapter with its card in ``folder/model``, as any run does."""
    model, tokenizer = load_causal(base)
    model = adapters.attach(model, recipe.adapter, steps=1, seed=recipe.seed)
    put(model, weights)
    keep(recipe, model, tokenizer, folder, metrics, about)


def read(path: Path) -> dict[str, Tensor]:
    """Weights of a file.

    Raises:
        InputError: it is damaged.
    """
    return read_tensors(path)


def write(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Weights into a file, whole or not at all."""
    write_tensors(path, weights)
