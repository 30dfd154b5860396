"""Healing: the network is the graph's, and training brings a cut model nearer to the whole one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from aegle.compress import feeds, prune
from aegle.compress.source import Source, open_source
from aegle.core.errors import InputError
from aegle.core.ports import quiet
from aegle.train import heal
from small_encoders import texts, write_all


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    found: dict[str, Path] = write_all(tmp_path_factory.mktemp("models"))
    return {kind: open_source(folder) for kind, folder in found.items()}


@pytest.mark.parametrize("kind", ["tagger", "encoder", "pair", "classifier"])
def test_the_network_is_the_graph(sources: dict[str, Source], kind: str) -> None:
    source = sources[kind]
    some = feeds.feeds(source, texts(5))
    cut, _ = prune.drop_heads(source, 0.25, some)  # layers of unlike numbers of heads
    wanted = feeds.answers(cut, cut.graph(int8=False), some)
    weights = {name: torch.from_numpy(np.array(value)) for name, value in cut.weights.items()}
    together = heal.padded(some)
    task = heal.Task(kind, cut.pooling, cut.tasks)
    _, found = heal.forward(weights, cut.shape, together, task)
    for row, one in zip(found.numpy(), wanted, strict=True):
        own = row[: one.shape[1]] if kind == "tagger" else row
        assert own == pytest.approx(one[0], abs=1e-4)


@pytest.mark.parametrize("kind", ["tagger", "classifier", "encoder"])
def test_healing_brings_a_cut_nearer(sources: dict[str, Source], kind: str) -> None:
    source = sources[kind]
    some, fresh = (feeds.feeds(source, texts(count, seed=count)) for count in (64, 20))
    cut, _ = prune.chain(source, {"layers": 1, "inner": 0.5}, some, progress=quiet)
    again = [_healed(source, cut, some, seed=1) for _ in range(2)]
    wanted = feeds.answers(source, source.graph(int8=False), fresh)

    def moved(small: Source) -> float:
        return feeds.distance(source, wanted, feeds.answers(small, small.graph(int8=False), fresh))

    assert moved(again[0]) < 0.8 * moved(cut)
    assert all((again[0].weights[n] == again[1].weights[n]).all() for n in again[0].weights)


def _healed(source: Source, cut: Source, some: list[feeds.Feed], *, seed: int) -> Source:
    weights = heal.heal(
        source.weights,
        cut.weights,
        shapes=(source.shape, cut.shape),
        task=heal.Task(source.kind, source.pooling, source.tasks),
        feeds=some,
        steps=40,
        lr=3e-3,
        seed=seed,
        progress=quiet,
    )
    return cut.changed(weights)


def test_healing_without_texts_is_refused(sources: dict[str, Source]) -> None:
    source = sources["encoder"]
    with pytest.raises(InputError, match="healing needs texts"):
        _healed(source, source, [], seed=0)
