"""Entity heads fitted to the encoder that serves: what INT8 changed, and labels that are rare.

A head is linear, and the states under it are computed once by the exported graph, so this costs one
reading of the training texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from aegle.lm.encoder import open_session
from aegle.lm.heads import Classifier
from aegle.lm.pieces import Ints
from aegle.lm.spans import Floats
from aegle.lm.tagger import Head
from aegle.train.batches import TagData
from aegle.train.calibrate import of_tags
from aegle.train.network import Network
from aegle.train.predict import tag_scores, word_starts

SIZE: Final = 2048
"""Padded pieces that the graph reads at once."""
_EPOCHS: Final = 6
_WORDS: Final = 512
_RATE: Final = 2e-3
_DROPOUT: Final = 0.1
_ENOUGH: Final = 500
"""Entities that dev must hold to tell a better head from a lucky one."""


@dataclass(frozen=True, slots=True)
class States:
    """What an encoder says of a corpus's words, in their order.

    Attributes:
        rows_WC: float16.
        tags_W: what each word is.
        starts_T: where each text's words begin, and the end.
    """

    rows_WC: Floats
    tags_W: Ints
    starts_T: Ints

    def logits(self, weight_TC: Floats, bias_T: Floats) -> list[Floats]:
        """(W, T) of each text."""
        rows = self.rows_WC.astype(np.float32) @ weight_TC.T + bias_T
        return np.split(rows, self.starts_T[1:-1])


def states(
    graph: Path,
    data: TagData,
    *,
    threads: int = 0,
    told: Callable[[int], None] = lambda words: None,
) -> States:
    """Read a corpus by an exported graph.

    Args:
        graph: ``model.onnx`` of a tagger.
        data: the corpus.
        threads: of the session; 0: as many as there are cores.
        told: takes after each batch how many words were read.
    """
    session = open_session(graph, threads)
    starts = word_starts(data)
    rows: Floats | None = None
    tags = np.zeros(int(starts[-1]), np.int64)
    for batch in data.batches(size=SIZE, seed=None):
        asked = {
            "input_ids": batch.ids_BS,
            "attention_mask": batch.mask_BS,
            "cases": batch.cases_BS,
        }
        (said_BSC,) = session.run(["states"], asked)
        if rows is None:
            rows = np.zeros((len(tags), said_BSC.shape[2]), np.float16)
        which = starts[batch.words_N2[:, 0]] + batch.words_N2[:, 1]
        rows[which] = said_BSC[batch.rows_N, batch.places_N]
        tags[which] = batch.tags_N
        told(len(which))
    return States(np.zeros((0, 1), np.float16) if rows is None else rows, tags, starts)


def fit_heads(
    net: Network,
    graph: Path,
    train: Mapping[str, TagData],
    dev: Mapping[str, TagData],
    told: Mapping[str, Head | Classifier],
    *,
    seed: int,
) -> dict[str, Head | Classifier]:
    """Fit the network's entity heads to its graph, in place, and calibrate them on its states.

    A head with few dev entities is calibrated only; one without dev texts stays as it is.

    Args:
        net: the network that was exported.
        graph: its ``model.onnx``.
        train, dev: task -> corpus.
        told: task -> labels and calibration of each head.
        seed: see `refit`.
    """
    found = dict(told)
    for task, head in told.items():
        if not isinstance(head, Head) or task not in dev:
            continue
        asked, layer = states(graph, dev[task]), net.heads[task]
        if sum(len(one.labels) for one in dev[task].examples) >= _ENOUGH:
            learned = states(graph, train[task])
            layer.load_state_dict(refit(learned, asked, dev[task], layer.state_dict(), seed=seed))
        now = layer.state_dict()
        logits = asked.logits(*(now[name].cpu().numpy() for name in ("weight", "bias")))
        found[task] = Head(head.labels, *of_tags(logits, dev[task]))
    return found


def refit(
    train: States,
    dev: States,
    told: TagData,
    head: Mapping[str, Tensor],
    *,
    seed: int,
    steps: int = 0,
) -> dict[str, Tensor]:
    """A head after some epochs more on states that do not change, if dev F1 says so.

    Args:
        train, dev: of the head's corpora.
        told: dev, for the score.
        head: ``weight`` (T, C) and ``bias`` (T,); it is where the fit begins.
        seed: of the order of words, and of dropout.
        steps: at the least; a head that begins at nothing needs some hundreds.

    Returns:
        The head of the best epoch, or the given one where none was better.
    """
    torch.manual_seed(seed)
    weight, bias = (
        head[name].detach().cpu().clone().requires_grad_() for name in ("weight", "bias")
    )
    optimiser = torch.optim.AdamW([weight, bias], lr=_RATE)
    rows, tags = torch.from_numpy(train.rows_WC), torch.from_numpy(train.tags_W)
    best, found = _score(dev, told, weight, bias), dict(head)
    epochs = max(_EPOCHS, -(-steps * _WORDS // max(len(tags), 1)))
    for epoch in range(epochs):
        for group in optimiser.param_groups:
            group["lr"] = _RATE * (1 - epoch / epochs)
        for some in torch.split(torch.randperm(len(tags)), _WORDS):
            words = functional.dropout(rows[some].float(), _DROPOUT)
            loss = functional.cross_entropy(words @ weight.T + bias, tags[some])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        score = _score(dev, told, weight, bias)
        if score > best:
            best = score
            found = {"weight": weight.detach().clone(), "bias": bias.detach().clone()}
    return found


def _score(dev: States, told: TagData, weight: Tensor, bias: Tensor) -> float:
    logits = dev.logits(weight.detach().numpy(), bias.detach().numpy())
    return tag_scores(logits, told).f1.value
