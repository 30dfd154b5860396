"""A pruned encoder trained to do as the whole one does, on texts without labels.

The whole model teaches states of the last layer and what its heads make of them; the pruned one
begins with the weights that it was left. Weights are a plain table, since a layer may have fewer
heads than the next, which no configuration of transformers says.

Letters: B texts, S tokens, C width, H heads, D head width.

References:
    Sanh et al. (2019), DistilBERT; Jiao et al. (2020), TinyBERT: states and answers of a teacher.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from aegle.core.errors import InputError
from aegle.core.ports import Progress
from aegle.lm.bert import Shape

Feed = Mapping[str, NDArray[np.int64]]
Weights = Mapping[str, Tensor]

_LOW: Final = -1e9
_CLIP: Final = 1.0
_WARM: Final = 0.1
_DECAY: Final = 0.01


@dataclass(frozen=True, slots=True)
class Task:
    """What a model is for: see `aegle.compress.source.Source`."""

    kind: str
    pooling: str = ""
    tasks: tuple[tuple[str, int], ...] = ()


def heal(
    whole: Mapping[str, NDArray[Any]],
    cut: Mapping[str, NDArray[Any]],
    *,
    shapes: tuple[Shape, Shape],
    task: Task,
    feeds: Sequence[Feed],
    steps: int,
    lr: float,
    batch: int = 8,
    seed: int = 0,
    progress: Progress,
) -> dict[str, NDArray[np.float32]]:
    """The cut weights after so many steps.

    Args:
        whole, cut: weights by their Hugging Face names without ``bert.``.
        shapes: of the two.
        task: of both.
        feeds: inputs (1, S) of texts.
        steps: of ``batch`` texts each.
        lr: of AdamW, warmed up over a tenth of the steps, then falling to 0.
        seed: of the texts' order.
        progress: told of steps.

    Raises:
        InputError: no text, or the loss is no number any more.
    """
    if not feeds or steps < 1 or lr <= 0:
        raise InputError("healing needs texts, steps of 1 or more and a learning rate above 0")
    teacher = {name: torch.from_numpy(np.array(value)) for name, value in whole.items()}
    student = _trainable(cut)
    optimiser = torch.optim.AdamW(list(student.values()), lr=lr, weight_decay=_DECAY)
    for step, given in enumerate(_batches(feeds, steps, batch, seed)):
        with torch.no_grad():
            wanted = forward(teacher, shapes[0], given, task)
        found = forward(student, shapes[1], given, task)
        loss = apart(wanted, found, given["attention_mask"], task)
        if not torch.isfinite(loss):
            raise InputError(f"healing diverged at step {step + 1}; give a lower learning rate")
        _descend(optimiser, loss, lr * _rate(step, steps), student)
        progress("heal", step + 1, steps)
    return {name: value.detach().numpy() for name, value in student.items()}


def _trainable(cut: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    floats = {name: value for name, value in cut.items() if value.dtype.kind == "f"}
    return {
        name: torch.from_numpy(np.array(value, np.float32)).requires_grad_()
        for name, value in floats.items()
    }


def _batches(
    feeds: Sequence[Feed], steps: int, size: int, seed: int
) -> Iterator[dict[str, Tensor]]:
    """Each text once before any comes again."""
    rng, order = np.random.default_rng(seed), list[int]()
    for _ in range(steps):
        while len(order) < size:
            order += rng.permutation(len(feeds)).tolist()
        yield padded([feeds[n] for n in order[:size]])
        del order[:size]


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor, lr: float, student: Weights) -> None:
    for group in optimiser.param_groups:
        group["lr"] = lr
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_([w for w in student.values() if w.grad is not None], _CLIP)
    optimiser.step()


def _rate(step: int, steps: int) -> float:
    warm = max(1, round(_WARM * steps))
    return min((step + 1) / warm, (steps - step) / max(1, steps - warm + 1))


def padded(feeds: Sequence[Feed]) -> dict[str, Tensor]:
    """Inputs (1, S) side by side, (B, S), with zeros behind the shorter ones."""
    longest = max(one["input_ids"].shape[1] for one in feeds)
    return {
        name: torch.from_numpy(
            np.concatenate(
                [np.pad(f[name], ((0, 0), (0, longest - f[name].shape[1]))) for f in feeds]
            )
        )
        for name in feeds[0]
    }


def forward(
    w: Weights,
    shape: Shape,
    given: Mapping[str, Tensor],
    task: Task,
) -> tuple[Tensor, Tensor]:
    """States (B, S, C) of the last layer, and what the heads make of them."""
    ids_BS, mask_BS = given["input_ids"], given["attention_mask"]
    types = w["embeddings.token_type_embeddings.weight"]
    x = w["embeddings.word_embeddings.weight"][ids_BS]
    x = x + w["embeddings.position_embeddings.weight"][: ids_BS.shape[1]]
    if task.kind == "tagger":
        x = x + types[0] + w["cases.weight"][given["cases"]]
    else:
        x = x + types[given["token_type_ids"]]
    x = _norm(w, "embeddings.LayerNorm", x, shape)
    bias_B11S = (1.0 - mask_BS.float())[:, None, None] * _LOW
    for layer in range(shape.layers):
        x = _layer(w, f"encoder.layer.{layer}", x, bias_B11S, shape)
    return x, _told(w, x, mask_BS, task)


def _layer(w: Weights, name: str, x: Tensor, bias_B11S: Tensor, shape: Shape) -> Tensor:
    size = shape.width // shape.heads
    q, k, v = (
        _dense(w, f"{name}.attention.self.{part}", x)
        .reshape(*x.shape[:2], -1, size)
        .transpose(1, 2)
        for part in ("query", "key", "value")
    )
    mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias_B11S)
    out = _dense(w, f"{name}.attention.output.dense", mixed.transpose(1, 2).flatten(2))
    x = _norm(w, f"{name}.attention.output.LayerNorm", out + x, shape)
    wide = functional.gelu(_dense(w, f"{name}.intermediate.dense", x))
    out = _dense(w, f"{name}.output.dense", wide)
    return _norm(w, f"{name}.output.LayerNorm", out + x, shape)


def _told(w: Weights, x_BSC: Tensor, mask_BS: Tensor, task: Task) -> Tensor:
    if task.kind == "tagger":
        return torch.cat([_dense(w, f"heads.{name}", x_BSC) for name, _ in task.tasks], -1)
    if task.kind in ("pair", "classifier"):
        return _dense(w, "classifier", torch.tanh(_dense(w, "pooler.dense", x_BSC[:, 0])))
    if task.pooling == "none":
        return x_BSC
    kept = x_BSC[:, 0] if task.pooling == "cls" else (x_BSC * mask_BS[..., None]).sum(1)
    return functional.normalize(kept, dim=-1)


def _dense(w: Weights, name: str, x: Tensor) -> Tensor:
    return functional.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])


def _norm(w: Weights, name: str, x: Tensor, shape: Shape) -> Tensor:
    gain, bias = w[f"{name}.weight"], w[f"{name}.bias"]
    return functional.layer_norm(x, (shape.width,), gain, bias, shape.epsilon)


def apart(
    wanted: tuple[Tensor, Tensor], found: tuple[Tensor, Tensor], mask_BS: Tensor, task: Task
) -> Tensor:
    """The mean square between states, and the divergence between answers (`_answers`)."""
    own = mask_BS.bool()
    states = functional.mse_loss(found[0][own], wanted[0][own])
    was, now = wanted[1], found[1]
    if was.dim() == 3:
        was, now = was[own], now[own]
    return states + _answers(was, now, task)


def _answers(was: Tensor, now: Tensor, task: Task) -> Tensor:
    """Of classes the Kullback-Leibler divergence, summed over label sets; of others the square."""
    if task.kind == "encoder" or was.shape[-1] == 1:
        return (was - now).square().sum(-1).mean()
    total, at = torch.zeros(()), 0
    for size in [size for _, size in task.tasks] or [was.shape[-1]]:
        a, b = (one[:, at : at + size].log_softmax(-1) for one in (was, now))
        total = total + functional.kl_div(b, a, reduction="batchmean", log_target=True)
        at += size
    return total
