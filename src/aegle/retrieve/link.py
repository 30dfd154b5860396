"""From a question to the nodes of the graph that it speaks of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from aegle.lm.terms import STOP_WORDS, phrase

LONGEST = 8
"""Words of the longest name that is looked for."""


def link(
    question: str,
    *,
    match: Callable[[Sequence[str]], Sequence[str]],
    extract: Callable[[str], Iterable[str]],
) -> list[str]:
    """The keys of the nodes that a question names, each once.

    First what ``extract`` finds in the question by terminologies and patterns, then every name that
    ``match`` knows, longest first; words that a longer name took are not looked at again
    (``chronic kidney disease`` does not also name ``kidney``).

    Args:
        question: a question or a few key words.
        match: words of a name (`aegle.lm.terms.phrase`) -> keys of the nodes called so.
        extract: a text -> keys of the entities in it.
    """
    keys = dict.fromkeys(extract(question))
    words = phrase(question)
    taken = [False] * len(words)
    for length in range(min(LONGEST, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            span = range(start, start + length)
            if any(taken[i] for i in span) or not _says_something(words[start : start + length]):
                continue
            found = match(words[start : start + length])
            if found:
                keys |= dict.fromkeys(found)
                for i in span:
                    taken[i] = True
    return list(keys)


def _says_something(words: Sequence[str]) -> bool:
    """Whether words may be a name: not only function words, not a lone letter or short number."""
    telling = [word for word in words if word not in STOP_WORDS]
    return any(len(word) > 2 or (len(word) == 2 and not word.isdigit()) for word in telling)
