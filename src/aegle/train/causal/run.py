"""A recipe of the kind pretrain or sft: corpus, model, training, dev figures, what it leaves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers import TrainingArguments

from aegle.core.errors import InputError
from aegle.train.causal import (
    adapters,
    attention,
    distil,
    experts,
    overfit,
    parallel,
    private,
    shards,
    zero,
)
from aegle.train.causal.chat import Encoder, Tokens
from aegle.train.causal.corpus import Corpus, Record
from aegle.train.causal.figures import scored
from aegle.train.causal.keep import keep
from aegle.train.causal.load import load_causal
from aegle.train.causal.loss import Head, heard, listening, shifted
from aegle.train.causal.mix import Mixed, forgetting, read_mixed
from aegle.train.causal.packing import Batches, Order, only
from aegle.train.causal.recipe import Common, Recipe
from aegle.train.causal.settings import ran, training_arguments
from aegle.train.causal.shared import Shared
from aegle.train.causal.steady import Watch, on_device, quieten
from aegle.train.fit import Log
from aegle.train.memory import peaks

MODEL: Final = "model"
"""In a run's folder: the adapter (or the whole model, trained in full), tokenizer, card."""

MERGED: Final = "merged"
"""In a run's folder, with ``merge: true``: the model with the adapter in its weights."""


@dataclass(slots=True)
class Done:
    """How a run went.

    Attributes:
        steps, tokens: done in all, padding not counted.
        metrics: figures of dev and others, as JSON.
        model: the trained model, for what comes next.
        artifact: where it lies.
    """

    steps: int
    tokens: int
    metrics: dict[str, Any]
    model: Any
    artifact: Path
    extra: dict[str, Any] = field(default_factory=dict)


def run(
    recipe: Recipe,
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
    teacher: Path | None = None,
    begin: Callable[[Tuner], None] = lambda trainer: None,
) -> Done:
    """Train a recipe; what was trained ends in ``folder/model``, with a card. On one processor the
    same recipe gives the same weights, stopped and resumed at any step or not (privately: never).

    Args:
        recipe: what to do.
        base: folder or GGUF file of the base model.
        data, folder: where the sources' paths begin, and where the run writes.
        resume: go on from the folder's checkpoint.
        log, progress, stop: as `Watch` takes them.
        device, save_s: cpu, cuda or auto; seconds between checkpoints, None: as always.
        teacher: folder or GGUF file of the teacher, where the recipe has one.
        begin: given the trainer before it runs, to start from other weights.

    Raises:
        InputError: the data, the base or the checkpoint can't be read, or the loss is no number.
        BackendError, WorkspaceError: out of memory, or of disk.
        StoppedError: ``stop`` said so.
    """
    quieten()
    parallel.check(recipe.parallel.processes)
    read = read_mixed(recipe, data)  # before the model: it takes longer to load
    corpus = read.corpus
    if teacher and recipe.distillation and recipe.distillation.kind == "sequence":
        corpus = distil.taught(recipe, corpus, folder, teacher)
    model, tokenizer = load_causal(base)
    check_base(recipe, model)
    encode = encoder_of(recipe, tokenizer)
    private.check(recipe, corpus.train)
    dev = [(record, one) for record in corpus.dev for one in encode(record)]
    texts = {"train": encoded(corpus, "train", encode), "dev": [one for _, one in dev]}
    watch = Watch(folder, log, progress, stop, patience=recipe.stopping.patience)
    watch.save_s = watch.save_s if save_s is None else save_s
    trainer = prepare(recipe, model, tokenizer, texts, watch, device, teacher)
    begin(trainer)
    return _learned(recipe, trainer, encode, read, dev, dict(corpus.dropped), resume)


def _learned(
    recipe: Recipe,
    trainer: Tuner,
    encode: Encoder,
    read: Mixed,
    dev: list[tuple[Record, Tokens]],
    dropped: dict[str, int],
    resume: bool,
) -> Done:
    """The training itself, its figures, and what it leaves."""
    folder, cut, team = trainer.watch.folder, encode.cut, trainer.team
    old = {name: [t for one in some for t in encode(one)] for name, some in read.old.items()}
    with adapters.begun(trainer.model, recipe.adapter):
        before = {name: trainer.losses(some) for name, some in old.items()}
    steps = trainer.run(resume=resume)
    distil.leave(trainer.model)
    metrics = scored(trainer, dev, folder, whole=recipe.overlong != "cut" or not cut)
    metrics["warnings"] = []
    if not recipe.privacy:  # what train's losses are is told by no budget
        train, texts = trainer.train_dataset.texts, [one for _, one in dev]
        metrics["gap"], metrics["warnings"] = overfit.of_losses(trainer, train, texts, recipe)
    extra = {"parallel": trainer.record(), "peaks": peaks()}
    if old:
        after = {name: trainer.losses(some) for name, some in old.items()}
        metrics["forgetting"], forgot = forgetting(recipe, before, after, old)
        metrics["warnings"] += forgot
    sizes = {"train": len(trainer.train_dataset.texts), "dev": len(dev)}
    drawn = dict(read.drawn)
    metrics["data"] = {**sizes, "dropped": dropped, "drawn": drawn, "cut": cut}
    packed = trainer.train_dataset.packed
    about = {"template": encode.name, "packed": packed, **ran(trainer)}
    if recipe.packed and not packed:
        about["padded"] = "in a packed row the base would let a text see the one before it"
    if trainer.keeper:
        about["privacy"] = metrics["privacy"] = trainer.keeper.card()
    trainer.whole()
    if team.first:
        keep(recipe, trainer.model, encode.tokenizer, folder, metrics, about)
    return Done(steps, trainer.watch.tokens, metrics, trainer.model, folder / MODEL, extra)


def encoder_of(recipe: Recipe, tokenizer: Any) -> Encoder:
    """What turns a recipe's records into tokens."""
    fit: dict[str, Any] = {"max_tokens": recipe.max_tokens, "overlong": recipe.overlong}
    return Encoder(tokenizer, template=recipe.template, **fit)


def encoded(corpus: Corpus, part: str, encode: Encoder) -> list[Tokens]:
    """A part of a corpus as tokens."""
    return [one for record in getattr(corpus, part) for one in encode(record)]


def check_base(recipe: Common, model: Any) -> None:
    """Refuse what a base can't do, before it is trained.

    Raises:
        InputError: max_tokens is above its context.
        UsageError: what is learned is to be merged into it, and can't be.
    """
    if recipe.merge:
        adapters.check_merge(model, recipe.adapter)
    most = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    used = recipe.adapter.tokens if recipe.adapter.method in ("prefix", "prompt", "ptuning") else 0
    if most and recipe.max_tokens + used > most:
        raise InputError(
            f"max_tokens is {recipe.max_tokens}"
            + (f" with {used} learned tokens in front" if used else "")
            + f", and {recipe.base} reads {most} at most; lower max_tokens"
        )


def prepare(
    recipe: Recipe,
    model: Any,
    tokenizer: Any,
    texts: dict[str, list[Tokens]],
    watch: Watch,
    device: str,
    teacher: Path | None = None,
) -> Tuner:
    """A trainer that is ready to run."""
    place = "cpu" if on_device(device, "fp32")["use_cpu"] else "cuda"
    lesson, core = None, model
    if teacher and recipe.distillation and recipe.distillation.kind != "sequence":
        lesson = distil.lesson(recipe, core, tokenizer, *load_causal(teacher), place)
    by_text = recipe.packed and attention.use(model, place)
    packed = recipe.packed and _separate(recipe, [model, *([lesson.teacher] if lesson else [])])
    how: dict[str, Any] = {"size": recipe.batches.tokens, "packed": packed}
    how["pad"] = int(tokenizer.pad_token_id or 0)
    pick: Any = private.drawn if recipe.privacy else _whole
    sets = {"dev": Batches.of(texts["dev"], **how), "train": pick(recipe, texts["train"], how)}
    per_epoch = math.ceil(len(sets["train"]) / recipe.optimiser.accumulation)
    steps = recipe.optimiser.max_steps or per_epoch * recipe.optimiser.epochs
    head = Head.of(model, recipe.loss_chunk) if recipe.loss_chunk else None
    model = adapters.attach(model, recipe.adapter, steps=steps, seed=recipe.seed)
    if head and core.get_output_embeddings() is not head.layer:
        raise InputError(
            "adapter.targets: one of them is the output layer, whose loss is computed in chunks "
            "without the adapter; name others, or set loss_chunk to 0"
        )
    if lesson:
        lesson.join(model, core)
    if recipe.gradient_checkpointing:
        core.enable_input_require_grads()
    if recipe.parallel.wanted == "fsdp":
        model = shards.spread(model, parallel.Team.here(), offload=recipe.parallel.offload)
    trainer = Tuner(
        model=model,
        args=_arguments(recipe, watch.folder, device, per_epoch),
        train_dataset=sets["train"],
        eval_dataset=sets["dev"],
        data_collator=only,
        watch=watch,
    )
    trainer.core, trainer.head, trainer.lesson = core, head, lesson
    trainer.routed = experts.asked(core, recipe.adapter)
    trainer.is_distributed_loading_by_transformers = trainer.sharded  # nothing to wrap
    trainer.by_text, trainer.size = by_text and packed, recipe.batches.tokens
    trainer.asked = recipe.parallel.wanted
    trainer.keeper = private.Keeper(sets["train"], trainer) if recipe.privacy else None
    return trainer


def _arguments(recipe: Recipe, folder: Path, device: str, per_epoch: int) -> TrainingArguments:
    """A trainer's arguments, with what privacy or sharding sets otherwise."""
    told = training_arguments(recipe, folder, device, per_epoch)
    told |= private.arguments(recipe, per_epoch) if recipe.privacy else {}
    if recipe.parallel.wanted.startswith("zero"):  # on a CPU it looks for no GPU by itself
        told |= {"deepspeed": zero.configuration(recipe, bf16=told["bf16"]), "use_cpu": False}
    return TrainingArguments(**told)


def _whole(recipe: Recipe, texts: Sequence[Tokens], how: dict[str, Any]) -> Batches:
    """All texts in batches."""
    return Batches.of(texts, **how)


def _separate(recipe: Recipe, models: Sequence[Any]) -> bool:
    """Whether texts can stand in one row: what a recipe means by packing on or auto.

    Raises:
        InputError: packing is on, and they would see each other.
    """
    mixing = [type(one).__name__ for one in models if not attention.separates(one)]
    if mixing and recipe.batches.packing == "on":
        raise InputError(
            f"batches.packing is on, but in {mixing[0]} a text sees the one before it in its row; "
            "set batches.packing to auto or off"
        )
    return not mixing


class Tuner(Shared):
    """Learns the next token of what is learned, its loss in chunks.

    Attributes:
        core: the causal model inside of what adapters wrap around it.
        head: its output layer; None: the model computes all logits itself.
        lesson: what a teacher adds to the loss, if there is one.
        routed: what a mixture of experts is asked with for its routers' losses.
        by_text: whether packed rows are attended to text by text.
        size: tokens of a batch.
        keeper: makes each step of a private run.
    """

    core: Any
    head: Head | None = None
    lesson: distil.Lesson | None = None
    routed: Mapping[str, bool] = MappingProxyType({})
    by_text = False
    size = 0
    keeper: private.Keeper | None = None

    def __init__(self, *given: Any, **told: Any) -> None:
        super().__init__(*given, **told)
        self.model_accepts_loss_kwargs = True  # so that the tokens of a step are counted

    def _get_train_sampler(self, train_dataset: Any = None) -> Order:
        return Order(len(self.train_dataset), self.args.seed)

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """A batch's loss; of a private run what its keeper lets out, which is nothing."""
        if self.keeper:
            return self.keeper.step(inputs)
        return super().training_step(model, inputs, num_items_in_batch)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The mean over the learned tokens of a step, of all its batches and processes."""
        labels = inputs["labels"]
        told = {name: one for name, one in inputs.items() if name != "labels"}
        told = {**told, **self.routed}
        count = (labels[:, 1:] != -100).sum() if num_items_in_batch is None else num_items_in_batch
        if self.lesson:
            outputs, total = self.lesson.loss(self, model, told, labels)
        elif self.head:
            with listening(self.core) as ear:
                outputs = model(**told, use_cache=False)
            total = self.head.loss(heard(ear), labels)
        else:
            outputs = model(**told, use_cache=False)
            logits, wanted = shifted(outputs.logits, labels)
            total = nn.functional.cross_entropy(logits.float(), wanted, reduction="sum")
        more = experts.losses(self.core, outputs) + adapters.penalty(self.model)
        loss = total / count
        if num_items_in_batch is not None:
            if self.args.average_tokens_across_devices:
                loss = loss * self.accelerator.num_processes  # gradients are averaged over them
            more = more / self.current_gradient_accumulation_steps  # each batch adds it
        loss = loss + more
        return (loss, outputs) if return_outputs else loss

    def figures(self, *given: Any, **told: Any) -> dict[str, float]:
        """Dev's loss, perplexity, and how often the likeliest token is right."""
        total, right, count = (sum(some) for some in zip(*self.scores(), strict=True))
        loss = total / count
        found = {
            "eval_loss": loss,
            "eval_perplexity": math.exp(min(loss, 700)),
            "eval_token_accuracy": right / count,
        }
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found

    def losses(self, texts: Sequence[Tokens]) -> list[float]:
        """The mean loss of each text's learned tokens."""
        dev = self.eval_dataset
        some = Batches.of(texts, size=self.size, packed=dev.packed, pad=dev.pad)
        return [loss / count for loss, _, count in self.scores(some)]

    @torch.no_grad()
    def scores(self, data: Batches | None = None) -> list[tuple[float, int, int]]:
        """(loss, right tokens, learned tokens) of each text, of dev if none are given."""
        data = self.eval_dataset if data is None else data
        found: list[tuple[float, int, int]] = [(0.0, 0, 0)] * len(data.texts)
        self.model.eval()
        for number in self.team.shares(len(data.plan)):
            some, batch = data.plan[number], self._prepare_inputs(data[number])
            losses, right = self._each(batch)
            sizes = [sum(data.texts[at].learned) for at in some]
            parts = zip(torch.split(losses, sizes), torch.split(right, sizes), strict=True)
            for at, (part, hits) in zip(some, parts, strict=True):
                found[at] = (float(part.double().sum()), int(hits.sum()), len(part))
        self.model.train()
        shards.settle(self.model)
        return parallel.pooled(found, data.plan, self.team)

    def _each(self, batch: Any) -> tuple[Tensor, Tensor]:
        told = {name: one for name, one in batch.items() if name != "labels"}
        with self.compute_loss_context_manager():
            if self.head:
                with listening(self.core) as ear:
                    self.model(**told, use_cache=False)
                return self.head.each(heard(ear), batch["labels"])
            outputs = self.model(**told, use_cache=False)
        logits, wanted = shifted(outputs.logits, batch["labels"])
        losses = nn.functional.cross_entropy(logits.float(), wanted, reduction="none")
        return losses, logits.argmax(1) == wanted
