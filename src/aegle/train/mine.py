"""Hard negatives: passages that look like an answer, by their words or by the graph, and are none.

References:
    Karpukhin et al. (2020), Dense Passage Retrieval: negatives from BM25.
    Robertson & Zaragoza (2009), The Probabilistic Relevance Framework: BM25 and Beyond.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aegle.train.data.beir import Asked, RetrievalData

K1: Final = 1.2
B: Final = 0.75
_WORD: Final = re.compile(r"[^\W_]+")


class Lexical:
    """BM25 over some passages, held in memory."""

    def __init__(self, passages: Sequence[str]) -> None:
        counts = [Counter(words(one)) for one in passages]
        lengths_P = np.array([sum(one.values()) for one in counts], np.float64)
        norms_P = K1 * (1 - B + B * lengths_P / max(1.0, float(lengths_P.mean())))
        rows: dict[str, list[tuple[int, float]]] = {}
        for number, one in enumerate(counts):
            for word, count in one.items():
                share = count * (K1 + 1) / (count + norms_P[number])
                rows.setdefault(word, []).append((number, share))
        self._postings: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        for word, found in rows.items():
            weight = math.log(1 + (len(passages) - len(found) + 0.5) / (len(found) + 0.5))
            places, shares = zip(*found, strict=True)
            self._postings[word] = np.array(places), weight * np.array(shares)
        self._size = len(passages)

    def scores(self, question: str) -> NDArray[np.float64]:
        """The score of each passage (P,), 0 without a word in common."""
        total_P = np.zeros(self._size)
        for word in set(words(question)):
            if word in self._postings:
                places, weights = self._postings[word]
                total_P[places] += weights
        return total_P

    def top(self, question: str, k: int) -> list[int]:
        """The best passages that share a word, best first, ties by number."""
        scores_P = self.scores(question)
        order = np.argsort(-scores_P, kind="stable")[:k]
        return [int(n) for n in order if scores_P[n] > 0]


def words(text: str) -> list[str]:
    """Lower-case words and numbers."""
    return _WORD.findall(text.lower())


class Miner:
    """Hard negatives of one source; its passages are indexed once."""

    def __init__(self, data: RetrievalData) -> None:
        self._data, self._index = data, Lexical(data.passages)

    def by_words(self, one: Asked, *, k: int) -> list[int]:
        """The ``k`` best passages by BM25 that don't answer a question and may be learned from."""
        # Passages that are held out may stand before those that may be used.
        best = self._index.top(one.text, 4 * k + len(one.gold))
        return self._kept(one, best)[:k]

    def by_graph(self, one: Asked, *, k: int) -> list[int]:
        """The neighbours in the graph of what answers a question, nearest first."""
        links = self._data.links
        return self._kept(one, [n for gold in sorted(one.gold) for n in links.get(gold, ())])[:k]

    def _kept(self, one: Asked, found: Iterable[int]) -> list[int]:
        return [n for n in dict.fromkeys(found) if n not in one.gold and n in self._data.free]
