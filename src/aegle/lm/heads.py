"""What the heads beside the tags make of a text's states: mentions, pairs of things, whole texts.

The encoder's pass is shared; these are small and run in numpy.

Letters: M mentions, K things, P pairs, S words of a text, C width of the states, F width of a
head's hidden layer, L labels.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

DISTANCES: Final = 10
"""Steps of the distance between two things: the base-2 logarithm of the words between."""
_CELLS: Final = 1 << 21
"""Numbers of all tables of the pairs that are judged at a time, about: 8 MB."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """A head that is no tag head.

    Attributes:
        kind: ``span``, ``pair``, ``worded`` (a pair told by words alone) or ``text``.
        labels: in the order of its outputs; a pair's outputs begin with "none".
        things: of a pair head: the labels that things can have.
        temperature: divides the logits; of a worded head the log odds that anything relates two.
        bias: added to the logit of "none" (tuned on dev).
    """

    kind: str
    labels: tuple[str, ...]
    things: tuple[str, ...] = ()
    temperature: float = 1.0
    bias: float = 0.0


def span_logits(weights: Mapping[str, Array], head: str, pooled_MC: Array) -> Array:
    """(M, L): a hidden layer with ReLU, then labels."""
    hidden_MF = np.maximum(_dense(weights, f"classifiers.{head}.hidden", pooled_MC), 0)
    return _dense(weights, f"classifiers.{head}.out", hidden_MF)


def pair_logits(
    weights: Mapping[str, Array],
    head: str,
    *,
    things_KC: Array,
    kinds_K: NDArray[np.int64],
    states_SC: Array,
    pairs_P2: NDArray[np.int64],
    near_P: NDArray[np.int64],
) -> Array:
    """(P, 1 + L): none, then labels; the same whichever of a pair comes first.

    Args:
        weights: of the heads.
        head: its name.
        things_KC: the mean of each thing's mentions.
        kinds_K: place of each thing's label among the head's things.
        states_SC: the text's words, to which each pair attends.
        pairs_P2: places of the things.
        near_P: `nearness` of the nearest mentions.
    """
    step = max(1, _CELLS // (2 * len(states_SC) + 12 * states_SC.shape[1]))
    return np.concatenate(
        [
            _pair_logits(
                weights,
                f"classifiers.{head}",
                things_KC=things_KC,
                kinds_K=kinds_K,
                states_SC=states_SC,
                pairs_P2=pairs_P2[start : start + step],
                near_P=near_P[start : start + step],
            )
            for start in range(0, max(1, len(pairs_P2)), step)
        ]
    )


def _pair_logits(
    weights: Mapping[str, Array],
    name: str,
    *,
    things_KC: Array,
    kinds_K: NDArray[np.int64],
    states_SC: Array,
    pairs_P2: NDArray[np.int64],
    near_P: NDArray[np.int64],
) -> Array:
    left_PC, right_PC = things_KC[pairs_P2[:, 0]], things_KC[pairs_P2[:, 1]]
    both_PC = left_PC + right_PC
    asked_PC = _dense(weights, f"{name}.ask", both_PC)
    scores_PS = asked_PC @ states_SC.T / np.sqrt(states_SC.shape[1])
    told_PC = softmax(scores_PS) @ states_SC
    features = np.concatenate([both_PC, left_PC * right_PC, abs(left_PC - right_PC), told_PC], 1)
    hidden_PF = _dense(weights, f"{name}.hidden", features)
    count = int(np.sqrt(len(weights[f"{name}.kinds.weight"])))
    low, high = np.sort(kinds_K[pairs_P2], 1).T
    hidden_PF = hidden_PF + weights[f"{name}.kinds.weight"][low * count + high]
    hidden_PF = hidden_PF + weights[f"{name}.near.weight"][near_P]
    return _dense(weights, f"{name}.out", np.maximum(hidden_PF, 0))


def nearness(left: Sequence[int], right: Sequence[int]) -> int:
    """The step of the fewest words between two things' mentions, 0 to `DISTANCES` - 1."""
    few, many = sorted((left, right), key=len)
    ordered = sorted(many)
    gap = min(_gap(ordered, int(one)) for one in few)
    return min(gap.bit_length(), DISTANCES - 1)


def _gap(ordered: Sequence[int], place: int) -> int:
    """How far the nearest of some places is, which are in order."""
    at = bisect_left(ordered, place)
    return min(abs(int(one) - place) for one in ordered[max(at - 1, 0) : at + 1])


def softmax(x: Array) -> Array:
    """Over the last axis."""
    shifted = np.exp(x - x.max(-1, keepdims=True))
    out: Array = shifted / shifted.sum(-1, keepdims=True)
    return out


def _dense(weights: Mapping[str, Array], name: str, x: Array) -> Array:
    out: Array = x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
    return out


def read_weights(tensors: Mapping[str, Any]) -> dict[str, Array]:
    """As 32-bit floats."""
    return {name: np.asarray(value, np.float32) for name, value in tensors.items()}
