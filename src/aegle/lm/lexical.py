"""What the forms of words alone say of their tags: a linear model over hashed features.

An encoder that has learned a few hundred texts by heart is too sure of what it has merely seen. A
linear model of forms errs elsewhere, and the two together are better than either (a product of
experts, Hinton 2002). A word's features are its form, its shape, its beginnings and ends, those of
its neighbours, and pairs of them. They are hashed (Weinberger et al. 2009): no list of words is
kept, and any text has features.

Letters: W words, F features of a word, R rows that are kept, T tags.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from aegle.core.turns import turn
from aegle.lm.pieces import Ints

BITS: Final = 20
"""A feature is a number of so many bits. Of a million few are kept, so that one that was never seen
seldom meets one of them."""

_FORMS: Final = 50_000
_REACH: Final = 3
_TOGETHER: Final = 1024
"""Words that are summed at a time: they take little memory, and others get a turn."""
_AFFIX: Final = (2, 3, 4, 5)
_RUN: Final = re.compile(r"(.)\1{2,}", re.DOTALL)
_KINDS: Final = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "X" * 26 + "x" * 26 + "0" * 10
)

_WORD, _SHAPE, _BEGIN, _END = 0, 1, 2, 6
_TOKEN, _TOKEN_SHAPE, _PLACE = 11, 12, 13
_COLUMNS: Final = 14
_END3: Final = _END + 2

_Atom = tuple[int, int]
"""A neighbour (-1: the word before) and what of it."""

FEATURES: Final[tuple[tuple[_Atom, ...], ...]] = (
    *(((0, column),) for column in range(_COLUMNS)),
    *(((step, _WORD),) for step in (-3, -2, -1, 1, 2, 3)),
    *(((step, column),) for step in (-2, -1, 1, 2) for column in (_SHAPE, _END3)),
    *(((low, _WORD), (high, _WORD)) for low, high in ((-1, 0), (0, 1), (-2, -1), (1, 2), (-1, 1))),
    *(((0, column), (step, _WORD)) for column in (_SHAPE, _END3) for step in (-1, 1)),
    *(((0, _END3), (step, _END3)) for step in (-1, 1)),
    *(((0, _SHAPE), (step, _SHAPE)) for step in (-1, 1)),
    tuple((step, _SHAPE) for step in (-1, 0, 1)),
)
"""A feature is what one, two or three words beside each other are."""


def features(text: str, spans_W2: Ints) -> NDArray[np.int64]:
    """(W, F) numbers in [0, 2 ** `BITS`) of each word's features.

    Args:
        text: any.
        spans_W2: characters of its words, ascending.
    """
    count = len(spans_W2)
    if not count:
        return np.zeros((0, len(FEATURES)), np.int64)
    told = np.zeros((count + 2 * _REACH, _COLUMNS), np.uint64)
    told[_REACH : _REACH + count, :_TOKEN] = [
        _form(text[start:end]) for start, end in spans_W2.tolist()
    ]
    told[_REACH : _REACH + count, _TOKEN:] = _tokens(text, spans_W2)
    hashed = np.empty((len(FEATURES), count), np.uint64)
    for number, atoms in enumerate(FEATURES):
        row = hashed[number]
        row[:] = number
        for step, column in atoms:
            row *= np.uint64(0x9E3779B97F4A7C15)
            row += told[_REACH + step : _REACH + step + count, column]
    hashed *= np.uint64(0xBF58476D1CE4E5B9)
    hashed ^= hashed >> np.uint64(31)
    hashed *= np.uint64(0x94D049BB133111EB)
    return np.ascontiguousarray((hashed >> np.uint64(64 - BITS)).T).astype(np.int64)


@lru_cache(_FORMS)
def _form(word: str) -> tuple[int, ...]:
    """Hashes of a word's form, shape, beginnings and ends; 1 for what it is too short for."""
    lower = word.lower()
    size = len(lower)
    begins = [_hash(lower[:n]) if size >= n else 1 for n in _AFFIX]
    ends = [_hash(lower[-n:]) if size >= n else 1 for n in (1, *_AFFIX)]
    return (_hash(lower), _hash(_shape(word)), *begins, *ends)


@lru_cache(_FORMS)
def _token(word: str) -> tuple[int, int]:
    return _hash(word.lower()), _hash(_shape(word))


def _shape(word: str) -> str:
    """Letters as X and x, digits as 0, of more than two alike two."""
    return _RUN.sub(r"\1\1", word.translate(_KINDS))


def _hash(some: str) -> int:
    return crc32(some.encode("utf-8", "surrogatepass")) + 2


def _tokens(text: str, spans_W2: Ints) -> Ints:
    """(W, 3): form and shape of what stands between spaces about each word, and where it stands."""
    apart = spans_W2[1:, 0] > spans_W2[:-1, 1]
    first = np.concatenate([[True], apart])
    last = np.concatenate([apart, [True]])
    starts, ends = spans_W2[first, 0].tolist(), spans_W2[last, 1].tolist()
    told = np.array([_token(text[a:b]) for a, b in zip(starts, ends, strict=True)], np.int64)
    place = 2 + first + 2 * last
    return np.concatenate([told[np.cumsum(first) - 1], place[:, None]], 1)


class Lexical:
    """What is added to a tagger's logits.

    Args:
        tensors: of ``lexical.safetensors``. For a head H: ``H.rows`` which features are kept, a bit
            each; ``H.counts`` how many tags each of them speaks of; ``H.columns`` which, and
            ``H.values`` how strongly, in steps of ``H.scale``; ``H.bias`` (T,).
        places: head -> its first column among all tags, and the weight with which it is added.
        width: of all tags.

    Raises:
        KeyError: a head has no tensors.
    """

    def __init__(
        self,
        tensors: Mapping[str, NDArray[np.generic]],
        places: Mapping[str, tuple[int, float]],
        width: int,
    ) -> None:
        ids, columns, values = [], [], []
        self._bias = np.zeros(width)
        for head, (first, weight) in places.items():
            bias = tensors[f"{head}.bias"].astype(np.float64)
            self._bias[first : first + len(bias)] = weight * bias
            own = np.flatnonzero(np.unpackbits(tensors[f"{head}.rows"].view(np.uint8)))
            ids.append(np.repeat(own, tensors[f"{head}.counts"].astype(np.int64)))
            columns.append(first + tensors[f"{head}.columns"].astype(np.int64))
            scale = weight * float(tensors[f"{head}.scale"].astype(np.float64)[0])
            values.append(scale * tensors[f"{head}.values"].astype(np.float64))
        joined = np.concatenate(ids)
        order = np.argsort(joined, kind="stable")
        rows, starts, counts = np.unique(joined[order], return_index=True, return_counts=True)
        self._columns, self._values = (np.concatenate(some)[order] for some in (columns, values))
        self._starts, self._counts = np.append(starts, 0), np.append(counts, 0)
        self._row_of = np.full(1 << BITS, len(rows), np.int32)
        self._row_of[rows] = np.arange(len(rows))

    def logits(self, text: str, spans_W2: Ints) -> NDArray[np.float32]:
        """(W, all tags): zeros for a head that has no part in it."""
        features_WF = features(text, spans_W2)
        out = np.empty((len(features_WF), len(self._bias)), np.float32)
        for start in range(0, len(out), _TOGETHER):
            some = slice(start, start + _TOGETHER)
            out[some] = self._summed(features_WF[some])
            turn()
        return out

    def _summed(self, features_WF: Ints) -> NDArray[np.float32]:
        width = len(self._bias)
        rows_N = self._row_of[features_WF.ravel()]
        kept = np.flatnonzero(self._counts[rows_N])
        rows_N = rows_N[kept]
        counts_N = self._counts[rows_N]
        total = int(counts_N.sum())
        first_N = self._starts[rows_N] - (np.cumsum(counts_N) - counts_N)
        entries = np.repeat(first_N, counts_N) + np.arange(total)
        words = np.repeat(kept // len(FEATURES), counts_N)
        summed = np.bincount(
            words * width + self._columns[entries],
            weights=self._values[entries],
            minlength=len(features_WF) * width,
        )
        out: NDArray[np.float32] = (summed.reshape(-1, width) + self._bias).astype(np.float32)
        return out


def packed(
    kept: Ints, weight_RT: NDArray[np.float32], bias_T: NDArray[np.float32], *, head: str
) -> dict[str, NDArray[np.generic]]:
    """A head's tensors, as `Lexical` reads them.

    Args:
        kept: features, ascending.
        weight_RT: what each says of each tag; 0 is left out.
        bias_T: added to every word's.
        head: its name.
    """
    some = weight_RT.any(1)
    kept, weight_RT = kept[some], weight_RT[some]
    bits = np.zeros(1 << BITS, bool)
    bits[kept] = True
    scale = max(float(np.abs(weight_RT).max(initial=0)), 1e-6) / 127
    steps = np.round(weight_RT / scale).astype(np.int8)
    there = steps != 0
    bits[kept[~there.any(1)]] = False
    return {
        f"{head}.rows": np.packbits(bits),
        f"{head}.counts": there.sum(1)[there.any(1)].astype(np.uint8),
        f"{head}.columns": np.nonzero(there)[1].astype(np.uint8),
        f"{head}.values": steps[there],
        f"{head}.scale": np.array([scale], np.float32),
        f"{head}.bias": bias_T.astype(np.float32),
    }
