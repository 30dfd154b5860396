"""Log templates by Drain: a line's constant words, with <*> where its parameters stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

ANY: Final = "<*>"

_VALUE: Final = re.compile(
    r"0[xX][0-9a-fA-F]+"
    r"|(?<![0-9A-Za-z])(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{6,}(?![0-9A-Za-z])"
    r"|-?\d+(?:[.:,/_-]\d+)*"
)
_CACHE: Final = 1 << 15
_MOST_CHILDREN: Final = 100
_MOST_IN_LEAF: Final = 100


class Template:
    """A group of lines that differ in parameters only."""

    __slots__ = ("count", "id", "words")

    def __init__(self, id: int, words: list[str]) -> None:
        self.id = id
        self.words = words
        self.count = 0

    def __str__(self) -> str:
        return " ".join(self.words)

    def values(self, words: Sequence[str]) -> list[str]:
        """The words of a line that stand where this template has parameters."""
        return [word for mine, word in zip(self.words, words, strict=False) if ANY in mine]


class Miner:
    """Finds the template of each line of one file, online.

    The parse tree is Drain's with depth 4: lines of one length, then one first word (a word with
    digits counts as a parameter), then the most similar template. Numbers are masked inside words
    before, and lines that were the same after masking are looked up, not compared: that cache is
    what makes it fast. Memory is bounded: where a leaf is full, its lines share one template.

    Args:
        similarity: least share of equal words for a line to join a template, in [0, 1].

    References:
        He et al. (2017), Drain: an online log parsing approach with fixed depth tree.
    """

    def __init__(self, similarity: float = 0.7) -> None:
        self._similarity = similarity
        self._leaves: dict[tuple[int, str], list[Template]] = {}
        self._children: dict[int, int] = {}
        self._masked: dict[str, str] = {}
        self._known: dict[tuple[str, ...], Template] = {}
        self.templates: list[Template] = []

    def add(self, words: Sequence[str]) -> Template:
        """The template of a line, given its words; the template may widen by it."""
        shape = tuple([self._mask(word) for word in words])
        found = self._known.get(shape)
        if found is None:
            found = self._match(shape)
            if len(self._known) >= _CACHE:
                self._known.clear()
            self._known[shape] = found
        found.count += 1
        return found

    def _mask(self, word: str) -> str:
        masked = self._masked.get(word)
        if masked is None:
            masked = _VALUE.sub(ANY, word)
            if len(self._masked) >= _CACHE:
                self._masked.clear()
            self._masked[word] = masked
        return masked

    def _match(self, shape: tuple[str, ...]) -> Template:
        leaf = self._leaf(shape)
        best, best_score = None, (-1.0, -1)
        for template in leaf:
            same = sum(map(str.__eq__, template.words, shape))
            score = (same / (len(shape) or 1), -sum(w == ANY for w in template.words))
            if score > best_score:
                best, best_score = template, score
        if best is None or (best_score[0] < self._similarity and len(leaf) < _MOST_IN_LEAF):
            best = Template(len(self.templates), list(shape))
            self.templates.append(best)
            leaf.append(best)
            return best
        for place, word in enumerate(shape):
            if best.words[place] != word:
                best.words[place] = ANY
        return best

    def _leaf(self, shape: tuple[str, ...]) -> list[Template]:
        size = len(shape)
        first = shape[0] if shape and ANY not in shape[0] else ANY
        leaf = self._leaves.get((size, first))
        if leaf is None and self._children.get(size, 0) >= _MOST_CHILDREN:
            first = ANY
            leaf = self._leaves.get((size, first))
        if leaf is None:
            self._children[size] = self._children.get(size, 0) + 1
            leaf = self._leaves.setdefault((size, first), [])
        return leaf
