"""Pair heads that read words alone, fitted onto a finished tagger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

from aegle.core.errors import InputError
from aegle.core.examples import Example
from aegle.lm.heads import Classifier
from aegle.lm.pair_words import PairWords, scaled
from aegle.metrics.extraction import Scores, scores
from aegle.train.pair_words import fit_pairs, pair_data
from aegle.train.parts import Parts
from aegle.train.recipe import Recipe, Task


@dataclass(frozen=True, slots=True)
class Worded:
    """A fitted head, how it is told, and how well it does."""

    words: PairWords
    told: Classifier
    dev: Scores
    test: Scores | None


def fit_worded(
    recipe: Recipe,
    parts: Mapping[int, Parts],
    progress: Callable[[int, int], None],
    stop: Callable[[], bool],
) -> dict[str, Worded]:
    """The recipe's worded tasks, each fitted to the training texts of its corpora.

    Raises:
        InputError: too few texts with relations, or none to measure with.
        StoppedError: ``stop`` said so.
    """
    found = {}
    for name, task in recipe.tasks.items():
        if task.kind != "worded":
            continue
        mine = [parts[n] for n, corpus in enumerate(recipe.corpora) if corpus.task == name]
        train, dev, test = (
            [one for some in mine for one in getattr(some, part)]
            for part in ("train", "dev", "test")
        )
        if not dev:
            raise InputError(f"{name} has no dev part; dev scores tell whether it learned")
        words, told = fit_pairs(
            pair_data(train, task.labels, task.things),
            task.labels,
            task.things,
            seed=recipe.seed,
            progress=progress,
            stop=stop,
        )
        tested = _scores(words, told, task, test) if test else None
        found[name] = Worded(words, told, _scores(words, told, task, dev), tested)
    return found


def joined(heads: Path, worded: Mapping[str, Worded]) -> bytes:
    """A tagger's tensors with these heads' in the place of those of their names."""
    stems = tuple(f"{kind}.{name}." for name in worded for kind in ("classifiers", "words"))
    kept = {name: one for name, one in load_file(heads).items() if not name.startswith(stems)}
    for name, one in worded.items():
        kept |= one.words.tensors(name)
    return bytes(save(kept)) if worded else heads.read_bytes()


def _scores(words: PairWords, told: Classifier, task: Task, examples: Sequence[Example]) -> Scores:
    """Micro F1 of pairs with their type, an interval over texts."""
    data = pair_data(examples, task.labels, task.things)
    true: list[list[tuple[int, int]]] = [[] for _ in examples]
    said: list[list[tuple[int, int]]] = [[] for _ in examples]
    for at, (one, text) in enumerate(zip(data.told, data.texts_P, strict=True)):
        if data.types_P[at]:
            true[text].append((at, int(data.types_P[at])))
        if best := int(scaled(words.logits(one)[np.newaxis], told)[0].argmax()):
            said[text].append((at, best))
    # Relations of things that are not told apart are missed, and count.
    for text, items in enumerate(true):
        lost = int(data.relations_D[text]) - len(items)
        items += [(-1 - n, 0) for n in range(max(lost, 0))]
    return scores(true, said, groups=[one.group for one in examples])
