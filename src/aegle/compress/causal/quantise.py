"""The methods that leave a GGUF file: nearest, GPTQ and AWQ, types given or by a budget."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import gguf
import numpy as np
import torch

from aegle.compress.causal import awq, ggml, grid, hear, spread
from aegle.compress.causal import plan as plans
from aegle.compress.causal.container import Tensor, floats, opened, rewrite
from aegle.compress.causal.gptq import gptq
from aegle.compress.causal.plan import Plan
from aegle.compress.method import Made
from aegle.core.errors import InputError, UsageError
from aegle.core.ports import Progress
from aegle.lm.gguf import export, interleaved

FILE: Final = "model.gguf"
_PLAN: Final = ("type", "embedding", "keep")
_SPREAD: Final = ("share", "types")
_READS: Final = ("tokens",)


def to_gguf(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """Each weight to the nearest of its block's grid, weighted by importance where texts are given.

    Args:
        source: a folder of safetensors, or a GGUF file of floats (which can't be calibrated here).
        out: a new folder; the file is ``model.gguf``.
        texts: that weigh columns; none: llama.cpp's own weights.
        settings: ``type`` (q4_k), ``embedding`` (as type), ``keep`` {pattern: type}; or ``share``
            of the bytes of the FP16 file, spread over ``types``; ``tokens`` of a text (256).
        progress: told of texts and matrices.

    Raises:
        InputError: a model that llama.cpp has no layout for, or whose inputs can't be listened to.
        UsageError: an unknown setting or type.
    """
    plans.known(settings, _PLAN + _SPREAD + _READS, "gguf")
    with tempfile.TemporaryDirectory(dir=_beside(out)) as scratch:
        whole = _halves(source, Path(scratch))
        if not texts:
            if "share" in settings:
                raise InputError("share is spread by what texts say matters; give texts")
            return _nearest(whole, out, plans.read(settings), {}, progress, {"texts": 0})
        model, tokenizer = hear.load(_folder(source))
        batches = hear.encoded(tokenizer, texts, tokens=int(settings.get("tokens", 256)))
        heard, count = hear.importance(model, batches, progress=progress)
        plan, about = _plan(whole, model, batches, heard, settings, ggml.OFFERED, progress)
        about |= {"texts": len(batches), "tokens": count}
        return _nearest(whole, out, plan, heard, progress, about)


def by_gptq(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """Rounding that makes good its errors, block after block; as `to_gguf` otherwise.

    Args:
        source, out, texts, progress: as for `to_gguf`; texts are needed.
        settings: as for `to_gguf`, of the types of `aegle.compress.causal.grid`; ``damping``
            (0.01), ``order`` (True: columns with the largest inputs first).

    Raises:
        InputError, UsageError: as `to_gguf`.
    """
    keys = (*_PLAN, *_SPREAD, *_READS, "damping", "order")
    plans.known(settings, keys, "gptq")
    model, tokenizer = hear.load(_folder(source))
    batches = hear.encoded(tokenizer, texts, tokens=int(settings.get("tokens", 256)))
    with tempfile.TemporaryDirectory(dir=_beside(out)) as scratch:
        whole = _halves(source, Path(scratch))
        heard, count = hear.importance(model, batches, progress=progress)
        plan, about = _plan(whole, model, batches, heard, settings, grid.TYPES, progress)
        about |= {"texts": len(batches), "tokens": count}
        return _compensated(whole, out, model, batches, heard, plan, settings, progress, about)


def by_awq(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """Columns scaled by what they read, then rounded to the nearest or by GPTQ.

    Args:
        source, out, texts, progress: as for `by_gptq`.
        settings: as for `by_gptq`; ``rounding`` ("nearest" or "gptq").

    Raises:
        InputError, UsageError: as `to_gguf`.
    """
    rounding = settings.get("rounding", "nearest")
    if rounding not in ("nearest", "gptq"):
        raise UsageError(f"no rounding {rounding!r}; there are: nearest, gptq")
    keys = (*_PLAN, *_SPREAD, *_READS, "damping", "order", "rounding")
    plans.known(settings, keys, "awq")
    model, tokenizer = hear.load(_folder(source))
    batches = hear.encoded(tokenizer, texts, tokens=int(settings.get("tokens", 256)))
    awq.mark(model)
    offered = grid.TYPES if rounding == "gptq" else ggml.OFFERED
    with tempfile.TemporaryDirectory(dir=_beside(out)) as scratch:
        first = _halves(source, Path(scratch))
        heard, count = hear.importance(model, batches, progress=progress)
        plan, about = _plan(first, model, batches, heard, settings, offered, progress)
        strengths: dict[str, dict[str, float]] = {}

        def change(number: int, layers: Any, products: Any) -> None:
            block = model.model.layers[number]
            strengths[str(number)] = awq.scale(block, layers, products, plan.of)

        hear.blockwise(model, batches, change, progress=progress)
        scaled = Path(scratch) / "scaled"
        model.save_pretrained(scaled)
        tokenizer.save_pretrained(scaled)
        whole = export(scaled, Path(scratch) / "scaled.gguf", dtype="fp32", name=source.name)
        about |= {"texts": len(batches), "tokens": count, "strengths": strengths}
        heard, _ = hear.importance(model, batches, progress=progress)  # columns are others now
        if rounding == "gptq":
            return _compensated(whole, out, model, batches, heard, plan, settings, progress, about)
        return _nearest(whole, out, plan, heard, progress, about)


def _beside(out: Path) -> Path:
    """Where scratch files go: on the disk that the result goes to, which has room for it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    return out.parent


def _folder(source: Path) -> Path:
    if not source.is_dir():
        raise InputError(
            f"{source} is no folder; texts calibrate a folder of float weights (safetensors), "
            "which training and `aegle models` give"
        )
    return source


def _halves(source: Path, scratch: Path) -> Path:
    """The source as a GGUF file of floats."""
    if source.is_file():
        return source
    return export(source, scratch / "whole.gguf", dtype="fp32", name=source.name)


def _plan(
    whole: Path,
    model: Any,
    batches: Sequence[torch.Tensor],
    heard: Mapping[str, Any],
    settings: Mapping[str, Any],
    offered: Sequence[str],
    progress: Progress,
) -> tuple[Plan, dict[str, Any]]:
    """The plan that settings say, or the one that a budget gives."""
    if "share" not in settings:
        return plans.read(settings), {}
    if said := sorted(set(settings) & set(_PLAN)):
        raise UsageError(f"share chooses types itself; leave out {said[0]}")
    share = float(settings["share"])
    types = [ggml.kind(str(name)).name for name in settings.get("types", offered)]
    outputs = spread.gradients(model, batches, progress=progress)
    options, fixed, halves = {}, whole.stat().st_size, whole.stat().st_size
    tensors = opened(whole).tensors
    for number, tensor in enumerate(tensors):
        values = floats(tensor, whole)
        fixed -= tensor.n_bytes
        halves -= tensor.n_bytes - 2 * values.size if values.ndim > 1 else 0
        if values.ndim < 2 or tensor.name not in heard:
            fixed += tensor.n_bytes if values.ndim < 2 else 2 * values.size
            continue
        rows = _rows(outputs[tensor.name], tensor.name, model)
        options[tensor.name] = spread.choices(values, heard[tensor.name], rows, types)
        progress("spread", number + 1, len(tensors))
    if empty := sorted(name for name, some in options.items() if not some):
        raise UsageError(f"{empty[0]}: its rows are whole blocks of no type offered")
    found = spread.spread(options, int(share * halves) - fixed)
    about = {
        "share": share,
        "expected_loss": round(sum(one.loss for one in found.values()), 6),
    }
    return Plan("Q8_0", "", {name: one.type for name, one in found.items()}), about


def _rows(values: Any, name: str, model: Any) -> Any:
    """Numbers of a layer's rows in GGUF's order, where queries' and keys' rows stand otherwise."""
    heads = _heads(name, model)
    return interleaved(values[:, None], heads)[:, 0] if heads else values


def _heads(name: str, model: Any) -> int:
    config = model.config.get_text_config()
    if name.endswith("attn_q.weight"):
        return int(config.num_attention_heads)
    if name.endswith("attn_k.weight"):
        return int(getattr(config, "num_key_value_heads", 0) or config.num_attention_heads)
    return 0


def _nearest(
    whole: Path,
    out: Path,
    plan: Plan,
    heard: Mapping[str, Any],
    progress: Progress,
    about: dict[str, Any],
) -> Made:
    """Every matrix in its planned type, weighted where something was heard of it."""
    count = len(opened(whole).tensors)
    seen: list[str] = []

    def change(tensor: Any) -> Tensor | None:
        seen.append(tensor.name)
        progress("quantise", len(seen), count)
        name = plan.of(tensor.name, tuple(tensor.data.shape))
        if name == "F32":
            return None
        return _one(floats(tensor, whole), name, heard.get(tensor.name))

    return _written(whole, out, change, plan, about)


def _one(values: Any, name: str, heard: Any) -> Tensor:
    """A matrix, or the matrices of experts one below the other, in a type."""
    if name == "F16":
        return values.astype(np.float16), _kind("F16")
    flat = values.reshape(-1, values.shape[-1])
    made = ggml.quantise(flat, name, heard)
    return made.reshape(*values.shape[:-1], -1), _kind(name)


def _kind(name: str) -> gguf.GGMLQuantizationType:
    return gguf.GGMLQuantizationType[name.upper()]


def _compensated(
    whole: Path,
    out: Path,
    model: Any,
    batches: Sequence[torch.Tensor],
    heard: Mapping[str, Any],
    plan: Plan,
    settings: Mapping[str, Any],
    progress: Progress,
    about: dict[str, Any],
) -> Made:
    """Blocks by GPTQ; the table of words and the output layer to the nearest."""
    made: dict[str, Tensor] = {}
    error = [0.0, 0.0]
    damping, order = float(settings.get("damping", 0.01)), bool(settings.get("order", True))

    def change(_: int, layers: Mapping[str, Any], products: Mapping[str, Any]) -> None:
        for name, layer in layers.items():
            kind = plan.of(name, tuple(layer.weight.shape))
            if kind == "F16":
                continue
            best = gptq(layer.weight, products[name], kind, damping=damping, order=order)
            layer.weight.data = torch.from_numpy(ggml.dequantise(best.made_RB, kind))
            error[0], error[1] = error[0] + best.error, error[1] + best.nearest
            heads = _heads(name, model)
            data = interleaved(best.made_RB, heads) if heads else best.made_RB
            made[name] = (data, _kind(kind))

    hear.blockwise(model, batches, change, progress=progress)

    def changed(tensor: Any) -> Tensor | None:
        if tensor.name in made:
            return made[tensor.name]
        name = plan.of(tensor.name, tuple(tensor.data.shape))
        if name == "F32":
            return None
        return _one(floats(tensor, whole), name, heard.get(tensor.name))

    share = round(error[0] / error[1], 4) if error[1] else 1.0
    return _written(whole, out, changed, plan, {**about, "error_of_nearest": share})


def _written(whole: Path, out: Path, change: Any, plan: Plan, about: dict[str, Any]) -> Made:
    out.mkdir(parents=True, exist_ok=True)
    target = out / FILE
    rewrite(whole, target, change, mostly=_mostly(plan))
    types: dict[str, int] = {}
    for tensor in opened(target).tensors:
        types[tensor.tensor_type.name] = types.get(tensor.tensor_type.name, 0) + 1
    return Made(out, target.stat().st_size, {**about, "types": dict(sorted(types.items()))})


def _mostly(plan: Plan) -> str:
    """The type that most matrices have; of a spread plan the commonest."""
    kinds = list(plan.kept.values()) if len(plan.kept) > 8 else [plan.type]
    found = max(sorted(set(kinds)), key=kinds.count)
    return found if found.upper() != "F16" else "Q8_0"
