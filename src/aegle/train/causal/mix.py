"""Several corpora in one run: shares by temperature, replay of what was learned before, and whether
it was forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aegle.core.errors import InputError
from aegle.train import guards
from aegle.train.causal.chat import Tokens
from aegle.train.causal.corpus import Corpus, Record, free, read_corpus, said
from aegle.train.causal.grouping import spaces
from aegle.train.causal.recipe import Recipe, Source
from aegle.train.mixing import mixed, with_replay


@dataclass(frozen=True, slots=True)
class Mixed:
    """What is learned, and what may not be forgotten.

    Attributes:
        corpus: to learn from and to score on; replayed records are among those to learn from.
        old: file of a replayed corpus -> its records to score on before and after.
        drawn: file -> how many of its records are in an epoch.
    """

    corpus: Corpus
    old: Mapping[str, tuple[Record, ...]]
    drawn: Mapping[str, int]


def read_mixed(recipe: Recipe, data: Path) -> Mixed:
    """All corpora of a recipe, drawn as it says; nothing that is scored is trained on.

    Raises:
        InputError: as `read_corpus` does.
    """
    if recipe.mixing is None and recipe.replay is None:
        return Mixed(read_corpus(recipe, data), {}, {})
    parts = _read(recipe, recipe.data if recipe.mixing else (), data, {})
    whole = None if recipe.mixing else read_corpus(recipe, data, _spaces(recipe))
    old = _read(recipe, recipe.replay.data if recipe.replay else (), data)
    every = [*parts.values(), *old.values(), *([whole] if whole else [])]
    held = [one for part in every for one in part.dev]
    dropped: dict[str, int] = {}
    for part in every:
        for why, count in part.dropped.items():
            dropped[why] = dropped.get(why, 0) + count
    new = _apart(
        {n: _free(part.train, held, dropped) for n, part in parts.items()}, recipe, dropped
    )
    drawn: dict[str, int] = {}
    if whole:
        train = _free(whole.train, held, dropped)
    else:
        train, drawn = _drawn(new, recipe)
    for name, some in _replayed(recipe, len(train), old, held, dropped).items():
        train, drawn = [*train, *some], {**drawn, name: len(some)}
    once = {said(one): one for part in parts.values() for one in part.dev}
    dev = whole.dev if whole else tuple(once.values())
    return Mixed(
        Corpus(tuple(train), dev, dropped), {name: one.dev for name, one in old.items()}, drawn
    )


def _read(
    recipe: Recipe, sources: Sequence[Source], data: Path, dealt: dict[str, int] | None = None
) -> dict[str, Corpus]:
    """Each source by itself, under its file's name; ``dealt`` as `read_corpus` takes it, None: each
    has folds of its own, and so something to score on."""
    found: dict[str, Corpus] = {}
    known = _spaces(recipe)
    for source in sources:
        name = source.train if source.train not in found else f"{source.train}#{len(found)}"
        found[name] = read_corpus(recipe.model_copy(update={"data": (source,)}), data, known, dealt)
    return found


def _spaces(recipe: Recipe) -> dict[str, str]:
    return spaces((*recipe.data, *(recipe.replay.data if recipe.replay else ())))


def _apart(
    parts: Mapping[str, list[Record]], recipe: Recipe, dropped: dict[str, int]
) -> dict[str, list[Record]]:
    """The corpora without what an earlier one says already.

    Raises:
        InputError: there is such, and the recipe doesn't drop it.
    """
    seen: dict[Any, str] = {}
    found: dict[str, list[Record]] = {}
    for name, some in parts.items():
        again = [one for one in some if said(one) in seen]
        if again and recipe.duplicates == "error":
            raise InputError(
                f"{again[0].place} says the same as {seen[said(again[0])]}; take one out, or say "
                "duplicates: drop"
            )
        found[name] = [one for one in some if said(one) not in seen] if again else some
        dropped["duplicates"] = dropped.get("duplicates", 0) + len(again)
        seen |= {said(one): one.place for one in some}
    return found


def _free(some: Sequence[Record], held: Sequence[Record], dropped: dict[str, int]) -> list[Record]:
    kept = free(some, held, said)
    dropped["held out"] = dropped.get("held out", 0) + len(some) - len(kept)
    return kept


def _drawn(
    parts: Mapping[str, list[Record]], recipe: Recipe
) -> tuple[list[Record], dict[str, int]]:
    """As many records as there are, each corpus as often as its share says."""
    assert recipe.mixing is not None
    there = {name: some for name, some in parts.items() if some}
    sizes = {name: len(some) for name, some in there.items()}
    how: dict[str, Any] = {"temperature": recipe.mixing.temperature, "seed": recipe.seed}
    places = mixed(sizes, sum(sizes.values()), **how)
    drawn = {name: sum(one == name for one, _ in places) for name in there}
    return [there[name][place] for name, place in places], drawn


def _replayed(
    recipe: Recipe,
    new: int,
    old: Mapping[str, Corpus],
    held: Sequence[Record],
    dropped: dict[str, int],
) -> dict[str, list[Record]]:
    """So many records of each old corpus that all of them are the share that the recipe says."""
    if recipe.replay is None:
        return {}
    free = {name: _free(part.train, held, dropped) for name, part in old.items()}
    sizes = {name: len(some) for name, some in free.items()}
    wanted = with_replay(new, sizes, share=recipe.replay.share)
    rng = np.random.default_rng(recipe.seed)
    return {
        name: [some[at] for at in rng.permutation(len(some))[: wanted[name]]]
        for name, some in free.items()
    }


def forgetting(
    recipe: Recipe,
    before: Mapping[str, Sequence[float]],
    after: Mapping[str, Sequence[float]],
    texts: Mapping[str, Sequence[Tokens]],
) -> tuple[dict[str, Any], list[str]]:
    """(what became of old corpora, warnings), by the mean log-probability of a token, in nats.

    Args:
        recipe: with ``replay``.
        before, after: corpus -> the loss of each of its dev texts, by token.
        texts: those texts.
    """
    assert recipe.replay is not None
    groups = {name: [one.group for one in some] for name, some in texts.items()}
    scores = [{name: [-one for one in some] for name, some in part.items()}
              for part in (before, after)]  # fmt: skip
    told = guards.forgetting(*scores, allowed=recipe.replay.allowed, groups=groups)
    found: dict[str, Any] = {"allowed": recipe.replay.allowed, "passes": told.passes, "tasks": {}}
    warnings = []
    for name, one in told.tasks.items():
        found["tasks"][name] = {
            "loss_before": float(np.mean(before[name])),
            "loss_after": float(np.mean(after[name])),
            "gain": {**asdict(one.difference), "p": one.p},
            "forgotten": name in told.forgotten,
        }
        gain = one.difference
        if name in told.forgotten:
            warnings.append(
                f"{name} was forgotten: its dev texts lost {-gain.value:.3f} nats a token "
                f"[{-gain.high:.3f}, {-gain.low:.3f}]; raise replay.share, or lower optimiser.lr"
            )
        elif name in told.unsure:
            warnings.append(
                f"{name} may have been forgotten: its dev texts gained {gain.value:.3f} nats a "
                f"token [{gain.low:.3f}, {gain.high:.3f}], of which more than "
                f"{recipe.replay.allowed} lost can't be ruled out; hold more of it back"
            )
    return found, warnings
