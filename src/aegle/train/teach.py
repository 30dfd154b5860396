"""Teachers' opinions on every word, mention and pair of the training texts, computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from aegle.core.artifacts import sha256_file
from aegle.core.errors import InputError
from aegle.lm.encoder import read_tokenizer
from aegle.lm.pieces import Ints, Pieces
from aegle.lm.spans import Floats
from aegle.train.batches import Batch, TagData
from aegle.train.checkpoint import read_tensors, write_tensors
from aegle.train.former import BEST, Former, same_heads
from aegle.train.network import Network, outputs
from aegle.train.predict import Told, class_logits, pair_keys, pair_logits, word_logits, word_starts
from aegle.train.recipe import Recipe

_SIZE: Final = 16_384
"""Padded pieces that a teacher reads at once."""


@dataclass(frozen=True, slots=True)
class Opinions:
    """Log-probabilities of a batch; a row of NaN where the teachers have no opinion.

    Attributes:
        words: (N, T) by tag task.
        mentions: (M, L) of a span or text task.
        pairs: (P, 1 + L) of a pair task.
    """

    words: Mapping[str, Tensor] = field(default_factory=dict)
    mentions: Tensor | None = None
    pairs: Tensor | None = None


class Teacher:
    """The mean log-probabilities of trained networks on the texts of a student's corpora.

    A teacher may cut words into other pieces than the student; words are matched by their
    characters, and one that it cuts otherwise has no opinion.

    Args:
        folders: the teachers' finished runs.
        recipe: the student's; opinions are kept of the heads that all have.
        data: the student's training data.
        cache: folder where opinions are kept for the next run.
        device: where teachers compute, and where opinions are held.

    Raises:
        InputError: no such run, or no head in common.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        recipe: Recipe,
        data: Mapping[str, TagData],
        *,
        cache: Path,
        device: str,
    ) -> None:
        runs = [_Run(Former.open(folder, "teacher")) for folder in folders]
        wanted = recipe.distillation.heads if recipe.distillation else ()
        every = [set(same_heads(recipe, one.former.recipe)) for one in runs]
        shared = [task for task in recipe.tasks if all(task in one for one in every)]
        lacking = sorted(set(wanted) - set(shared))
        if lacking:
            raise InputError(f"distillation.heads: a teacher lacks {', '.join(lacking)}")
        shared = [task for task in shared if not wanted or task in wanted]
        if not shared:
            names = ", ".join(map(str, folders))
            raise InputError(f"{names}: teachers and the recipe share no task with its labels")
        self._tags = [task for task in shared if recipe.tasks[task].kind == "tags"]
        self._device = device
        self._starts = {name: word_starts(one) for name, one in data.items()}
        self._words: dict[str, dict[str, Tensor]] = {name: {} for name in data}
        self._rows: dict[str, dict[str, _Rows]] = {name: {} for name in data}
        for name, one in data.items():
            self._gather(name, one, runs, shared, cache)

    def __call__(self, batch: Batch) -> Opinions:
        """Of the words, mentions and pairs of a batch."""
        texts, words = batch.words_N2.T
        which = torch.from_numpy(self._starts[batch.task][texts] + words).to(self._device)
        told, rows = batch.mentions, self._rows[batch.task]
        mentions = pairs = None
        if told is not None and batch.task in rows:
            mentions = rows[batch.task].of(told.names_M2).to(self._device)
        if told is not None and batch.pairs in rows:
            pairs = rows[batch.pairs].of(pair_keys(told)).to(self._device)
        if batch.kind not in ("tags", "plain"):
            return Opinions(mentions=mentions)
        by_task = self._words[batch.task]
        return Opinions({task: rows_WT[which] for task, rows_WT in by_task.items()}, None, pairs)

    def _gather(
        self, name: str, data: TagData, runs: Sequence[_Run], shared: Sequence[str], cache: Path
    ) -> None:
        asked = self._tags if data.kind in ("tags", "plain") else []
        more = [task for task in (name, data.pairs) if task in shared and task not in self._tags]
        if not asked and not more:
            return
        said = [one.opinions(data, asked, more, cache, self._device) for one in runs]
        for task in asked:
            self._words[name][task] = _mean([one[task] for one in said], self._device)
        for task in more:
            # Which mentions share a window may differ between teachers: what all speak of counts.
            keys = set.intersection(*(set(one[f"{task}.keys"].tolist()) for one in said))
            order = torch.tensor(sorted(keys), dtype=torch.int64)
            parts = [one[task][_places(one[f"{task}.keys"], order)] for one in said]
            self._rows[name][task] = _Rows.build(order, _mean(parts, "cpu"))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows by text and number."""

    place: Mapping[int, int]
    rows: Tensor

    @classmethod
    def build(cls, keys: Tensor, rows: Tensor) -> _Rows:
        none = torch.full((1, rows.shape[1]), torch.nan, dtype=rows.dtype)
        return cls({key: at for at, key in enumerate(keys.tolist())}, torch.cat([rows, none]))

    def of(self, names_M2: Ints) -> Tensor:
        last = len(self.rows) - 1
        which = [self.place.get(key, last) for key in _key(names_M2).tolist()]
        return self.rows[torch.tensor(which, dtype=torch.int64)]


@dataclass(frozen=True, slots=True)
class _Run:
    """A teacher at work."""

    former: Former

    def opinions(
        self, data: TagData, asked: Sequence[str], more: Sequence[str], cache: Path, device: str
    ) -> dict[str, Tensor]:
        key = _digest(self.former.folder / BEST, data, (*asked, "", *more))
        file = cache / f"opinions-{key}.safetensors"
        if not file.is_file():
            write_tensors(file, self._ask(data, asked, more, device))
        return read_tensors(file)

    def _ask(
        self, data: TagData, asked: Sequence[str], more: Sequence[str], device: str
    ) -> dict[str, Tensor]:
        recipe, base = self.former.recipe, self.former.base
        net = Network.of(recipe, base).to(device)
        net.load_state_dict(read_tensors(self.former.folder / BEST))
        theirs = TagData(
            data.task,
            data.examples,
            labels=data.labels,
            tokenizer=read_tokenizer(base / "tokenizer.json"),
            size=recipe.max_pieces,
            overlap=recipe.overlap,
            kind=data.kind,
            pairs=data.pairs if data.pairs in more else "",
            relations=data.relations,
        )
        out = {}
        if asked:
            logits = word_logits(net, theirs, size=_SIZE, tasks=tuple(asked))
            for task in asked:
                rows = map(matched, theirs.texts, data.texts, logits[task])
                out[task] = _logs(np.concatenate(list(rows)))
        for task in more:
            ask: Callable[..., list[Told]] = pair_logits if task == data.pairs else class_logits
            out[f"{task}.keys"], out[task] = _by_key(
                ask(net, theirs, size=_SIZE), outputs(recipe.tasks[task])
            )
        return out


def _by_key(told: Sequence[Told], width: int) -> tuple[Tensor, Tensor]:
    """Keys, and the mean log-probabilities over the windows in which each was asked."""
    if not told:
        return torch.zeros(0, dtype=torch.int64), torch.zeros(0, width).half()
    names = np.array([(text, number) for text, number, _, _ in told], np.int64)
    keys, place = np.unique(_key(names), return_inverse=True)
    logs = functional.log_softmax(torch.from_numpy(np.stack([row for *_, row in told])).float(), 1)
    counts = torch.from_numpy(np.bincount(place)).unsqueeze(1)
    sums = torch.zeros(len(keys), width).index_add(0, torch.from_numpy(place), logs)
    return torch.from_numpy(keys), (sums / counts).half()


def _digest(weights: Path, data: TagData, tasks: Sequence[str]) -> str:
    """Of all that opinions depend on: teacher, heads, texts, their words and mentions."""
    digest = hashlib.sha256(f"{sha256_file(weights)}\0{tasks}".encode())
    for one, text in zip(data.examples, data.texts, strict=True):
        digest.update(hashlib.sha256(one.text.encode("utf-8", "surrogatepass")).digest())
        digest.update(text.spans_W2.tobytes())
        digest.update(repr((one.labels, one.things, one.classes)).encode())
    return digest.hexdigest()[:16]


def matched(theirs: Pieces, mine: Pieces, rows_WT: Floats) -> Floats:
    """The rows of one's words in the order of the other's, NaN for words that it lacks."""
    place = {(int(a), int(b)): number for number, (a, b) in enumerate(theirs.spans_W2)}
    out = np.full((len(mine.spans_W2), rows_WT.shape[1]), np.nan, np.float32)
    for number, (a, b) in enumerate(mine.spans_W2):
        at = place.get((int(a), int(b)))
        if at is not None:
            out[number] = rows_WT[at]
    return out


def _key(names_M2: Ints) -> Ints:
    """A number for each text and number there: pairs' numbers fill 40 bits."""
    return names_M2[:, 0] << 40 | names_M2[:, 1]


def _places(keys: Tensor, wanted: Tensor) -> Tensor:
    place = {key: at for at, key in enumerate(keys.tolist())}
    return torch.tensor([place[key] for key in wanted.tolist()], dtype=torch.int64)


def _logs(rows: Floats) -> Tensor:
    return functional.log_softmax(torch.from_numpy(rows).float(), 1).half()


def _mean(parts: Sequence[Tensor], device: str) -> Tensor:
    """Of log-probabilities; teachers that are unsure together stay unsure."""
    total = torch.zeros(parts[0].shape, device=device)
    for one in parts:
        total += one.to(device)
    return (total / len(parts)).half()
