"""Tags of a corpus by a network: logits of words, spans, scores against gold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from aegle.lm.spans import Floats, decode, to_characters
from aegle.metrics.extraction import Scores, scores
from aegle.train.batches import TagData
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
    out: dict[str, list[Floats]] = {
        task: [
            np.zeros((len(text.first_W), int(net.heads[task].out_features)), np.float32)  # type: ignore[arg-type]
            for text in data.texts
        ]
        for task in wanted
    }
    device = next(net.parameters()).device
    training = net.training
    net.eval()
    with torch.no_grad():
        for batch in data.batches(size=size, seed=None):
            parts = (batch.ids_BS, batch.mask_BS, batch.cases_BS)
            states = net.states(*(torch.from_numpy(part).to(device) for part in parts))
            chosen = states[torch.from_numpy(batch.rows_N), torch.from_numpy(batch.places_N)]
            for task in wanted:
                logits = net.tag(task, chosen).float().cpu().numpy()
                for (text, word), row in zip(batch.words_N2.tolist(), logits, strict=True):
                    out[task][text][word] = row
    net.train(training)
    return out


def tag_scores(net: Network, data: TagData, *, size: int) -> Scores:
    """Exact-span micro scores of a network on a corpus."""
    logits = word_logits(net, data, size=size)[data.task]
    found = [
        {
            (start, end, data.labels[label])
            for start, end, label, _ in to_characters(decode(rows), text.spans_W2)
        }
        for rows, text in zip(logits, data.texts, strict=True)
    ]
    gold = [{(one.start, one.end, one.label) for one in ex.labels} for ex in data.examples]
    return scores(gold, found, groups=[one.group for one in data.examples])


def macro_f1(by_task: Mapping[str, Scores]) -> float:
    """The mean F1 of tasks: what early stopping looks at."""
    return sum(one.f1.value for one in by_task.values()) / len(by_task)
