"""Names of nodes, to be looked up by the words of a question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from aegle.core.records import Node
from aegle.lm.terms import phrase

_LONGEST: Final = 8
"""Words of the longest name that is indexed; terminologies have some of forty, nobody asks them."""


class NameIndex:
    """Node names and codes by their folded, singular words."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        by_words: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        for node in nodes:
            if node.type == "chunk":
                continue
            code = node.key.partition(":")[2]
            # Most keys are the name itself in small letters: the same words, taken apart once.
            spellings = [node.name] if code == node.name.casefold() else [node.name, code]
            for words in {phrase(one) for one in spellings}:
                if 0 < len(words) <= _LONGEST:
                    by_words[words].add(node.key)
        self._by_words = {words: tuple(sorted(keys)) for words, keys in by_words.items()}

    def find(self, words: Sequence[str]) -> tuple[str, ...]:
        """The keys of nodes called exactly so (`aegle.lm.terms.phrase` makes the words)."""
        return self._by_words.get(tuple(words), ())
