"""Candidates: the names of a terminology that are spelt or put most like a given one.

Words and runs of three characters, each weighted by how rare it is, in one inverted index: a name
with a slip of the pen still shares most runs, a name in another order still shares its words. With
an encoder, the best by spelling are ranked again by meaning.

References:
    Salton & Buckley (1988), Term-weighting approaches in automatic text retrieval.
    Neumann et al. (2019), ScispaCy (candidates by character runs of three).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aegle.lm.terms import fold, singular

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to rows of unit length: an Encoder's ``embed``."""

_WORD: Final = re.compile(r"[^\W_]+")
_WORD_BASE: Final = 1 << 32
"""Codes of words start here, codes of runs of three bytes end long before."""
_OWNER_BITS: Final = 28
"""Bits of a name's position beside a part's code in one number."""
_WORD_WEIGHT: Final = 1.5
"""How much a shared word counts beside a shared run of the same rarity; set once."""
_FIRST_SHARE: Final = 0.8
"""The share of a name's weight, rarest parts first, that candidates are searched by. The common
rest only ranks what that found: it is most of the postings and a little of the weight."""
_RANKED: Final = 64
"""Names that are scored in full."""


_NUMERALS: Final = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5"}


def plain(name: str) -> str:
    """A name as it is compared: folded words without plural, Roman numerals as digits."""
    words = (singular(word) for word in _WORD.findall(fold(name)))
    return " ".join(_NUMERALS.get(word, word) for word in words)


class Names:
    """An index of names, searched by spelling.

    N names, P postings, F parts (words and runs of three bytes).
    """

    def __init__(self, names: Iterable[str]) -> None:
        plains = [plain(name) for name in names]
        owners_P, codes_P = _parts_of(plains)
        pairs_P = np.unique(codes_P << _OWNER_BITS | owners_P)
        self._rows_P = (pairs_P & (1 << _OWNER_BITS) - 1).astype(np.int32)
        codes = pairs_P >> _OWNER_BITS
        self._codes_F, starts_F, counts_F = np.unique(codes, return_index=True, return_counts=True)
        self._ends_F = starts_F + counts_F
        self._starts_F = starts_F
        rarity_F = np.log1p(len(plains) / np.maximum(counts_F, 1))
        self._weights_F = rarity_F * np.where(self._codes_F >= _WORD_BASE, _WORD_WEIGHT, 1.0)
        squares_P = np.repeat(self._weights_F**2, counts_F)
        self._norms_N = np.sqrt(np.bincount(self._rows_P, squares_P, minlength=len(plains)))

    def __len__(self) -> int:
        return len(self._norms_N)

    def search(self, name: str, k: int) -> list[tuple[int, float]]:
        """The positions of the ``k`` names nearest in spelling, best first, with their cosine.

        A part that no name has still counts in the length of what is asked: what is half unknown
        is half as near.
        """
        parts, unknown = self._known(plain(name))
        if not len(parts) or not len(self):
            return []
        weights = self._weights_F[parts]
        squares = weights**2
        norm = float(np.sqrt(squares.sum() + unknown))
        first = int(np.searchsorted(np.cumsum(squares), _FIRST_SHARE * squares.sum())) + 1
        scores_N = self._dots(parts[:first], squares[:first]) / np.maximum(self._norms_N, 1e-9)
        most = min(max(k, _RANKED), len(self))
        best = np.argpartition(-scores_N, most - 1)[:most]
        best = np.sort(best[scores_N[best] > 0])
        scores = scores_N[best] * self._norms_N[best]
        for part, square in zip(parts[first:], squares[first:], strict=True):
            rows = self._rows_P[self._starts_F[part] : self._ends_F[part]]
            at = np.searchsorted(rows, best)
            scores += square * (rows[np.minimum(at, len(rows) - 1)] == best)
        scores /= self._norms_N[best] * norm
        order = np.lexsort((best, -scores))[:k]
        return [(int(best[i]), float(scores[i])) for i in order]

    def _known(self, text: str) -> tuple[NDArray[np.int64], float]:
        """The parts of a text that some name has, rarest first; the squared weight of the rest."""
        _, codes = _parts_of([text])
        codes = np.unique(codes)
        at = np.searchsorted(self._codes_F, codes)
        held = np.zeros(len(codes), bool)
        inside = at < len(self._codes_F)
        held[inside] = self._codes_F[at[inside]] == codes[inside]
        parts = at[held]
        rarest = np.log1p(float(len(self)))
        missing = codes[~held]
        unknown = float(np.where(missing >= _WORD_BASE, _WORD_WEIGHT, 1.0) @ np.ones(len(missing)))
        return parts[np.argsort(-self._weights_F[parts], kind="stable")], unknown * rarest

    def _dots(self, parts: NDArray[np.int64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
        ranges = [self._rows_P[self._starts_F[i] : self._ends_F[i]] for i in parts]
        weights = np.repeat(squares, [len(rows) for rows in ranges])
        dots = np.bincount(np.concatenate(ranges), weights, minlength=len(self))
        return dots.astype(np.float64, copy=False)


def likeness(a: str, b: str) -> float:
    """One less the share of characters to change to make ``b`` of ``a``, in [0, 1].

    References:
        Hyyro (2003), A bit-vector algorithm for computing Levenshtein and Damerau edit distances
        (a column of the table in the bits of one number; Python's have no longest).
    """
    longest = max(len(a), len(b))
    a, b = _without_shared_ends(a, b)
    if not a or not b:
        return 1 - max(len(a), len(b)) / longest if longest else 1.0
    at: dict[str, int] = {}
    for n, char in enumerate(a):
        at[char] = at.get(char, 0) | 1 << n
    every = (1 << len(a)) - 1
    last = 1 << len(a) - 1
    up, down, distance = every, 0, len(a)
    for char in b:
        equal = at.get(char, 0)
        zero = (((equal & up) + up) ^ up) | equal | down
        plus = down | ~(zero | up) & every
        minus = up & zero
        distance += (plus & last > 0) - (minus & last > 0)
        plus = plus << 1 | 1
        up = (minus << 1 | ~(zero | plus)) & every
        down = plus & zero & every
    return 1 - distance / longest


def _without_shared_ends(a: str, b: str) -> tuple[str, str]:
    """What two spellings differ in: the distance is the same, and a slip is a few characters."""
    start = _shared(a, b)
    a, b = a[start:], b[start:]
    end = _shared(a[::-1], b[::-1])
    return a[: len(a) - end], b[: len(b) - end]


def _shared(a: str, b: str) -> int:
    """How many characters two texts begin with alike."""
    return next(
        (n for n, (one, other) in enumerate(zip(a, b, strict=False)) if one != other),
        min(len(a), len(b)),
    )


class Vectors:
    """What names mean, as vectors: made when a name is first compared, then kept."""

    def __init__(self, names: Sequence[str], embed: Embed) -> None:
        self._names = names
        self._embed = embed
        self._kept: dict[int, NDArray[np.float16]] = {}

    def nearness(self, name: str, places: Sequence[int]) -> list[float]:
        """The cosine of ``name`` with each of the names at some places."""
        if not places:
            return []
        missing = [at for at in places if at not in self._kept]
        vectors = self._embed([name, *(self._names[at] for at in missing)])
        for at, vector in zip(missing, vectors[1:], strict=True):
            self._kept[at] = vector.astype(np.float16)
        return [float(self._kept[at] @ vectors[0]) for at in places]


def _parts_of(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which text each part belongs to, and the part's code: runs of three bytes, then words."""
    coded = [f" {text} ".encode() for text in texts]
    bytes_B = np.frombuffer(b"".join(coded), np.uint8).astype(np.int64)
    of_B = np.repeat(np.arange(len(coded)), [len(one) for one in coded])
    runs = bytes_B[:-2] << 16 | bytes_B[1:-1] << 8 | bytes_B[2:]
    whole = of_B[:-2] == of_B[2:]
    split = [text.split() for text in texts]
    words = [_WORD_BASE + zlib.crc32(word.encode()) for one in split for word in one]
    of_words = np.repeat(np.arange(len(split)), [len(one) for one in split])
    owners = np.concatenate((of_B[:-2][whole], of_words)).astype(np.int64)
    return owners, np.concatenate((runs[whole], np.array(words, np.int64)))
