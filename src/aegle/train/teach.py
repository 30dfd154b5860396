"""A teacher's opinions on every word of the training texts, of every head, computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from aegle.core.artifacts import read_json
from aegle.core.errors import InputError
from aegle.lm.encoder import read_tokenizer
from aegle.lm.pieces import Pieces
from aegle.lm.spans import Floats
from aegle.train.batches import Batch, TagData
from aegle.train.checkpoint import read_tensors, write_tensors
from aegle.train.network import Network
from aegle.train.predict import word_logits
from aegle.train.recipe import Recipe

ABOUT: Final = "network.json"
"""In a run's folder: its recipe and base, from which its network is built anew."""


class Teacher:
    """Logits of a trained network on the texts of a student's corpora.

    The teacher may cut words into other pieces than the student; words are matched by their
    characters, and one that it cuts otherwise has no opinion.

    Args:
        folder: the teacher's run, with ``network.json`` and ``best.safetensors``.
        recipe: the student's; opinions are kept of the heads that both have.
        data: the student's training data.
        cache: folder where the logits are kept for the next run.
        device: where the teacher computes.

    Raises:
        InputError: no such run, or no head in common.
    """

    def __init__(
        self, folder: Path, recipe: Recipe, data: Mapping[str, TagData], *, cache: Path, device: str
    ) -> None:
        told = read_json(folder / ABOUT) if (folder / ABOUT).is_file() else None
        if told is None:
            raise InputError(f"{folder} is no finished run: it has no {ABOUT}")
        self._mine = Recipe.model_validate(told["recipe"])
        self._tasks = tuple(
            task
            for task, mine in self._mine.tasks.items()
            if task in recipe.tasks and recipe.tasks[task].labels == mine.labels
        )
        if not self._tasks:
            raise InputError(f"{folder}: the teacher and the recipe share no task with its labels")
        self._folder, self._base, self._device = folder, Path(told["base"]), device
        self._logits = {name: self._opinions(one, cache) for name, one in data.items()}

    def __call__(self, batch: Batch) -> Mapping[str, Tensor]:
        """(N, T) of each task for the words of a batch; rows of NaN where there is no opinion."""
        known = self._logits[batch.task]
        return {
            task: torch.from_numpy(
                np.stack([known[task][text][word] for text, word in batch.words_N2.tolist()])
            ).to(self._device)
            for task in self._tasks
        }

    def _opinions(self, data: TagData, cache: Path) -> dict[str, list[Floats]]:
        key = hashlib.sha256(
            "\0".join(
                [str(self._folder), *self._tasks, *(one.text for one in data.examples)]
            ).encode()
        ).hexdigest()[:16]
        file = cache / f"opinions-{key}.safetensors"
        if not file.is_file():
            write_tensors(file, self._ask(data))
        tensors = read_tensors(file)
        ends = np.cumsum([len(one.first_W) for one in data.texts])[:-1]
        return {task: list(np.split(tensors[task].float().numpy(), ends)) for task in self._tasks}

    def _ask(self, data: TagData) -> dict[str, Tensor]:
        net = Network(
            self._base, self._mine.tasks, cases=self._mine.cases, dropout=self._mine.dropout
        )
        net.load_state_dict(read_tensors(self._folder / "best.safetensors"))
        net.to(self._device)
        theirs = TagData(
            data.task,
            data.examples,
            labels=data.labels,
            tokenizer=read_tokenizer(self._base / "tokenizer.json"),
            size=self._mine.max_pieces,
            overlap=self._mine.overlap,
        )
        logits = word_logits(net, theirs, size=8192, tasks=self._tasks)
        out = {}
        for task in self._tasks:
            rows = [
                matched(theirs_one, mine, some)
                for theirs_one, mine, some in zip(
                    theirs.texts, data.texts, logits[task], strict=True
                )
            ]
            out[task] = torch.from_numpy(np.concatenate(rows)).half()
        return out


def matched(theirs: Pieces, mine: Pieces, rows_WT: Floats) -> Floats:
    """The rows of one's words in the order of the other's, NaN for words that it lacks."""
    place = {(int(a), int(b)): number for number, (a, b) in enumerate(theirs.spans_W2)}
    out = np.full((len(mine.spans_W2), rows_WT.shape[1]), np.nan, np.float32)
    for number, (a, b) in enumerate(mine.spans_W2):
        at = place.get((int(a), int(b)))
        if at is not None:
            out[number] = rows_WT[at]
    return out
