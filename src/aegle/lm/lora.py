"""A LoRA of PEFT's for llama.cpp: its folder becomes a GGUF adapter over a GGUF base; no torch.

Hu et al. (2021): beside a weight W (O, I) of the base stand A (R, I) and B (O, R), and a layer adds
alpha / R B A x to W x (rsLoRA: alpha / sqrt(R)). llama.cpp computes just that, so the base stays as
it is, also where it is quantised. Whatever else an adapter may be is refused by name, never left
out: served without it, the model would say something else than what was trained.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from aegle.core.artifacts import read_json, sha256_file
from aegle.core.errors import InputError, UsageError
from aegle.lm import gguf_plain
from aegle.lm.bf16 import floats
from aegle.lm.fetch import ADAPTER, digest

CONFIG: Final = ADAPTER
WEIGHTS: Final = "adapter_model.safetensors"
ABOUT: Final = "adapter.json"
CARD: Final = "card.json"
VERSION: Final = 1
"""Raised when a folder gives another file, so that cached ones are made anew."""

Array = NDArray[Any]

_NAME: Final = re.compile(
    r"(?:base_model\.model\.)?model\.layers\.(?P<layer>\d+)\.(?:self_attn|mlp)\."
    r"(?P<part>[qkvo]_proj|gate_proj|up_proj|down_proj)\.lora_(?P<side>[AB])\.weight"
)
_PARTS: Final = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
_HEADS: Final = {"q_proj": "attention.head_count", "k_proj": "attention.head_count_kv"}
_ARCHITECTURE: Final = "llama"
_PLAIN: Final = frozenset(
    {
        *("peft_type", "r", "lora_alpha", "use_rslora", "bias", "init_lora_weights"),
        # What follows says where and how it was trained; the tensors say the rest.
        *("base_model_name_or_path", "revision", "task_type", "inference_mode", "auto_mapping"),
        *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
        *("lora_dropout", "megatron_core", "peft_version", "runtime_config", "loftq_config"),
        *("eva_config", "qalora_group_size"),
    }
)
"""Keys of PEFT's configuration that are understood, or change nothing; any other must be off."""
_STARTS: Final = (True, False, "gaussian", "orthogonal", "eva")
"""Ways to begin that leave the base as it is; PiSSA's, OLoRA's, LoftQ's and others change it."""
INSTEAD: Final = (
    "merge it into its base first: `merge: true` in its recipe, where the method merges; "
    "`aegle compress` makes a GGUF file of the merged folder"
)


def is_adapter(path: Path) -> bool:
    """Whether a folder holds an adapter, not a model."""
    if (path / CONFIG).is_file():
        return True
    about = read_json(path / ABOUT) if (path / ABOUT).is_file() else {}
    return isinstance(about, dict) and about.get("method") not in (None, "full")


def base_of(folder: Path) -> str:
    """The reference of the base that an adapter goes on, for `aegle.lm.catalog.resolve`.

    It is that of ``card.json``, as `aegle train` writes it; else PEFT's, where that is a file.

    Raises:
        InputError: neither names one.
    """
    told = read_json(folder / CARD) if (folder / CARD).is_file() else {}
    base = told.get("base") if isinstance(told, dict) else None
    if isinstance(base, str) and base:
        return base
    config = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else {}
    path = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    if isinstance(path, str) and path and Path(path).exists():
        return f"path:{path}"
    raise InputError(
        f'{folder} does not say what it goes on; write {{"base": REFERENCE}} into {CARD} there, '
        "with a name of `aegle models`, path:/file.gguf or hf:org/repo/file.gguf"
    )


def as_gguf(folder: Path, base: Path, cache: Path) -> Path:
    """The adapter as a GGUF file over a GGUF base: written once, then kept in ``cache``.

    Args:
        folder: ``adapter_config.json`` and ``adapter_model.safetensors``, as PEFT writes them.
        base: the GGUF file that it goes on, of Llama's architecture.
        cache: where the file is kept, by the content of the folder and the shape of the base.

    Raises:
        UsageError: the adapter is more than a LoRA of linear layers; the message names what.
        InputError: a file is missing or damaged, or was made for another base.
    """
    config = _config(folder)
    _check_base(folder, base)
    shape = _shape(base)
    about = [sha256_file(folder / WEIGHTS), config, shape, VERSION]
    tag = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    target = cache / "adapters" / f"{tag}.gguf"
    if not target.is_file():
        alpha = float(config["lora_alpha"])
        tensors = _tensors(folder / WEIGHTS, shape, config)
        keys: dict[str, str | float] = {
            "general.type": "adapter",
            "general.architecture": _ARCHITECTURE,
            "adapter.type": "lora",
            "adapter.lora.alpha": alpha,
        }
        gguf_plain.write(target, keys, tensors)
    return target


def _config(folder: Path) -> dict[str, Any]:
    """What is to be known of PEFT's configuration, checked."""
    about = read_json(folder / ABOUT) if (folder / ABOUT).is_file() else {}
    method = about.get("method") if isinstance(about, dict) else None
    if method not in (None, "lora", "rslora", "pissa"):
        raise UsageError(
            f"{folder} is an adapter of {method}; llama.cpp takes LoRA only: {INSTEAD}"
        )
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise InputError(f"{folder} is no LoRA adapter of PEFT's: it has no {name}")
    told = read_json(folder / CONFIG)
    if not isinstance(told, dict):
        raise InputError(f"{folder / CONFIG} is no configuration of PEFT's")
    wrong = [name for name, value in told.items() if name not in _PLAIN and value]
    if told.get("peft_type") != "LORA":
        wrong.append(f"peft_type {told.get('peft_type')}")
    if told.get("bias", "none") != "none":
        wrong.append("bias")
    if (start := told.get("init_lora_weights", True)) not in _STARTS:
        wrong.append(f"init_lora_weights {start}")
    if wrong:
        raise UsageError(
            f"{folder} is more than a LoRA ({', '.join(sorted(wrong))}); llama.cpp has no such "
            f"adapter: {INSTEAD}"
        )
    alpha = told.get("lora_alpha")
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not alpha > 0:
        raise InputError(f"{folder / CONFIG} needs lora_alpha, a number above 0")
    return {"lora_alpha": alpha, "use_rslora": bool(told.get("use_rslora"))}


def _check_base(folder: Path, base: Path) -> None:
    told = read_json(folder / CARD) if (folder / CARD).is_file() else {}
    made_for = told.get("base_sha256") if isinstance(told, dict) else None
    if made_for and made_for != digest(base):
        raise InputError(f"{folder} was made for other weights than those of {base}")


def _shape(base: Path) -> dict[str, int]:
    """Heads of queries and keys, by which their rows are ordered."""
    kind = "general.architecture"
    keys = {part: f"{_ARCHITECTURE}.{key}" for part, key in _HEADS.items()}
    told = gguf_plain.head(base, {kind, *keys.values()})
    if told.get(kind) != _ARCHITECTURE:
        raise UsageError(
            f"{base} is of the architecture {told.get(kind)}; adapters are served over "
            f"{_ARCHITECTURE} only: {INSTEAD}"
        )
    queries = told.get(keys["q_proj"])
    found = {"q_proj": queries, "k_proj": told.get(keys["k_proj"], queries)}
    if not all(isinstance(one, int) and one > 0 for one in found.values()):
        raise UsageError(f"{base} does not give all layers the same number of heads: {INSTEAD}")
    return {part: int(one or 0) for part, one in found.items()}


def _tensors(path: Path, heads: Mapping[str, int], config: Mapping[str, Any]) -> dict[str, Array]:
    """Both matrices of each layer by their names in GGUF."""
    try:
        with safe_open(path, "numpy") as file:
            names = sorted(file.keys())
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} can't be read ({type(error).__name__})") from error
    found: dict[str, Array] = {}
    for name in names:
        match = _NAME.fullmatch(name)
        if match is None:
            raise UsageError(f"{path} changes {name!r}, for which no adapter is written: {INSTEAD}")
        tensor = floats(path, name)
        if tensor.ndim != 2 or not np.isfinite(tensor).all():
            raise InputError(f"{path}: {name!r} is no matrix of numbers")
        if match["side"] == "B":
            tensor = _right(tensor, heads.get(match["part"], 0), config, name)
        to = f"blk.{match['layer']}.{_PARTS[match['part']]}.weight.lora_{match['side'].lower()}"
        found[to] = tensor
    _paired(path, found)
    return found


def _right(matrix: Array, heads: int, config: Mapping[str, Any], name: str) -> Array:
    """B (O, R): of queries and keys in llama.cpp's order of rows, of rsLoRA in its scale."""
    if config["use_rslora"]:
        matrix = matrix * np.float32(math.sqrt(matrix.shape[1]))
    if not heads:
        return matrix
    rows, rank = matrix.shape
    if rows % (2 * heads):
        raise InputError(f"{name!r} has {rows} rows, which {heads} heads can't share")
    # As `aegle.lm.gguf.interleaved` does with the weight itself.
    halves = matrix.reshape(heads, 2, rows // heads // 2, rank)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows, rank))


def _paired(path: Path, found: Mapping[str, Array]) -> None:
    if not found:
        raise InputError(f"{path} holds no tensors")
    for name in found:
        stem = name[:-1]
        if not {f"{stem}a", f"{stem}b"} <= found.keys():
            raise InputError(f"{path} has only one matrix of {stem.removesuffix('.lora_')!r}")
        if found[f"{stem}a"].shape[0] != found[f"{stem}b"].shape[1]:
            raise InputError(f"{path}: the ranks of {stem.removesuffix('.lora_')!r} differ")
