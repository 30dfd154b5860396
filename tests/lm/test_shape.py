"""A shape checks itself; what it counts is what a brute-force definition counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import NotFoundError, UsageError
from aegle.lm.shape import (
    ALIBI,
    SIZES,
    Attention,
    Experts,
    Positions,
    Shape,
    alibi_slopes,
    dial,
    llama3_factors,
    visible,
)


@pytest.mark.parametrize(
    ("size", "millions"), [("nano", 1), ("micro", 8), ("small", 60), ("base", 150)]
)
def test_the_dial_gives_the_size_it_says(size: str, millions: int) -> None:
    assert dial(size).parameters() / 1e6 == pytest.approx(millions, rel=0.06)
    assert size in SIZES


def test_the_dial_takes_changes_of_every_part() -> None:
    shape = dial("nano", kv_heads=1, window=64, kind=ALIBI, vocabulary=300, tied=False)
    assert shape.attention == Attention(4, 1, 32, window=64)
    assert shape.positions.kind == ALIBI
    assert (shape.vocabulary, shape.tied) == (300, False)
    with pytest.raises(NotFoundError, match="no size 'giant'; there are: nano, micro"):
        dial("giant")
    with pytest.raises(UsageError, match="a shape has no 'heds'"):
        dial("nano", heds=3)


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        (lambda: Attention(4, 3, 8), "4 heads can't share 3"),
        (lambda: Attention(4, 2, 7), "width is even"),
        (lambda: Attention(4, 2, 8, window=-1), "window is 0 or more"),
        (lambda: Attention(4, 2, 8, window=8, block=4), "exclude each other"),
        (lambda: Attention(4, 2, 8, block_stride=4), "needs blocks"),
        (lambda: Attention(4, 2, 8, global_tokens=2), "need a window or blocks"),
        (lambda: Attention(4, 2, 8, full_every=2), "need a window or blocks"),
        (lambda: Attention(4, 2, 8, block=2, local_blocks=0), "local_blocks is 1 or more"),
        (lambda: Positions("sine"), "positions are rope or alibi"),
        (lambda: Positions(scaling="ntk"), "no scaling 'ntk'"),
        (lambda: Positions(scaling="linear"), "needs a factor above 1"),
        (lambda: Positions(ALIBI, scaling="yarn", factor=2, original=8), "only RoPE is scaled"),
        (lambda: Experts(4, 5, 8), "1 to 4 experts, got 5"),
        (lambda: Experts(1, 1, 8), "2 experts or more"),
        (lambda: Experts(0, 2), "need experts; set count"),
        (lambda: Experts(4, 2, 8, z=-1), "are 0 or more"),
        (lambda: dial("nano", layers=0), "layers is 1 or more"),
        (lambda: dial("nano", eps=0), "eps is above 0"),
        (
            lambda: dial("nano", scaling="linear", factor=2.0, original=9_999),
            "no longer than the context",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(made: Any, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        made()


SPARSE = st.one_of(
    st.builds(
        Attention,
        st.just(2),
        st.just(1),
        st.just(4),
        window=st.integers(1, 12),
        global_tokens=st.integers(0, 4),
        full_every=st.integers(0, 3),
    ),
    st.builds(
        Attention,
        st.just(2),
        st.just(1),
        st.just(4),
        block=st.integers(1, 5),
        local_blocks=st.integers(1, 3),
        block_stride=st.integers(0, 3),
        global_tokens=st.integers(0, 4),
    ),
)


def brute(one: Attention, query: int, key: int) -> bool:
    """The words of `Attention`'s docstring, one pair at a time."""
    if key > query:
        return False
    if key < one.global_tokens:
        return True
    if one.window:
        return key in range(query - one.window + 1, query + 1)
    own, other = math.floor(query / one.block), math.floor(key / one.block)
    if other in range(own - one.local_blocks + 1, own + 1):
        return True
    return bool(one.block_stride) and (other + 1) % one.block_stride == 0


@given(SPARSE, st.integers(1, 30))
def test_what_is_seen_is_what_the_words_say(one: Attention, tokens: int) -> None:
    places = np.arange(tokens)
    found = np.array([visible(one, query, places) for query in range(tokens)])
    told = np.array([[brute(one, q, k) for k in range(tokens)] for q in range(tokens)])
    assert np.array_equal(found, told)
    assert found.diagonal().all()


@given(SPARSE, st.integers(1, 24))
def test_flops_count_what_is_seen(one: Attention, tokens: int) -> None:
    shape = Shape(50, 8, 3, 16, 32, one)
    pairs = sum(
        brute(one, q, k) if one.sparse_layer(layer) else k <= q
        for layer in range(3)
        for q in range(tokens)
        for k in range(tokens)
    )
    weights = 3 * (8 * 8 * 2 + 8 * 4 * 2 + 3 * 8 * 16) + 50 * 8
    told = 2 * weights + 4 * 8 * pairs / tokens
    assert shape.flops_per_token(tokens) == pytest.approx(told)
    assert shape.flops_per_token(tokens, training=True) == pytest.approx(3 * told)


def test_experts_cost_what_the_dense_network_costs() -> None:
    dense = dial("nano")
    routed = dense.with_experts(8, 2)
    router = 2 * dense.layers * dense.width * 8
    assert routed.flops_per_token() == dense.flops_per_token() + router
    assert routed.parameters() > 2 * dense.parameters()
    assert routed.active_parameters() == dense.parameters() + router // 2
    shared = dense.with_experts(4, 2, shared=1).experts
    assert (shared.width, shared.shared_width) == (128, 128)


def test_a_window_bounds_the_cache() -> None:
    assert dial("nano", window=64).cache_bytes(512) == 2 * 64 * 2 * 4 * 63
    assert dial("nano", window=64).cache_bytes(8) == dial("nano").cache_bytes(8)
    looks_back = dial("nano", window=64, global_tokens=1)
    assert looks_back.cache_bytes(512) == dial("nano").cache_bytes(512)
    assert dial("nano", kv_heads=1).cache_bytes(9) * 4 == dial("nano", kv_heads=4).cache_bytes(9)


def test_alibi_slopes_are_the_papers() -> None:
    assert alibi_slopes(8) == [2.0**-n for n in range(1, 9)]
    assert alibi_slopes(6) == [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3]


def test_llama3_leaves_quick_turns_alone_and_slows_slow_ones_by_the_factor() -> None:
    factors = llama3_factors(Positions(scaling="llama3", factor=8.0, original=64), 32)
    assert factors[0] == 1.0
    assert factors[-1] == pytest.approx(8.0)
    assert factors == sorted(factors)
