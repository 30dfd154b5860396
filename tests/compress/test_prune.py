"""Cuts take out what counts least, and what is left is refitted: against independent references."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.compress import encoders, feeds, prune
from aegle.compress.source import Source, open_source
from aegle.core.errors import InputError
from aegle.core.ports import quiet
from aegle.lm.encoder import SentenceEncoder
from aegle.lm.tagger import Tagger
from small_encoders import HEADS, INNER, LAYERS, WIDTH, texts


@pytest.fixture(scope="module")
def source(small_models: dict[str, Path]) -> Source:
    return open_source(small_models["encoder"])


@pytest.fixture(scope="module")
def some(source: Source) -> list[feeds.Feed]:
    return feeds.feeds(source, texts(24))


def moved(source: Source, small: Source, some: list[feeds.Feed]) -> float:
    wanted = feeds.answers(source, source.graph(int8=False), some)
    return feeds.distance(source, wanted, feeds.answers(source, small.graph(int8=False), some))


def test_a_refit_is_ridge_least_squares() -> None:
    rng = np.random.default_rng(2)
    x_NC = rng.normal(0, 1, (200, 12)) @ rng.normal(0, 1, (12, 12))
    weight_OC = rng.normal(0, 1, (5, 12))
    kept = np.array([0, 2, 3, 7, 8, 11])
    gram_CC = x_NC.T @ x_NC / len(x_NC)
    found = prune.refit(weight_OC, gram_CC, kept)
    # Rows that say "stay as you were" are the ridge; then plain least squares.
    ridge = np.sqrt(len(x_NC) * 1e-3 * np.trace(gram_CC[np.ix_(kept, kept)]) / len(kept))
    rows = np.concatenate([x_NC[:, kept], ridge * np.eye(len(kept))])
    wanted = np.concatenate([x_NC @ weight_OC.T, ridge * weight_OC[:, kept].T])
    fitted = np.linalg.lstsq(rows, wanted, rcond=None)[0].T
    assert found == pytest.approx(fitted, abs=1e-4)
    whole = prune.refit(weight_OC, gram_CC, np.arange(12))
    assert whole == pytest.approx(weight_OC, abs=1e-5)


def test_grams_are_those_of_the_inputs(source: Source, some: list[feeds.Feed]) -> None:
    name = "encoder.layer.0.attention.self.qkv"
    found = prune.grams(source, some, [name])[name]
    from aegle.lm.bert import Graph, Shape

    none = Shape(WIDTH, HEADS, 0, 64, 1e-12)  # what a first layer reads is what no layers give
    states = feeds.run(Graph(none, dict(source.weights), False).model("none"), some, ["states"])
    x_NC = np.concatenate([one[0].reshape(-1, WIDTH) for one in states]).astype(np.float64)
    assert found == pytest.approx(x_NC.T @ x_NC / len(x_NC), abs=1e-4)


def test_what_adds_nothing_goes_first(source: Source, some: list[feeds.Feed]) -> None:
    """Dead heads and neurons are found, and without them the outputs are the same."""
    weights = dict(source.weights)
    size, dead = WIDTH // HEADS, {0: 3, 1: 0, 2: 1}
    for layer, head in dead.items():
        stem = f"encoder.layer.{layer}"
        out = weights[f"{stem}.attention.output.dense.weight"].copy()
        out[:, head * size : (head + 1) * size] = 0
        inner = weights[f"{stem}.output.dense.weight"].copy()
        inner[:, ::4] = 0
        weights[f"{stem}.attention.output.dense.weight"] = out
        weights[f"{stem}.output.dense.weight"] = inner
    lame = source.changed(weights)
    fewer, about = prune.drop_heads(lame, LAYERS / (LAYERS * HEADS), some)
    assert about["heads"] == [HEADS - 1] * LAYERS
    assert moved(lame, fewer, some) < 1e-6
    slim, told = prune.narrow(lame, 0.25, some)
    assert told["inner_widths"] == [INNER * 3 // 4] * LAYERS
    assert moved(lame, slim, some) < 1e-6


def test_the_refit_heals(source: Source, some: list[feeds.Feed]) -> None:
    fresh = feeds.feeds(source, texts(12, seed=77))
    slim, _ = prune.narrow(source, 0.5, some)
    plain = dict(slim.weights)
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}.intermediate.dense.bias"
        kept = np.searchsorted(np.sort(source.weights[name]), slim.weights[name])
        order = np.argsort(source.weights[name])[kept]
        out = f"encoder.layer.{layer}.output.dense.weight"
        plain[out] = np.ascontiguousarray(source.weights[out][:, order])
    assert moved(source, slim, fresh) < 0.8 * moved(source, source.changed(plain), fresh)


def test_the_layer_dropped_is_the_one_least_missed(source: Source, some: list[feeds.Feed]) -> None:
    costs = [moved(source, source.without([n]), some) for n in range(LAYERS)]
    small, about = prune.drop_layers(source, 1, some, progress=quiet)
    assert about == {"dropped_layers": [int(np.argmin(costs))], "costs": [min(costs)]}
    assert small.shape.layers == LAYERS - 1
    two, more = prune.drop_layers(source, 2, some, progress=quiet)
    assert more["dropped_layers"][0] == about["dropped_layers"][0]
    assert two.shape.layers == 1


def test_parts_of_heads_are_their_mean_squares() -> None:
    rng = np.random.default_rng(4)
    x_NC, weight_OC = rng.normal(0, 1, (50, 8)), rng.normal(0, 1, (3, 8))
    found = prune.head_parts(weight_OC, x_NC.T @ x_NC / 50, 4)
    each = [((x_NC[:, own] @ weight_OC[:, own].T) ** 2).sum() for own in (slice(4), slice(4, 8))]
    assert found == pytest.approx(np.array(each) / sum(each))


@given(st.integers(1, 6), st.integers(1, 30), st.integers(0, 99))
def test_two_of_each_four_stay(rows: int, channels: int, seed: int) -> None:
    worth = np.random.default_rng(seed).random((rows, channels))
    stays = prune.two_of_four(worth)
    assert stays.shape == worth.shape
    for row, kept in zip(worth, stays, strict=True):
        for at in range(0, channels, 4):
            group, own = row[at : at + 4], kept[at : at + 4]
            assert own.sum() == min(2, len(group))
            if not own.all():
                assert group[own].min() >= group[~own].max()


@given(st.integers(1, 5), st.integers(1, 20), st.floats(0.05, 0.95), st.integers(0, 99))
def test_the_best_of_a_row_stay(rows: int, channels: int, share: float, seed: int) -> None:
    worth = np.random.default_rng(seed).random((rows, channels))
    stays = prune.best(worth, share)
    assert (stays.sum(1) == max(1, round(channels * share))).all()
    for row, kept in zip(worth, stays, strict=True):
        assert kept.all() or row[kept].min() >= row[~kept].max()


def test_masks_say_honestly_that_nothing_is_won(
    small_models: dict[str, Path], tmp_path: Path
) -> None:
    about = {}
    for name, settings in {
        "dense": None,
        "half": {"share": 0.5, "by": "magnitude", "then": "float"},
        "2:4": {"pattern": "2:4", "then": "float"},
    }.items():
        way: Any = encoders.original if settings is None else encoders.masked
        about[name] = way(
            small_models["encoder"], tmp_path / name.replace(":", ""), texts=texts(8),
            settings=settings or {}, progress=quiet,
        )  # fmt: skip
    for name in ("half", "2:4"):
        assert about[name].about["zeros"] == pytest.approx(0.5)
        assert about[name].bytes == pytest.approx(about["dense"].bytes, rel=0.01)


@pytest.mark.parametrize("kind", ["tagger", "encoder"])
def test_a_pruned_folder_is_smaller_and_opens(
    small_models: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    def made(settings: dict[str, Any], name: str) -> Any:
        way: Any = encoders.pruned if settings else encoders.int8
        return way(
            small_models[kind], tmp_path / name, texts=texts(12), settings=settings, progress=quiet
        )

    whole = made({}, "whole")
    small = made({"layers": 1, "heads": 0.25, "inner": 0.25}, "small")
    assert small.bytes < whole.bytes
    if kind == "tagger":
        again = open_source(small.folder)  # and it can be compressed further
        assert again.shape.layers == LAYERS - 1
        assert Tagger(small.folder, threads=1).tag(texts(2))
    else:
        assert SentenceEncoder(small.folder, threads=1).embed(texts(2)).shape == (2, WIDTH)


def test_cuts_without_sense_are_refused(small_models: dict[str, Path], tmp_path: Path) -> None:
    def make(way: Any, **settings: Any) -> None:
        way(
            small_models["encoder"], tmp_path / "x", texts=texts(4), settings=settings,
            progress=quiet,
        )  # fmt: skip

    with pytest.raises(InputError, match="3 of 3 layers can't be dropped"):
        make(encoders.pruned, layers=3)
    with pytest.raises(InputError, match=r"between 0 and 1, got 1\.5"):
        make(encoders.pruned, inner=1.5)
    with pytest.raises(InputError, match="pruning needs layers"):
        make(encoders.pruned)
    with pytest.raises(InputError, match="comes int8 or float, not 'int2'"):
        make(encoders.pruned, layers=1, then="int2")
    with pytest.raises(InputError, match="any or 2:4"):
        make(encoders.masked, pattern="1:2")
