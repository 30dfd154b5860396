"""DP-SGD: units drawn by chance, the gradient of each clipped, noise added, the budget counted.

Clipping, noise and accounting are Opacus'. The gradient of a unit (a group's records, or one) is
taken by backward passes of its own, so that it is what the ordinary loss gives, whatever the
adapter, and that all of a group is one contribution.

References:
    Abadi et al. (2016), Deep learning with differential privacy; Mironov (2017), Renyi differential
    privacy; Gopi et al. (2021), Numerical composition of differential privacy (prv); Levy et al.
    (2021), Learning with user-level privacy: a user's records as one contribution.
"""

from __future__ import annotations

import math
import secrets
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from aegle.core import plugins
from aegle.core.errors import InputError
from aegle.train.causal.chat import Tokens
from aegle.train.causal.packing import IGNORED, Batches, real_tokens
from aegle.train.causal.private_keys import Privacy

TOLERANCE: Final = 0.01
"""How far below a budget the noise that was found for it may end."""

Unit = list[dict[str, Tensor]]
"""The batches of one unit, none shared with another."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run keeps within its budget.

    Attributes:
        told: the recipe's keys.
        units: that may be drawn.
        noise: standard deviation, in clips.
        steps: of the run.
    """

    told: Privacy
    units: int
    noise: float
    steps: int

    @property
    def rate(self) -> float:
        """The chance of each unit to be in a step."""
        return min(1.0, self.told.units_per_step / self.units)

    @classmethod
    def of(cls, told: Privacy, units: int, steps: int) -> Plan:
        """The noise that a budget needs, or the steps that noise leaves of it.

        Args:
            told: the recipe's keys.
            units: that may be drawn.
            steps: that the recipe wants.

        Raises:
            InputError: delta is too large for so few units, or the budget pays for no step.
        """
        if told.delta >= 1 / units:
            raise InputError(
                f"privacy.delta is {told.delta}, and there are {units} units: at 1 in the units or "
                "above, giving a unit away whole would be within the guarantee; set it lower"
            )
        whole = cls(told, units, told.noise or 0.0, steps * told.rounds)
        if told.noise is None:
            return cls(told, units, _noise(told, whole.rate, whole.steps), steps)
        if told.epsilon is None:
            return cls(told, units, told.noise, steps)
        able = _affordable(whole, whole.steps) // told.rounds
        if not able:
            raise InputError(
                f"privacy: noise {told.noise} leaves less than a step for each of {told.rounds} "
                "rounds; raise noise or epsilon, or lower units_per_step"
            )
        return cls(told, units, told.noise, able)


def _noise(told: Privacy, rate: float, steps: int) -> float:
    find = plugins.load("opacus.accountants.utils:get_noise_multiplier")
    how = {"target_epsilon": told.epsilon, "target_delta": told.delta, "sample_rate": rate}
    how |= {"steps": steps, "epsilon_tolerance": TOLERANCE * min(1.0, told.epsilon or 1.0)}
    try:
        with _quiet():
            return float(find(**how, accountant=told.accountant))
    except ValueError as error:
        raise InputError(
            f"privacy.epsilon: no noise makes {steps} steps cost {told.epsilon} at delta "
            f"{told.delta}; raise epsilon, or train for fewer steps"
        ) from error


def _affordable(plan: Plan, steps: int) -> int:
    """The most steps whose cost stays within the budget."""
    budget = plan.told.epsilon or math.inf

    def cost(count: int) -> float:
        return spent(plan.told, [[plan.noise, plan.rate, count]])

    if cost(steps) <= budget:
        return steps
    low, high = 0, steps
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(middle) <= budget else (low, middle)
    if not low:
        raise InputError(
            f"privacy: one step with noise {plan.noise} costs an epsilon of {cost(1):.2f}, more "
            f"than the budget of {budget}; raise noise or epsilon, or lower units_per_step"
        )
    return low


def spent(told: Privacy, history: Sequence[Sequence[float]]) -> float:
    """The epsilon of steps done, at the recipe's delta.

    Args:
        told: the recipe's keys.
        history: (noise, sampling rate, steps), as a checkpoint holds it.
    """
    if not history:
        return 0.0
    if any(noise == 0 for noise, _, _ in history):
        return math.inf
    accountant = plugins.load("opacus.accountants:create_accountant")(told.accountant)
    accountant.history = [(noise, rate, int(steps)) for noise, rate, steps in history]
    with _quiet():
        return float(accountant.get_epsilon(delta=told.delta))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without its notes on orders and on overflows in bounds that aren't taken."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="opacus")
        yield


class Draws(Dataset[dict[str, list[Unit]]]):
    """The steps of a run: each draws units, every one by a toss of its own (Poisson sampling).

    Args:
        units: texts of each.
        plan: of the run.
        size, packed, pad: as of `Batches`, within a unit.
    """

    def __init__(
        self, units: Sequence[Sequence[Tokens]], plan: Plan, *, size: int, packed: bool, pad: int
    ) -> None:
        self.units = [Batches.of(one, size=size, packed=packed, pad=pad) for one in units]
        self.texts = [text for one in units for text in one]
        self.plan, self.packed, self.pad = plan, packed, pad
        seed = plan.told.insecure_seed
        self.secret = secrets.randbits(128) if seed is None else seed

    def __len__(self) -> int:
        return self.plan.steps

    def __getitem__(self, step: int) -> dict[str, list[Unit]]:
        rng = np.random.default_rng((self.secret, 0, step))
        drawn = np.flatnonzero(rng.random(len(self.units)) < self.plan.rate)
        some = [self.units[int(at)] for at in drawn]
        return {"units": [[one[number] for number in range(len(one))] for one in some]}

    def noise(self, step: int) -> torch.Generator:
        """What the noise of a step is drawn by."""
        seed = np.random.SeedSequence((self.secret, 1, step)).generate_state(1, np.uint64)[0]
        return torch.Generator().manual_seed(int(seed) & (2**63 - 1))


def units_of(texts: Sequence[Tokens], unit: str) -> list[list[Tokens]]:
    """Texts by what is protected. Pieces of one record stand for records of their own where it was
    split, so recipes that split protect groups."""
    if unit == "record":
        return [[one] for one in texts]
    groups: dict[str, list[Tokens]] = {}
    for one in texts:
        groups.setdefault(one.group, []).append(one)
    return list(groups.values())


def drawn(recipe: Any, texts: Sequence[Tokens], how: dict[str, Any]) -> Draws:
    """The steps of a private recipe.

    Args:
        recipe: of the kind pretrain or sft, with ``privacy``.
        texts: to learn from.
        how: size, packed and pad, as of `Draws`.

    Raises:
        InputError: as `Plan.of`.
    """
    told, optimiser = recipe.privacy, recipe.optimiser
    units = units_of(texts, told.unit)
    steps = optimiser.max_steps or optimiser.epochs * math.ceil(len(units) / told.units_per_step)
    return Draws(units, Plan.of(told, len(units), steps), **how)


def arguments(recipe: Any, steps: int) -> dict[str, Any]:
    """What a trainer is told otherwise: one round of all steps, dev asked only at the end, and no
    clipping of what already is clipped and noised."""
    return {
        "num_train_epochs": 1,
        "max_steps": -1,
        "warmup_steps": round(recipe.optimiser.warmup * steps),
        "max_grad_norm": 0.0,
        "eval_strategy": "no",
    }


def check(recipe: Any, records: Sequence[Any]) -> None:
    """Refuse data of a private recipe whose units aren't what they seem.

    Raises:
        InputError: a record names no group where groups are protected; records are split or
            repeated where each is protected alone.
    """
    told = recipe.privacy
    if not told:
        return
    if told.unit == "group":
        bare = next((one.place for one in records if one.group == one.place), "")
        if bare:
            raise InputError(
                f"{bare} names no group, and privacy.unit is group: give each record the key that "
                "data.group names, or say unit: record, which protects single records"
            )
    elif recipe.overlong == "split" or any(one.repeat > 1 for one in recipe.data):
        raise InputError(
            "privacy.unit is record, but records are split (overlong) or repeated (data.repeat), "
            "so that each would count several times; say unit: group, or leave them out"
        )


class Keeper:
    """A step of DP-SGD for a `Tuner`, and what was spent.

    Args:
        draws: the steps.
        trainer: whose model learns; its watch keeps what was spent.
    """

    def __init__(self, draws: Draws, trainer: Any) -> None:
        if trainer.accelerator.num_processes > 1:
            raise InputError(
                "privacy: units are drawn and noise is added by one process; run it as one"
            )
        self.draws, self.trainer, self.plan = draws, trainer, draws.plan
        follow = trainer.watch.log
        # A loss of what is learned isn't noised: it doesn't leave this process.
        trainer.watch.log = lambda name, value, step: (
            None if name.startswith(("loss/", "tokens")) else follow(name, value, step)
        )

    def step(self, inputs: dict[str, Any]) -> Tensor:
        """Noised gradients into the parameters. Returns 0: the loss itself is not for others.

        Raises:
            InputError: a unit's gradient is no number.
        """
        trainer = self.trainer
        trainer.model.train()
        number = trainer.state.global_step
        parameters: list[Any] = [p for p in trainer.model.parameters() if p.requires_grad]
        tool = self._tool(parameters, number)
        for one in parameters:
            one.grad, one.summed_grad = None, torch.zeros_like(one)
            one.grad_sample = torch.zeros_like(one)[None]  # nobody's
        for unit in trainer._prepare_inputs(inputs)["units"]:
            self._gradient(unit)
            for one in parameters:
                found = torch.zeros_like(one) if one.grad is None else one.grad
                one.grad_sample, one.grad = found[None], None
            tool.clip_and_accumulate()
        tool.add_noise()
        tool.scale_grad()
        for one in parameters:
            one.grad_sample = one.summed_grad = None
        self._count()
        return torch.zeros((), device=trainer.args.device)

    def _tool(self, parameters: list[Any], number: int) -> Any:
        """Opacus' optimiser, of which clipping and noise are used; the trainer's own steps."""
        told = self.plan.told
        return plugins.load("opacus.optimizers:DPOptimizer")(
            torch.optim.SGD(parameters, lr=1.0),
            noise_multiplier=self.plan.noise,
            max_grad_norm=told.clip,
            expected_batch_size=self.plan.rate * self.plan.units,
            generator=self.draws.noise(number),
            secure_mode=True,  # Holohan & Braghin (2021): plain floats give noise away
        )

    def _gradient(self, unit: Unit) -> None:
        """The gradient of the mean loss over a unit's learned tokens."""
        trainer = self.trainer
        count = sum(int((one["labels"][:, 1:] != IGNORED).sum()) for one in unit)
        trainer.current_gradient_accumulation_steps = len(unit)
        for batch in unit:
            trainer.watch.tokens += real_tokens(batch)
            with trainer.compute_loss_context_manager():
                loss = trainer.compute_loss(trainer.model, batch, num_items_in_batch=count)
            if not torch.isfinite(loss):
                raise InputError(
                    f"a loss in step {trainer.state.global_step + 1} is no number: the run has "
                    "diverged; set optimiser.lr lower, or precision to fp32"
                )
            trainer.accelerator.backward(loss)

    def _count(self) -> None:
        history = self.trainer.watch.spent
        if history and history[-1][:2] == [self.plan.noise, self.plan.rate]:
            history[-1][2] += 1
        else:
            history.append([self.plan.noise, self.plan.rate, 1])

    def card(self) -> dict[str, Any]:
        """What was spent and how, and what is not covered; epsilon is null without a guarantee."""
        plan, told, history = self.plan, self.plan.told, self.trainer.watch.spent
        cost = spent(told, history)
        safe = math.isfinite(cost) and told.insecure_seed is None
        return {
            "guarantee": safe,
            "epsilon": round(cost, 4) if math.isfinite(cost) else None,
            "delta": told.delta,
            "budget": told.epsilon,
            "accountant": told.accountant,
            "unit": told.unit,
            "units": plan.units,
            "neighbours": "add or remove one unit",
            "clip": told.clip,
            "noise_multiplier": plan.noise,
            "sampling": "Poisson",
            "sampling_rate": plan.rate,
            "steps": sum(int(steps) for _, _, steps in history),
            "covers": "the trained weights, towards what was trained on",
            "does_not_cover": "dev's figures (dev chooses nothing here), counts of units and "
            "steps, times, the run's folder beside its model, other runs on the same data",
        }
