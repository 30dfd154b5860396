"""Label sets fitted onto a tagger that stays as it is: minutes on a CPU, and no other head changes.

Its encoder reads each text once, as it serves; what is learned is a linear head per label set, put
beside the tagger's own or in the place of one of that name.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.numpy import save

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
from aegle.lm.spans import Floats
from aegle.lm.tag_graph import HEAD_BIAS, HEAD_WEIGHT
from aegle.lm.tagger import CARD, GRAPH, HEADS, LEXICAL, Head
from aegle.metrics.extraction import Scores
from aegle.train.batches import TagData
from aegle.train.calibrate import of_tags
from aegle.train.fit import Fitted, Log
from aegle.train.former import SCORES, data_rows
from aegle.train.lexical import kept
from aegle.train.onto_pairs import Worded, fit_worded, joined
from aegle.train.parts import PARTS, read_parts, tag_data
from aegle.train.predict import tag_scores
from aegle.train.recipe import Recipe
from aegle.train.refit import States, refit, states

MANIFEST: Final = "manifest.json"
FILES: Final = (GRAPH, HEADS, "tokenizer.json", CARD)
_STEPS: Final = 600
Fit = tuple[Floats, Floats, Head]
"""Weight (T, C) and bias (T,) of a head, and how it is told."""


def run_onto(
    recipe: Recipe,
    *,
    base: Path,
    data: Path,
    folder: Path,
    log: Log = lambda name, value, step: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Fitted, dict[str, Scores]]:
    """Fit a recipe's label sets onto a tagger; it ends in ``folder/model``.

    Nothing is left behind when it is stopped. Dev and test texts are kept from these heads; whether
    the tagger's encoder has learned from them, its card tells (``data``).

    Args:
        recipe: with ``frozen``; its tasks are of the kinds tags and worded.
        base: the tagger's folder.
        data, folder: where the corpora's paths begin, and where the run writes.
        log, progress, stop: as for `aegle.train.run.run`; progress counts words, then folds.

    Raises:
        InputError: the base is no tagger, or a corpus can't be read.
        StoppedError: ``stop`` said so.
    """
    recipe = _as_read(recipe, base)
    parts = read_parts(recipe, data)
    tokenizer = read_tokenizer(base / "tokenizer.json")
    texts = {part: tag_data(recipe, parts, part, tokenizer) for part in PARTS}
    if lost := sorted(set(texts["train"]) - set(texts["dev"])):
        raise InputError(f"{lost[0]} has no dev part; dev scores choose the epoch")
    reader = _Reader(base / GRAPH, texts, progress, stop)
    fits, dev, test = {}, {}, {}
    for number, task in enumerate(sorted(texts["train"])):
        fits[task], dev[task] = _fit(recipe, task, reader, texts["dev"][task])
        log("tokens", reader.done, number)
        log(f"dev/{task}", dev[task].f1.value, number)
        if task in texts["test"]:
            test[task] = tag_scores(_scaled(reader("test", task), fits[task]), texts["test"][task])
    worded = fit_worded(recipe, parts, progress, stop)
    for task, one in worded.items():
        dev[task] = one.dev
        test |= {task: one.test} if one.test else {}
        log(f"dev/{task}", one.dev.f1.value, len(fits))
    _write(recipe, base, folder, fits, worded, {"dev": dev, "test": test}, data)
    scored = [one.f1.value for one in dev.values()]
    return Fitted(1, float(np.mean(scored)), len(fits) + len(worded)), test


def _as_read(recipe: Recipe, base: Path) -> Recipe:
    """The recipe with the windows in which the tagger reads."""
    for name in FILES:
        if not (base / name).is_file():
            raise InputError(f"frozen heads need a tagger to stand on: {base} has no {name}")
    told = read_json(base / CARD)
    return recipe.model_copy(update={"max_pieces": told["max_pieces"], "overlap": told["overlap"]})


class _Reader:
    """States of each part's texts; tells how far it is, and ends where it is asked to."""

    def __init__(
        self,
        graph: Path,
        texts: Mapping[str, Mapping[str, TagData]],
        progress: Callable[[int, int], None],
        stop: Callable[[], bool],
    ) -> None:
        self._graph, self._texts, self._stop = graph, texts, stop
        self._progress = progress
        self._total = sum(
            len(t.first_W) for p in texts.values() for d in p.values() for t in d.texts
        )
        self.done = 0

    def __call__(self, part: str, task: str) -> States:
        return states(self._graph, self._texts[part][task], told=self._read)

    def _read(self, words: int) -> None:
        self.done += words
        self._progress(self.done, self._total)
        if self._stop():
            raise StoppedError(
                "the fit of the heads was stopped; nothing was written", resumes=False
            )


def _fit(recipe: Recipe, task: str, reader: _Reader, dev: TagData) -> tuple[Fit, Scores]:
    """A task's head from nothing, calibrated, and its dev scores."""
    learned, asked = reader("train", task), reader("dev", task)
    rows = 1 + 2 * len(recipe.tasks[task].labels)
    empty = {"weight": torch.zeros(rows, learned.rows_WC.shape[1]), "bias": torch.zeros(rows)}
    found = refit(learned, asked, dev, empty, seed=recipe.seed, steps=_STEPS)
    if not found["weight"].any():
        raise InputError(
            f"the head {task!r} found nothing right in its dev part after any epoch; give it more "
            "annotated texts, or see whether the corpus's labels are named as under `names`"
        )
    weight, bias = (found[name].numpy() for name in ("weight", "bias"))
    fit = (weight, bias, Head(recipe.tasks[task].labels, *of_tags(asked.logits(weight, bias), dev)))
    return fit, tag_scores(_scaled(asked, fit), dev)


def _scaled(asked: States, fit: Fit) -> list[Floats]:
    """Logits as they serve: (W, T) of each text."""
    weight, bias, head = fit
    scaled = [rows / np.float32(head.temperature) for rows in asked.logits(weight, bias)]
    for rows in scaled:
        rows[:, 0] += head.bias
    return scaled


def _write(
    recipe: Recipe,
    base: Path,
    folder: Path,
    fits: Mapping[str, Fit],
    worded: Mapping[str, Worded],
    scored: Mapping[str, Mapping[str, Scores]],
    data: Path,
) -> None:
    """The tagger with its new heads in ``folder/model``, and the scores beside."""
    model = folder / "model"
    model.mkdir(parents=True, exist_ok=True)
    card = read_json(base / CARD)
    write_bytes(
        model / GRAPH,
        _graph(base / GRAPH, card["heads"], fits) if fits else (base / GRAPH).read_bytes(),
    )
    write_bytes(model / HEADS, joined(base / HEADS, worded))
    shutil.copyfile(base / "tokenizer.json", model / "tokenizer.json")
    (model / LEXICAL).unlink(missing_ok=True)
    if forms := kept(base, card["heads"], without=fits):
        write_bytes(model / LEXICAL, save(forms))
    plain = {part: {n: asdict(one.f1) for n, one in some.items()} for part, some in scored.items()}
    said = _card(recipe, base, card, fits, worded, plain)
    made_of = sha256_file(model / GRAPH) + sha256_file(model / HEADS)
    said["version"] += f"+{recipe.name}-{hashlib.sha256(made_of.encode()).hexdigest()[:8]}"
    write_json(model / CARD, said)
    write_json(folder / SCORES, plain)
    made = (sha256_file(base / GRAPH), *(sha256_tree(data / one.train) for one in recipe.corpora))
    _manifest(base, model, recipe, made)


def _manifest(base: Path, model: Path, recipe: Recipe, made: tuple[str, ...]) -> None:
    """What the folder holds; a file that is as it was keeps its lineage, another adds to it."""
    told = read_json(base / MANIFEST) if (base / MANIFEST).is_file() else {"artifacts": []}
    before = {one["path"]: Artifact(**one) for one in told.pop("artifacts")}
    files = []
    for name in (*FILES, LEXICAL):
        if not (model / name).is_file():
            continue
        one, old = replace(describe(model / name), path=name), before.get(name)
        lineage = tuple(old.made_from) if old else ()
        if old is None or old.sha256 != one.sha256:
            lineage = tuple(dict.fromkeys((*lineage, *made)))
        files.append(replace(one, made_from=lineage))
    write_manifest(
        model / MANIFEST, files, **told, **{f"{recipe.name}_recipe": recipe.model_dump(mode="json")}
    )


def _card(
    recipe: Recipe,
    base: Path,
    card: Mapping[str, Any],
    fits: Mapping[str, Fit],
    worded: Mapping[str, Worded],
    scored: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The tagger's card with what was added; ``measured`` is not carried on."""
    heads = card["heads"] | {name: asdict(head) for name, (_, _, head) in fits.items()}
    origin = {
        "role": "frozen",
        "name": card["name"],
        "version": card["version"],
        "base": card["base"],
        "data": card["data"],
        "weights_sha256": sha256_file(base / GRAPH),
    }
    pairs = card["classifiers"] | {name: asdict(one.told) for name, one in worded.items()}
    new = {*fits, *worded}
    others = [row for row in card["data"] if row["task"] not in new]
    return {
        **{name: value for name, value in card.items() if name != "measured"},
        "name": recipe.name,
        "heads": heads,
        "classifiers": pairs,
        "data": [*others, *data_rows(recipe)],
        "origins": [*card["origins"], origin],
        **{
            name: {task: one for task, one in card.get(name, {}).items() if task not in new} | some
            for name, some in ((f"{part}_f1", dict(some)) for part, some in scored.items())
        },
    }


def _graph(path: Path, before: Mapping[str, Any], fits: Mapping[str, Fit]) -> bytes:
    """The tagger's graph with other columns; they stand in the order of the heads' names."""
    model = onnx.load(str(path))
    kept = {
        one.name: one for one in model.graph.initializer if one.name in (HEAD_WEIGHT, HEAD_BIAS)
    }
    weight_CT, bias_T = (numpy_helper.to_array(kept[name]) for name in (HEAD_WEIGHT, HEAD_BIAS))
    own, at = {}, 0
    for name in sorted(before):
        columns = slice(at, at := at + 1 + 2 * len(before[name]["labels"]))
        own[name] = weight_CT[:, columns], bias_T[columns]
    own |= {name: (weight.T, bias) for name, (weight, bias, _) in fits.items()}
    order = [own[name] for name in sorted(own)]
    for name, parts in zip((HEAD_WEIGHT, HEAD_BIAS), zip(*order, strict=True), strict=True):
        joined = np.ascontiguousarray(np.concatenate(parts, axis=-1), np.float32)
        kept[name].CopyFrom(numpy_helper.from_array(joined, name))
    (tags,) = (one for one in model.graph.output if one.name == "tags")
    tags.type.tensor_type.shape.dim[2].dim_value = sum(len(bias) for _, bias in order)
    told: bytes = model.SerializeToString()
    return told
