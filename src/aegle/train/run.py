"""A recipe from its corpora to a folder that serves: data, network, loop, calibration, export."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from aegle.core.artifacts import read_json, sha256_tree, write_json
from aegle.core.errors import InputError
from aegle.core.examples import Example
from aegle.lm.bert import Shape
from aegle.lm.encoder import read_tokenizer
from aegle.metrics.extraction import Scores
from aegle.train.batches import TagData, plain_name, with_context
from aegle.train.calibrate import calibrate
from aegle.train.checkpoint import read_tensors
from aegle.train.data.formats import read_corpus, relabel
from aegle.train.data.split import halves, split, split_in_order, without_seen
from aegle.train.export import export, plain
from aegle.train.fit import BEST, Fitted, Log, fit
from aegle.train.network import Network
from aegle.train.predict import score
from aegle.train.recipe import Corpus, Recipe
from aegle.train.teach import ABOUT, Teacher

PARTS = ("train", "dev", "test")
SCORES = "scores.json"
"""In a finished run's folder: dev and test F1 of each head."""


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
    """`plain_name` -> the recipe's texts without labels but those that a dev or test part holds.

    Raises:
        InputError: a file can't be read.
    """
    held_out = [one for some in parts.values() for one in (*some.dev, *some.test)]
    found = {}
    for number, told in enumerate(recipe.unlabelled):
        some = read_corpus(
            data / told.train, format=told.format, because=told.safe_because, columns=told.columns
        )
        found[plain_name(number)] = without_seen(some, held_out)[0]
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
    recipe: Recipe, parts: Mapping[int, Parts], part: str, tokenizer: object
) -> dict[str, TagData]:
    """Task -> the examples of its corpora, in windows; a task whose part is empty is left out."""
    by_task: dict[str, list[Example]] = {}
    pairs: dict[str, str] = {}
    for number, corpus in enumerate(recipe.corpora):
        some: Sequence[Example] = getattr(parts[number], part)
        by_task.setdefault(corpus.task, []).extend(with_context(some, corpus.context))
        if corpus.pairs:
            pairs[corpus.task] = corpus.pairs
    return {
        task: TagData(
            task,
            some,
            labels=recipe.tasks[task].labels,
            tokenizer=tokenizer,  # type: ignore[arg-type]
            size=recipe.max_pieces,
            overlap=recipe.overlap,
            kind=recipe.tasks[task].kind,
            pairs=pairs.get(task, ""),
            relations=recipe.tasks[pairs[task]].labels if task in pairs else (),
        )
        for task, some in by_task.items()
        if some
    }


def _plain_data(
    recipe: Recipe, texts: Mapping[str, Sequence[Example]], tokenizer: object
) -> dict[str, TagData]:
    return {
        name: TagData(
            name,
            some,
            labels=(),
            tokenizer=tokenizer,  # type: ignore[arg-type]
            size=recipe.max_pieces,
            overlap=recipe.overlap,
            kind="plain",
        )
        for name, some in texts.items()
        if some
    }


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
    finish: bool = True,
) -> tuple[Fitted, dict[str, Scores]]:
    """Train a recipe; (how it went, test scores). What serves ends in ``folder/model``, the same in
    32 bits, to compare with, in ``folder/model-float``.

    Args:
        recipe: what to do.
        base: folder of the packaged encoder.
        data, folder: where the corpora's paths begin, and where the run writes.
        resume, log, progress, stop: as for `fit`.
        device: cpu, cuda, or auto.
        finish: export, and score test parts, once; False for a search: it looks at dev only.

    Raises:
        InputError: a corpus, the base or the checkpoint can't be read.
        StoppedError: ``stop`` said so.
    """
    if recipe.serve:
        Shape.read(base / "config.json")  # what can't be served is refused before, not after
    tokenizer = read_tokenizer(base / "tokenizer.json")
    parts = read_parts(recipe, data)
    train, dev, test = (tag_data(recipe, parts, part, tokenizer) for part in PARTS)
    if not any(_learns(recipe, one) for one in dev.values()):
        raise InputError("no corpus of the recipe has a dev part; dev scores choose the epoch")
    if recipe.distillation:
        train |= _plain_data(recipe, read_unlabelled(recipe, data, parts), tokenizer)
    net = _network(recipe, base, device)
    write_json(folder / ABOUT, {"recipe": recipe.model_dump(mode="json"), "base": str(base)})
    how = {"resume": resume, "log": log, "progress": progress, "stop": stop}
    how["opinions"] = _teacher(net, recipe, train, folder)
    learned, scored = ({n: d for n, d in x.items() if _learns(recipe, d)} for x in (train, dev))
    fitted = fit(net, recipe, train=learned, dev=scored, folder=folder, **how)  # type: ignore[arg-type]
    net.thaw()
    if not finish:
        return fitted, {}
    return fitted, _finish(net, recipe, base, data, folder, parts, (train, dev, test))


def _finish(
    net: Network,
    recipe: Recipe,
    base: Path,
    data: Path,
    folder: Path,
    parts: Mapping[int, Parts],
    texts: tuple[Mapping[str, TagData], ...],
) -> dict[str, Scores]:
    """Score, calibrate, export; the test scores."""
    train, dev, test = texts
    size = recipe.optimiser.batch_words * 4
    scored = {"dev": _scores(net, dev, size), "test": _scores(net, test, size)}
    write_json(folder / SCORES, plain(scored))
    if recipe.serve:
        made = {
            "data": train,
            "told": calibrate(net, recipe, train, dev, size=size),
            "scored": scored,
            "made_from": _hashes(recipe, data),
            "dropped": {str(number): one.dropped for number, one in parts.items()},
        }
        for name, int8 in (("model", True), ("model-float", False)):
            export(net, recipe, base=base, target=folder / name, int8=int8, **made)  # type: ignore[arg-type]
    return scored["test"]


def _scores(net: Network, parts: Mapping[str, TagData], size: int) -> dict[str, Scores]:
    found: dict[str, Scores] = {}
    for one in parts.values():
        found |= score(net, one, size=size)
    return found


def _teacher(
    net: Network, recipe: Recipe, train: Mapping[str, TagData], folder: Path
) -> Teacher | None:
    told = recipe.distillation
    if told is None:
        return None
    where = str(next(net.parameters()).device)
    return Teacher(list(map(Path, told.teacher)), recipe, train, cache=folder, device=where)


def _network(recipe: Recipe, base: Path, device: str) -> Network:
    where = device if device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(recipe.seed)
    net = Network.of(recipe, base)
    if recipe.only_heads:
        net.freeze(recipe.only_heads)
    if recipe.begin:
        net.load_state_dict(_former(net, recipe, Path(recipe.begin)), strict=False)
    return net.to(where)


def _learns(recipe: Recipe, data: TagData) -> bool:
    return not recipe.only_heads or bool({data.task, data.pairs} & set(recipe.only_heads))


def _former(net: Network, recipe: Recipe, folder: Path) -> dict[str, torch.Tensor]:
    """The weights of a former run but those of heads whose labels are others now."""
    if not (folder / ABOUT).is_file():
        raise InputError(f"begin: {folder} is no finished run: it has no {ABOUT}")
    tasks = Recipe.model_validate(read_json(folder / ABOUT)["recipe"]).tasks
    same = {name for name, one in tasks.items() if recipe.tasks.get(name) == one}
    own = {name: value.shape for name, value in net.state_dict().items()}
    found = {
        name: value
        for name, value in read_tensors(folder / BEST).items()
        if own.get(name) == value.shape
        and (not name.startswith(("heads.", "classifiers.")) or name.split(".")[1] in same)
    }
    missing = [name for name in own if name.startswith("encoder.") and name not in found]
    if missing:
        raise InputError(f"begin: {folder} was trained from another base; it lacks {missing[0]}")
    return found


def _hashes(recipe: Recipe, data: Path) -> tuple[str, ...]:
    paths = [one.train for one in recipe.corpora]
    paths += [one.train for one in (recipe.unlabelled if recipe.distillation else ())]
    return tuple(sha256_tree(data / path) for path in paths)
