"""Weights of what words say of two things (`aegle.lm.pair_words`), fitted to annotated relations.

Two linear models: whether anything relates a pair (logistic), and how (softmax over those that are
related). Both by L-BFGS with an L2 penalty: minutes of one processor for some hundred abstracts.

Letters: P pairs, F features, L labels, D texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]  # it ships no types
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
from scipy.special import expit, logsumexp  # type: ignore[import-untyped]

from aegle.core.errors import InputError, StoppedError
from aegle.core.examples import Example
from aegle.lm.heads import Classifier
from aegle.lm.pair_words import Features, PairWords, Thing, features, pairs_of, scaled

Floats = NDArray[np.float64]

LEAST: Final = 5
"""Pairs that must have a feature."""
PENALTY_RELATED: Final = 100.0
PENALTY_TYPES: Final = 20.0
"""Of squared weights; chosen, as `LEAST`, by five folds of BioRED's training abstracts."""
FOLDS: Final = 5
_ROUNDS: Final = 150
_BIASES: Final = np.round(np.arange(-2, 1.01, 0.05), 2)


@dataclass(frozen=True, slots=True)
class PairData:
    """Pairs of some texts.

    Attributes:
        told: features of each pair.
        types_P: what relates it, 1 to L; 0: nothing.
        texts_P: the number of its text.
        relations_D: how many of the labels are annotated in each text, those of unknown things and
            a pair's further ones too.
    """

    told: list[Features]
    types_P: NDArray[np.int64]
    texts_P: NDArray[np.int64]
    relations_D: NDArray[np.int64]


def things_of(one: Example, names: Sequence[str]) -> list[tuple[tuple[int, ...], Thing]]:
    """The things of an example whose label is known: places of their mentions, and the thing."""
    found: list[tuple[tuple[int, ...], Thing]] = []
    for places in one.things or tuple((at,) for at in range(len(one.labels))):
        kind = one.labels[places[0]].label
        if kind in names:
            spans = sorted((one.labels[at].start, one.labels[at].end) for at in places)
            found.append((places, (kind, spans)))
    return found


def pair_data(
    examples: Sequence[Example], labels: Sequence[str], things: Sequence[str]
) -> PairData:
    """The pairs of examples that are labelled by the names of their things.

    Args:
        examples: with ``things`` and ``pairs``.
        labels: of relations; others count as nothing.
        things: labels of things; others are left out.
    """
    told: list[Features] = []
    types: list[int] = []
    texts: list[int] = []
    place = {label: 1 + at for at, label in enumerate(labels)}
    for number, one in enumerate(examples):
        known = things_of(one, things)
        related = {
            frozenset((p.head, p.tail)): place[p.label] for p in one.pairs if p.label in place
        }
        told += features(str(one.text), [thing for _, thing in known])
        for a, b in pairs_of([thing for _, thing in known]):
            types.append(related.get(frozenset((known[a][0], known[b][0])), 0))
            texts.append(number)
    counts_D = np.array([sum(p.label in place for p in one.pairs) for one in examples], np.int64)
    return PairData(told, np.array(types, np.int64), np.array(texts, np.int64), counts_D)


def fit_pairs(
    data: PairData,
    labels: Sequence[str],
    things: Sequence[str],
    *,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[PairWords, Classifier]:
    """Weights, and what a reader needs to know of them.

    The scale and the bias of the log odds come from folds of texts that the weights had not seen:
    the scale so that they are probabilities, the bias so that most relations are found (F1).

    Raises:
        InputError: fewer texts with relations than folds.
        StoppedError: ``stop`` said so.
    """
    texts = np.unique(data.texts_P)
    if len(np.unique(data.texts_P[data.types_P > 0])) < FOLDS:
        raise InputError(f"relations are learned from at least {FOLDS} texts that have some")
    fold_of = np.random.default_rng(seed).permutation(int(texts.max()) + 1) % FOLDS
    folds_P = fold_of[data.texts_P]
    logits_P1L = np.zeros((len(data.told), 1 + len(labels)), np.float32)
    for fold in range(FOLDS):
        if stop():
            raise StoppedError(
                "the fit of relations was stopped; nothing was written", resumes=False
            )
        held = folds_P == fold
        words = _fit(data, ~held, len(labels))
        for at in np.flatnonzero(held):
            logits_P1L[at] = words.logits(data.told[at])
        progress(fold + 1, FOLDS + 1)
    warm = 1 / _scale(logits_P1L[:, 0].astype(np.float64), data.types_P > 0)
    told = Classifier("worded", tuple(labels), tuple(things), warm)
    told = replace(told, bias=_bias(scaled(logits_P1L, told), data))
    words = _fit(data, np.ones(len(data.told), bool), len(labels))
    progress(FOLDS + 1, FOLDS + 1)
    return words, told


def _fit(data: PairData, chosen_P: NDArray[np.bool_], labels: int) -> PairWords:
    told = [data.told[at] for at in np.flatnonzero(chosen_P)]
    types_P = data.types_P[chosen_P]
    seen = Counter(name for one in told for name in one)
    place = {name: row for row, name in enumerate(sorted(n for n, c in seen.items() if c >= LEAST))}
    table_PF = _table(told, place)
    related_P = types_P > 0
    related_F1 = _logistic(table_PF, related_P)
    types_F1L = _softmax(table_PF[related_P], types_P[related_P] - 1, labels)
    return PairWords(
        place,
        related_F1[:-1].astype(np.float32),
        types_F1L[:-1].astype(np.float32),
        np.concatenate([related_F1[-1:], types_F1L[-1]]).astype(np.float32),
    )


def _table(told: Sequence[Features], place: dict[str, int]) -> csr_matrix:
    """(P, F + 1): the features known, and a one."""
    columns, values, ends = [], [], [0]
    for one in told:
        known = [(place[name], value) for name, value in one.items() if name in place]
        columns += [column for column, _ in known] + [len(place)]
        values += [value for _, value in known] + [1.0]
        ends.append(len(columns))
    return csr_matrix((values, columns, ends), (len(told), len(place) + 1))


def _logistic(table_PF: csr_matrix, true_P: NDArray[np.bool_]) -> Floats:
    """(F,) that minimise the log loss and the penalty; the last, the offset, is free."""
    sign_P = np.where(true_P, 1.0, -1.0)

    def loss(w_F: Floats) -> tuple[float, Floats]:
        margin_P = sign_P * (table_PF @ w_F)
        held_F = PENALTY_RELATED * np.append(w_F[:-1], 0)
        value = np.logaddexp(0, -margin_P).sum() + 0.5 * held_F @ w_F
        return float(value), table_PF.T @ (-sign_P * expit(-margin_P)) + held_F

    return _least(loss, table_PF.shape[1])


def _softmax(table_PF: csr_matrix, types_P: NDArray[np.int64], labels: int) -> Floats:
    """(F, L), in the same way."""
    rows, size = np.arange(len(types_P)), table_PF.shape[1]

    def loss(w: Floats) -> tuple[float, Floats]:
        w_FL = w.reshape(size, labels)
        logits_PL = table_PF @ w_FL
        log_PL = logits_PL - logsumexp(logits_PL, axis=1, keepdims=True)
        held_FL = PENALTY_TYPES * w_FL
        held_FL[-1] = 0
        share_PL = np.exp(log_PL)
        share_PL[rows, types_P] -= 1
        value = -log_PL[rows, types_P].sum() + 0.5 * (held_FL * w_FL).sum()
        return float(value), (table_PF.T @ share_PL + held_FL).ravel()

    return _least(loss, size * labels).reshape(size, labels)


def _least(loss: Callable[[Floats], tuple[float, Floats]], size: int) -> Floats:
    found = minimize(
        loss, np.zeros(size), jac=True, method="L-BFGS-B", options={"maxiter": _ROUNDS}
    )
    return np.asarray(found.x, np.float64)


def _scale(odds_P: Floats, true_P: NDArray[np.bool_]) -> float:
    """What the log odds are to be multiplied by for the least log loss."""
    sign_P = np.where(true_P, 1.0, -1.0)
    tried = np.geomspace(0.5, 2.0, 29)
    losses = [np.logaddexp(0, -sign_P * odds_P * one).sum() for one in tried]
    return float(tried[int(np.argmin(losses))])


def _bias(logits_P1L: NDArray[np.float32], data: PairData) -> float:
    """What is added to "nothing" for the best F1 of pairs with their type."""
    best_P, odds_P = 1 + logits_P1L[:, 1:].argmax(1), logits_P1L[:, 1:].max(1)

    def f1(bias: float) -> float:
        said_P = odds_P > bias
        right = (said_P & (best_P == data.types_P)).sum()
        return float(2 * right / max(1, said_P.sum() + data.relations_D.sum()))

    return float(max(map(float, _BIASES), key=lambda one: (f1(one), -abs(one))))
