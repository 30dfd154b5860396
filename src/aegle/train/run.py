"""A recipe from its corpora to a folder that serves: data, network, loop, calibration, export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import torch

from aegle.core.artifacts import sha256_tree, write_json
from aegle.core.errors import InputError
from aegle.lm.bert import Shape
from aegle.lm.encoder import read_tokenizer
from aegle.lm.tagger import GRAPH
from aegle.metrics.extraction import Scores
from aegle.train import former, groups
from aegle.train.batches import TagData
from aegle.train.calibrate import calibrate
from aegle.train.export import export, plain
from aegle.train.fit import Fitted, Log, fit
from aegle.train.former import SCORES
from aegle.train.lexical import add, experts, run_lexical
from aegle.train.network import Network
from aegle.train.onto import run_onto
from aegle.train.parts import PARTS, Parts, plain_data, read_parts, read_unlabelled, tag_data
from aegle.train.predict import judge, score
from aegle.train.recipe import Recipe
from aegle.train.refit import fit_heads
from aegle.train.teach import Teacher

MODEL: Final = "model"
FLOAT: Final = "model-float"
"""In a run's folder: what serves, and the same in 32 bits, to compare with."""


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
        recipe: what to do; of a ``frozen`` one see `run_onto` and `run_lexical`.
        base: folder of the packaged encoder.
        data, folder: where the corpora's paths begin, and where the run writes.
        resume, log, progress, stop: as for `fit`.
        device: cpu, cuda, or auto.
        finish: export, and score test parts, once; False for a search: it looks at dev only.

    Raises:
        InputError: a corpus, the base or the checkpoint can't be read.
        StoppedError: ``stop`` said so.
    """
    if recipe.frozen:
        heads = {"log": log, "progress": progress, "stop": stop}
        return _onto(recipe)(recipe, base=base, data=data, folder=folder, **heads)
    if recipe.serve:
        Shape.read(base / "config.json")  # what can't be served is refused before, not after
    tokenizer = read_tokenizer(base / "tokenizer.json")
    parts = read_parts(recipe, data)
    train, dev, test = (tag_data(recipe, parts, part, tokenizer) for part in PARTS)
    if not dev:
        raise InputError("no corpus of the recipe has a dev part; dev scores choose the epoch")
    formers = former.of(recipe)
    former.keep_apart(parts, formers)
    plain_texts = read_unlabelled(recipe, data, parts) if recipe.distillation else {}
    train |= plain_data(recipe, plain_texts, tokenizer)
    net = _network(recipe, base, device)
    former.write(folder, recipe, base, parts, plain_texts, formers)
    opinions = _teacher(net, recipe, train, folder)
    how = {"resume": resume, "log": log, "progress": progress, "stop": stop, "opinions": opinions}
    fitted = fit(net, recipe, train=train, dev=dev, folder=folder, **how)  # type: ignore[arg-type]
    if not finish:
        return fitted, {}
    return fitted, _finish(net, recipe, base, data, folder, parts, (train, dev, test))


def _onto(recipe: Recipe) -> Callable[..., tuple[Fitted, dict[str, Scores]]]:
    return run_lexical if recipe.lexical else run_onto


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
    scored = {"dev": _dev_scores(net, dev, size, folder), "test": _scores(net, test, size)}
    write_json(folder / SCORES, plain(scored))
    if recipe.serve:
        made = {
            "data": train,
            "scored": scored,
            "made_from": _hashes(recipe, data),
            "origins": [one.origin() for one in former.of(recipe)],
            "dropped": {str(number): one.dropped for number, one in parts.items()},
        }
        told = calibrate(net, recipe, train, dev, size=size)
        export(net, recipe, base=base, target=folder / FLOAT, told=told, int8=False, **made)  # type: ignore[arg-type]
        export(net, recipe, base=base, target=folder / MODEL, told=told, **made)  # type: ignore[arg-type]
        told = fit_heads(net, folder / MODEL / GRAPH, train, dev, told, seed=recipe.seed)
        export(net, recipe, base=base, target=folder / MODEL, told=told, **made)  # type: ignore[arg-type]
        tensors = experts(recipe, train)
        for name in (FLOAT, MODEL) if tensors else ():
            add(recipe, folder / name, tensors, dev, made_from=_hashes(recipe, data))
    return scored["test"]


def _scores(net: Network, parts: Mapping[str, TagData], size: int) -> dict[str, Scores]:
    found: dict[str, Scores] = {}
    for one in parts.values():
        found |= score(net, one, size=size)
    return found


def _dev_scores(
    net: Network, parts: Mapping[str, TagData], size: int, folder: Path
) -> dict[str, Scores]:
    """Dev's scores; F1 of each group as sums into the folder, for comparing runs."""
    found: dict[str, Scores] = {}
    sums: dict[str, tuple[bool, groups.Sums]] = {}
    for data in parts.values():
        texts = data.examples
        keys = groups.keys_of([one.text for one in texts], [one.group for one in texts])
        for name, one in judge(net, data, size=size).items():
            found[name] = one.scores(data)
            right = [2 * len(a & b) for a, b in zip(one.gold, one.found, strict=True)]
            both = [len(a) + len(b) for a, b in zip(one.gold, one.found, strict=True)]
            sums[name] = (True, groups.sums([keys[text] for text in one.texts], right, both))
    groups.write(folder, sums)
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
    if recipe.begin:
        former.begin(net, recipe, Path(recipe.begin))
    return net.to(where)


def _hashes(recipe: Recipe, data: Path) -> tuple[str, ...]:
    paths = [one.train for one in recipe.corpora]
    paths += [one.train for one in (recipe.unlabelled if recipe.distillation else ())]
    return tuple(sha256_tree(data / path) for path in paths)
