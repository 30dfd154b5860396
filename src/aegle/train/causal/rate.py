"""How well a model continues held-out texts, how fast, in how much memory; one text at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from aegle.core.errors import StoppedError
from aegle.metrics.stats import percentile
from aegle.train.causal import adapters, nf4
from aegle.train.causal.chat import Encoder, Tokens
from aegle.train.causal.corpus import read_records
from aegle.train.causal.figures import by_group
from aegle.train.causal.load import DTYPES, load_causal
from aegle.train.causal.loss import Head, listening, shifted
from aegle.train.causal.packing import row
from aegle.train.causal.recipe import Source
from aegle.train.causal.steady import quieten
from aegle.train.memory import peaks

HELD: Final = (*DTYPES, "nf4")
"""How weights may be held: floats of these kinds, or 4 bits by bitsandbytes."""

_BECAUSE: Final = "held-out texts that a user names: they are scored, and nothing of them is kept"


def rate_file(
    folder: Path,
    *,
    base: Path | None,
    held: str,
    file: Path,
    template: str = "auto",
    max_tokens: int = 1024,
    device: str = "auto",
    progress: Callable[..., None] = lambda *told: None,
    figures: Callable[..., None] = lambda *told: None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Score the texts of a file of JSON lines (messages, prompt and completion, or text).

    Args:
        folder: of a model, or of an adapter, which goes onto ``base``.
        base: folder of the adapter's base; None for a whole model.
        held: how weights are held, one of `HELD`.
        file: the texts.
        template: auto or plain, as in a recipe.
        max_tokens, device: of one text, a longer one is an error; cpu, cuda or auto.
        progress, figures, stop: as for a training.

    Returns:
        ``measures`` as `aegle.train.groups.write` takes them; ``tokens_per_s`` (all tokens read),
        ``p50_ms`` of one text, ``stored_bytes`` (of the weights as they are held),
        ``peak_memory_bytes`` (loading counted).

    Raises:
        InputError: the weights or the texts can't be read, or a text is too long.
        StoppedError: ``stop`` said so.
    """
    quieten()
    told = Source(train=file.name, safe_because=_BECAUSE, licence="the user's own")
    records = list(read_records(file, told))
    where = device if device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    model, core, tokenizer = _load(folder, base, held, where)
    encode = Encoder(tokenizer, template=template, max_tokens=max_tokens, overlong="error")
    pairs = [(record, one) for record in records for one in encode(record)]
    texts = [one for _, one in pairs]
    rows, times = _timed(model, core, texts, where, progress, stop)
    most = peaks()
    return {
        "measures": by_group([record for record, _ in pairs], rows, whole=True),
        "tokens_per_s": sum(map(len, texts)) / sum(times),
        "p50_ms": percentile(times, 50).value * 1000,
        "stored_bytes": held_bytes(model),
        "peak_memory_bytes": most.get("device_peak_bytes", most["peak_bytes"]),
    }


def _timed(
    model: Any,
    core: Any,
    texts: Sequence[Tokens],
    device: str,
    progress: Callable[..., None],
    stop: Callable[[], bool],
) -> tuple[list[tuple[float, int, int]], list[float]]:
    """(loss, right tokens, learned tokens) of each text, and its seconds."""
    head = Head.of(core, 512)
    rows, times = [], []
    _each(model, core, head, texts[0], device)  # what the first call sets up isn't timed
    for number, one in enumerate(texts):
        began = time.perf_counter()
        losses, right = _each(model, core, head, one, device)
        rows.append((float(losses.double().sum()), int(right.sum()), len(losses)))
        times.append(time.perf_counter() - began)
        progress("compare", number + 1, len(texts))
        if stop():
            raise StoppedError("stopped; the same command begins anew", resumes=False)
    return rows, times


def _load(folder: Path, base: Path | None, held: str, device: str) -> tuple[Any, Any, Any]:
    dtype = "fp32" if held == "nf4" else held
    core, tokenizer = load_causal(base or folder, dtype=dtype, device=device)
    if held == "nf4":
        nf4.quantise(core)
    if base is None:
        return core, core, tokenizer
    model = adapters.load(core, folder).to(device)
    return model, core, tokenizer


@torch.inference_mode()
def _each(model: Any, core: Any, head: Head, one: Any, device: str) -> tuple[Tensor, Tensor]:
    """The loss of each learned token, and whether it was the likeliest."""
    told = {name: some.to(device) for name, some in row([one]).items()}
    labels = told.pop("labels")
    with listening(core) as ear:
        outputs = model(**told, use_cache=False)
    if ear.heard is not None:
        return head.each(ear.heard, labels)
    logits, wanted = shifted(outputs.logits, labels)
    losses = nn.functional.cross_entropy(logits.float(), wanted, reduction="none")
    return losses, logits.argmax(1) == wanted


def held_bytes(model: Any) -> int:
    """What the weights take, each counted once, with the scales of those in 4 bits."""
    found = {id(one): one for one in (*model.parameters(), *model.buffers())}
    total: int = sum(one.numel() * one.element_size() for one in found.values())
    for one in found.values():
        state = getattr(one, "quant_state", None)
        for part in (state, getattr(state, "state2", None)):
            scales = getattr(part, "absmax", None)
            total += scales.numel() * scales.element_size() if scales is not None else 0
    return total
