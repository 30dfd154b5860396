"""Recipes of the kinds dpo, orpo, kto and reward: which answers are better, by TRL's trainers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from datasets import Dataset, disable_progress_bars
from numpy.typing import NDArray
from torch import Tensor
from trl.import_utils import TRLExperimentalWarning
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.reward_config import RewardConfig
from trl.trainer.reward_trainer import RewardTrainer

from aegle.train.causal import adapters, margin, overfit
from aegle.train.causal.chat import Encoder, Tokens
from aegle.train.causal.compared import ROWS, Collate, Compared, Item, items_of, refer, sums
from aegle.train.causal.examples import read_all
from aegle.train.causal.gained import Figures, learned
from aegle.train.causal.load import load_causal, load_scorer
from aegle.train.causal.loss import Head
from aegle.train.causal.packing import Order
from aegle.train.causal.preference import Preference
from aegle.train.causal.run import Done, check_base
from aegle.train.causal.scoring import text_scores, token_losses
from aegle.train.causal.settings import training_arguments
from aegle.train.causal.steady import Steady, Watch, quieten
from aegle.train.fit import Log

with warnings.catch_warnings():
    warnings.simplefilter("ignore", TRLExperimentalWarning)  # ORPO lies there now
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

FIGURES: Final = ("loss", "margin", "accuracy")


class Comparing(Steady):
    """What TRL's trainers of preferences are given here: batches of tokens, dev's own figures.

    Attributes:
        told: the recipe.
        core: the model inside of what adapters wrap around it.
        head: its output layer, for dev's figures; None: all logits at once, or no such layer.
        pad: the token that pads.
        dev: what is scored.
        counts: how much the mean of the batch in hand counts.
    """

    told: Preference
    core: Any
    head: Head | None
    pad: int
    dev: list[Item]
    by_text = False
    counts = 1.0

    def _prepare_dataset(self, dataset: Any, *given: Any, **told: Any) -> Any:
        return dataset  # it's tokens already

    def _precompute_ref_logps(self, dataset: Any, *given: Any, **told: Any) -> Any:
        return dataset  # `refer` has

    def _send_telemetry(self) -> None:
        """Nothing: what is trained here is nobody else's business."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Order:
        return Order(len(self.train_dataset), self.args.seed)

    def compute_loss(self, model: Any, inputs: Any, *given: Any, **told: Any) -> Any:
        """TRL's mean over a batch, and what the adapter's method adds."""
        inputs = {name: one for name, one in inputs.items() if name != ROWS}
        found = super().compute_loss(model, inputs, *given, **told)
        more = adapters.penalty(self.model)
        if isinstance(found, tuple):
            return self.counts * found[0] + more, found[1]
        return self.counts * found + more

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """A batch's mean loss; its gradient counts by `share`."""
        self.counts = self.share(int(inputs[ROWS]))
        try:
            return super().training_step(model, inputs, num_items_in_batch) / self.counts
        finally:
            self.counts = 1.0

    def share(self, rows: int) -> float:
        """How much a batch's mean counts, so that each example counts the same: batches are of so
        many tokens, hold few long examples or many short ones, and the last step has fewer."""
        batches = self.current_gradient_accumulation_steps / self.args.gradient_accumulation_steps
        return float(rows / self.train_dataset.usual * batches)

    def figures(self, *given: Any, **told: Any) -> dict[str, float]:
        """Dev's loss, margin, and how often the better answer is told."""
        means = self.rows().mean(0)
        found = {f"eval_{name}": float(one) for name, one in zip(FIGURES, means, strict=True)}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found

    def rows(self) -> NDArray[np.float64]:
        """(loss, margin, whether it is right) of each dev example.

        The margin is the chosen answer's reward less the rejected one's; of a judged answer its
        reward, turned round where it is a bad one.
        """
        judge: Callable[[Comparing], tuple[Any, Any]] = _JUDGES[self.told.kind]
        losses, margins = judge(self)
        return np.stack([losses, margins, margins > 0], axis=1).astype(float)

    def answers(self) -> list[Tokens]:
        """Dev's answers, those of an example together."""
        return [one for item in self.dev for one in item.answers]

    def losses(self, texts: Sequence[Tokens]) -> list[NDArray[np.float64]]:
        """As `token_losses`."""
        return token_losses(self, texts, size=self.told.batches.tokens)


def _dpo(trainer: Comparing) -> tuple[Any, Any]:
    found = trainer.losses(trainer.answers())
    ratios = sums(found).reshape(-1, 2) - np.array([one.base for one in trainer.dev])
    lengths = np.array([len(one) for one in found], float).reshape(-1, 2)
    apart, beta = ratios[:, 0] - ratios[:, 1], trainer.told.beta
    how: dict[str, Any] = {"lengths_N2": lengths, "ratios_N2": ratios, "beta": beta}
    return margin.dpo(apart, loss=trainer.told.loss, **how), beta * apart


def _orpo(trainer: Comparing) -> tuple[Any, Any]:
    texts = trainer.answers()
    whole = [Tokens(one.ids, (False, *[True] * (len(one) - 1)), one.group) for one in texts]
    found = trainer.losses(whole)
    tails = [one[-sum(text.learned) :] for one, text in zip(found, texts, strict=True)]
    means = np.array([-one.mean() for one in tails]).reshape(-1, 2)
    nll = np.array([one.mean() for one in found[::2]])
    apart = margin.log_odds(means[:, 0]) - margin.log_odds(means[:, 1])
    return margin.orpo(means, nll, beta=trainer.told.beta), apart


def _kto(trainer: Comparing) -> tuple[Any, Any]:
    told, dev = trainer.told, trainer.dev
    ratios = sums(trainer.losses(trainer.answers())) - np.array([one.base[0] for one in dev])
    others = [one.other for one in dev if one.other]
    kl = sums(trainer.losses(others)) - np.array([one.other_base for one in dev])
    good = np.array([one.good for one in dev])
    how = {"beta": told.beta, "desirable": told.desirable, "undesirable": told.undesirable}
    losses = margin.kto(ratios, good, float(kl.mean()), **how)
    return losses, told.beta * np.where(good, ratios, -ratios)


def _reward(trainer: Comparing) -> tuple[Any, Any]:
    size = trainer.told.batches.tokens
    scores = text_scores(trainer, trainer.answers(), size=size).reshape(-1, 2)
    losses = margin.bradley_terry(scores, centre=trainer.told.centre)
    return losses, scores[:, 0] - scores[:, 1]


_JUDGES: Final = {"dpo": _dpo, "orpo": _orpo, "kto": _kto, "reward": _reward}


class DPO(Comparing, DPOTrainer):
    """Direct preference optimisation."""


class KTO(Comparing, KTOTrainer):
    """Kahneman-Tversky optimisation."""


class Scoring(Comparing, RewardTrainer):
    """A reward model."""


class ORPO(Comparing, ORPOTrainer):
    """Odds ratio preference optimisation."""

    def tokenize_row(self, feature: Any, model: Any = None) -> dict[str, Any]:
        """Nothing: it's tokens already."""
        return {}

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """A batch's loss; its tokens are counted under ORPO's own names."""
        masks = (inputs[f"{side}_attention_mask"] for side in ("chosen", "rejected"))
        self.watch.tokens += sum(int(one.sum()) for one in masks)
        return super().training_step(model, inputs, num_items_in_batch)


def run(
    recipe: Preference,
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

    Args, errors: as of `aegle.train.causal.run.run`. A reward model is saved as the decoder that
    gives one number; `aegle.train.causal.load.load_scorer` and `adapters.load` read it.
    """
    quieten()
    disable_progress_bars()
    found = read_all(recipe, data)  # before the model: it takes longer to load
    torch.manual_seed(recipe.seed)  # the layer that scores is drawn as it is loaded
    model, tokenizer = (load_scorer if recipe.kind == "reward" else load_causal)(base)
    check_base(recipe, model)
    how: dict[str, Any] = {"max_tokens": recipe.max_tokens, "overlong": recipe.overlong}
    encode = Encoder(tokenizer, template=recipe.template, **how)
    judged = recipe.kind == "kto"
    items = {
        part: items_of(getattr(found, part), encode, judged=judged) for part in ("train", "dev")
    }
    watch = Watch(folder, log, progress, stop, patience=recipe.stopping.patience)
    watch.save_s = watch.save_s if save_s is None else save_s
    trainer = prepare(recipe, model, tokenizer, items, watch, device)
    counts = {part: len(items[part]) for part in items}
    about = {**counts, "dropped": dict(found.dropped), "cut": encode.cut}

    def measure() -> Figures:
        return dict(zip(FIGURES, trainer.rows().T, strict=True))

    def gap() -> tuple[dict[str, Any], list[str]]:
        return _gap(trainer, items["train"])

    told: dict[str, Any] = {"gain": "margin", "data": about, "gap": gap, "resume": resume}
    return learned(recipe, trainer, encode, measure, **told)


def _gap(trainer: Comparing, train: list[Item]) -> tuple[dict[str, Any], list[str]]:
    """How much oftener the better answer is told where it was learned."""
    dev, seed = trainer.dev, trainer.told.seed
    parts, groups = [], []
    for some in (overfit.sample(train, len(dev), seed), dev):
        trainer.dev = some
        parts.append([float(one) for one in trainer.rows()[:, 2]])
        groups.append([one.group for one in some])
    return overfit.of_choices(parts, groups, seed)


def prepare(
    recipe: Preference,
    core: Any,
    tokenizer: Any,
    items: dict[str, list[Item]],
    watch: Watch,
    device: str,
) -> Comparing:
    """A trainer that is ready to run, what the base thinks of the data included."""
    size, kind, pad = recipe.batches.tokens, recipe.kind, int(tokenizer.pad_token_id or 0)
    train = Compared(items["train"], kind, size=size)
    per_epoch = math.ceil(len(train) / recipe.optimiser.accumulation)
    steps = recipe.optimiser.max_steps or per_epoch * recipe.optimiser.epochs
    scoring = kind == "reward"
    head = Head.of(core, recipe.loss_chunk) if recipe.loss_chunk and not scoring else None
    task = "SEQ_CLS" if scoring else "CAUSAL_LM"
    model = adapters.attach(core, recipe.adapter, steps=steps, seed=recipe.seed, task=task)
    made, config, own = _OF_KIND[kind]
    told = training_arguments(recipe, watch.folder, device, per_epoch)
    told |= {"disable_dropout": not recipe.adapter.dropout, **own(recipe)}
    if kind == "kto":  # TRL refuses batches of 1, and here each item is a batch
        told["per_device_train_batch_size"] = 2
    stub = Dataset.from_list([{"prompt": "-"}])
    # TRL is given the model inside: around an adapter it would put another, as reference.
    trainer: Comparing = made(
        model=core,
        args=config(**told),
        train_dataset=stub,
        eval_dataset=stub,
        data_collator=Collate(kind, pad),
        processing_class=tokenizer,
        watch=watch,
    )
    trainer.model = trainer.model_wrapped = model.to(trainer.args.device)
    trainer.args.per_device_train_batch_size = trainer._train_batch_size = 1
    trainer.told, trainer.core, trainer.head, trainer.pad = recipe, core, head, pad
    trainer.train_dataset, trainer.dev = train, items["dev"]
    trainer.eval_dataset = Compared(items["dev"], kind, size=size)
    if recipe.gradient_checkpointing:
        core.enable_input_require_grads()
    if kind in ("dpo", "kto"):
        refer(trainer, [*items["train"], *items["dev"]], recipe.adapter.method, size=size)
    return trainer


_BASED: Final[dict[str, Any]] = {"precompute_ref_log_probs": True, "max_length": None}

_OF_KIND: Final[dict[str, tuple[Any, Any, Callable[[Preference], dict[str, Any]]]]] = {
    "dpo": (
        DPO,
        DPOConfig,
        lambda told: {"beta": told.beta, "loss_type": [told.loss], **_BASED},
    ),
    "orpo": (
        ORPO,
        ORPOConfig,
        lambda told: {"beta": told.beta, "max_length": told.max_tokens},
    ),
    "kto": (
        KTO,
        KTOConfig,
        lambda told: {
            "beta": told.beta,
            "desirable_weight": told.desirable,
            "undesirable_weight": told.undesirable,
            "train_sampling_strategy": "sequential",
            **_BASED,
        },
    ),
    "reward": (
        Scoring,
        RewardConfig,
        lambda told: {"center_rewards_coefficient": told.centre, "max_length": None},
    ),
}
