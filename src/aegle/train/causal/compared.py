"""Examples as batches for TRL's trainers of preferences, and what the base thinks of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from trl.trainer.dpo_trainer import DataCollatorForPreference as Pairs
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference as Judged
from trl.trainer.reward_trainer import DataCollatorForPreference as Scored

from aegle.core.errors import InputError
from aegle.train.causal import adapters
from aegle.train.causal.chat import Encoder, Tokens
from aegle.train.causal.examples import Example, last_answer
from aegle.train.causal.packing import grouped, padded
from aegle.train.causal.scoring import Floats, token_losses

UNTOUCHED: Final = ("pissa", "full")
"""Methods that change the base's own weights; before the first step they say what it says."""


@dataclass(slots=True)
class Item:
    """An example as tokens.

    Attributes:
        answers: the chosen and the rejected, or the one that was judged, each after its prompt.
        good: of a judged answer.
        group: of the example.
        other: of a judged answer, another example's after the same prompt, by which KTO tells how
            far the model has come from the base; else None.
        base: of each answer, what the base's log-probability is.
        other_base: of ``other``.
    """

    answers: tuple[Tokens, ...]
    good: bool
    group: str
    other: Tokens | None = None
    base: tuple[float, ...] = ()
    other_base: float = 0.0

    def __len__(self) -> int:
        """Tokens that it takes in a batch of its own, padding counted."""
        return len(self.answers) * max(map(len, self.answers))


def items_of(examples: Sequence[Example], encode: Encoder, *, judged: bool) -> list[Item]:
    """Examples as tokens.

    Raises:
        InputError: as `last_answer` does, or a pair whose answers differ only beyond the cut.
    """
    found = []
    for one in examples:
        answers = tuple(last_answer(encode, answer) for answer in one.answers)
        if len(answers) == 2 and answers[0].ids == answers[1].ids:
            raise InputError(
                f"{one.place}: chosen and rejected are the same in their first "
                f"{encode.max_tokens} tokens (max_tokens); raise it, or take it out"
            )
        found.append(Item(answers, one.good, one.group))
    if judged:
        for at, item in enumerate(found):
            item.other = _after(item.answers[0], found[at - 1].answers[0], encode.max_tokens)
    return found


def _after(mine: Tokens, theirs: Tokens, most: int) -> Tokens:
    """One's prompt, and the other's answer."""
    prompt, answer = split_at(mine)[0], split_at(theirs)[1]
    ids = (*prompt, *answer)[:most]
    return Tokens(ids, tuple(at >= len(prompt) for at in range(len(ids))), mine.group)


def split_at(text: Tokens) -> tuple[list[int], list[int]]:
    """(prompt, answer)."""
    start = text.learned.index(True)
    return list(text.ids[:start]), list(text.ids[start:])


def refer(trainer: Any, items: Sequence[Item], method: str, *, size: int) -> None:
    """Write what the base says into items, before the first step of the training.

    Args:
        trainer: as `token_losses` takes it, its model as it begins.
        items: of any part.
        method: of the adapter.
        size: tokens of a batch.
    """
    texts = [text for item in items for text in item.answers]
    texts += [item.other for item in items if item.other]
    with nullcontext() if method in UNTOUCHED else adapters.without(trainer.model):
        sums = iter([-float(one.sum()) for one in token_losses(trainer, texts, size=size)])
    for item in items:
        item.base = tuple(next(sums) for _ in item.answers)
    for item in items:
        item.other_base = next(sums) if item.other else 0.0


ROWS: Final = "num_rows"
"""Of a batch of `Collate`: how many examples are in it, each of which is to count the same."""


class Compared(Dataset[list[dict[str, Any]]]):
    """Items in batches of like length: each is the rows of a whole batch, as TRL names them."""

    def __init__(self, items: Sequence[Item], kind: str, *, size: int) -> None:
        self.items, self.row = items, _ROWS[kind]
        self.plan = grouped([len(one) for one in items], max(size, *map(len, items), 1))

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, number: int) -> list[dict[str, Any]]:
        return [self.row(self.items[at]) for at in self.plan[number]]

    @property
    def usual(self) -> float:
        """Examples of a batch, the mean."""
        return len(self.items) / len(self.plan)


def _pair(item: Item) -> dict[str, Any]:
    (prompt, chosen), (_, rejected) = map(split_at, item.answers)
    found = {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected}
    if not item.base:
        return found
    return {**found, "ref_chosen_logps": item.base[0], "ref_rejected_logps": item.base[1]}


def _judged(item: Item) -> dict[str, Any]:
    assert item.other is not None
    prompt, answer = split_at(item.answers[0])
    return {
        "prompt_ids": prompt,
        "completion_ids": answer,
        "KL_completion_ids": list(item.other.ids[len(prompt) :]),
        "label": item.good,
        "ref_logps": item.base[0],
        "ref_KL_logps": item.other_base,
    }


def _scored(item: Item) -> dict[str, Any]:
    chosen, rejected = (list(one.ids) for one in item.answers)
    return {"chosen_ids": chosen, "rejected_ids": rejected}


def _tokens(item: Item) -> dict[str, Any]:
    return {"chosen": item.answers[0], "rejected": item.answers[1]}


_ROWS: Final[dict[str, Callable[[Item], dict[str, Any]]]] = {
    "dpo": _pair,
    "orpo": _tokens,
    "kto": _judged,
    "reward": _scored,
}


class Collate:
    """Rows of a batch into tensors, by TRL's own collator of the kind."""

    def __init__(self, kind: str, pad: int) -> None:
        made = {"dpo": Pairs, "kto": Judged, "reward": Scored}
        self.inner: Any = made[kind](pad_token_id=pad) if kind in made else self._sides
        self.pad = pad

    def __call__(self, batches: Sequence[list[dict[str, Any]]]) -> dict[str, Tensor]:
        """The tensors of a batch, of which each item is a whole one."""
        (rows,) = batches
        found: dict[str, Tensor] = self.inner(rows)
        found = {n: one.float() if one.is_floating_point() else one for n, one in found.items()}
        return {**found, ROWS: torch.tensor(len(rows))}

    def _sides(self, rows: Sequence[dict[str, Tokens]]) -> dict[str, Tensor]:
        """ORPO's: both sides apart."""
        return {
            f"{side}_{name}": one
            for side in ("chosen", "rejected")
            for name, one in padded([row[side] for row in rows], self.pad).items()
        }


def sums(losses: Sequence[Floats]) -> Floats:
    """Log-probabilities of texts from the losses of their tokens."""
    return np.array([-one.sum() for one in losses])
