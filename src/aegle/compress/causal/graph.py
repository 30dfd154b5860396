"""A decoder as an ONNX graph with a cache, in floats or with weights of 8 or 4 bits.

Inputs and outputs are called as Optimum calls them, so that what reads its exports (ONNX Runtime,
Triton, transformers.js) reads these. Letters: B texts, T new tokens, P tokens before, L layers,
H key and value heads, D their width.

    input_ids (B, T), attention_mask (B, P + T), position_ids (B, T): int64
    past_key_values.L.key, .value (B, H, P, D): float32; P = 0 at first
    logits (B, T, V), present.L.key, .value (B, H, P + T, D): float32
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
import torch
from onnxruntime.quantization.matmul_nbits_quantizer import (  # type: ignore[import-untyped]
    MatMulNBitsQuantizer,
)
from torch import Tensor, nn
from transformers import DynamicCache

from aegle.compress.causal import hear
from aegle.compress.causal.plan import known
from aegle.compress.method import Made
from aegle.core.errors import InputError, UsageError
from aegle.core.ports import Progress
from aegle.lm.fetch import made_whole

BITS: Final = (32, 8, 4)
BLOCK: Final = 32
"""Weights that share a scale; the shortest that MatMulNBits has two kernels for."""
WITHIN: Final = 1e-2
"""How far a log-probability of the float graph may be from the network's: float32 sums in another
order, over the layers (30 of SmolLM2 come to .001); a wrong graph is off by more than 1."""
Cache = list[tuple[Tensor, Tensor]]


class _Cached(nn.Module):
    """The network with its cache as plain tensors."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor, past: Cache
    ) -> tuple[Tensor, ...]:
        cache = DynamicCache(config=self.model.config)
        for layer, (keys, values) in enumerate(past):
            cache.update(keys, values, layer)
        said = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=True,
        )
        kept = [one for layer in said.past_key_values.layers for one in (layer.keys, layer.values)]
        return (said.logits, *kept)


def onnx(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """``model.onnx`` (weights in ``model.onnx.data``) beside the configuration and the tokenizer.

    The float graph is run before it is kept, with and without a past, and compared with the
    network. Fewer bits are of weights in blocks of 32 along what they read, with a scale each, and
    computed in floats. No text is read.

    Args:
        source, out, texts, progress: as for a `Method`.
        settings: ``bits`` (32), one of `BITS`.

    Raises:
        InputError: a network that can't be exported (windows, experts and states other than keys
            and values change the cache's layout), or whose graph says something else.
        UsageError: an unknown setting or number of bits.
    """
    known(settings, ("bits",), "onnx")
    bits = settings.get("bits", 32)
    if bits not in BITS:
        raise UsageError(f"onnx has no {bits!r} bits; there are: {', '.join(map(str, BITS))}")
    model, tokenizer = hear.floats(source)
    model.eval().requires_grad_(False)
    model.set_attn_implementation("eager")
    progress("export", 0, 2)
    program = _exported(source, model)
    with made_whole(out) as into:
        model.config.save_pretrained(into)
        tokenizer.save_pretrained(into)
        program.save(str(into / "model.onnx"), external_data=True)
        progress("check", 1, 2)
        off = _check(source, model, into / "model.onnx")
        if bits != 32:
            _fewer(into / "model.onnx", bits)
    size = sum(path.stat().st_size for path in out.glob("model.onnx*"))
    progress("check", 2, 2)
    return Made(out, size, {"engine": "onnxruntime", "bits": bits, "float_difference": off})


def _example(model: Any, texts: int, new: int, before: int) -> tuple[Tensor, Tensor, Tensor, Cache]:
    """Seeded tokens, with a past of random numbers; the first text's past begins with padding."""
    config = model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    drawn = torch.Generator().manual_seed(0)
    ids = torch.randint(config.vocab_size, (texts, new), generator=drawn)
    mask = torch.ones(texts, before + new, dtype=torch.long)
    mask[0, : before // 2] = 0
    places = torch.arange(before, before + new).repeat(texts, 1)
    shape = (texts, heads, before, width)
    past = [
        (torch.randn(shape, generator=drawn), torch.randn(shape, generator=drawn))
        for _ in range(config.num_hidden_layers)
    ]
    return ids, mask, places, past


def _names(layers: int) -> tuple[list[str], list[str]]:
    kept = [f"{layer}.{what}" for layer in range(layers) for what in ("key", "value")]
    given = ["input_ids", "attention_mask", "position_ids"]
    past = [f"past_key_values.{name}" for name in kept]
    return given + past, ["logits", *(f"present.{name}" for name in kept)]


def _exported(source: Path, model: Any) -> Any:
    free = torch.export.Dim.DYNAMIC
    flat, layer = {0: free, 1: free}, ({0: free, 2: free}, {0: free, 2: free})
    layers = model.config.num_hidden_layers
    given, said = _names(layers)
    try:
        with warnings.catch_warnings(), torch.no_grad(), _silent("torch.onnx"):
            warnings.simplefilter("ignore")
            return torch.onnx.export(
                _Cached(model),
                _example(model, 2, 3, 5),
                dynamo=True,
                verbose=False,
                dynamic_shapes=(flat, flat, flat, [layer] * layers),
                input_names=given,
                output_names=said,
            )
    except Exception as error:  # the exporter raises what the network's own code makes it raise
        raise InputError(
            f"{source}: no graph can be made of it ({type(error).__name__}); its cache has to be "
            "one pair of keys and values a layer. `gguf` writes it for llama.cpp"
        ) from error


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Without what a library tells of each step, in its logger or on standard error."""
    talk = logging.getLogger(name)
    level = talk.level
    talk.setLevel(logging.ERROR)
    try:
        yield
    finally:
        talk.setLevel(level)


def _check(source: Path, model: Any, file: Path) -> float:
    """The farthest that the graph's log-probabilities and cache are from the network's."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    given, _ = _names(model.config.num_hidden_layers)
    worst = 0.0
    for size in ((1, 7, 0), (3, 1, 4), (2, 2, 6)):
        ids, mask, places, past = _example(model, *size)
        with torch.no_grad():
            want = _Cached(model)(ids, mask, places, past)
        flat = [ids, mask, places, *(one for layer in past for one in layer)]
        got = session.run(None, {name: one.numpy() for name, one in zip(given, flat, strict=True)})
        odds = torch.from_numpy(got[0]).log_softmax(-1) - want[0].log_softmax(-1)
        cache = (
            np.abs(a - b.numpy()).max(initial=0) for a, b in zip(got[1:], want[1:], strict=True)
        )
        worst = max(worst, float(odds.abs().max()), *map(float, cache))
    if not worst <= WITHIN:
        raise InputError(
            f"{source}: its graph is {worst:.2g} from the network, more than {WITHIN}; "
            "it wasn't kept"
        )
    return worst


def _fewer(file: Path, bits: int) -> None:
    import onnx as format

    graph = format.load(file)
    # It sets its own level when it is made, and tells of every product.
    small = MatMulNBitsQuantizer(graph, bits=bits, block_size=BLOCK, is_symmetric=True)
    with _silent(MatMulNBitsQuantizer.__module__):
        small.process()
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()
    small.model.save_model_to_file(str(file), use_external_data_format=True)
