"""Recipes of causal models: base, data, adapter, optimiser, packing; every key checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, model_serializer, model_validator

from aegle.train.causal.private_keys import Privacy, undoes
from aegle.train.causal.spread import Parallel
from aegle.train.keys import Part, checked, closest, read_tree

LOW_RANK: Final = ("lora", "rslora", "dora", "pissa", "qlora")
PROMPTS: Final = ("prefix", "prompt", "ptuning")
"""Methods that put learned tokens in front of a text: texts can't be packed, nor weights merged."""

OUTPUTS: Final = frozenset({"lm_head", "embed_out", "output"})
"""Names of output layers, which are computed with as they are where losses are."""

OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(LOW_RANK, ("rank", "alpha", "dropout", "targets")),
    "adalora": ("rank", "start_rank", "alpha", "dropout", "targets"),
    "ia3": ("targets",),
    "prefix": ("tokens",),
    "prompt": ("tokens",),
    "ptuning": ("tokens", "width"),
    "bottleneck": ("width", "dropout", "targets"),
    "bitfit": ("targets",),
    "full": (),
}
"""Method -> its options. References stand at `aegle.train.causal.adapters`."""


class Adapter(Part):
    """What is trained: a method, by its name alone or with options of its own."""

    method: Literal[
        "lora",
        "rslora",
        "dora",
        "pissa",
        "qlora",
        "adalora",
        "ia3",
        "prefix",
        "prompt",
        "ptuning",
        "bottleneck",
        "bitfit",
        "full",
    ] = "lora"
    rank: int = Field(8, ge=1, description="of a low-rank change; of AdaLoRA the mean at the end")
    start_rank: int = Field(12, ge=1, description="AdaLoRA's rank before it prunes")
    alpha: float = Field(16.0, gt=0, description="a low-rank change counts alpha / rank times")
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: tuple[str, ...] = Field(
        (), description="names of linear layers; empty: the method's usual ones"
    )
    tokens: int = Field(16, ge=1, description="learned tokens in front of a text")
    width: int = Field(64, ge=1, description="of a bottleneck, or of P-tuning's encoder")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, told: Any) -> Any:
        told = {"method": told} if isinstance(told, str) else told
        if isinstance(told, dict):
            method = told.get("method", "lora")
            if not isinstance(method, str) or method not in OPTIONS:
                near = closest(str(method), sorted(OPTIONS))
                raise ValueError(f"no adapter {method!r}{near}; there are: {', '.join(OPTIONS)}")
            for key in told:
                if key in cls.model_fields and key not in ("method", *OPTIONS[method]):
                    has = ", ".join(OPTIONS[method]) or "none"
                    raise ValueError(f"{method} has no option {key!r}; its options: {has}")
        return told

    @model_serializer(mode="wrap")
    def _own(self, plain: Any) -> dict[str, Any]:
        """The method and its own options, as they may be read again."""
        return {n: one for n, one in plain(self).items() if n in ("method", *OPTIONS[self.method])}

    @model_validator(mode="after")
    def _prunes(self) -> Adapter:
        if self.method == "adalora" and self.start_rank <= self.rank:
            raise ValueError("adalora prunes from start_rank down to rank: start_rank > rank")
        return self


class Source(Part):
    """JSON lines of ``messages``, of ``prompt`` and ``completion``, or of ``text``."""

    train: str
    dev: str = Field("", description="without it a part is split off by group")
    share: float = Field(0.1, gt=0, lt=1, description="of the groups, that is split off for dev")
    group: str = Field(
        "group", description="the key that names a record's patient, host or document"
    )
    groups: Literal["auto", "own", "shared"] = Field(
        "auto",
        description="whether a group is the same one in other sources: shared, or own (names or "
        "numbers of this source alone); auto: shared, but for short numbers under a key that names "
        "no patient, host or the like",
    )
    system: str = Field("", description="a system message for records that have none")
    repeat: int = Field(1, ge=1, description="each record is read so many times an epoch")
    safe_because: str = Field(min_length=1, description="why the texts may be used as they are")
    licence: str = Field(min_length=1)


class Optimiser(Part):
    """AdamW with warm-up and decay."""

    lr: float = Field(2e-4, gt=0)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: float = Field(0.05, ge=0, lt=1, description="share of the steps")
    weight_decay: float = Field(0.0, ge=0)
    clip: float = Field(1.0, gt=0, description="largest norm of a step's gradient")
    epochs: int = Field(3, ge=1)
    max_steps: int = Field(0, ge=0, description="end there, whatever the epochs; 0: don't")
    accumulation: int = Field(1, ge=1, description="batches whose gradients make a step")


class Batches(Part):
    """How texts become batches."""

    tokens: int = Field(1024, ge=8, description="in a batch at most, padding counted")
    packing: Literal["auto", "on", "off"] = Field(
        "auto",
        description="several texts in a row, each attending to itself alone; auto: unless the "
        "adapter is a prompt; off: padded batches of texts of like length",
    )


class Stopping(Part):
    """When dev says that it's enough."""

    patience: int = Field(3, ge=1, description="evaluations without a better dev loss")
    per_epoch: int = Field(1, ge=1, description="evaluations in an epoch")
    gap: float = Field(
        0.5, ge=0, description="nats a token that dev may be worse than train before a warning"
    )


class Mixing(Part):
    """How often each of several corpora is drawn from."""

    temperature: float = Field(
        2.0, ge=1, description="1: by its size; higher: the more alike, small ones repeated"
    )


class Replay(Part):
    """Corpora that were learned before, some of which are learned again lest they be forgotten."""

    data: tuple[Source, ...] = Field(min_length=1)
    share: float = Field(0.1, ge=0, lt=1, description="of all records that are trained on")
    allowed: float = Field(
        0.02, ge=0, description="nats a token that dev texts of an old corpus may lose"
    )


class Distillation(Part):
    """A teacher whom the model learns from, beside the data or instead of its answers."""

    teacher: str = Field(min_length=1, description="a name of `aegle models`, path: or hf:")
    kind: Literal["logits", "hidden", "sequence"] = Field(
        "logits",
        description="its distribution over the next token; its hidden states; or its answers to "
        "the prompts, which then are the corpus (and any vocabulary does)",
    )
    temperature: float = Field(2.0, gt=0, description="of logits")
    weight: float = Field(0.5, gt=0, le=1, description="of the teacher; the data have the rest")
    layers: tuple[tuple[int, int], ...] = Field(
        (), description="of hidden, [student's, teacher's] pairs; empty: the last ones"
    )
    max_new_tokens: int = Field(256, ge=1, description="of an answer, of sequence")

    @model_validator(mode="after")
    def _there(self) -> Distillation:
        if any(min(pair) < 0 for pair in self.layers):
            raise ValueError("layers: layers are numbered from 0, what goes into the first")
        return self


class Common(Part):
    """What a recipe of any kind of causal training says, whatever its data look like."""

    name: str = Field(pattern=r"^[\w.-]+$")
    base: str = Field("smollm2", description="a name of `aegle models`, path: or hf:")
    seed: int = 17
    max_tokens: int = Field(1024, ge=8, description="of one text")
    overlong: Literal["error", "cut", "split"] = Field(
        "error",
        description="a text of more than max_tokens: an error, cut at its end, or (pretrain only) "
        "split into several",
    )
    duplicates: Literal["error", "drop"] = Field(
        "error", description="records that say the same: an error, or all but one are dropped"
    )
    adapter: Adapter = Adapter()
    optimiser: Optimiser = Optimiser()
    batches: Batches = Batches()
    stopping: Stopping = Stopping()
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the processor computes in it"
    )
    gradient_checkpointing: bool = Field(
        False, description="less memory, a third more time: layers are computed twice"
    )
    loss_chunk: int = Field(
        512, ge=0, description="positions whose logits exist at a time; 0: all of a batch"
    )
    merge: bool = Field(False, description="write the merged model, too")
    fold: tuple[int, int] | None = Field(
        None,
        description="[i, k]: dev is the i-th (from 0) of k parts of the groups of each train file, "
        "whatever dev file there is",
    )
    learn: float = Field(
        1.0, gt=0, le=1, description="of the groups to train on, for a learning curve"
    )
    search: dict[str, tuple[Any, ...]] = Field(
        default_factory=dict, description="key -> [low, high], [low, high, log] or choices"
    )

    @model_validator(mode="after")
    def _folds(self) -> Common:
        if self.fold and not 0 <= self.fold[0] < self.fold[1]:
            raise ValueError("fold: [i, k] with 0 <= i < k")
        if self.fold and self.fold[1] < 2:
            raise ValueError("fold: there are 2 folds at least")
        return self

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, told: Any) -> Any:
        if isinstance(told, dict) and "privacy" in told and "privacy" not in cls.model_fields:
            raise ValueError(
                f"privacy: the loss of {told.get('kind')} compares answers across a batch, so no "
                "unit's gradient can be told apart; train privately with kind sft or pretrain"
            )
        return told

    @model_validator(mode="after")
    def _packable(self) -> Common:
        if self.adapter.method in PROMPTS:
            if self.batches.packing == "on":
                raise ValueError(
                    f"batches.packing: texts in one row can't each have the learned tokens of "
                    f"{self.adapter.method} in front; set batches.packing to auto or off"
                )
            if self.gradient_checkpointing and self.adapter.method == "prefix":
                raise ValueError(
                    "gradient_checkpointing: layers that a prefix stands in can't be computed "
                    "twice; set it to false, or take another adapter"
                )
            if self.merge:
                raise ValueError(
                    f"merge: the learned tokens of {self.adapter.method} can't be merged into "
                    "weights; leave merge out"
                )
        if self.merge and self.adapter.method == "bottleneck":
            raise ValueError(
                "merge: a bottleneck adapter isn't linear and can't be merged into weights; leave "
                "merge out"
            )
        return self

    @property
    def packed(self) -> bool:
        """Whether batches hold several texts in a row."""
        told = self.batches.packing
        return told == "on" or (told == "auto" and self.adapter.method not in PROMPTS)


class Recipe(Common):
    """A named run that learns to continue texts (pretrain) or to answer (sft)."""

    kind: Literal["pretrain", "sft"]
    template: Literal["auto", "plain"] = Field(
        "auto",
        description="auto: the tokenizer's own chat template, or ChatML if it has none; plain: "
        "prompt and completion as they are, and an end-of-text token",
    )
    data: tuple[Source, ...] = Field(min_length=1)
    distillation: Distillation | None = None
    mixing: Mixing | None = Field(
        None, description="draw from the corpora by temperature; without it each is read as it is"
    )
    replay: Replay | None = None
    privacy: Privacy | None = Field(None, description="train by DP-SGD (extra private)")
    parallel: Parallel = Parallel()

    @model_validator(mode="after")
    def _private(self) -> Recipe:
        wrong = undoes(self) if self.privacy else ""
        if wrong:
            raise ValueError(wrong)
        return self

    @model_validator(mode="after")
    def _shared(self) -> Recipe:
        self.parallel.check(self.optimiser.accumulation, self.adapter.method)
        if self.parallel.processes > 1 and self.distillation:
            raise ValueError("distillation runs in one process; leave parallel out")
        if self.parallel.wanted == "zero3" and self.loss_chunk:
            raise ValueError(
                "loss_chunk: under zero3 the output layer is whole in the forward pass alone; set "
                "it to 0, or take fsdp"
            )
        return self

    @model_validator(mode="after")
    def _taught(self) -> Recipe:
        told = self.distillation
        if told and told.kind == "sequence" and self.kind == "pretrain":
            raise ValueError("distillation.kind: sequence needs prompts, which pretrain hasn't")
        if told and told.kind != "sequence" and not self.loss_chunk:
            raise ValueError("loss_chunk: distillation computes in chunks; set it above 0")
        head = OUTPUTS & set(self.adapter.targets)
        if head and self.loss_chunk:
            raise ValueError(
                f"adapter.targets: {min(head)} is the output layer, which isn't trained where its "
                "loss is computed in chunks; name others, or set loss_chunk to 0"
            )
        return self

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        if self.overlong == "split" and self.kind != "pretrain":
            raise ValueError("overlong: only a text of pretrain can be split; say error or cut")
        return self


def read_recipe(path: Path, *, changes: dict[str, Any] | None = None) -> Recipe:
    """A recipe file of the kind pretrain or sft.

    Args:
        path: YAML; ``extends: FILE`` takes what it doesn't say from another beside it.
        changes: dotted names and values to set, ``{"adapter.rank": 16}``.

    Raises:
        InputError: not YAML, an unknown or missing key (with a suggestion), a value out of range.
    """
    return checked(Recipe, read_tree(path, changes=changes), path)
