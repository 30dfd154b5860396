"""What goes into a decoder's linear layers while it reads texts: squares, products, gradients.

Letters: T tokens, C columns, R rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from aegle.core.errors import InputError
from aegle.core.ports import Progress, quiet
from aegle.lm.decoder import AegleDecoder

OWN: Final = AegleDecoder.config_class.model_type
"""Importing the research decoder registers it."""

Squares = dict[str, np.ndarray[Any, np.dtype[np.float32]]]

NAMES: Final = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""A block's linear layers, as Transformers and as GGUF call them."""


def load(folder: Path) -> tuple[Any, Any]:
    """(model in float32, tokenizer) of a folder of safetensors of Llama's layout.

    Raises:
        InputError: another layout, pickled weights, or experts, whose columns no two tokens share.
    """
    model, tokenizer = floats(folder)
    blocks = getattr(getattr(model, "model", None), "layers", None)
    if blocks is None or not all(_dense(block) for block in blocks):
        raise InputError(
            f"{folder}: calibration reads dense blocks of Llama's layout ({', '.join(NAMES)}); "
            "quantise this model without it (method gguf)"
        )
    model.train(False).requires_grad_(False)
    return model, tokenizer


def floats(folder: Path, **how: Any) -> tuple[Any, Any]:
    """(model, tokenizer) of a folder of float weights of any layout, for Transformers' options.

    Raises:
        InputError: it can't be loaded, or holds fewer bits already.
    """
    told: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    if not any(folder.glob("*.safetensors")):
        raise InputError(f"{folder} holds no safetensors; give a folder of float weights")
    try:
        config = AutoConfig.from_pretrained(str(folder), **told)
        was = getattr(config, "quantization_config", None)
        if was is not None:
            method = was.get("quant_method") if isinstance(was, dict) else was.quant_method
            if str(getattr(method, "value", method)) != "gguf":
                raise InputError(
                    f"{folder} holds {getattr(method, 'value', method)} weights; give the original "
                    "floats, as rounding twice loses more than once"
                )
            # A GGUF file that was spread out is floats, though its configuration says otherwise.
            del config.quantization_config
        model = AutoModelForCausalLM.from_pretrained(
            str(folder), config=config, dtype=torch.float32, use_safetensors=True, **told, **how
        )
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **told)
    except (OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
        raise InputError(f"{folder} can't be loaded as decoder ({type(error).__name__})") from error
    return model, tokenizer


def _dense(block: nn.Module) -> bool:
    inside = dict(block.named_modules())
    return all(isinstance(inside.get(name), nn.Linear) for name in NAMES)


def linears(model: Any) -> Iterator[tuple[str, nn.Linear]]:
    """(name in GGUF, layer) of all blocks, in their order."""
    for number, block in enumerate(model.model.layers):
        for name, ours in NAMES.items():
            yield f"blk.{number}.{ours}.weight", block.get_submodule(name)


def encoded(tokenizer: Any, texts: Sequence[str], *, tokens: int = 256) -> list[Tensor]:
    """Texts as (1, T) ids, cut at so many tokens; those under 2 tokens say nothing of the next.

    Raises:
        InputError: nothing is left.
    """
    found = [tokenizer(text, return_tensors="pt").input_ids[:, :tokens] for text in texts]
    found = [ids for ids in found if ids.shape[1] >= 2]
    if not found:
        raise InputError(
            "calibration needs texts of the model's own domain, each of some words; none was given"
        )
    return found


@contextmanager
def hooked(layers: Mapping[str, nn.Module], heard: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Tell what goes into layers, as (T, C)."""

    def hook(name: str) -> Callable[..., None]:
        return lambda _, given: heard(name, given[0].detach().reshape(-1, given[0].shape[-1]))

    handles = [one.register_forward_pre_hook(hook(name)) for name, one in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def importance(
    model: Any, batches: Sequence[Tensor], *, progress: Progress = quiet
) -> tuple[Squares, int]:
    """The importance matrix: mean squares of what goes into each column, and how many tokens.

    Names are GGUF's. ``output.weight`` hears the last norm's output; where the table of words is
    tied to it, ``token_embd.weight`` has the same, as there the same numbers compute.
    """
    sums: dict[str, Tensor] = {}
    layers: dict[str, nn.Module] = dict(linears(model))
    layers["output.weight"] = model.get_output_embeddings()
    total = 0

    def heard(name: str, given_TC: Tensor) -> None:
        squares = given_TC.double().pow(2).sum(0)
        sums[name] = sums[name] + squares if name in sums else squares

    with torch.no_grad(), hooked(layers, heard):
        for number, ids in enumerate(batches):
            model(ids, use_cache=False)
            total += ids.shape[1]
            progress("calibrate", number + 1, len(batches))
    found = {name: (one / total).float().numpy() for name, one in sums.items()}
    if model.config.get_text_config().tie_word_embeddings:
        found["token_embd.weight"] = found["output.weight"]
    return found, total


def blockwise(
    model: Any,
    batches: Sequence[Tensor],
    change: Callable[[int, dict[str, nn.Linear], dict[str, Tensor]], None],
    *,
    progress: Progress = quiet,
) -> None:
    """Change block after block, each by what goes into its layers once those below are changed.

    Args:
        model: from `load`; changed in place.
        batches: ids.
        change: gets a block's number, its layers by GGUF's name, and of each the mean of
            x x^T, (C, C) in float64; it puts other numbers into the layers' weights.
        progress: told of each block.
    """
    given = _first(model, batches)
    blocks = model.model.layers
    for number, block in enumerate(blocks):
        layers = {
            f"blk.{number}.{ours}.weight": block.get_submodule(name) for name, ours in NAMES.items()
        }
        with torch.no_grad():
            change(number, layers, _products(block, layers, given))
            for one in given:
                one[0] = _out(block(one[0], *one[1], **one[2]))
        progress("blocks", number + 1, len(blocks))


def _products(
    block: nn.Module, layers: dict[str, nn.Linear], given: list[list[Any]]
) -> dict[str, Tensor]:
    sums: dict[str, Tensor] = {}
    total = sum(one[0].shape[1] for one in given)
    # q, k and v hear the same, as do gate and up: one of them listens.
    alike = {"attn_k": "attn_q", "attn_v": "attn_q", "ffn_up": "ffn_gate"}
    ears = {name: one for name, one in layers.items() if name.split(".")[2] not in alike}

    def heard(name: str, given_TC: Tensor) -> None:
        product = (given_TC.T @ given_TC).double()
        sums[name] = sums[name] + product if name in sums else product

    with hooked(ears, heard):
        for hidden, more, told in given:
            block(hidden, *more, **told)
    found = {name: one / total for name, one in sums.items()}
    for name in layers:
        head, _, last = name.removesuffix(".weight").rpartition(".")
        if last in alike:
            found[name] = found[f"{head}.{alike[last]}.weight"]
    return found


class _EnoughError(Exception):
    """The first block was reached."""


def _first(model: Any, batches: Sequence[Tensor]) -> list[list[Any]]:
    """[hidden states, further arguments, named ones] that the first block gets, of each batch."""
    found: list[list[Any]] = []

    def stop(_: nn.Module, given: tuple[Any, ...], told: dict[str, Any]) -> None:
        told = dict(told)
        hidden = given[0] if given else told.pop("hidden_states")
        found.append([hidden, given[1:], told])
        raise _EnoughError

    handle = model.model.layers[0].register_forward_pre_hook(stop, with_kwargs=True)
    try:
        for ids in batches:
            try:
                with torch.no_grad():
                    model(ids, use_cache=False)
            except _EnoughError:
                continue
    finally:
        handle.remove()
    return found


def _out(told: Any) -> Tensor:
    found: Tensor = told[0] if isinstance(told, tuple) else told
    return found
