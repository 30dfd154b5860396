"""Candidate sentences of the hits, and how well each answers the question."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from aegle.core.ports import Vectors
from aegle.core.records import Chunk, Hit
from aegle.lm.segment import sentences

Embed = Callable[[Sequence[str]], Vectors]

STOP: Final = frozenset(
    "a about all also an and any are as at be been before by can could did do does for from had "
    "has have having how i in into is it its list me more most of on or our out over please s she "
    "he him her his should show so some tell than that the their them then there these they this "
    "those to up us was we were what when where which while who whom whose why will with would you "
    "your name named called know known currently patient patients mrn between during".split()
)
"""Words that say nothing about what is asked."""

_WORD: Final = re.compile(r"[A-Za-z0-9]+(?:[-._:/][A-Za-z0-9]+)*")
_PARTS: Final = re.compile(r"[A-Za-z0-9]+")
_ANCHOR: Final = re.compile(r"(?=[^\s]*\d)(?=[^\s]*[A-Za-z.:-])[^\s]{3,}")


def stem(word: str) -> str:
    """A crude stem: it folds case and takes off plural and verb endings of longer words."""
    word = word.casefold()
    if any(letter.isdigit() for letter in word):
        return word
    for ending in ("ations", "ation", "ings", "ing", "ies", "ied", "ers", "er", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def content_words(text: str) -> list[str]:
    """The stems of the words that carry meaning, identifiers whole, in order, with repeats."""
    return [stem(word) for word in _WORD.findall(text) if word.casefold() not in STOP]


def anchors(question: str) -> list[str]:
    """Names in a question that evidence must contain: ids, hosts, asset tags, versions."""
    found = [match.strip("?,.;:()'\"") for match in _ANCHOR.findall(question)]
    return [word.casefold() for word in found if len(word) > 2]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence of a hit's chunk, with its characters in the document."""

    chunk: Chunk
    start: int
    end: int
    text: str
    words: frozenset[str]
    rank: int

    @property
    def context(self) -> frozenset[str]:
        """The words of the sentence's title, which tell whom or what it is about."""
        return frozenset(content_words(self.chunk.title))


def candidates(hits: Sequence[Hit], chunks: Sequence[Chunk], *, most: int = 160) -> list[Candidate]:
    """The sentences of the hits' chunks, best hits first, at most ``most``, without repeats."""
    rank = {hit.chunk_id: place for place, hit in enumerate(hits)}
    found: list[Candidate] = []
    seen: set[tuple[str, str]] = set()
    for chunk in sorted(chunks, key=lambda one: rank.get(one.id, len(rank))):
        for span in sentences(chunk.text):
            text = chunk.text[span.start : span.end]
            key = " ".join(_PARTS.findall(text.casefold()))
            if len(key) < 3 or (key, chunk.group) in seen:
                continue
            seen.add((key, chunk.group))
            start = chunk.start + span.start
            words = frozenset(content_words(text))
            found.append(Candidate(chunk, start, start + len(text), text, words, rank[chunk.id]))
            if len(found) == most:
                return found
    return found


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with its support for the question, in [0, 1]."""

    candidate: Candidate
    support: float
    cosine: float
    covered: frozenset[str]


def weigh(asked: Sequence[str], found: Sequence[Candidate]) -> dict[str, float]:
    """How much each asked word tells: rare among the candidates is worth more (smoothed idf)."""
    counts = Counter(word for one in found for word in one.words & set(asked))
    total = len(found) + 1
    return {word: math.log(1 + total / (1 + counts[word])) for word in asked}


def score(question: str, found: Sequence[Candidate], embed: Embed) -> list[Scored]:
    """Candidates with their support, best first.

    Support mixes the cosine of question and sentence, the weighted share of the question's words
    that the sentence and its title hold, and the place of the hit.
    """
    if not found:
        return []
    asked = list(dict.fromkeys(content_words(question)))
    weights = weigh(asked, found)
    total = sum(weights.values()) or 1.0
    texts = [f"{one.chunk.title}: {one.text}" for one in found]
    vectors = embed([question, *texts])
    cosines = np.clip(vectors[1:] @ vectors[0], 0.0, 1.0)
    scored = []
    for one, cosine in zip(found, cosines, strict=True):
        near = one.words | one.context
        covered = frozenset(word for word in asked if word in near or _inside(word, near))
        share = sum(weights[word] for word in covered) / total
        place = 1.0 / (1.0 + one.rank / 4)
        support = 0.5 * float(cosine) + 0.38 * share + 0.12 * place
        scored.append(Scored(one, min(1.0, support), float(cosine), covered))
    return sorted(scored, key=lambda s: (-s.support, s.candidate.chunk.id, s.candidate.start))


def _inside(word: str, words: frozenset[str]) -> bool:
    """Whether an identifier stands as a part of a longer one (``pump-42`` in ``pump-42:8443``)."""
    return any(letter.isdigit() for letter in word) and any(word in other for other in words)
