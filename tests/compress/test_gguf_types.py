"""llama.cpp's quantiser and grids, against gguf's own code and direct computation."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gguf", reason="GGUF needs the extra 'train'")
pytest.importorskip("torch", reason="calibration needs the extra 'train'")

import gguf
import torch

from aegle.compress.causal import ggml, grid, spread
from aegle.compress.causal.gptq import errors, gptq
from aegle.compress.causal.plan import Plan, read
from aegle.compress.causal.prune import fitted
from aegle.compress.causal.spread import Choice
from aegle.core.errors import InputError, UsageError

RNG = np.random.default_rng(5)
WEIGHT = (RNG.standard_normal((6, 512)) * 0.1).astype(np.float32)
IMPORTANCE = (RNG.random(512) ** 4 + 0.001).astype(np.float32)


@pytest.mark.parametrize("name", ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"])
def test_bytes_are_those_of_an_independent_encoder(name: str) -> None:
    wanted = gguf.quantize(WEIGHT, gguf.GGMLQuantizationType[name])
    assert (ggml.quantise(WEIGHT, name) == wanted).mean() > 0.995  # ties are rounded either way


@pytest.mark.parametrize("name", [one for one in ggml.TYPES if one not in ggml.NEEDS_IMPORTANCE])
def test_more_bits_are_nearer_and_weights_shift_the_error(name: str) -> None:
    plain = ggml.dequantise(ggml.quantise(WEIGHT, name), name)
    weighed = ggml.dequantise(ggml.quantise(WEIGHT, name, IMPORTANCE), name)
    cost = [float((((one - WEIGHT) ** 2) * IMPORTANCE).sum()) for one in (plain, weighed)]
    whole = float((WEIGHT**2 * IMPORTANCE).sum())
    assert cost[0] < 0.12 * whole
    assert cost[1] <= cost[0] * 1.0001
    if name != "Q8_0":  # which has no weights in llama.cpp
        assert cost[1] < 0.95 * cost[0]


def test_what_cannot_be_quantised_is_said() -> None:
    with pytest.raises(UsageError, match="no GGUF type 'q9'; there are: Q8_0"):
        ggml.quantise(WEIGHT, "q9")
    with pytest.raises(InputError, match="rows of 500 are no whole blocks of Q4_K"):
        ggml.quantise(WEIGHT[:, :500], "Q4_K")
    with pytest.raises(UsageError, match="IQ2_XS needs an importance matrix"):
        ggml.quantise(WEIGHT, "IQ2_XS")
    with pytest.raises(InputError, match="not finite"):
        ggml.quantise(np.full((1, 32), np.nan, np.float32), "Q4_0")
    with pytest.raises(InputError, match="importance of shape"):
        ggml.quantise(WEIGHT, "Q4_K", IMPORTANCE[:5])


@pytest.mark.parametrize("name", grid.TYPES)
def test_codes_that_are_written_are_read_by_gguf(name: str) -> None:
    made = ggml.quantise(WEIGHT, name)
    told = grid.grid(made, name)
    codes = RNG.integers(0, len(told.levels_L), WEIGHT.shape).astype(np.uint8)
    found = ggml.dequantise(grid.write(made, name, codes), name)
    wanted = told.scale_RC * told.levels_L[codes] + told.offset_RC
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_type_without_codes_is_refused() -> None:
    with pytest.raises(UsageError, match="codes of Q6_K can't be chosen here"):
        grid.grid(ggml.quantise(WEIGHT, "Q6_K"), "Q6_K")


def products(columns: int, tokens: int = 200) -> Any:
    mixed = RNG.standard_normal((tokens, columns)) @ RNG.standard_normal((columns, columns))
    return torch.from_numpy(mixed.T @ mixed / tokens)


@pytest.mark.parametrize("order", [True, False])
def test_gptq_is_least_squares_column_by_column(order: bool) -> None:
    """Against its definition: after each column, the rest is what makes good its error best."""
    weight, hessian, name = WEIGHT[:, :64], products(64), "Q4_1"
    best = gptq(torch.from_numpy(weight), hessian, name, order=order)
    made = ggml.quantise(weight, name, hessian.diagonal().float().numpy())
    told = grid.grid(made, name)
    damped = hessian.numpy() + 0.01 * np.trace(hessian.numpy()) / 64 * np.eye(64)
    places = np.argsort(-np.diag(hessian.numpy())) if order else np.arange(64)
    now, codes = weight.astype(np.float64), np.zeros(weight.shape, np.uint8)
    for at, column in enumerate(places):
        levels = told.scale_RC[:, column, None] * told.levels_L + told.offset_RC[:, column, None]
        codes[:, column] = np.abs(levels - now[:, column, None]).argmin(1)
        error = now[:, column] - levels[np.arange(len(now)), codes[:, column]]
        rest = places[at + 1 :]
        if len(rest):  # min over d of (d, error) H (d, error)^T
            more = np.linalg.solve(damped[np.ix_(rest, rest)], damped[rest, column])
            now[:, rest] += np.outer(error, more)
    wanted = ggml.dequantise(grid.write(made, name, codes), name)
    after = errors(torch.from_numpy(weight - wanted), hessian)
    before = errors(torch.from_numpy(weight - ggml.dequantise(made, name)), hessian)
    np.testing.assert_allclose(best.error, float(torch.minimum(before, after).sum()), rtol=0.05)
    assert best.error < 0.8 * best.nearest


def test_gptq_comes_near_the_best_of_all_codes() -> None:
    """One row whose other columns are nothing: every rounding of five columns is tried."""
    weight, hessian = np.zeros((1, 32), np.float32), products(32)
    weight[0, :5] = WEIGHT[0, :5]
    best = gptq(torch.from_numpy(weight), hessian, "Q4_0", damping=1e-6)
    made = ggml.quantise(weight, "Q4_0", hessian.diagonal().float().numpy())
    told = grid.grid(made, "Q4_0")
    near = np.abs(told.scale_RC[0, :5, None] * told.levels_L - weight[0, :5, None]).argsort(1)[
        :, :4
    ]
    found = []
    for codes in itertools.product(*near):
        whole = np.full((1, 32), 8, np.uint8)
        whole[0, :5] = codes
        apart = weight - ggml.dequantise(grid.write(made, "Q4_0", whole), "Q4_0")
        found.append(float(errors(torch.from_numpy(apart), hessian).sum()))
    assert best.error <= best.nearest
    assert best.error <= max(np.quantile(found, 0.02), min(found))


def test_products_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="inputs are not finite"):
        gptq(torch.from_numpy(WEIGHT), torch.full((512, 512), float("nan")), "Q4_0")


def test_kept_columns_are_fitted_by_least_squares() -> None:
    inputs = torch.from_numpy(RNG.standard_normal((300, 8)) @ RNG.standard_normal((8, 8)))
    weight, kept = torch.from_numpy(RNG.standard_normal((3, 8))), torch.tensor([0, 2, 5, 6])
    found = fitted(weight, inputs.T @ inputs / 300, kept)
    wanted = np.linalg.lstsq(inputs[:, kept].numpy(), (inputs @ weight.T).numpy(), rcond=None)[0].T
    outputs = inputs @ weight.T
    near, best, plain = (
        float((outputs - inputs[:, kept] @ torch.as_tensor(one).T).pow(2).mean())
        for one in (found, wanted, weight[:, kept])
    )
    assert best <= near < min(plain, 1.1 * best + 0.01 * plain)


def test_a_plan_says_what_each_tensor_becomes() -> None:
    plan = Plan("q4_k", "q8_0", {"blk.0.*": "q6_k", "blk.1.ffn_up.weight": "f16"})
    wanted = {
        ("token_embd.weight", (9, 256)): "Q8_0",
        ("blk.0.attn_q.weight", (9, 256)): "Q6_K",
        ("blk.0.attn_q.weight", (9, 96)): "Q8_0",
        ("blk.1.ffn_up.weight", (9, 256)): "F16",
        ("blk.2.ffn_up.weight", (9, 256)): "Q4_K",
        ("blk.2.ffn_up.weight", (9, 96)): "Q5_0",
        ("blk.2.ffn_up.weight", (9, 20)): "F16",
        ("blk.2.ffn_gate_inp.weight", (9, 256)): "F32",
        ("blk.2.ffn_norm.weight", (256,)): "F32",
    }
    assert {key: plan.of(*key) for key in wanted} == wanted
    with pytest.raises(UsageError, match="no GGUF type 'int4'"):
        read({"keep": {"a": "int4"}})


def test_a_budget_is_spread_as_well_as_can_be() -> None:
    """Against all combinations, at budgets that end on a step of the hull."""
    offered = {
        "a": [Choice("Q8_0", 8, 0.0), Choice("Q4_0", 4, 9.0), Choice("Q5_0", 5, 8.9)],
        "b": [Choice("Q8_0", 8, 0.1), Choice("Q4_0", 4, 2.0)],
        "c": [Choice("Q8_0", 16, 0.5), Choice("Q4_0", 8, 1.0), Choice("Q3_K", 6, 5.0)],
    }
    for budget in (14, 16, 20, 24, 32):
        found = spread.spread(offered, budget)
        assert sum(one.bytes for one in found.values()) <= budget
        every = itertools.product(*offered.values())
        best = min(
            sum(one.loss for one in some)
            for some in every
            if sum(one.bytes for one in some) <= budget
        )
        assert sum(one.loss for one in found.values()) == pytest.approx(best)
    with pytest.raises(UsageError, match="a budget of 13 bytes for matrices that need 14"):
        spread.spread(offered, 13)
