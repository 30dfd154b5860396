"""A training recipe: base, tasks, corpora, losses, optimiser; read from YAML, every key checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from aegle.train.keys import Part, checked, read_tree


class Task(Part):
    """A head and its labels.

    ``tags`` finds entities in words; ``span`` says of each labelled span what it is (an assertion);
    ``pair`` relates things of a text, "none" beside its labels; ``worded`` does so by its words
    alone, and is fitted onto a finished tagger; ``text`` sorts whole texts.
    """

    kind: Literal["tags", "span", "pair", "worded", "text"] = "tags"
    labels: tuple[str, ...] = Field(min_length=1)
    things: tuple[str, ...] = Field((), description="of a worded task: the labels of its things")
    weight: float = Field(1.0, gt=0, description="its loss counts this many times")
    serve: bool = Field(True, description="false: the encoder learns from it, and it isn't served")


class Corpus(Part):
    """Annotated texts for one task. A part that is missing is split off by group."""

    task: str
    format: str = "iob"
    train: str = ""
    dev: str = ""
    test: str = ""
    columns: dict[str, str] = Field(
        default_factory=dict, description="of a table: text, class, group -> the column's name"
    )
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    split: Literal["hash", "order", "half"] = Field(
        "hash",
        description="what is split off: by the hash of the group, in the order of groups, or by "
        "the first bit of the text's SHA-256 (set: test)",
    )
    learn_dev: float = Field(
        0.0, ge=0, lt=1, description="share of the dev part's groups that is trained on too"
    )
    pairs: str = Field("", description="the task that learns from the corpus's relations")
    share: float = Field(1.0, gt=0, description="its steps count so many times its size")
    names: dict[str, str] = Field(
        default_factory=dict, description="label in the corpus: label of the task; others fall"
    )
    safe_because: str = Field(description="why the texts may be used as they are")
    licence: str
    context: int = Field(
        0, ge=0, description="neighbouring texts of a group are joined up to so many words"
    )


class Unlabelled(Part):
    """Texts without labels: of them a teacher's opinions are learned; without one they lie idle."""

    train: str
    format: str = "plain"
    columns: dict[str, str] = Field(default_factory=dict, description="text, group: as in a corpus")
    share: float = Field(1.0, gt=0, description="its steps count so many times its size")
    safe_because: str = Field(description="why the texts may be used as they are")
    licence: str


class Loss(Part):
    """How errors count."""

    smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing")
    class_balance: float = Field(
        0.0, ge=0, le=1, description="weight of a class: 1 / frequency to this power"
    )
    balance: Literal["none", "uncertainty"] = Field(
        "none", description="between tasks: as they stand, or by learned uncertainty (Kendall 2018)"
    )
    temperature: float = Field(
        0.7, ge=0, le=1, description="a corpus is drawn by its size to this power"
    )


class Optimiser(Part):
    """AdamW with warm-up and linear decay."""

    lr: float = Field(1e-4, gt=0)
    head_lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps")
    clip: float = Field(1.0, gt=0, description="largest norm of a step's gradient")
    epochs: int = Field(10, ge=1)
    patience: int = Field(
        3, ge=1, description="stop after so many epochs without a better dev score"
    )
    batch_words: int = Field(1024, ge=16, description="padded word pieces in a step, about")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the processor computes in it"
    )


class Distillation(Part):
    """Trained teachers whose opinions on every text are learned, of all heads that all have."""

    teacher: tuple[str, ...] = Field(
        min_length=1, description="a run's folder, or several: their mean opinion counts"
    )
    heads: tuple[str, ...] = Field((), description="what they teach; all that all have when empty")
    weight: float = Field(0.5, gt=0, le=1, description="share of the teacher in the loss")
    temperature: float = Field(2.0, gt=0)

    @field_validator("teacher", mode="before")
    @classmethod
    def _one_or_more(cls, told: Any) -> Any:
        return (told,) if isinstance(told, str) else told


class LexicalFit(Part):
    """Experts of words' forms whose logits are added to those of tag heads: `aegle.lm.lexical`."""

    heads: dict[str, float] = Field(
        description="tag task: how many times its expert's logits count, above 0; it gets one "
        "where dev gains by it"
    )
    epochs: int = Field(3, ge=1)
    dropout: float = Field(0.3, ge=0, lt=1, description="share of a word's features left out")
    entries: int = Field(120_000, ge=1, description="weights that each keeps, of 2 bytes")


class Recipe(Part):
    """A named run."""

    name: str
    base: str = Field("minilm", description="a name of `aegle models`, path: or hf:")
    begin: str = Field("", description="a former run's folder: its weights, heads too, come first")
    frozen: bool = Field(
        False,
        description="`base` is a tagger: fit tag heads onto it and leave all else as it is; with "
        "`lexical` its heads stay, too, and only the forms are fitted",
    )
    seed: int = 17
    max_pieces: int = Field(192, ge=16, le=510)
    overlap: int = Field(64, ge=0)
    cases: bool = Field(True, description="tell the encoder how a word is written")
    serve: bool = Field(True, description="export what serves; a teacher only teaches")
    freeze_words: bool = Field(False, description="leave the word table as it is")
    dropout: float = Field(0.1, ge=0, lt=1)
    tasks: dict[str, Task]
    corpora: tuple[Corpus, ...] = Field(min_length=1)
    unlabelled: tuple[Unlabelled, ...] = ()
    loss: Loss = Loss()
    optimiser: Optimiser = Optimiser()
    distillation: Distillation | None = None
    lexical: LexicalFit | None = None
    search: dict[str, tuple[Any, ...]] = Field(
        default_factory=dict,
        description="dotted name: [low, high], [low, high, log], or a list of choices",
    )

    @model_validator(mode="after")
    def _agrees(self) -> Recipe:
        for corpus in self.corpora:
            task = self.tasks.get(corpus.task)
            if task is None:
                raise ValueError(f"a corpus is for the task {corpus.task!r}, which isn't there")
            known = task.things if task.kind == "worded" else task.labels
            strange = sorted(set(corpus.names.values()) - set(known))
            if strange:
                raise ValueError(f"task {corpus.task!r} has no label {', '.join(strange)}")
            related = self.tasks.get(corpus.pairs) if corpus.pairs else None
            if corpus.pairs and (related is None or related.kind != "pair"):
                raise ValueError(f"{corpus.pairs!r} is no task of the kind pair")
            if corpus.context and task.kind != "tags":
                raise ValueError(f"context joins texts of tag tasks, {corpus.task!r} is none")
            if task.kind == "pair":
                raise ValueError(f"a corpus names the task {corpus.task!r} by the key pairs")
        for name in self.lexical.heads if self.lexical else ():
            if name not in self.tasks or self.tasks[name].kind != "tags":
                raise ValueError(f"lexical.heads: there is no task {name} of the kind tags")
        if self.lexical and not all(one > 0 for one in self.lexical.heads.values()):
            raise ValueError("lexical.heads: a weight is above 0; leave out what is to have none")
        if self.frozen:
            self._only_fitted()
        elif worded := [name for name, task in self.tasks.items() if task.kind == "worded"]:
            raise ValueError(f"task {worded[0]!r} is worded: it is fitted onto a tagger (frozen)")
        taught = self.distillation.heads if self.distillation else ()
        unknown = sorted(set(taught) - set(self.tasks))
        if unknown:
            raise ValueError(f"distillation.heads: there is no task {', '.join(unknown)}")
        if self.overlap >= self.max_pieces:
            raise ValueError("overlap must be less than max_pieces")
        return self

    def _only_fitted(self) -> None:
        for name, task in self.tasks.items():
            if task.kind not in ("tags", "worded") and not self.lexical:
                raise ValueError(
                    f"frozen: task {name!r} is of the kind {task.kind}, not tags or worded"
                )
            if task.kind == "worded" and not task.things:
                raise ValueError(f"task {name!r} is worded: it needs the labels of its things")
        for name in ("begin", "distillation", "unlabelled", "search"):
            if getattr(self, name):
                raise ValueError(f"frozen: {name} has no meaning where no encoder is trained")


def read_recipe(path: Path, *, changes: dict[str, Any] | None = None) -> Recipe:
    """A recipe file.

    Args:
        path: YAML; ``extends: FILE`` takes what it doesn't say from another beside it.
        changes: dotted names and values to set, ``{"optimiser.epochs": 2}``.

    Raises:
        InputError: not YAML, an unknown key (with a suggestion), a value out of range.
    """
    return checked(Recipe, read_tree(path, changes=changes), path)
