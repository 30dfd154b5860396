"""Experts of words' forms fitted onto a finished tagger: minutes on a CPU, no head changes.

Each is a softmax over the hashed features of `aegle.lm.lexical`, fitted to the training texts of a
tag head. On dev its sum with the encoder's logits is calibrated; where that finds no more than the
encoder alone, the head goes without.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save
from torch.nn import functional

from aegle.core.artifacts import (
    describe,
    read_json,
    sha256_file,
    sha256_tree,
    write_bytes,
    write_json,
    write_manifest,
)
from aegle.core.errors import InputError, StoppedError
from aegle.core.records import Artifact
from aegle.lm.encoder import read_tokenizer
from aegle.lm.lexical import BITS, Lexical, features, packed
from aegle.lm.spans import Floats
from aegle.lm.tagger import CARD, GRAPH, HEADS, LEXICAL, Head, Tagger
from aegle.metrics.extraction import Scores, scores
from aegle.train.batches import TagData
from aegle.train.calibrate import of_tags
from aegle.train.fit import Fitted, Log
from aegle.train.former import SCORES
from aegle.train.parts import PARTS, read_parts, tag_data
from aegle.train.predict import tag_scores
from aegle.train.recipe import Corpus, LexicalFit, Recipe

_FILES: Final = (GRAPH, HEADS, "tokenizer.json", CARD)
MANIFEST: Final = "manifest.json"
_WORDS: Final = 512
_RATE: Final = 0.1
_STEPS: Final = 400
"""At the least: a small corpus is read more often."""
_SEEN: Final = 2
"""A feature that one word of the training texts has tells nothing of others."""

Tensors = dict[str, NDArray[np.generic]]


def run_lexical(
    recipe: Recipe,
    *,
    base: Path,
    data: Path,
    folder: Path,
    log: Log = lambda name, value, step: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Fitted, dict[str, Scores]]:
    """Fit the experts of a ``frozen`` recipe's ``lexical`` onto a tagger; it ends in
    ``folder/model``. Test parts are scored once, with what serves.

    Args:
        recipe: its tasks are named and labelled as the tagger's heads.
        base: the tagger's folder.
        data, folder: where the corpora's paths begin, and where the run writes.
        log, progress, stop: as for `aegle.train.run.run`; progress counts words.

    Raises:
        InputError: the base is no tagger or has no such head, or a corpus can't be read.
        StoppedError: ``stop`` said so; nothing was written.
    """
    for name in _FILES:
        if not (base / name).is_file():
            raise InputError(f"forms are fitted onto a tagger: {base} has no {name}")
    told = read_json(base / CARD)
    recipe = recipe.model_copy(
        update={"max_pieces": told["max_pieces"], "overlap": told["overlap"]}
    )
    corpora, (train, dev, test) = _texts(recipe, base, data)
    tensors = experts(recipe, train, progress=progress, stop=stop)
    model = folder / "model"
    model.mkdir(parents=True, exist_ok=True)
    for name in (*_FILES, LEXICAL, MANIFEST):
        if (base / name).is_file():
            shutil.copyfile(base / name, model / name)
    made = (sha256_file(base / GRAPH), *(sha256_tree(data / one.train) for one in corpora))
    add(recipe, model, tensors, dev, made_from=made)
    scored = {part: scores_of(model, some) for part, some in (("dev", dev), ("test", test))}
    for number, (task, one) in enumerate(sorted(scored["dev"].items())):
        log(f"dev/{task}", one.f1.value, number)
    plain = {part: {n: asdict(one.f1) for n, one in some.items()} for part, some in scored.items()}
    write_json(folder / SCORES, plain)
    mean = float(np.mean([one.f1.value for one in scored["dev"].values()]))
    return Fitted(1, mean, len(tensors)), scored["test"]


def _texts(
    recipe: Recipe, base: Path, data: Path
) -> tuple[Sequence[Corpus], list[dict[str, TagData]]]:
    """The corpora of the heads that get an expert, and their texts by part and head.

    All corpora of the recipe are read: what one of them holds out, another must not teach.
    """
    parts = read_parts(recipe, data)
    heads = recipe.lexical.heads if recipe.lexical else {}
    own = [n for n, one in enumerate(recipe.corpora) if one.task in heads]
    few = recipe.model_copy(update={"corpora": tuple(recipe.corpora[n] for n in own)})
    some = dict(enumerate(parts[n] for n in own))
    tokenizer = read_tokenizer(base / "tokenizer.json")
    return few.corpora, [tag_data(few, some, part, tokenizer) for part in PARTS]


def experts(
    recipe: Recipe,
    train: Mapping[str, TagData],
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Tensors]:
    """Head -> the tensors of its expert.

    Args:
        recipe: with ``lexical``.
        train: head -> texts.
        progress, stop: as for `run_lexical`.

    Raises:
        StoppedError: ``stop`` said so.
    """
    how = recipe.lexical
    if how is None:
        return {}
    sizes = {task: sum(len(one.first_W) for one in train[task].texts) for task in how.heads}
    found: dict[str, Tensors] = {}

    def told(words: int) -> None:
        progress(sum(sizes[task] for task in found) + words, sum(sizes.values()))
        if stop():
            raise StoppedError(
                "the fit of the forms was stopped; nothing was written", resumes=False
            )

    for task in how.heads:
        found[task] = expert(train[task], how, seed=recipe.seed, told=told)
    return found


def expert(
    data: TagData,
    how: LexicalFit,
    *,
    seed: int,
    told: Callable[[int], None] = lambda words: None,
) -> Tensors:
    """A head's softmax over features, pruned, in 8 bits.

    Adagrad; features are dropped at random, so that a word is not known by its form alone. What
    is kept are the weights of most effect: size times the root of how often the feature was seen.

    Args:
        data: the training texts.
        how: the recipe's ``lexical``.
        seed: of the order of words and of dropout.
        told: takes how many words were read, over all epochs a share of the corpus.
    """
    torch.manual_seed(seed)
    texts = zip(data.examples, data.texts, strict=True)
    ids = np.concatenate([features(one.text, cut.spans_W2) for one, cut in texts])
    seen = np.bincount(ids.ravel(), minlength=1 << BITS)
    kept = np.flatnonzero(seen >= _SEEN)
    row_of = np.zeros(1 << BITS, np.int64)
    row_of[kept] = np.arange(1, len(kept) + 1)
    rows, tags = torch.from_numpy(row_of[ids]), torch.from_numpy(np.concatenate(data.tags))
    num_tags = 1 + 2 * len(data.labels)
    table = torch.nn.EmbeddingBag(len(kept) + 1, num_tags, mode="sum", padding_idx=0)
    torch.nn.init.zeros_(table.weight)
    bias = torch.nn.Parameter(torch.zeros(num_tags))
    optimiser = torch.optim.Adagrad([table.weight, bias], lr=_RATE)
    epochs = max(how.epochs, -(-_STEPS * _WORDS // max(len(rows), 1)))
    for epoch in range(epochs):
        for group in optimiser.param_groups:
            group["lr"] = _RATE * (1 - 0.8 * epoch / epochs)
        for number, some in enumerate(torch.split(torch.randperm(len(rows)), _WORDS)):
            words = rows[some]
            words = words * (torch.rand(words.shape) >= how.dropout)
            loss = functional.cross_entropy(table(words) + bias, tags[some])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            told((epoch * len(rows) + number * _WORDS) // epochs)
    weight = table.weight.detach().numpy()[1:] * np.float32(1 - how.dropout)
    return packed(
        kept, _pruned(weight, seen[kept], how.entries), bias.detach().numpy(), head=data.task
    )


def _pruned(weight_RT: Floats, seen_R: NDArray[np.int64], entries: int) -> Floats:
    """About as many weights as asked for, those of most effect; a row's median is worth nothing."""
    centred: Floats = weight_RT - np.median(weight_RT, axis=1, keepdims=True).astype(np.float32)
    effect = np.abs(centred) * np.sqrt(seen_R)[:, None]
    if centred.size > entries:
        centred[effect < np.partition(effect.ravel(), -entries)[-entries]] = 0
    return centred


def add(
    recipe: Recipe,
    model: Path,
    tensors: Mapping[str, Tensors],
    dev: Mapping[str, TagData],
    *,
    made_from: tuple[str, ...],
) -> None:
    """Calibrate experts with a tagger and write them into its folder, with card and manifest.

    A head of which dev finds no more with its expert stays as it is and gets none.

    Args:
        recipe: with ``lexical``.
        model: the tagger's folder.
        tensors: of `experts`.
        dev: head -> texts.
        made_from: hashes of what they were fitted to.

    Raises:
        InputError: the tagger has no such head, or there are no dev texts for it.
    """
    how = recipe.lexical or LexicalFit(heads={})
    tagger, card = Tagger(model), read_json(model / CARD)
    held = kept(model, card["heads"], without=tensors)
    for task, some in tensors.items():
        if (
            task not in tagger.heads
            or task not in dev
            or tagger.heads[task].labels != dev[task].labels
        ):
            raise InputError(
                f"lexical: {task!r} needs dev texts and a head of the same labels; the tagger has "
                f"{', '.join(tagger.heads)}"
            )
        head = calibrated(tagger, task, some, dev[task], how.heads[task])
        card["heads"][task] = asdict(head)
        held |= some if head.lexical else {}
    tagger.close()
    (model / LEXICAL).unlink(missing_ok=True)
    if held:
        write_bytes(model / LEXICAL, save(held))
        card["version"] += f"+{recipe.name}-{sha256_file(model / LEXICAL)[:8]}"
    card = {name: one for name, one in card.items() if name != "measured"}
    write_json(model / CARD, {**card, "name": recipe.name, "lexical": how.model_dump(mode="json")})
    _list(model, recipe, made_from)


def _list(model: Path, recipe: Recipe, made_from: tuple[str, ...]) -> None:
    """The manifest: what was there before keeps its lineage."""
    before = read_json(model / MANIFEST) if (model / MANIFEST).is_file() else {"artifacts": []}
    old = {one["path"]: Artifact(**one) for one in before.pop("artifacts")}
    files = [
        old[name]
        if name in old and name not in (CARD, LEXICAL)
        else replace(describe(model / name, made_from=made_from), path=name)
        for name in (*_FILES, LEXICAL)
        if (model / name).is_file()
    ]
    told = before | {"lexical_recipe": recipe.model_dump(mode="json")}
    write_manifest(model / MANIFEST, files, **told)


def kept(
    folder: Path, heads: Mapping[str, Mapping[str, Any]], *, without: Collection[str]
) -> Tensors:
    """The tensors of a tagger's experts but those of some heads; none where it has no experts."""
    if not (folder / LEXICAL).is_file():
        return {}
    stems = tuple(
        f"{name}." for name, one in heads.items() if one.get("lexical") and name not in without
    )
    return {
        name: one for name, one in load_file(folder / LEXICAL).items() if name.startswith(stems)
    }


def calibrated(tagger: Tagger, task: str, tensors: Tensors, dev: TagData, weight: float) -> Head:
    """A head with its expert, by dev, if dev F1 gains by it; else as it is, without."""
    head, columns = tagger.heads[task], tagger.columns[task]
    alone = [rows[:, columns] for rows in tagger.word_logits(dev.texts)]
    forms = Lexical(tensors, {task: (0, weight)}, 1 + 2 * len(head.labels))
    both = [
        rows + forms.logits(one.text, cut.spans_W2)
        for rows, one, cut in zip(alone, dev.examples, dev.texts, strict=True)
    ]
    old, new = (Head(head.labels, *of_tags(some, dev)) for some in (alone, both))
    if _f1(both, new, dev) > _f1(alone, old, dev):
        return replace(new, lexical=weight)
    return replace(head, lexical=0.0)


def _f1(logits: Sequence[Floats], head: Head, dev: TagData) -> float:
    scaled = [rows / np.float32(head.temperature) for rows in logits]
    return tag_scores(scaled, dev, bias=head.bias).f1.value


def scores_of(folder: Path, data: Mapping[str, TagData]) -> dict[str, Scores]:
    """Scores of heads as the folder serves them."""
    tagger = Tagger(folder)
    found = {}
    for task, some in data.items():
        told = tagger.tag([one.text for one in some.examples], tasks=[task])
        found[task] = scores(
            [{(one.start, one.end, one.label) for one in text.labels} for text in some.examples],
            [{(one.start, one.end, one.label) for one in text[task]} for text in told],
            groups=[one.group for one in some.examples],
        )
    tagger.close()
    return found
