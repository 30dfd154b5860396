"""Single weights to nothing: the smallest, or those that texts say matter least; 2 of each 4.

The file is no smaller and a processor no faster: kernels that skip zeros are those of GPUs for 2:4.

References:
    Sun et al. (2024), A simple and effective pruning approach for large language models (Wanda).

Letters: R rows, C columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aegle.compress.causal import hear
from aegle.compress.causal.plan import known
from aegle.compress.method import Made
from aegle.core.errors import InputError, UsageError
from aegle.core.ports import Progress

PATTERN = "2:4"


def magnitude(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """The smallest weights of each layer to nothing; no text is read.

    Args:
        source, out, texts, progress: as for a `Method`.
        settings: ``share`` of a layer's weights (0.5), or ``pattern`` "2:4".

    Raises:
        InputError: a model that isn't of Llama's layout.
        UsageError: an unknown setting, or both.
    """
    share, pattern = _asked(settings, "magnitude")
    model, tokenizer = hear.load(source)
    for _, layer in hear.linears(model):
        score = layer.weight.abs()
        mask = two_of_four(score) if pattern else smallest(score.reshape(1, -1), share)
        layer.weight.data[mask.reshape(score.shape)] = 0
    return _saved(model, tokenizer, out, {"pattern": pattern or share})


def wanda(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """In each row, the weights with the least |weight| x input (root mean square) to nothing.

    Args:
        source, out, texts, progress, settings: as for `magnitude`; texts are needed.

    Raises:
        InputError, UsageError: as `magnitude`; no texts.
    """
    share, pattern = _asked(settings, "wanda")
    model, tokenizer = hear.load(source)
    batches = hear.encoded(tokenizer, texts, tokens=int(settings.get("tokens", 256)))

    def change(_: int, layers: Mapping[str, Any], products: Mapping[str, Tensor]) -> None:
        for name, layer in layers.items():
            score = layer.weight.abs() * products[name].diagonal().clamp_min(0).sqrt().float()
            mask = two_of_four(score) if pattern else smallest(score, share)
            layer.weight.data[mask] = 0

    hear.blockwise(model, batches, change, progress=progress)
    return _saved(model, tokenizer, out, {"pattern": pattern or share, "texts": len(batches)})


def smallest(score_RC: Tensor, share: float) -> Tensor:
    """Of each row, the share of weights with the smallest scores, (R, C)."""
    count = int(score_RC.shape[1] * share)
    mask = torch.zeros_like(score_RC, dtype=torch.bool)
    return mask.scatter_(1, score_RC.argsort(dim=1, stable=True)[:, :count], True)


def two_of_four(score_RC: Tensor) -> Tensor:
    """Of each four weights in a row, the two with the smallest scores, (R, C).

    Raises:
        InputError: rows that are no fours.
    """
    rows, columns = score_RC.shape
    if columns % 4:
        raise InputError(f"rows of {columns} are no groups of four; give a share instead of 2:4")
    return smallest(score_RC.reshape(-1, 4), 0.5).reshape(rows, columns)


def _asked(settings: Mapping[str, Any], method: str) -> tuple[float, str]:
    known(settings, ("share", "pattern", "tokens"), method)
    pattern, share = str(settings.get("pattern", "")), float(settings.get("share", 0.5))
    if pattern and (pattern != PATTERN or "share" in settings):
        raise UsageError(f"{method}: say either share or pattern: {PATTERN}")
    if not 0 < share < 1:
        raise UsageError(f"{method}: share {share} is not between 0 and 1")
    return share, pattern


def _saved(model: Any, tokenizer: Any, out: Path, about: dict[str, Any]) -> Made:
    zeros = [int((one.weight == 0).sum()) for _, one in hear.linears(model)]
    total = sum(one.weight.numel() for _, one in hear.linears(model))
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    size = sum(path.stat().st_size for path in out.rglob("*.safetensors"))
    return Made(out, size, {**about, "zeros": round(sum(zeros) / total, 6)})
