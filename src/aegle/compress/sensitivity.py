"""What each layer's quantisation alone does to a model's outputs: the worst stay in float."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aegle.compress import quantise
from aegle.compress.feeds import Feed, answers, distance
from aegle.compress.source import TABLE, Source
from aegle.core.ports import Progress


def ranked(
    source: Source, kind: str, given: Sequence[Feed], *, progress: Progress, **settings: Any
) -> list[tuple[str, float]]:
    """Every dense layer and the word table with its cost, the dearest first.

    The cost is `aegle.compress.feeds.distance` of the outputs from the float model's when this
    layer alone is quantised and all else is in float.

    Args:
        source: the model.
        kind: one of `aegle.compress.quantise.WAYS`.
        given: calibration texts as feeds.
        settings: of `aegle.compress.quantise.build`.
    """
    wanted = answers(source, source.graph(int8=False), given)
    layers = (*source.dense, TABLE)
    costs: list[tuple[str, float]] = []
    for number, layer in enumerate(layers, 1):
        keep = frozenset(layers) - {layer}
        model = quantise.build(kind, source, keep, given, **settings)
        costs.append((layer, distance(source, wanted, answers(source, model, given))))
        progress(f"sensitivity {kind}", number, len(layers))
    return sorted(costs, key=lambda one: (-one[1], one[0]))
