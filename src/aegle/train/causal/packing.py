"""Texts into batches: several in a row, each attending to itself alone, or padded by length."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from aegle.train.causal.chat import Tokens

IGNORED: Final = -100
"""The label of what isn't learned, as in Transformers."""


def pack(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Texts into rows of at most ``size`` tokens, the longest first, each where it fits best.

    Args:
        lengths: of the texts, each at most ``size``.
        size: tokens of a row.

    Returns:
        The numbers of the texts in each row.

    References:
        Johnson (1973), Near-optimal bin packing algorithms: best-fit decreasing needs at most
        11/9 of the fewest rows, and 4.
    """
    rows: list[list[int]] = []
    free: list[tuple[int, int]] = []  # (tokens left, row), in order
    for number in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        length = lengths[number]
        place = bisect_left(free, (length, -1))
        if place == len(free):
            rows.append([number])
            left, row = size - length, len(rows) - 1
        else:
            left, row = free.pop(place)
            rows[row].append(number)
            left -= length
        if left:
            insort(free, (left, row))
    return rows


def grouped(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Texts of like length together; each batch, padded, has at most ``size`` tokens."""
    batches: list[list[int]] = []
    longest = 0
    for number in sorted(range(len(lengths)), key=lambda at: lengths[at]):
        longest = max(longest, lengths[number])
        if not batches or longest * (len(batches[-1]) + 1) > size:
            batches.append([])
            longest = lengths[number]
        batches[-1].append(number)
    return batches


@dataclass(frozen=True)
class Batches(Dataset[dict[str, Tensor]]):
    """A corpus in batches: each item is a whole one.

    Attributes:
        texts: the corpus.
        plan: the numbers of the texts in each batch.
        packed: in a row, or padded.
        pad: the token that pads.
    """

    texts: Sequence[Tokens]
    plan: list[list[int]]
    packed: bool
    pad: int

    @classmethod
    def of(cls, texts: Sequence[Tokens], *, size: int, packed: bool, pad: int) -> Batches:
        """Batches of at most ``size`` tokens; a longer text has one of its own."""
        lengths = [len(one) for one in texts]
        size = max([size, *lengths])
        plan = pack(lengths, size) if packed else grouped(lengths, size)
        return cls(texts, plan, packed, pad)

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        some = [self.texts[at] for at in self.plan[number]]
        return row(some) if self.packed else padded(some, self.pad)


def row(some: Sequence[Tokens]) -> dict[str, Tensor]:
    """Texts one after the other, positions from 0 in each. No mask: positions that start anew tell
    Transformers, and `attention`, where a text begins."""
    ids = np.concatenate([one.ids for one in some])
    learned = np.concatenate([one.learned for one in some])
    positions = np.concatenate([np.arange(len(one)) for one in some])
    return {
        "input_ids": torch.from_numpy(ids)[None],
        "position_ids": torch.from_numpy(positions)[None],
        "labels": torch.from_numpy(np.where(learned, ids, IGNORED))[None],
    }


def padded(some: Sequence[Tokens], pad: int) -> dict[str, Tensor]:
    """Texts one below the other, padded on the right."""
    shape = (len(some), max(map(len, some)))
    ids, labels = torch.full(shape, pad), torch.full(shape, IGNORED)
    mask = torch.zeros(shape, dtype=torch.long)
    for place, one in enumerate(some):
        told = torch.tensor(one.ids)
        ids[place, : len(one)] = told
        labels[place, : len(one)] = torch.where(torch.tensor(one.learned), told, IGNORED)
        mask[place, : len(one)] = 1
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def only(items: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """A data loader's collator where each item is a batch."""
    (one,) = items
    return one


def real_tokens(batch: dict[str, Any]) -> int:
    """The tokens of a batch, padding not counted."""
    mask = batch.get("attention_mask")
    return int(batch["input_ids"].numel() if mask is None else mask.sum())


class Order(Sampler[int]):
    """Batches in an order that follows from the seed and the epoch alone, so that a run that goes
    on after it was stopped sees what it would have seen."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed, self.epoch = size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Which epoch comes."""
        self.epoch = epoch

    def __iter__(self) -> Any:
        return iter(np.random.default_rng((self.seed, self.epoch)).permutation(self.size).tolist())

    def __len__(self) -> int:
        return self.size
