"""The ablation of architectures: equal compute, no leak, pairs that differ in one choice."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import architectures
from architectures_corpus import read


def test_every_arm_is_another_network_of_the_same_compute() -> None:
    shapes = {arm: architectures.shape_of(arm, 300) for arm in architectures.ARMS}
    assert len(set(shapes.values())) == 24
    budget = 100 * architectures.ROWS * architectures.CONTEXT * 2e7
    for shape in shapes.values():
        cost = shape.flops_per_token(architectures.CONTEXT, training=True)
        cost *= architectures.ROWS * architectures.CONTEXT
        assert round(budget / cost) * cost == pytest.approx(budget, rel=0.01)
    for arm in architectures.ALONE:
        differs = [a != b for a, b in zip(arm.split("-"), architectures.BASE, strict=True)]
        assert sum(differs) == (arm != "-".join(architectures.BASE))


def test_rows_hold_parts_of_documents_that_begin_anew() -> None:
    lengths = itertools.cycle([700, 90, 3, 411])
    places = torch.cat([torch.arange(next(lengths)) for _ in range(40)])
    stream = torch.arange(len(places))
    corpus = architectures.Corpus(stream, places, [], 0, {})
    steps = 3
    seen = list(architectures.batches(corpus, steps, seed=1))
    assert len(seen) == steps
    for ids, found in seen:
        assert bool((found[:, 0] == 0).all())
        step = torch.diff(found, dim=1)
        assert bool(((step == 1) | (found[:, 1:] == 0)).all())
        begins = (places[ids] == 0) & (torch.arange(ids.shape[1]) > 0)
        assert torch.equal(begins[:, 1:], found[:, 1:] == 0)


def test_effects_are_ratios_over_pairs() -> None:
    counts = np.array([10, 20, 30])
    one = np.array([30.0, 50.0, 95.0])
    losses = {"gqa-full-rope-dense": one, "gqa-full-alibi-dense": one + 0.1 * counts}
    found = architectures.effects(losses, counts)
    assert set(found) == {"alibi against rope"}
    assert found["alibi against rope"]["ratio"] == pytest.approx(math.exp(0.1))
    assert found["alibi against rope"]["low"] == pytest.approx(math.exp(0.1))


def test_no_document_is_on_both_sides(data: Path) -> None:
    texts = read(data)
    held = {one.body for one in texts if one.held}
    assert not held & {one.body for one in texts if not one.held}
    assert {one.source for one in texts if one.held} == {one.source for one in texts}
    focus = [
        {
            one.name.split("/")[0].lower()
            for one in texts
            if one.source == "medquad" and one.held is h
        }
        for h in (True, False)
    ]
    assert not focus[0] & focus[1]
