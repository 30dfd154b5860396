"""Whole layers, attention heads and inner neurons taken out of an encoder, the least needed first.

What is left is refitted in closed form: a dense layer that loses some of its inputs gets the
weights that, on calibration texts, come nearest to what it gave with all of them (ridge least
squares). That heals most of a light cut in seconds and without torch; a deep one needs training.

Letters: N tokens, C inputs, O outputs, K kept inputs, H heads, D head width.

References:
    Michel et al. (2019), Are Sixteen Heads Really Better than One?
    He et al. (2017), Channel Pruning for Accelerating Very Deep Neural Networks (reconstruction).
    Sun et al. (2023), A Simple and Effective Pruning Approach for LLMs (weights x activations).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from aegle.compress.feeds import Feed, answers, distance, opened
from aegle.compress.source import Source, products
from aegle.core.errors import InputError
from aegle.core.ports import Progress

Floats = NDArray[np.float64]

_RIDGE: Final = 1e-3
"""Of the mean square of an input: keeps the fit from following a few calibration texts."""
_STEP: Final = 16
"""Inner widths stay multiples of this, as kernels like them."""
_JUDGES: Final = 32
"""Texts by which layers are dropped: each layer costs a pass over all of them."""
QKV: Final = ("query", "key", "value")


def grams(source: Source, given: Sequence[Feed], layers: Sequence[str]) -> dict[str, Floats]:
    """The mean of x x' (C, C) over tokens, of the inputs x of these dense layers."""
    model = source.graph(int8=False)
    found = products(model, layers)
    inputs = {layer: node.input[0] for layer, node in found.items()}
    held = {one.name for one in model.graph.output}
    for name in dict.fromkeys(inputs.values()):
        if name not in held:
            model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session, sums, tokens = opened(model), dict[str, Floats](), 0
    for feed in given:
        told = session.run(list(inputs.values()), feed)
        for layer, x in zip(inputs, told, strict=True):
            x_NC = x.reshape(-1, x.shape[-1]).astype(np.float64)
            sums[layer] = sums.get(layer, 0) + x_NC.T @ x_NC
        tokens += feed["input_ids"].size
    return {layer: total / tokens for layer, total in sums.items()}


def refit(weight_OC: NDArray[Any], gram_CC: Floats, kept: NDArray[np.intp]) -> NDArray[np.float32]:
    """The weights (O, K) on the kept inputs that come nearest to W x over the texts of a Gram."""
    part_KK = gram_CC[np.ix_(kept, kept)]
    ridge = _RIDGE * max(float(np.trace(part_KK)) / len(kept), 1e-12)
    wanted_KO = gram_CC[kept] @ weight_OC.T.astype(np.float64)
    fitted_KO = np.linalg.solve(part_KK + ridge * np.eye(len(kept)), wanted_KO)
    # The ridge pulls to what the weights were, not to 0.
    pull_KO = np.linalg.solve(
        part_KK + ridge * np.eye(len(kept)), ridge * weight_OC[:, kept].T.astype(np.float64)
    )
    return np.ascontiguousarray((fitted_KO + pull_KO).T, np.float32)


def drop_layers(
    source: Source, count: int, given: Sequence[Feed], *, progress: Progress
) -> tuple[Source, dict[str, Any]]:
    """Without the ``count`` layers whose loss moves the outputs least, one after the other.

    Raises:
        InputError: not as many layers.
    """
    if not 1 <= count < source.shape.layers:
        raise InputError(
            f"{count} of {source.shape.layers} layers can't be dropped; at least one must stay"
        )
    given = given[:_JUDGES]
    wanted = answers(source, source.graph(int8=False), given)
    left, dropped, costs = list(range(source.shape.layers)), list[int](), list[float]()
    done, total = 0, sum(source.shape.layers - n for n in range(count))
    for _ in range(count):
        tried = []
        for layer in left:
            small = source.without({*dropped, layer})
            found = answers(source, small.graph(int8=False), given)
            tried.append((distance(source, wanted, found), layer))
            progress("layers", done := done + 1, total)
        cost, layer = min(tried)
        left.remove(layer)
        dropped.append(layer)
        costs.append(cost)
    about = {"dropped_layers": dropped, "costs": costs}
    return source.without(dropped), about


def narrow(source: Source, share: float, given: Sequence[Feed]) -> tuple[Source, dict[str, Any]]:
    """Inner layers without a ``share`` of their neurons: those that add least to the outputs.

    A neuron's part is its mean square on the texts times the square of its outgoing weights.
    """
    _share(share)
    stems = [f"encoder.layer.{n}" for n in range(source.shape.layers)]
    told = grams(source, given, [f"{stem}.output.dense" for stem in stems])
    weights = dict(source.weights)
    widths = []
    for stem in stems:
        gram_CC, out_OC = told[f"{stem}.output.dense"], weights[f"{stem}.output.dense.weight"]
        part_C = np.diag(gram_CC) * (out_OC.astype(np.float64) ** 2).sum(0)
        size = max(_STEP, round(len(part_C) * (1 - share) / _STEP) * _STEP)
        kept = np.sort(np.argsort(-part_C, kind="stable")[:size])
        weights[f"{stem}.output.dense.weight"] = refit(out_OC, gram_CC, kept)
        for name in ("intermediate.dense.weight", "intermediate.dense.bias"):
            weights[f"{stem}.{name}"] = np.ascontiguousarray(weights[f"{stem}.{name}"][kept])
        widths.append(len(kept))
    return source.changed(weights), {"inner_widths": widths}


def drop_heads(
    source: Source, share: float, given: Sequence[Feed]
) -> tuple[Source, dict[str, Any]]:
    """Without a ``share`` of all attention heads: those that add least, one a layer stays.

    A head's part is the mean square of what it adds to the layer's output, over that of all heads
    of its layer.
    """
    _share(share)
    size = source.shape.width // source.shape.heads
    stems = [f"encoder.layer.{n}.attention" for n in range(source.shape.layers)]
    told = grams(source, given, [f"{stem}.output.dense" for stem in stems])
    parts: list[tuple[float, int, int]] = []
    for layer, stem in enumerate(stems):
        weight_OC = source.weights[f"{stem}.output.dense.weight"].astype(np.float64)
        part_H = head_parts(weight_OC, told[f"{stem}.output.dense"], size)
        parts += [(float(one), layer, head) for head, one in enumerate(part_H)]
    gone: list[set[int]] = [set() for _ in stems]
    heads = [len(source.weights[f"{stem}.self.query.bias"]) // size for stem in stems]
    for _, layer, head in sorted(parts):
        if sum(map(len, gone)) >= round(share * sum(heads)):
            break
        if len(gone[layer]) + 1 < heads[layer]:
            gone[layer].add(head)
    weights = dict(source.weights)
    for layer, stem in enumerate(stems):
        kept = np.array(
            [h * size + d for h in range(heads[layer]) if h not in gone[layer] for d in range(size)]
        )
        out = f"{stem}.output.dense"
        weights[f"{out}.weight"] = refit(weights[f"{out}.weight"], told[out], kept)
        for part in QKV:
            for name in (f"{stem}.self.{part}.weight", f"{stem}.self.{part}.bias"):
                weights[name] = np.ascontiguousarray(weights[name][kept])
    return source.changed(weights), {
        "heads": [n - len(g) for n, g in zip(heads, gone, strict=True)]
    }


def head_parts(weight_OC: Floats, gram_CC: Floats, size: int) -> Floats:
    """E|W_h x_h|^2 of each head h over the sum of all: trace(W_h G_hh W_h')."""
    parts = []
    for at in range(0, weight_OC.shape[1], size):
        own = slice(at, at + size)
        parts.append(float(((weight_OC[:, own] @ gram_CC[own, own]) * weight_OC[:, own]).sum()))
    found = np.array(parts)
    out: Floats = found / max(float(found.sum()), 1e-30)
    return out


def mask(
    source: Source, share: float, given: Sequence[Feed], *, pattern: str, by: str
) -> tuple[Source, dict[str, Any]]:
    """Dense weights with zeros in place of the least: as large and as fast as before.

    Args:
        source: the model.
        share: of each output's weights; of ``2:4`` always the half.
        given: for ``by="activations"``.
        pattern: ``any``, or ``2:4``: two of each four neighbouring inputs stay.
        by: ``magnitude`` |w|, or ``activations`` |w| times the root mean square of the input.

    Raises:
        InputError: another pattern or measure.
    """
    if pattern not in ("any", "2:4") or by not in ("magnitude", "activations"):
        raise InputError(
            f"a mask's pattern is any or 2:4 and it goes by magnitude or activations, not "
            f"{pattern!r} and {by!r}"
        )
    _share(share)
    told = grams(source, given, source.dense) if by == "activations" else {}
    weights = dict(source.weights)
    zeros = total = 0
    for layer in source.dense:
        scale_C = np.sqrt(np.diag(told[layer])) if told else None
        for name in _own(layer):
            weight_OC = weights[name]
            worth_OC = np.abs(weight_OC) if scale_C is None else np.abs(weight_OC) * scale_C
            stays = two_of_four(worth_OC) if pattern == "2:4" else best(worth_OC, 1 - share)
            weights[name] = np.where(stays, weight_OC, np.float32(0))
            zeros, total = zeros + int((~stays).sum()), total + stays.size
    return source.changed(weights), {"zeros": zeros / total, "pattern": pattern, "by": by}


def _own(layer: str) -> list[str]:
    if layer.endswith(".qkv"):
        return [f"{layer.removesuffix('qkv')}{part}.weight" for part in QKV]
    return [f"{layer}.weight"]


def best(worth_OC: NDArray[Any], share: float) -> NDArray[np.bool_]:
    """Where the best share of each row is."""
    count = max(1, round(worth_OC.shape[1] * share))
    order = np.argsort(-worth_OC, axis=1, kind="stable")[:, :count]
    out = np.zeros(worth_OC.shape, bool)
    np.put_along_axis(out, order, True, axis=1)
    return out


def two_of_four(worth_OC: NDArray[Any]) -> NDArray[np.bool_]:
    """Where the best two of each four neighbours of a row are; of a shorter last group, too."""
    rows, channels = worth_OC.shape
    padded = np.full((rows, -(-channels // 4) * 4), -1.0)
    padded[:, :channels] = worth_OC
    order = np.argsort(-padded.reshape(rows, -1, 4), axis=2, kind="stable")[:, :, :2]
    out = np.zeros((rows, padded.shape[1] // 4, 4), bool)
    np.put_along_axis(out, order, True, axis=2)
    return out.reshape(rows, -1)[:, :channels]


def _share(share: float) -> None:
    if not 0 < share < 1:
        raise InputError(f"a share to prune lies between 0 and 1, got {share!r}")


def chain(
    source: Source, settings: Mapping[str, Any], given: Sequence[Feed], *, progress: Progress
) -> tuple[Source, dict[str, Any]]:
    """Every cut that settings name: ``layers`` (a count), ``inner`` and ``heads`` (shares)."""
    about: dict[str, Any] = {}
    if count := settings.get("layers"):
        source, told = drop_layers(source, int(count), given, progress=progress)
        about |= told
    for name, cut in (("heads", drop_heads), ("inner", narrow)):
        if share := settings.get(name):
            source, told = cut(source, float(share), given)
            about |= told
    if not about:
        raise InputError("pruning needs layers (a count), heads or inner (shares between 0 and 1)")
    return source, about
