"""Tags of a corpus by a network: logits of words, spans, scores against gold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from aegle.lm.pieces import Ints
from aegle.lm.spans import Floats, decode, to_characters
from aegle.metrics.extraction import Scores, scores
from aegle.train.batches import Batch, TagData
from aegle.train.heads import mention_logits, relation_logits, tensors
from aegle.train.mentions import Mentions
from aegle.train.network import Network


def word_logits(
    net: Network, data: TagData, *, size: int, tasks: tuple[str, ...] = ()
) -> dict[str, list[Floats]]:
    """For each task the logits (W, T) of each text's words, without dropout.

    Args:
        net: the network; it is left in the mode that it was in.
        data: the texts; their own labels play no part.
        size: padded pieces in a batch, about.
        tasks: which heads; the data's own when empty.
    """
    wanted = tasks or (data.task,)
    starts = word_starts(data)
    out = {
        task: np.zeros((int(starts[-1]), int(net.heads[task].out_features)), np.float32)  # type: ignore[arg-type]
        for task in wanted
    }
    for batch, states in _states(net, data, size):
        rows, places = tensors(net, batch.rows_N, batch.places_N)
        chosen = states[rows, places]
        which = starts[batch.words_N2[:, 0]] + batch.words_N2[:, 1]
        for task in wanted:
            out[task][which] = net.tag(task, chosen).float().cpu().numpy()
    return {task: np.split(rows_WT, starts[1:-1]) for task, rows_WT in out.items()}


def word_starts(data: TagData) -> Ints:
    """(texts + 1,) where each text's words begin when all stand in one row."""
    return np.concatenate([[0], np.cumsum([len(text.first_W) for text in data.texts])])


@dataclass(frozen=True, slots=True)
class Judged:
    """What is there and what was found, row by row, and the text that each row is of."""

    gold: Sequence[set[Any]]
    found: Sequence[set[Any]]
    texts: Sequence[int]

    def scores(self, data: TagData) -> Scores:
        """Micro scores with intervals by the corpus's groups."""
        return scores(
            self.gold, self.found, groups=[data.examples[one].group for one in self.texts]
        )


def tag_scores(logits: Sequence[Floats], data: TagData, *, bias: float = 0.0) -> Scores:
    """Exact-span micro scores of a corpus's word logits; ``bias``: see `aegle.lm.spans.decode`."""
    return _judged_tags(logits, data, bias).scores(data)


def _judged_tags(logits: Sequence[Floats], data: TagData, bias: float = 0.0) -> Judged:
    found = [
        {
            (start, end, data.labels[label])
            for start, end, label, _ in to_characters(decode(rows, bias=bias), text.spans_W2)
        }
        for rows, text in zip(logits, data.texts, strict=True)
    ]
    gold = [{(one.start, one.end, one.label) for one in ex.labels} for ex in data.examples]
    return Judged(gold, found, range(len(data.examples)))


def score(net: Network, data: TagData, *, size: int) -> dict[str, Scores]:
    """Scores of every head that a corpus tells of: its own, and its pairs'."""
    return {name: one.scores(data) for name, one in judge(net, data, size=size).items()}


def judge(net: Network, data: TagData, *, size: int) -> dict[str, Judged]:
    """What `score` counts, of every head that a corpus tells of."""
    found = {}
    if data.kind == "tags":
        found[data.task] = _judged_tags(word_logits(net, data, size=size)[data.task], data)
    else:
        found[data.task] = _judged_classes(class_logits(net, data, size=size), data)
    if data.pairs:
        found[data.pairs] = _judged_pairs(pair_logits(net, data, size=size), data)
    return found


Told = tuple[int, int, int, Floats]
"""Text, mention (of a pair: low thing x `_THINGS` + high thing), what it is, and the logits."""

_THINGS: Final = 1 << 20


def class_logits(net: Network, data: TagData, *, size: int) -> list[Told]:
    """(text, mention, class, logits) of each mention of a span or text corpus.

    A text in several windows has several; so has its mention.
    """
    out: list[Told] = []
    for batch, states in _states(net, data, size):
        targets, logits = mention_logits(net, batch, states)
        names = batch.mentions.names_M2.tolist() if batch.mentions else []
        rows = logits.float().cpu().numpy()
        out += [
            (text, number, target, row)
            for (text, number), target, row in zip(names, targets.tolist(), rows, strict=True)
        ]
    return out


def class_scores(told: Sequence[Told], data: TagData, *, bias: float = 0.0) -> Scores:
    """Micro scores of a span head's classes but the first, or of a text head's, by group."""
    return _judged_classes(told, data, bias).scores(data)


def _judged_classes(told: Sequence[Told], data: TagData, bias: float = 0.0) -> Judged:
    first = 1 if data.kind == "span" else 0
    texts, gold, found = [], [], []
    for text, number, target, row in told:
        texts.append(text)
        best = int((row + bias * (np.arange(len(row)) == 0)).argmax())
        gold.append({(number, target)} if target >= first else set())
        found.append({(number, best)} if best >= first else set())
    return Judged(gold, found, texts)


def pair_logits(net: Network, data: TagData, *, size: int) -> list[Told]:
    """(text, pair, class, logits) of each pair of things that share a window."""
    out: list[Told] = []
    for batch, states in _states(net, data, size):
        related, logits = relation_logits(net, batch, states)
        told = batch.mentions
        if told is None or not len(related):
            continue
        rows = logits.float().cpu().numpy()
        out += [
            (text, key, target, row)
            for (text, key), target, row in zip(
                pair_keys(told).tolist(), related.tolist(), rows, strict=True
            )
        ]
    return out


def pair_keys(told: Mentions) -> Ints:
    """(P, 2): the text of each pair, and its number there as in `Told`."""
    of_thing_K = np.zeros(len(told.rows_K), np.int64)
    of_thing_K[told.things_I2[:, 0]] = told.names_M2[told.things_I2[:, 1], 0]
    things_P2 = np.sort(told.numbers_K[told.pairs_P2], 1)
    keys_P = things_P2[:, 0] * _THINGS + things_P2[:, 1]
    return np.stack([of_thing_K[told.pairs_P2[:, 0]], keys_P], 1)


def pair_scores(told: Sequence[Told], data: TagData, *, bias: float = 0.0) -> Scores:
    """Micro scores of the relations found, by group; those across windows count as missed.

    Of a pair that shares several windows the surest decision counts.
    """
    return _judged_pairs(told, data, bias).scores(data)


def _judged_pairs(told: Sequence[Told], data: TagData, bias: float = 0.0) -> Judged:
    found: list[dict[int, tuple[float, int]]] = [{} for _ in data.examples]
    for text, key, _, row in told:
        shifted = row + bias * (np.arange(len(row)) == 0)
        best = int(shifted.argmax())
        sure = -float(np.log(np.exp(shifted - shifted.max()).sum()))
        if key not in found[text] or sure > found[text][key][0]:
            found[text][key] = (sure, best)
    gold = [
        {(low * _THINGS + high, kind) for (low, high), kind in one.related.items()}
        for one in data.told
    ]
    said = [{(key, best) for key, (_, best) in some.items() if best} for some in found]
    return Judged(gold, said, range(len(data.examples)))


def _states(net: Network, data: TagData, size: int) -> Iterator[tuple[Batch, Tensor]]:
    training = net.training
    net.eval()
    with torch.no_grad():
        for batch in data.batches(size=size, seed=None):
            yield batch, net.states(*tensors(net, batch.ids_BS, batch.mask_BS, batch.cases_BS))
    net.train(training)


def macro_f1(by_task: Mapping[str, Scores]) -> float:
    """The mean F1 of tasks: what early stopping looks at."""
    return sum(one.f1.value for one in by_task.values()) / len(by_task)
