"""What the words of a text say of two things that it names: features with names, and their weights.

A linear model of some thirty thousand such features relates the concepts of an abstract better than
a head on the encoder's states does (docs/decisions/0064), and can say why.

Letters: K things, P pairs, F features, L labels.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aegle.lm.heads import Classifier
from aegle.lm.segment import sentences

Array = NDArray[np.float32]
Features = dict[str, float]
Thing = tuple[str, Sequence[tuple[int, int]]]
"""A label, and the stretches of characters that name it, in order."""

_TOKEN: Final = re.compile(r"[^\W\d_]+|\d+|[^\s\w]")
_ENDINGS: Final = ("ations", "ation", "ings", "ing", "ions", "ion", "ies", "ed", "es", "ive", "al",
                   "s", "e")  # fmt: skip
_DENIALS: Final = frozenset(("no", "not", "without", "neither", "nor", "lack", "fail"))
_NEAREST: Final = 3
"""So many of the nearest mentions of two things tell what stands between them."""
_FAR: Final = 20
"""Words between two mentions beyond which what stands there is not read."""
_SIDE: Final = 12
"""Words between two mentions that stand side by side."""
_MENTIONS: Final = 30
"""Mentions of a thing that are compared with another's."""


@dataclass(frozen=True, slots=True)
class PairWords:
    """Weights of features.

    Attributes:
        place: feature -> row.
        related_F: for the log odds that anything relates the two.
        types_FL: for the logits of what does.
        offsets_L1: what is added to each: log odds first, then types.
    """

    place: Mapping[str, int]
    related_F: Array
    types_FL: Array
    offsets_L1: Array

    @classmethod
    def read(cls, weights: Mapping[str, Any], head: str) -> PairWords:
        """Those of a head among a tagger's tensors.

        Raises:
            KeyError: they are not there.
        ValueError: their sizes do not agree.
        """
        stem = f"words.{head}"
        names = np.asarray(weights[f"{stem}.names"], np.uint8).tobytes().decode().split("\n")
        related_F, types_FL, offsets_L1 = (
            np.asarray(weights[f"{stem}.{part}"], np.float32)
            for part in ("related", "types", "offsets")
        )
        place = {name: row for row, name in enumerate(names)}
        if not len(place) == len(related_F) == len(types_FL) or types_FL.ndim != 2:
            raise ValueError(
                f"{len(place)} features, {related_F.shape} and {types_FL.shape} weights"
            )
        return cls(place, related_F, types_FL, offsets_L1)

    def tensors(self, head: str) -> dict[str, NDArray[Any]]:
        """As they are kept: half precision, and the features' names as bytes."""
        stem = f"words.{head}"
        names = "\n".join(sorted(self.place, key=self.place.__getitem__)).encode()
        return {
            f"{stem}.names": np.frombuffer(names, np.uint8),
            f"{stem}.related": self.related_F.astype(np.float16),
            f"{stem}.types": self.types_FL.astype(np.float16),
            f"{stem}.offsets": self.offsets_L1,
        }

    def logits(self, features: Features) -> Array:
        """(1 + L,): the log odds that a pair is related, then the logits of how."""
        known = [
            (self.place[name], value) for name, value in features.items() if name in self.place
        ]
        rows = np.array([row for row, _ in known], np.int64)
        values = np.array([value for _, value in known], np.float32)
        related = values @ self.related_F[rows]
        types_L = values @ self.types_FL[rows]
        return np.asarray(np.concatenate([[related], types_L]) + self.offsets_L1, np.float32)


def pairs_of(things: Sequence[Thing]) -> Iterator[tuple[int, int]]:
    """The places of each two things, in the order that features are told."""
    yield from combinations(range(len(things)), 2)


def features(text: str, things: Sequence[Thing]) -> Iterator[Features]:
    """What a text says of each two of some things, in the order of `pairs_of`.

    The first line, or sentence, is taken for the title.

    Args:
        text: some hundred words.
        things: with characters of this text.
    """
    told = _Text(text, things)
    for one, other in pairs_of(things):
        first, second = sorted((one, other), key=lambda n: (told.kinds[n], told.spans[n][0]))
        yield _of_pair(told, first, second)


class _Text:
    """A text's tokens and sentences, and where its things stand in them.

    A token of a thing's name has no form: names don't tell what relates them.
    """

    def __init__(self, text: str, things: Sequence[Thing]) -> None:
        low = text.lower() if len(text.lower()) == len(text) else text
        self.kinds = [kind for kind, _ in things]
        self.spans = [sorted(spans) for _, spans in things]
        self.size = max(len(text), 1)
        spans = sentences(text)
        self._firsts = [one.start for one in spans] or [0]
        line = low.find("\n")
        self.title_end = line if line >= 0 else (spans[0].end if spans else 0)
        tokens = [(m.start(), m.group()) for m in _TOKEN.finditer(low)]
        self._starts = [start for start, _ in tokens]
        self.forms: list[str | None] = [stem(token) for _, token in tokens]
        self.firsts = [[self._token(a) for a, _ in each] for each in self.spans]
        self.afters = [[self._token(b) for _, b in each] for each in self.spans]
        for firsts, afters in zip(self.firsts, self.afters, strict=True):
            for first, after in zip(firsts, afters, strict=True):
                self.forms[first:after] = [None] * (after - first)
        self.said: list[set[str]] = [set() for _ in self._firsts]
        for start, form in zip(self._starts, self.forms, strict=True):
            if form and len(form) > 2:
                self.said[self.sentence(start)].add(form)
        self.where = [Counter(self.sentence(a) for a, _ in each) for each in self.spans]
        self.crowd = [sum(n in each for each in self.where) for n in range(len(self._firsts))]
        self._meet()
        self.of_kind = Counter(self.kinds)
        self.names = [
            " ".join(Counter(low[a:b] for a, b in each).most_common(1)[0][0].split())
            for each in self.spans
        ]

    def _meet(self) -> None:
        """In how many sentences each two things stand together."""
        count = len(self.spans)
        self.together = np.zeros((count, count), np.int64)
        for a, b in combinations(range(count), 2):
            shared = len(self.where[a].keys() & self.where[b].keys())
            self.together[a, b] = self.together[b, a] = shared
        self.most, self.sum = self.together.max(1, initial=0), self.together.sum(1)

    def _token(self, at: int) -> int:
        return bisect_left(self._starts, at)

    def sentence(self, at: int) -> int:
        """The number of the sentence that a character stands in."""
        return max(bisect_right(self._firsts, at) - 1, 0)

    def rank(self, thing: int) -> int:
        """How many things of its kind have more mentions."""
        own = len(self.spans[thing])
        return sum(
            len(spans) > own and kind == self.kinds[thing]
            for spans, kind in zip(self.spans, self.kinds, strict=True)
        )

    def near(self, a: int, b: int) -> list[tuple[int, int, int, int, int]]:
        """(words between, first of a, first of b, after a, after b) of mentions, nearest first."""
        found = []
        for x, after_x in zip(self.firsts[a][:_MENTIONS], self.afters[a], strict=False):
            for y, after_y in zip(self.firsts[b][:_MENTIONS], self.afters[b], strict=False):
                between = y - after_x if y >= x else x - after_y
                found.append((between, x, y, after_x, after_y))
        return sorted(found, key=lambda one: one[0])


def scaled(logits_P1L: Array, told: Classifier) -> Array:
    """(P, 1 + L) logits of "nothing" and of each label, of what `PairWords.logits` gives."""
    types_PL = logits_P1L[:, 1:]
    most_P1 = types_PL.max(1, keepdims=True)
    total_P1 = most_P1 + np.log(np.exp(types_PL - most_P1).sum(1, keepdims=True))
    related_PL = logits_P1L[:, :1] / np.float32(told.temperature) + types_PL - total_P1
    none_P1 = np.full((len(logits_P1L), 1), told.bias, np.float32)
    return np.asarray(np.concatenate([none_P1, related_PL], 1), np.float32)


@lru_cache(maxsize=1 << 15)
def stem(token: str) -> str:
    """A word without its ending, roughly: ``inhibits``, ``inhibited`` and ``inhibition`` meet."""
    for ending in _ENDINGS:
        if token.endswith(ending) and len(token) - len(ending) > 3:
            return token[: -len(ending)]
    return token


def _of_pair(told: _Text, a: int, b: int) -> Features:
    kind = f"{told.kinds[a]}-{told.kinds[b]}"
    shared = sorted(told.where[a].keys() & told.where[b].keys())
    near = told.near(a, b)
    places = _places(told, a, b, shared, near)
    found: Features = {f"is {kind}": 1.0}
    for name, value in places.items():
        if value:
            found[name] = value
            found[f"{name} & {kind}"] = value
    for words in (_between(told, near, kind), _in_sentences(told, shared, kind)):
        found.update(dict.fromkeys(words, 1.0))
    titled = int(places["a in title"] + places["b in title"])
    found.update(dict.fromkeys((f"title {form} & {titled}" for form in told.said[0]), 0.5))
    for thing in (a, b):
        found[f"name {told.kinds[thing]} {told.names[thing]}"] = 1.0
    return found


def _places(
    told: _Text, a: int, b: int, shared: Sequence[int], near: Sequence[tuple[int, ...]]
) -> Features:
    """Where two things stand, and how often."""
    met, counts = len(shared), sorted((len(told.spans[a]), len(told.spans[b])))
    in_a, in_b = (float(told.spans[n][0][0] < told.title_end) for n in (a, b))
    every = len(told.where[a].keys() | told.where[b].keys())
    last = len(told.said) - 2
    apart = min(abs(x - y) for x in told.where[a] for y in told.where[b])
    return {
        "sentences": math.log1p(met),
        "meet": float(met > 0),
        "fewer mentions": math.log1p(counts[0]),
        "more mentions": math.log1p(counts[1]),
        "sentences apart": float(min(apart, 5)),
        "a in title": in_a,
        "b in title": in_b,
        "both in title": in_a * in_b,
        "one in title": max(in_a, in_b),
        "meet at the end": float(any(n >= last for n in shared)),
        "meet at the start": float(0 in shared),
        "such pairs": math.log(told.of_kind[told.kinds[a]] * told.of_kind[told.kinds[b]]),
        "things": math.log(len(told.kinds)),
        "rank of a": math.log1p(told.rank(a)),
        "rank of b": math.log1p(told.rank(b)),
        "share of a": met / max(1, int(told.sum[a])),
        "share of b": met / max(1, int(told.sum[b])),
        "best of a": float(met > 0 and met == told.most[a]),
        "best of b": float(met > 0 and met == told.most[b]),
        "crowd": math.log(min((told.crowd[n] for n in shared), default=30)),
        "start of a": told.spans[a][0][0] / told.size,
        "start of b": told.spans[b][0][0] / told.size,
        "overlap": met / every,
        "nearest": math.log1p(max(near[0][0], 0)),
        "side by side": math.log1p(sum(one[0] < _SIDE for one in near)),
    }


def _between(told: _Text, near: Sequence[tuple[int, ...]], kind: str) -> Iterator[str]:
    """The words between the nearest mentions, and beside them."""
    forms = told.forms
    for between, x, y, after_x, after_y in near[:_NEAREST]:
        if between > _FAR:
            return
        low, high = (after_x, y) if y >= x else (after_y, x)
        way = f"{kind}{'>' if y >= x else '<'}"
        words = [form for form in forms[low:high] if form]
        for word in words:
            yield f"between {word}"
            yield f"between {word} & {way}"
        if len(words) <= 4:
            yield f"between {way} {' '.join(words)}"
        sides = (
            ("before a", x - 1),
            ("before b", y - 1),
            ("after a", after_x),
            ("after b", after_y),
        )
        for side, at in sides:
            if 0 <= at < len(forms) and (form := forms[at]):
                yield f"{side} {form}"
                yield f"{side} {form} & {kind}"


def _in_sentences(told: _Text, shared: Sequence[int], kind: str) -> Iterator[str]:
    """The words of the sentences that name both."""
    for number in shared:
        for word in told.said[number]:
            yield f"said {word}"
            yield f"said {word} & {kind}"
        if told.said[number] & _DENIALS:
            yield f"denied & {kind}"
