"""Train an encoder for retrieval: a question lies nearer to what answers it than to what does not.

Letters: Q questions, P passages, B texts, S pieces, C width.

References:
    van den Oord et al. (2018), Representation Learning with Contrastive Predictive Coding: InfoNCE.
    Kusupati et al. (2022), Matryoshka Representation Learning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from aegle.core.errors import InputError
from aegle.train.data.beir import Asked, RetrievalData
from aegle.train.mine import Miner

MINED: Final = 6
"""Hard negatives of each kind that are kept for a question."""


@dataclass(frozen=True, slots=True)
class How:
    """What decides a run.

    Attributes:
        steps: of the whole run.
        seeds: questions that a batch begins with; each brings what answers it and one hard
            negative.
        more: further questions that the batch's passages answer: a passage read once serves many.
        question_pieces, passage_pieces: longer texts are cut to so many word pieces.
        temperature: of InfoNCE.
        dimensions: the first so many numbers of a vector are trained to serve alone.
        rank, alpha: of the low-rank changes, `aegle.train.lowrank`.
        lr, warmup, decay: of AdamW; decay pulls towards the packaged encoder.
        power: a source's share of the steps is its number of questions to this power.
        seed: of the order of everything.
    """

    steps: int = 300
    seeds: int = 20
    more: int = 40
    question_pieces: int = 48
    passage_pieces: int = 80
    temperature: float = 0.05
    dimensions: tuple[int, ...] = (384, 256, 128, 64)
    rank: int = 32
    alpha: float = 8.0
    lr: float = 5e-4
    warmup: float = 0.08
    decay: float = 0.01
    power: float = 0.5
    seed: int = 17

    def told(self) -> dict[str, object]:
        """For a checkpoint and a card."""
        return {**asdict(self), "dimensions": list(self.dimensions)}


@dataclass(frozen=True, slots=True)
class Draw:
    """A batch of one source: its questions, its passages, and which answer which.

    Attributes:
        source: its name.
        questions: Q texts.
        passages: P texts.
        right_Q: the place of a passage that answers each question.
        other_QP: true where a passage answers a question, too, and is neither right nor wrong.
    """

    source: str
    questions: list[str]
    passages: list[str]
    right_Q: Tensor
    other_QP: Tensor


class Drawn:
    """Batches of one source; hard negatives are mined as they are needed.

    Args:
        data: its training part is drawn from.
        how: sizes.
    """

    def __init__(self, data: RetrievalData, how: How) -> None:
        self.data, self.how = data, how
        self.asked = [
            replace(one, gold=kept) for one in data.asked["train"] if (kept := one.gold & data.free)
        ]
        if not self.asked:
            raise InputError(f"{data.name} has no training question whose passage may be used")
        self.miner = Miner(data)
        self.answered: dict[int, list[int]] = {}
        for number, one in enumerate(self.asked):
            for passage in one.gold:
                self.answered.setdefault(passage, []).append(number)

    def batches(self, rng: np.random.Generator) -> Iterator[Draw]:
        """Without end; each question begins a batch once a round."""
        while True:
            order = rng.permutation(len(self.asked))
            size = min(self.how.seeds, len(order))
            for start in range(0, len(order) - size + 1, size):
                yield self.batch([int(n) for n in order[start : start + size]], rng)

    def batch(self, seeds: Sequence[int], rng: np.random.Generator) -> Draw:
        """A batch that begins with these questions."""
        passages: dict[int, int] = {}
        right: dict[int, int] = {}
        for at, number in enumerate(seeds):
            gold = sorted(self.asked[number].gold)
            right[number] = gold[int(rng.integers(len(gold)))]
            passages.setdefault(right[number], len(passages))
            if hard := self.hard(self.asked[number], at):
                passages.setdefault(hard[int(rng.integers(len(hard)))], len(passages))
        others = [
            (number, passage) for passage in passages for number in self.answered.get(passage, ())
        ]
        for at in rng.permutation(len(others))[: 4 * self.how.more]:
            if len(right) >= len(seeds) + self.how.more:
                break
            number, passage = others[int(at)]
            right.setdefault(number, passage)
        some = [self.asked[number] for number in right]
        return _draw(self.data, some, list(right.values()), list(passages))

    def hard(self, one: Asked, turn: int) -> list[int]:
        """Hard negatives: words and graph take turns; where one has none, the other serves."""
        kinds = (self.miner.by_words, self.miner.by_graph)
        return kinds[turn % 2](one, k=MINED) or kinds[1 - turn % 2](one, k=MINED)


def _draw(
    data: RetrievalData, asked: Sequence[Asked], right: Sequence[int], passages: Sequence[int]
) -> Draw:
    place = {number: at for at, number in enumerate(passages)}
    other_QP = torch.zeros(len(asked), len(passages), dtype=torch.bool)
    for row, one in enumerate(asked):
        for number in one.gold & place.keys():
            other_QP[row, place[number]] = number != right[row]
    return Draw(
        data.name,
        [one.text for one in asked],
        [data.passages[number] for number in passages],
        torch.tensor([place[number] for number in right]),
        other_QP,
    )


def mixed(drawn: Sequence[Drawn], how: How) -> Iterator[Draw]:
    """``how.steps`` batches of all sources; each step's source is drawn by its size to a power."""
    sizes = np.array([len(one.asked) for one in drawn], float) ** how.power
    rng = np.random.default_rng(how.seed)
    picks = rng.choice(len(drawn), size=how.steps, p=sizes / sizes.sum())
    running = [one.batches(np.random.default_rng((how.seed, at))) for at, one in enumerate(drawn)]
    for pick in picks:
        yield next(running[pick])


class Embedder(nn.Module):
    """An encoder that pools as it is served, `aegle.lm.encoder.pool`.

    Args:
        encoder: gives ``last_hidden_state`` (B, S, C).
        tokenizer: its own.
        pooling: ``mean``, or ``cls`` for the state of the first token.
    """

    def __init__(self, encoder: nn.Module, tokenizer: Tokenizer, *, pooling: str) -> None:
        super().__init__()
        self.encoder, self.tokenizer, self.pooling = encoder, tokenizer, pooling

    def forward(self, texts: Sequence[str], pieces: int) -> Tensor:
        """Pooled states (B, C), not of unit length; texts are cut to ``pieces`` word pieces."""
        ids_BS, mask_BS = tokens(self.tokenizer, texts, pieces)
        states_BSC: Tensor = self.encoder(
            input_ids=ids_BS, attention_mask=mask_BS
        ).last_hidden_state
        if self.pooling == "cls":
            return states_BSC[:, 0]
        mask_BS1 = mask_BS.unsqueeze(2).to(states_BSC.dtype)
        return (states_BSC * mask_BS1).sum(1) / mask_BS1.sum(1)


def tokens(tokenizer: Tokenizer, texts: Sequence[str], pieces: int) -> tuple[Tensor, Tensor]:
    """Ids and mask (B, S) of texts cut to so many pieces, the closing special token kept."""
    rows = [one.ids for one in tokenizer.encode_batch_fast(list(texts))]
    rows = [row if len(row) <= pieces else [*row[: pieces - 1], row[-1]] for row in rows]
    ids_BS = torch.zeros(len(rows), max(len(row) for row in rows), dtype=torch.long)
    mask_BS = torch.zeros_like(ids_BS)
    for at, row in enumerate(rows):
        ids_BS[at, : len(row)] = torch.tensor(row)
        mask_BS[at, : len(row)] = 1
    return ids_BS, mask_BS


def info_nce(
    questions_QC: Tensor,
    passages_PC: Tensor,
    right_Q: Tensor,
    other_QP: Tensor,
    *,
    temperature: float,
    dimensions: Sequence[int],
) -> Tensor:
    """Mean over ``dimensions`` of the loss of the first so many numbers, made unit vectors.

    The loss of a question is the cross-entropy of cosines / temperature over all passages, those
    left out that answer it, too (``other_QP``).
    """
    losses = []
    for size in dimensions:
        near_QP = (
            functional.normalize(questions_QC[:, :size], dim=1)
            @ functional.normalize(passages_PC[:, :size], dim=1).T
        )
        logits_QP = (near_QP / temperature).masked_fill(other_QP, -torch.inf)
        losses.append(functional.cross_entropy(logits_QP, right_Q))
    return torch.stack(losses).mean()
