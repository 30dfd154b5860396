"""Recipes of the kinds grpo and rloo: answers are drawn, a program rewards them, by TRL's trainers.

PPO has left TRL; both kinds here need no model of the value of half an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from datasets import Dataset, disable_progress_bars
from numpy.typing import NDArray
from torch import Tensor
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.rloo_config import RLOOConfig
from trl.trainer.rloo_trainer import RLOOTrainer
from trl.trainer.utils import add_fused_lm_head

from aegle.core.errors import InputError
from aegle.train.causal import adapters
from aegle.train.causal.chat import Encoder
from aegle.train.causal.compared import UNTOUCHED
from aegle.train.causal.examples import Example, read_all, record_prompt
from aegle.train.causal.gained import learned
from aegle.train.causal.generate import endings, replies
from aegle.train.causal.load import load_causal
from aegle.train.causal.packing import Order
from aegle.train.causal.preference import Rollout
from aegle.train.causal.run import Done, check_base
from aegle.train.causal.settings import training_arguments
from aegle.train.causal.steady import Steady, Watch, quieten
from aegle.train.fit import Log
from aegle.train.rewards import Rewards

KNOWN: Final = ("answerable",)
"""The keys of an example that rewards take."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked, and what is known of its answer.

    Attributes:
        ids: tokens, up to where the answer begins.
        text: of the last message, for rewards.
        group: of the example.
        known: of its other keys those of `KNOWN`.
    """

    ids: tuple[int, ...]
    text: str
    group: str
    known: Mapping[str, Any]


class Repeats(Order):
    """Prompts in an order that follows from seed and epoch: so many of a step, each as often as it
    is answered, and all of that once for each batch of the step. What fills no step is left out."""

    def __init__(self, size: int, seed: int, *, step: int, group: int, batches: int) -> None:
        super().__init__(size // step * step, seed)
        self.all, self.step, self.group, self.batches = size, step, group, batches

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.all).tolist()
        for start in range(0, self.size, self.step):
            some = [at for at in order[start : start + self.step] for _ in range(self.group)]
            for _ in range(self.batches):
                yield from some

    def __len__(self) -> int:
        return self.size * self.group * self.batches


class Rewarding(Steady):
    """What TRL's trainers by rewards are given here: prompts as tokens, dev's own figures.

    Attributes:
        told: the recipe.
        core: the causal model inside of what adapters wrap around it.
        prompts: those to train on; TRL knows each by its number.
        dev: those that are scored.
        rewards: what answers are worth.
        tokenizer: of the base.
        pad: the token that pads.
    """

    told: Rollout
    core: Any
    prompts: list[Prompt]
    dev: list[Prompt]
    rewards: Rewards
    tokenizer: Any
    pad: int
    by_text = False
    beta: float
    ref_model: Any
    eos_token_ids: list[int]
    generation_config: Any

    def _send_telemetry(self) -> None:
        """Nothing: what is trained here is nobody else's business."""

    def _get_train_sampler(self, dataset: Any = None) -> Repeats:
        told, batches = self.told.sampling, self.args.gradient_accumulation_steps
        step = told.prompts * batches
        return Repeats(
            len(self.prompts), self.args.seed, step=step, group=told.group, batches=batches
        )

    def _tokenize_prompts(self, prompts: Sequence[str]) -> tuple[list[list[int]], None, Any]:
        return [list(self.prompts[int(one)].ids) for one in prompts], None, {}

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """A batch's loss; the tokens of prompts and answers are counted."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        self.watch.tokens = int(self.state.num_input_tokens_seen)
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """TRL's figures of a step; the mean reward of what was drawn goes to who watches."""
        super().log(logs, start_time)
        if "loss" in logs and "reward" in logs:
            self.watch.log("reward/train", float(logs["reward"]), self.state.global_step)

    def compute_loss(self, model: Any, inputs: Any, *given: Any, **told: Any) -> Any:
        """TRL's, and what the adapter's method adds."""
        found: Any = super().compute_loss(model, inputs, *given, **told)
        return found + adapters.penalty(self.model)

    def reward(self, prompts: Sequence[str], completions: Sequence[str], **_: Any) -> list[float]:
        """What TRL asks: the reward of each answer."""
        asked = [self.prompts[int(one)] for one in prompts]
        return [
            _joined(self.rewards, _parts(self.rewards, one, text))
            for one, text in zip(asked, completions, strict=True)
        ]

    def figures(self, *given: Any, **told: Any) -> dict[str, float]:
        """Dev's mean reward of the likeliest answers, all in all and by name."""
        found = {f"eval_{n}": float(one.mean()) for n, one in self.rows().items()}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found

    def rows(self) -> dict[str, NDArray[np.float64]]:
        """The rewards of each dev prompt's likeliest answer: ``reward``, and each by its name."""
        told = self.told
        found = replies(
            self.model,
            [one.ids for one in self.dev],
            ends=self.eos_token_ids,
            pad=self.pad,
            most=told.sampling.max_new_tokens,
            size=told.batches.tokens,
        )
        texts = self.tokenizer.batch_decode([one.ids for one in found], skip_special_tokens=True)
        parts = [_parts(self.rewards, *one) for one in zip(self.dev, texts, strict=True)]
        rows = {"reward": np.array([_joined(self.rewards, one) for one in parts])}
        return rows | {name: np.array([one[name] for one in parts]) for name in parts[0]}


def _parts(rewards: Rewards, prompt: Prompt, reply: str) -> dict[str, float]:
    return rewards.parts(prompt.text, reply, **prompt.known)


def _known(one: Example) -> dict[str, Any]:
    """What rewards take of an example; its other keys may have the names of their arguments."""
    return {name: one.known[name] for name in KNOWN if name in one.known}


def _joined(rewards: Rewards, parts: Mapping[str, float]) -> float:
    total = sum(rewards.weights.values())
    return sum(rewards.weights[name] * one for name, one in parts.items()) / total


class GRPO(Rewarding, GRPOTrainer):
    """Group relative policy optimisation."""


class RLOO(Rewarding, RLOOTrainer):
    """REINFORCE, each answer against the mean of the others."""


_OF_KIND: Final[dict[str, tuple[Any, Any]]] = {
    "grpo": (GRPO, GRPOConfig),
    "rloo": (RLOO, RLOOConfig),
}


def run(
    recipe: Rollout,
    *,
    base: Path,
    data: Path,
    folder: Path,
    resume: bool = False,
    log: Log = lambda name, value, step: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    device: str = "auto",
    stop: Callable[[], bool] = lambda: False,
    save_s: float | None = None,
) -> Done:
    """Train a recipe; what was trained ends in ``folder/model``, with a card.

    Args, errors: as of `aegle.train.causal.run.run`.
    """
    quieten()
    disable_progress_bars()
    found = read_all(recipe, data)
    check_known(recipe, [*found.train, *found.dev])
    model, tokenizer = load_causal(base)
    check_base(recipe, model)
    encode = Encoder(
        tokenizer,
        template=recipe.template,
        max_tokens=recipe.max_tokens - recipe.sampling.max_new_tokens,
        overlong="error",
    )
    prompts = {
        part: [_prompt(encode, one) for one in getattr(found, part)] for part in ("train", "dev")
    }
    watch = Watch(folder, log, progress, stop, judge="reward", higher=True)
    watch.patience = recipe.stopping.patience
    watch.save_s = watch.save_s if save_s is None else save_s
    trainer = prepare(recipe, model, encode, prompts, watch, device, base)
    sizes = {part: len(prompts[part]) for part in prompts}
    how: dict[str, Any] = {"data": {**sizes, "dropped": dict(found.dropped)}, "resume": resume}
    return learned(recipe, trainer, encode, trainer.rows, gain="reward", **how)


def _prompt(encode: Encoder, one: Example) -> Prompt:
    return Prompt(record_prompt(encode, one.answers[0]), one.asked[-1], one.group, _known(one))


def check_known(recipe: Rollout, examples: Sequence[Example]) -> None:
    """Refuse data that a reward can't be read off, before there is a model.

    Raises:
        InputError: a key is missing, or too few prompts for a step; the message says which.
    """
    rewards = recipe.rewards.made()
    for one in examples:
        if not isinstance(one.known.get("answerable", True), bool):
            raise InputError(f"{one.place}: answerable is true or false")
        try:
            rewards.parts(one.asked[-1], "", **_known(one))
        except ValueError as error:
            raise InputError(f"{one.place}: {error}") from error
    if recipe.max_tokens <= recipe.sampling.max_new_tokens:
        raise InputError(
            f"max_tokens ({recipe.max_tokens}) holds a prompt and its answer; set it above "
            f"sampling.max_new_tokens ({recipe.sampling.max_new_tokens})"
        )


def prepare(
    recipe: Rollout,
    core: Any,
    encode: Encoder,
    prompts: dict[str, list[Prompt]],
    watch: Watch,
    device: str,
    base: Path,
) -> Rewarding:
    """A trainer that is ready to run.

    Raises:
        InputError: fewer prompts than a step takes.
    """
    per_epoch = _steps(recipe, len(prompts["train"]))
    steps = recipe.optimiser.max_steps or per_epoch * recipe.optimiser.epochs
    model = adapters.attach(core, recipe.adapter, steps=steps, seed=recipe.seed)
    made, config = _OF_KIND[recipe.kind]
    told = training_arguments(recipe, watch.folder, device, per_epoch) | _drawing(recipe)
    tokenizer, rewards = encode.tokenizer, recipe.rewards.made()
    numbered = {part: [{"prompt": str(n)} for n in range(len(prompts[part]))] for part in prompts}
    trainer: Rewarding

    def reward(**told: Any) -> list[float]:
        return trainer.reward(**told)

    trainer = made(
        model=core,
        reward_funcs=[reward],
        args=config(**told),
        train_dataset=Dataset.from_list(numbered["train"]),
        eval_dataset=Dataset.from_list(numbered["dev"]),
        processing_class=tokenizer,
        watch=watch,
    )
    trainer.model = trainer.model_wrapped = model.to(trainer.args.device)
    trainer.told, trainer.core = recipe, core
    trainer.rewards, trainer.tokenizer = rewards, tokenizer
    trainer.prompts, trainer.dev = prompts["train"], prompts["dev"]
    trainer.pad = int(tokenizer.pad_token_id or 0)
    trainer.eos_token_ids = list(dict.fromkeys([*trainer.eos_token_ids, *endings(encode)]))
    trainer.generation_config.eos_token_id = trainer.eos_token_ids
    if recipe.beta:
        compare(trainer, base)
    if recipe.gradient_checkpointing:
        core.enable_input_require_grads()
    return trainer


def _steps(recipe: Rollout, num: int) -> int:
    """The steps of an epoch over so many prompts."""
    step = recipe.sampling.prompts * recipe.optimiser.accumulation
    if num < step:
        raise InputError(
            f"a step takes {step} prompts (sampling.prompts times optimiser.accumulation), and "
            f"there are {num} to train on; lower one of the two"
        )
    return num // step


def _drawing(recipe: Rollout) -> dict[str, Any]:
    """The recipe's keys under TRL's names."""
    sampling = recipe.sampling
    return {
        "per_device_train_batch_size": sampling.prompts * sampling.group,
        "per_device_eval_batch_size": sampling.group,
        "num_generations": sampling.group,
        "max_completion_length": sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "beta": 0.0,  # TRL would load the base again, or put an adapter around the adapter
        "disable_dropout": not recipe.adapter.dropout,
    }


def compare(trainer: Rewarding, base: Path) -> None:
    """Have the distance to the base count: by the model without its adapter, or, where the base's
    weights are changed or the adapter isn't PEFT's, by the base loaded once more."""
    told = trainer.told
    trainer.beta = told.beta
    if told.adapter.method in (*UNTOUCHED, "bottleneck"):
        other: Any = load_causal(base)[0]
        other.requires_grad_(False)
        add_fused_lm_head(other, temperature=told.sampling.temperature)
        trainer.ref_model = other.to(trainer.args.device)
