"""A recipe's corpora in parts, as the loop and the scores take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from aegle.core.errors import InputError
from aegle.core.examples import Example
from aegle.train.batches import TagData, plain_name, with_context
from aegle.train.data.formats import read_corpus, relabel
from aegle.train.data.split import (
    halves,
    split,
    split_in_order,
    without_holding,
    without_seen,
)
from aegle.train.recipe import Corpus, Recipe

PARTS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Parts:
    """A corpus in parts, and how many training examples fell because a held-out text holds them."""

    train: list[Example]
    dev: list[Example]
    test: list[Example]
    dropped: int = 0


def read_parts(recipe: Recipe, data: Path) -> dict[int, Parts]:
    """The corpora of a recipe by number, without what any dev or test part of the run holds.

    Raises:
        InputError: a corpus can't be read, or nothing is left to train on.
    """
    read = {
        number: _parts(corpus, data, recipe.seed) for number, corpus in enumerate(recipe.corpora)
    }
    held_out = [one for parts in read.values() for one in (*parts.dev, *parts.test)]
    clean = {}
    for number, parts in read.items():
        kept, dropped = without_seen(parts.train, held_out)
        if not kept:
            raise InputError(
                f"corpus {recipe.corpora[number].train}: all of its training texts are held out too"
            )
        clean[number] = Parts(kept, parts.dev, parts.test, len(dropped))
    return clean


def read_unlabelled(
    recipe: Recipe, data: Path, parts: Mapping[int, Parts]
) -> dict[str, list[Example]]:
    """`plain_name` -> the recipe's texts without labels.

    Those that stand in a dev or test part are left out, and those in which a text of one stands.

    Raises:
        InputError: a file can't be read.
    """
    held_out = [one for some in parts.values() for one in (*some.dev, *some.test)]
    heads = recipe.distillation.heads if recipe.distillation else ()
    if heads and not any(recipe.tasks[name].kind == "tags" for name in heads):
        return {}  # what is taught of words alone can be learned of them
    found = {}
    for number, told in enumerate(recipe.unlabelled):
        some = read_corpus(
            data / told.train, format=told.format, because=told.safe_because, columns=told.columns
        )
        kept, _ = without_seen(some, held_out)
        found[plain_name(number)] = without_holding(kept, held_out)
    return found


def _parts(corpus: Corpus, data: Path, seed: int) -> Parts:
    given = {
        name: relabel(
            read_corpus(
                data / path,
                format=corpus.format,
                because=corpus.safe_because,
                columns=corpus.columns,
                seed=seed,
            ),
            corpus.names,
        )
        for name in PARTS
        if (path := getattr(corpus, name))
    }
    if "train" not in given:
        raise InputError(f"a corpus of task {corpus.task!r} names no training file")
    if corpus.split == "half" and "test" not in given:
        given["train"], given["test"] = halves(given["train"])
    missing = [name for name in PARTS if name not in given]
    if missing:
        shares = dict(zip(PARTS, corpus.shares, strict=True))
        wanted = {name: shares[name] for name in ("train", *missing)}
        wanted = {name: share / sum(wanted.values()) for name, share in wanted.items()}
        if corpus.split == "order":
            given |= split_in_order(given["train"], wanted)
        else:
            given |= split(given["train"], shares=wanted, seed=seed)
    if corpus.learn_dev:
        shares = {"learn": corpus.learn_dev, "dev": 1 - corpus.learn_dev}
        more = split(given["dev"], shares=shares, seed=seed)
        given["train"], given["dev"] = [*given["train"], *more["learn"]], more["dev"]
    return Parts(given["train"], given["dev"], given["test"])


def tag_data(
    recipe: Recipe, parts: Mapping[int, Parts], part: str, tokenizer: Tokenizer
) -> dict[str, TagData]:
    """Task -> the examples of its corpora, in windows; a task whose part is empty is left out."""
    by_task: dict[str, list[Example]] = {}
    pairs: dict[str, str] = {}
    for number, corpus in enumerate(recipe.corpora):
        if recipe.tasks[corpus.task].kind == "worded":
            continue
        some: Sequence[Example] = getattr(parts[number], part)
        by_task.setdefault(corpus.task, []).extend(with_context(some, corpus.context))
        if corpus.pairs:
            pairs[corpus.task] = corpus.pairs
    return {
        task: TagData(
            task,
            some,
            labels=recipe.tasks[task].labels,
            tokenizer=tokenizer,
            size=recipe.max_pieces,
            overlap=recipe.overlap,
            kind=recipe.tasks[task].kind,
            pairs=pairs.get(task, ""),
            relations=recipe.tasks[pairs[task]].labels if task in pairs else (),
        )
        for task, some in by_task.items()
        if some
    }


def plain_data(
    recipe: Recipe, texts: Mapping[str, Sequence[Example]], tokenizer: Tokenizer
) -> dict[str, TagData]:
    """`read_unlabelled`, in windows."""
    return {
        name: TagData(
            name,
            some,
            labels=(),
            tokenizer=tokenizer,
            size=recipe.max_pieces,
            overlap=recipe.overlap,
            kind="plain",
        )
        for name, some in texts.items()
        if some
    }
