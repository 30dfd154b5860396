"""A run that ended before: what others begin with, or are taught by, and what it has seen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aegle.core.artifacts import read_json, sha256_file, write_json
from aegle.core.errors import InputError
from aegle.core.examples import Example
from aegle.train.checkpoint import read_tensors
from aegle.train.data.split import spoken
from aegle.train.network import Network
from aegle.train.parts import Parts
from aegle.train.recipe import Recipe

ABOUT: Final = "network.json"
"""In a run's folder: its recipe and base, from which its network is built anew."""
BEST: Final = "best.safetensors"
SCORES: Final = "scores.json"
"""In a finished run's folder: dev and test F1 of each head."""
LEARNED: Final = "learned.json"
"""In a run's folder: digests of the texts that it, and those before it, learned from."""
_WORDS: Final = 8
"""Shorter texts can't be told apart from chance."""


@dataclass(frozen=True, slots=True)
class Former:
    """A finished run.

    Attributes:
        role: what it is here: begin, or teacher.
        folder: where it lies.
        recipe: what it was trained by.
        base: the folder of its packaged encoder.
    """

    role: str
    folder: Path
    recipe: Recipe
    base: Path

    @classmethod
    def open(cls, folder: Path, role: str) -> Former:
        """Raises:
        InputError: no such run, or one that did not end.
        """
        for name in (ABOUT, SCORES, BEST, LEARNED):
            if not (folder / name).is_file():
                raise InputError(f"{role}: {folder} is no finished run: it has no {name}")
        told = read_json(folder / ABOUT)
        return cls(role, folder, Recipe.model_validate(told["recipe"]), Path(told["base"]))

    def learned(self) -> frozenset[str]:
        """Digests of what it learned from."""
        return frozenset(read_json(self.folder / LEARNED))

    def origin(self) -> dict[str, Any]:
        """For a card: what the run was, and of which data."""
        return {
            "role": self.role,
            "name": self.recipe.name,
            "base": self.recipe.base,
            "weights_sha256": sha256_file(self.folder / BEST),
            "data": data_rows(self.recipe),
        }


def of(recipe: Recipe) -> list[Former]:
    """The runs that a recipe builds on."""
    begun = [Former.open(Path(recipe.begin), "begin")] if recipe.begin else []
    told = recipe.distillation
    return begun + [Former.open(Path(one), "teacher") for one in (told.teacher if told else ())]


def keep_apart(parts: Mapping[int, Parts], formers: Sequence[Former]) -> None:
    """Refuse to score on what a former run has learned from.

    Raises:
        InputError: a dev or test text of at least eight words is among its training texts.
    """
    for one in formers:
        learned = one.learned()
        for some in parts.values():
            seen = sum(digest in learned for digest in _digests((*some.dev, *some.test)))
            if seen:
                raise InputError(
                    f"{one.role}: {one.folder} was trained on {seen} texts that are dev or test "
                    "here; use its seed and its corpora's split"
                )


def write(
    folder: Path,
    recipe: Recipe,
    base: Path,
    parts: Mapping[int, Parts],
    plain: Mapping[str, Sequence[Example]],
    formers: Sequence[Former],
) -> None:
    """What a later run asks of this one."""
    write_json(folder / ABOUT, {"recipe": recipe.model_dump(mode="json"), "base": str(base)})
    mine = [one for some in parts.values() for one in some.train]
    mine += [one for some in plain.values() for one in some]
    before = [digest for one in formers for digest in one.learned()]
    write_json(folder / LEARNED, sorted({*_digests(mine), *before}))


def begin(net: Network, recipe: Recipe, folder: Path) -> None:
    """Put a former run's weights into a network: the encoder, and heads of the same labels.

    Raises:
        InputError: its encoder is another one, or is told otherwise how words are written.
    """
    before = Former.open(folder, "begin")
    if (before.recipe.base, before.recipe.cases) != (recipe.base, recipe.cases):
        raise InputError(
            f"begin: {folder} was trained from {before.recipe.base!r} with cases "
            f"{before.recipe.cases}, not from {recipe.base!r} with cases {recipe.cases}"
        )
    weights, own = read_tensors(folder / BEST), net.state_dict()
    shared = {name for name in own if name.startswith(("encoder.", "cases."))}
    for task in same_heads(recipe, before.recipe):
        shared |= {name for name in own if name.split(".")[1:2] == [task]}
    strange = [one for one in shared if one not in weights or weights[one].shape != own[one].shape]
    strange += [one for one in weights if one.startswith("encoder.") and one not in own]
    if strange:
        raise InputError(f"begin: {folder} holds another encoder; they differ in {strange[0]}")
    net.load_state_dict({name: weights[name] for name in shared}, strict=False)


def same_heads(one: Recipe, other: Recipe) -> list[str]:
    """Tasks that mean the same in two recipes; a pair head's things have the same labels, too."""
    return [
        name
        for name, task in one.tasks.items()
        if name in other.tasks
        and (task.kind, task.labels) == (other.tasks[name].kind, other.tasks[name].labels)
        and _things(one, name) == _things(other, name)
    ]


def _things(recipe: Recipe, task: str) -> list[tuple[str, ...]]:
    return sorted({recipe.tasks[one.task].labels for one in recipe.corpora if one.pairs == task})


def data_rows(recipe: Recipe) -> list[dict[str, str]]:
    """For a card: what a recipe learns from, under which licence."""
    rows = [(one.task, one.train, one.licence, one.safe_because) for one in recipe.corpora]
    if recipe.distillation:
        said = "a teacher's opinions"
        rows += [(said, one.train, one.licence, one.safe_because) for one in recipe.unlabelled]
    names = ("task", "source", "licence", "safe_because")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _digests(examples: Iterable[Example]) -> list[str]:
    found = []
    for one in examples:
        words = spoken(one.text)
        if len(words) >= _WORDS:
            told = " ".join(words).encode("utf-8", "surrogatepass")
            found.append(hashlib.sha256(told).hexdigest()[:16])
    return found
