"""BIO tags and spans: tags of words from labelled characters, and the best legal tags of logits.

Letters: W words, L labels, T = 2 L + 1 tags: O, then B and I of each label.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from aegle.lm.pieces import Ints

Floats = NDArray[np.float32]


def tags_of(spans_W2: Ints, labels: Iterable[tuple[int, int, int]]) -> tuple[Ints, int]:
    """(tags (W,), how many labels no word shows).

    A label covers the words that overlap it. Of labels that meet in one word the first counts, the
    other can't be shown.

    Args:
        spans_W2: characters of the words, ascending.
        labels: (start, end, place of the label), not overlapping.
    """
    tags_W = np.zeros(len(spans_W2), np.int64)
    lost = 0
    for start, end, label in sorted(labels):
        low = int(np.searchsorted(spans_W2[:, 1], start, side="right"))
        high = int(np.searchsorted(spans_W2[:, 0], end, side="left"))
        if low >= high or tags_W[low:high].any():
            lost += 1
            continue
        tags_W[low:high] = 2 + 2 * label
        tags_W[low] = 1 + 2 * label
    return tags_W, lost


def decode(logits_WT: Floats, *, bias: float = 0.0) -> list[tuple[int, int, int, float]]:
    """The best legal tags as (first word, word after the last, label, score in [0, 1]).

    Viterbi over sums of log probabilities; I of a label follows only B or I of it. The score is the
    geometric mean of the probabilities that the words are of the label.

    Args:
        logits_WT: of one text's words.
        bias: added to the logit of O; below 0 finds more.
    """
    num_words = len(logits_WT)
    if not num_words:
        return []
    logits = logits_WT.astype(np.float64)
    logits[:, 0] += bias
    log_WT = logits - _log_sum(logits)
    path = _viterbi(log_WT)
    found = []
    at = 0
    while at < num_words:
        tag = int(path[at])
        if tag == 0:
            at += 1
            continue
        label, begin = (tag - 1) // 2, at
        at += 1
        while at < num_words and path[at] == 2 + 2 * label:
            at += 1
        both = np.logaddexp(log_WT[begin:at, 1 + 2 * label], log_WT[begin:at, 2 + 2 * label])
        found.append((begin, at, label, float(np.exp(both.mean()))))
    return found


def _log_sum(logits_WT: NDArray[np.float64]) -> NDArray[np.float64]:
    most = logits_WT.max(1, keepdims=True)
    total: NDArray[np.float64] = most + np.log(np.exp(logits_WT - most).sum(1, keepdims=True))
    return total


def _viterbi(log_WT: NDArray[np.float64]) -> Ints:
    """The legal path of the highest sum.

    The best tag before O or any B is the best of all; before I of a label it is B or I of it. So a
    step costs T, not T squared.
    """
    num_words, num_tags = log_WT.shape
    begins = np.arange(1, num_tags, 2)
    insides = begins + 1
    score_T = log_WT[0].copy()
    score_T[insides] = -np.inf
    came_WT = np.zeros((num_words, num_tags), np.int64)
    for word in range(1, num_words):
        top = int(score_T.argmax())
        from_begin = score_T[begins] >= score_T[insides]
        came_WT[word] = top
        came_WT[word, insides] = np.where(from_begin, begins, insides)
        new_T = score_T[top] + log_WT[word]
        new_T[insides] = np.maximum(score_T[begins], score_T[insides]) + log_WT[word, insides]
        score_T = new_T
    path_W = np.zeros(num_words, np.int64)
    path_W[-1] = int(score_T.argmax())
    for word in range(num_words - 1, 0, -1):
        path_W[word - 1] = came_WT[word, path_W[word]]
    return path_W


def to_characters(
    found: Sequence[tuple[int, int, int, float]], spans_W2: Ints
) -> list[tuple[int, int, int, float]]:
    """Spans of words as spans of characters."""
    return [
        (int(spans_W2[first, 0]), int(spans_W2[after - 1, 1]), label, score)
        for first, after, label, score in found
    ]
