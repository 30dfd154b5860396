"""The passage of another document that looks most like the evidence of a statement: BM25."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

_WORD: Final = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*")
_STOP: Final = frozenset(
    "a an and are as at be been by can for from had has have in into is it its may of on or that "
    "the their these this to was were which with".split()
)
_K1, _B = 1.2, 0.75


def terms(text: str) -> list[str]:
    """Lower-case words without a plural ending, and without words that stand everywhere."""
    words = [one for one in _WORD.findall(text.lower()) if one not in _STOP]
    return [w[:-1] if len(w) > 3 and w.endswith("s") and w[-2] != "s" else w for w in words]


class Neighbours:
    """An index of some texts.

    References:
        Robertson & Zaragoza (2009), The Probabilistic Relevance Framework: BM25 and Beyond.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        lengths = []
        for place, text in enumerate(texts):
            counts = Counter(terms(text))
            lengths.append(sum(counts.values()))
            for term, count in counts.items():
                self._postings[term].append((place, count))
        self._lengths = np.array(lengths, float)
        self._arrays: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}

    def idf(self, term: str) -> float:
        """How rare a term is, above 0."""
        df = len(self._postings.get(term, ()))
        return math.log(1 + (len(self.texts) - df + 0.5) / (df + 0.5))

    @cached_property
    def _norms(self) -> NDArray[np.float64]:
        mean = float(self._lengths.mean()) if len(self._lengths) else 1.0
        return np.asarray(_K1 * (1 - _B + _B * self._lengths / max(mean, 1e-9)))

    def nearest(self, text: str, *, most: int = 20) -> list[int]:
        """Places of the nearest texts, nearest first."""
        scores = np.zeros(len(self.texts))
        for term in set(terms(text)):
            if term not in self._postings or len(self._postings[term]) > len(self.texts) * 0.3 + 5:
                continue
            if term not in self._arrays:
                rows = np.array(self._postings[term])
                self._arrays[term] = (rows[:, 0], rows[:, 1].astype(float))
            places, counts = self._arrays[term]
            scores[places] += self.idf(term) * counts * (_K1 + 1) / (counts + self._norms[places])
        order = np.argsort(-scores, kind="stable")[:most]
        return [int(one) for one in order if scores[one] > 0]

    def share(self, claim: str, text: str) -> float:
        """The share of a claim's terms, by their rarity, that a text holds, in [0, 1]."""
        wanted = set(terms(claim))
        total = sum(self.idf(one) for one in wanted)
        held = sum(self.idf(one) for one in wanted & set(terms(text)))
        return held / total if total else 0.0
