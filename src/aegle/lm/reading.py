"""What a tagger read: what stands in a text, and answers about its mentions, pairs and whole.

Letters: W words of a text, C width of the states, M mentions, K things.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from aegle.core.errors import NotFoundError
from aegle.lm.heads import Classifier, nearness, pair_logits, softmax, span_logits
from aegle.lm.pair_words import PairWords, features, scaled
from aegle.lm.pieces import Ints, words_of
from aegle.lm.spans import Floats

Halves = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Found:
    """Characters [start, end) of a text with a label and the probability of it."""

    start: int
    end: int
    label: str
    score: float


class States:
    """The states of a text's words, by block.

    Args:
        counts: words of each block.
        width: of a state.
        block: the states of a block by its place.
    """

    def __init__(self, counts: Sequence[int], width: int, block: Callable[[int], Halves]) -> None:
        self._firsts = [0, *accumulate(counts)]
        self._width = width
        self._block = block

    def __len__(self) -> int:
        return self._firsts[-1]

    def of(self, first: int, after: int) -> Floats:
        """(after - first, C) of the words [first, after)."""
        rows: list[Floats] = [np.zeros((0, self._width), np.float32)]
        place = max(bisect_right(self._firsts, first) - 1, 0)
        while place < len(self._firsts) - 1 and self._firsts[place] < after:
            start = self._firsts[place]
            rows.append(
                self._block(place)[max(first - start, 0) : after - start].astype(np.float32)
            )
            place += 1
        return np.concatenate(rows)

    def mean(self, first: int, after: int) -> Floats:
        """(C,) of the words [first, after); zeros where there are none."""
        total = np.zeros(self._width, np.float32)
        place = max(bisect_right(self._firsts, first) - 1, 0)
        for start, end in zip(self._firsts[place:], self._firsts[place + 1 :], strict=False):
            if start >= after:
                break
            total += self.of(max(start, first), min(end, after)).sum(0)
        out: Floats = total / np.float32(max(after - first, 1))
        return out


@dataclass(frozen=True, slots=True)
class Reading:
    """A text read once: what stands in it, and its states for the questions that follow.

    Attributes:
        found: label set -> spans, in order, without overlap.
    """

    _text: str
    found: Mapping[str, Sequence[Found]]
    _states: States
    _spans_W2: Ints
    _heads: Mapping[str, Classifier]
    _weights: Mapping[str, Floats]
    _worded_heads: Mapping[str, PairWords]

    def spans(self, head: str, spans: Sequence[tuple[int, int]]) -> Floats:
        """(spans, labels) probabilities of what each stretch of characters is.

        Raises:
            NotFoundError: no such head.
        """
        told = self._told(head, "span")
        if not spans:
            return np.zeros((0, len(told.labels)), np.float32)
        pooled_MC = np.stack([self._mean([span]) for span in spans])
        return softmax(span_logits(self._weights, head, pooled_MC) / told.temperature)

    def classes(self, head: str) -> Floats:
        """(labels,) probabilities of what the whole text is.

        Raises:
            NotFoundError: no such head.
        """
        told = self._told(head, "text")
        pooled_1C = self._states.mean(0, len(self._states))[np.newaxis]
        scaled: Floats = softmax(span_logits(self._weights, head, pooled_1C) / told.temperature)[0]
        return scaled

    def pairs(
        self,
        head: str,
        things: Sequence[tuple[str, Sequence[tuple[int, int]]]],
        *,
        within: tuple[int, int] | None = None,
    ) -> Floats:
        """(things, things, 1 + labels) probabilities, symmetric; the first is "nothing".

        Args:
            head: its name.
            things: of each its label and all stretches of characters that name it.
            within: the characters whose words tell of them; the whole text when None. The head
                learned within windows, so of a long text give some hundred words.

        Raises:
            NotFoundError: no such head, or a label that its things can't have.
        """
        told = self._told(head, "pair", "worded")
        if strange := sorted({kind for kind, _ in things} - set(told.things)):
            raise NotFoundError(f"the head {head!r} relates no {', '.join(strange)}")
        count = len(things)
        out = np.zeros((count, count, 1 + len(told.labels)), np.float32)
        out[..., 0] = 1
        low, high = np.triu_indices(count, 1)
        first, after = self._words(within) if within else (0, len(self._states))
        if not len(low) or first == after:
            return out
        if told.kind == "worded":
            out[low, high] = out[high, low] = self._worded(head, told, things, within)
            return out
        starts = [[self._words(span)[0] for span in spans] for _, spans in things]
        logits = pair_logits(
            self._weights,
            head,
            things_KC=np.stack([self._mean(spans) for _, spans in things]),
            kinds_K=np.array([told.things.index(kind) for kind, _ in things], np.int64),
            states_SC=self._states.of(first, after),
            pairs_P2=np.stack([low, high], 1),
            near_P=np.array(
                [nearness(starts[a], starts[b]) for a, b in zip(low, high, strict=True)]
            ),
        )
        logits /= told.temperature
        logits[:, 0] += told.bias
        out[low, high] = out[high, low] = softmax(logits)
        return out

    def _worded(
        self,
        head: str,
        told: Classifier,
        things: Sequence[tuple[str, Sequence[tuple[int, int]]]],
        within: tuple[int, int] | None,
    ) -> Floats:
        """(pairs, 1 + labels) of a head that reads words, not states."""
        start, end = within or (0, len(self._text))
        inside = [
            (kind, [(max(a, start) - start, min(b, end) - start) for a, b in spans])
            for kind, spans in things
        ]
        words = self._worded_heads[head]
        logits = np.stack([words.logits(one) for one in features(self._text[start:end], inside)])
        return softmax(scaled(logits, told))

    def _told(self, head: str, *kinds: str) -> Classifier:
        told = self._heads.get(head)
        if told is None or told.kind not in kinds:
            known = [name for name, one in self._heads.items() if one.kind in kinds]
            raise NotFoundError(
                f"no {kinds[0]} head {head!r}; there are: {', '.join(known) or 'none'}"
            )
        return told

    def _words(self, span: tuple[int, int]) -> tuple[int, int]:
        return words_of(self._spans_W2, *span)

    def _mean(self, spans: Sequence[tuple[int, int]]) -> Floats:
        """(C,): the mean over mentions of the means over their words, as in training."""
        means = [
            self._states.mean(first, after)
            for first, after in map(self._words, spans)
            if first < after
        ]
        out: Floats = np.mean(means, 0) if means else self._states.mean(0, 0)
        return out
