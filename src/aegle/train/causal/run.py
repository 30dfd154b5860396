"""A recipe of the kind pretrain or sft: corpus, model, training, dev figures, what it leaves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers import TrainingArguments

from aegle.core.errors import InputError
from aegle.core.records import Measure
from aegle.metrics.stats import mean
from aegle.train import groups
from aegle.train.causal import adapters, attention
from aegle.train.causal.chat import Encoder, Tokens
from aegle.train.causal.corpus import Corpus, Record, read_corpus
from aegle.train.causal.keep import keep
from aegle.train.causal.load import load_causal
from aegle.train.causal.loss import Head, listening, shifted
from aegle.train.causal.packing import Batches, Order, only
from aegle.train.causal.recipe import Common, Recipe
from aegle.train.causal.steady import Steady, Watch, arguments, on_device, quieten
from aegle.train.fit import Log

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
) -> Done:
    """Train a recipe; what was trained ends in ``folder/model``, with a card.

    On one processor the same recipe gives the same weights, also when the run was stopped and
    resumed at any step.

    Args:
        recipe: what to do.
        base: folder or GGUF file of the base model.
        data, folder: where the sources' paths begin, and where the run writes.
        resume: go on from the folder's checkpoint.
        log, progress, stop: as `Watch` takes them.
        device: cpu, cuda or auto.
        save_s: seconds between checkpoints; None: as always.

    Raises:
        InputError: the data, the base or the checkpoint can't be read, or the loss is no number.
        BackendError: out of memory.
        WorkspaceError: the disk is full.
        StoppedError: ``stop`` said so.
    """
    quieten()
    corpus = read_corpus(recipe, data)  # before the model: it takes longer to load
    model, tokenizer = load_causal(base)
    check_length(recipe, model)
    encode = encoder_of(recipe, tokenizer)
    dev = [(record, one) for record in corpus.dev for one in encode(record)]
    texts = {"train": encoded(corpus, "train", encode), "dev": [one for _, one in dev]}
    watch = Watch(folder, log, progress, stop, patience=recipe.stopping.patience)
    watch.save_s = watch.save_s if save_s is None else save_s
    trainer = prepare(recipe, model, tokenizer, texts, watch, device)
    steps = trainer.run(resume=resume)
    metrics = scored(trainer, dev, folder, whole=recipe.overlong != "cut" or not encode.cut)
    counts = {part: len(some) for part, some in texts.items()}
    metrics["data"] = {**counts, "dropped": dict(corpus.dropped), "cut": encode.cut}
    about = {"template": encode.name, "packed": recipe.packed, **ran(trainer)}
    keep(recipe, trainer.model, tokenizer, folder, metrics, about)
    return Done(steps, watch.tokens, metrics, trainer.model, folder / MODEL)


def encoder_of(recipe: Recipe, tokenizer: Any) -> Encoder:
    """What turns a recipe's records into tokens."""
    fit: dict[str, Any] = {"max_tokens": recipe.max_tokens, "overlong": recipe.overlong}
    return Encoder(tokenizer, template=recipe.template, **fit)


def encoded(corpus: Corpus, part: str, encode: Encoder) -> list[Tokens]:
    """A part of a corpus as tokens."""
    return [one for record in getattr(corpus, part) for one in encode(record)]


def scored(
    trainer: Tuner, dev: Sequence[tuple[Record, Tokens]], folder: Path, *, whole: bool
) -> dict[str, Any]:
    """`summary` of dev; what each group scored goes into the folder, for comparing runs."""
    rows = trainer.scores()
    groups.write(folder, by_group([record for record, _ in dev], rows, whole=whole))
    return summary(trainer, [one for _, one in dev], rows)


def by_group(
    records: Sequence[Record], rows: Sequence[tuple[float, int, int]], *, whole: bool
) -> dict[str, tuple[bool, groups.Sums]]:
    """Dev's loss and right tokens as sums of each group, for `groups.write`.

    Args:
        records: of each row; a record that was split has several rows.
        rows: (loss, right tokens, learned tokens).
        whole: whether no text was cut off: bits per byte, too, which compare bases that cut texts
            into other tokens.
    """
    keys = groups.keys_of([said(one) for one in records], [one.group for one in records])
    losses, right, counts = zip(*rows, strict=True)
    found = {
        "loss": (False, groups.sums(keys, losses, counts)),
        "token_accuracy": (True, groups.sums(keys, right, counts)),
    }
    if whole:
        first = {id(one): number for number, one in reversed(list(enumerate(records)))}
        bytes_ = [
            learned_bytes(one) * math.log(2) if first[id(one)] == number else 0.0
            for number, one in enumerate(records)
        ]
        found["bits_per_byte"] = (False, groups.sums(keys, losses, bytes_))
    return found


def said(record: Record) -> str:
    """All of a record's turns as one string, whatever the base and its template."""
    return "\n".join(f"{turn.role}\n{turn.text}" for turn in record.turns)


def learned_bytes(record: Record) -> int:
    """UTF-8 bytes of what is learned of a record."""
    answers = [one for one in record.turns if one.role in ("assistant", "text")]
    return sum(len(str(one.text).encode("utf-8", "surrogatepass")) for one in answers)


def check_length(recipe: Common, model: Any) -> None:
    """Refuse texts longer than the base was made for.

    Raises:
        InputError: max_tokens is above its context.
    """
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
) -> Tuner:
    """A trainer that is ready to run."""
    pad = int(tokenizer.pad_token_id or 0)
    how: dict[str, Any] = {"size": recipe.batches.tokens, "packed": recipe.packed, "pad": pad}
    sets = {part: Batches.of(some, **how) for part, some in texts.items()}
    per_epoch = math.ceil(len(sets["train"]) / recipe.optimiser.accumulation)
    steps = recipe.optimiser.max_steps or per_epoch * recipe.optimiser.epochs
    head = Head.of(model, recipe.loss_chunk) if recipe.loss_chunk else None
    ran_packed = recipe.packed and attention.use(model)
    core = model
    model = adapters.attach(model, recipe.adapter, steps=steps, seed=recipe.seed)
    if recipe.gradient_checkpointing:
        core.enable_input_require_grads()
    told = training_arguments(recipe, watch.folder, device, per_epoch)
    trainer = Tuner(
        model=model,
        args=TrainingArguments(**told),
        train_dataset=sets["train"],
        eval_dataset=sets["dev"],
        data_collator=only,
        watch=watch,
    )
    trainer.core, trainer.head, trainer.by_text = core, head, ran_packed
    return trainer


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
        gradient_accumulation_steps=told.accumulation,
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


class Tuner(Steady):
    """Learns the next token of what is learned, its loss in chunks.

    Attributes:
        core: the causal model inside of what adapters wrap around it.
        head: its output layer; None: the model computes all logits itself.
        by_text: whether packed rows are attended to text by text.
    """

    core: Any
    head: Head | None = None
    by_text = False

    def __init__(self, *given: Any, **told: Any) -> None:
        super().__init__(*given, **told)
        self.model_accepts_loss_kwargs = True  # so that the tokens of a step are counted

    def _get_train_sampler(self, train_dataset: Any = None) -> Order:
        return Order(len(self.train_dataset), self.args.seed)

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
        count = (labels[:, 1:] != -100).sum() if num_items_in_batch is None else num_items_in_batch
        if self.head:
            with listening(self.core) as ear:
                outputs = model(**told, use_cache=False)
            total = self.head.loss(_heard(ear.heard), labels)
        else:
            outputs = model(**told, use_cache=False)
            logits, wanted = shifted(outputs.logits, labels)
            total = nn.functional.cross_entropy(logits.float(), wanted, reduction="sum")
        loss = total / count + _router(self.core, outputs) + adapters.penalty(self.model)
        if num_items_in_batch is not None and self.args.average_tokens_across_devices:
            loss = loss * self.accelerator.num_processes  # gradients are averaged over processes
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

    @torch.no_grad()
    def scores(self) -> list[tuple[float, int, int]]:
        """(loss, right tokens, learned tokens) of each dev text."""
        data = self.eval_dataset
        found: list[tuple[float, int, int]] = [(0.0, 0, 0)] * len(data.texts)
        self.model.eval()
        for number, some in enumerate(data.plan):
            batch = self._prepare_inputs(data[number])
            losses, right = self._each(batch)
            sizes = [sum(data.texts[at].learned) for at in some]
            parts = zip(torch.split(losses, sizes), torch.split(right, sizes), strict=True)
            for at, (part, hits) in zip(some, parts, strict=True):
                found[at] = (float(part.double().sum()), int(hits.sum()), len(part))
        self.model.train()
        return found

    def _each(self, batch: Any) -> tuple[Tensor, Tensor]:
        told = {name: one for name, one in batch.items() if name != "labels"}
        with self.compute_loss_context_manager():
            if self.head:
                with listening(self.core) as ear:
                    self.model(**told, use_cache=False)
                return self.head.each(_heard(ear.heard), batch["labels"])
            outputs = self.model(**told, use_cache=False)
        logits, wanted = shifted(outputs.logits, batch["labels"])
        losses = nn.functional.cross_entropy(logits.float(), wanted, reduction="none")
        return losses, logits.argmax(1) == wanted


def _heard(hidden: Tensor | None) -> Tensor:
    if hidden is None:
        raise InputError("the base computes its logits past its output layer; set loss_chunk to 0")
    return hidden


def _router(core: Any, outputs: Any) -> Any:
    """What a mixture of experts adds so that they share the work; the model gives its weight."""
    aux = getattr(outputs, "aux_loss", None)
    weight = getattr(core.config, "router_aux_loss_coef", 0.0)
    return 0.0 if aux is None else weight * aux


def summary(
    trainer: Tuner, dev: list[Tokens], rows: Sequence[tuple[float, int, int]]
) -> dict[str, Any]:
    """Dev's figures at the best weights, with 95% intervals by group, and how training went."""
    names = [one.group for one in dev]
    counts = [count for _, _, count in rows]
    loss = mean([total / count for total, _, count in rows], groups=names, weights=counts)
    right = mean([hits / count for _, hits, count in rows], groups=names, weights=counts)
    value, low, high = (math.exp(min(one, 700)) for one in (loss.value, loss.low, loss.high))
    perplexity = Measure(value, low, high, loss.n)
    watch = trainer.watch
    return {
        "dev": {
            name: {"value": one.value, "low": one.low, "high": one.high, "n": one.n}
            for name, one in (
                ("loss", loss),
                ("perplexity", perplexity),
                ("token_accuracy", right),
            )
        },
        "best_step": int(watch.best.get("step", 0)),
        "history": watch.history,
        "trained_parameters": sum(one.numel() for one in adapters.trained(trainer.model).values()),
    }


def ran(trainer: Tuner) -> dict[str, Any]:
    """What really ran, for the card."""
    return {
        "device": trainer.args.device.type,
        "precision": "bf16" if trainer.args.bf16 else "fp32",
        "attention": "by text" if trainer.by_text else "masked",
        "processes": trainer.accelerator.num_processes,
    }
