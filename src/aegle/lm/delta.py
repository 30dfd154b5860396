"""A small file of changes to a packaged encoder, merged into it at first use; no torch.

What was trained here is shipped as what it changed: for a weight W (O, I) of the base either two
thin matrices, B (O, R) and A (R, I), that make W + B A (Hu et al. 2021, LoRA), or the whole tensor.
A delta may also keep only some of the base's layers. Its folder holds ``delta.safetensors`` and
``card.json``; the base is fetched as every package is, and the merged weights lie in the cache.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from aegle.core.artifacts import read_json, write_bytes, write_json
from aegle.core.errors import InputError
from aegle.core.plugins import load
from aegle.lm.fetch import DELTA, digest, made_whole

CARD: Final = "card.json"
LEFT: Final = ".lora_b"
RIGHT: Final = ".lora_a"
LEVELS: Final = ".levels"
STEPS: Final = ".steps"

_TWINS: Final = {LEFT: RIGHT, RIGHT: LEFT, LEVELS: STEPS, STEPS: LEVELS}

VERSION: Final = 1
"""Raised when merging gives other weights, so that cached ones are made anew."""

_WEIGHTS: Final = "model.safetensors"
_LAYER: Final = re.compile(r"encoder\.layer\.(\d+)\.(.+)")

Array = NDArray[Any]


def is_delta(folder: Path) -> bool:
    """Whether a folder holds changes to a base, not weights of its own."""
    return (folder / DELTA).is_file()


def base_of(folder: Path) -> str:
    """The reference of the base that a delta changes.

    Raises:
        InputError: the card does not name it.
    """
    return _Card.read(folder).base


@dataclass(frozen=True, slots=True)
class _Card:
    """What merging reads of a card."""

    base: str
    base_sha256: str
    layers: tuple[int, ...] | None
    config: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> _Card:
        path = folder / CARD
        told = read_json(path) if path.is_file() else {}
        if not isinstance(told, dict) or not told.get("base") or not isinstance(told["base"], str):
            raise InputError(f"{path} must name the base of {DELTA} under 'base'")
        layers, config = told.get("layers"), told.get("config", {})
        if layers is not None and not (isinstance(layers, list) and _ascending(layers)):
            raise InputError(
                f"{path}: 'layers' is a list of layers of the base, ascending, or absent"
            )
        if not isinstance(config, dict):
            raise InputError(f"{path}: 'config' is a table of keys of config.json")
        kept = None if layers is None else tuple(layers)
        return cls(told["base"], str(told.get("base_sha256")), kept, config)


def whole(folder: Path, base: Path, cache: Path) -> Path:
    """The folder of a delta merged into its base: made at the first call, then kept in ``cache``.

    Args:
        folder: ``delta.safetensors`` and ``card.json`` with ``base_sha256``, the SHA-256 of the
            base's weights, and, where not all of them are kept, ``layers``, the numbers of its
            layers. Other ``.json`` files there (``1_Pooling/config.json``) go with it.
        base: ``config.json``, ``tokenizer.json``, and ``model.safetensors`` or a quantised
            ``model.onnx`` of a BERT.

    Raises:
        InputError: a file is damaged, or the base is not the one that the delta was made for.
    """
    card = _Card.read(folder)
    source = digest_of(base)
    if card.base_sha256 != source:
        raise InputError(
            f"{folder / DELTA} was made for other weights than those of {base}; name the base of "
            f"its card, {card.base!r}"
        )
    copied = {
        name: place / name
        for place in (base, folder)
        for name in ("tokenizer.json", "1_Pooling/config.json", "weighing.json")
        if (place / name).is_file()
    }
    config = read_json(base / "config.json") if (base / "config.json").is_file() else {}
    config |= card.config
    if card.layers is not None:
        config["num_hidden_layers"] = len(card.layers)
    texts = [digest(path) for _, path in sorted(copied.items())]
    about = [digest(folder / DELTA), source, card.layers, config, texts, VERSION]
    tag = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    target = cache / "merged" / tag
    if (target / _WEIGHTS).is_file():
        return target
    weights = merge(base_weights(base), read(folder / DELTA), card.layers)
    with made_whole(target) as into:
        write_json(into / "config.json", config)
        for name, path in copied.items():
            (into / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, into / name)
        write_bytes(into / _WEIGHTS, save(weights, metadata={"format": "pt"}))
    return target


def digest_of(base: Path) -> str:
    """The SHA-256 of a base's weights: ``model.safetensors``, else ``model.onnx``.

    Raises:
        InputError: it has neither.
    """
    path = base / (_WEIGHTS if (base / _WEIGHTS).is_file() else "model.onnx")
    if not path.is_file():
        raise InputError(f"{base} is no base of a delta: it has no {_WEIGHTS}, nor model.onnx")
    return digest(path)


def base_weights(base: Path) -> dict[str, Array]:
    """The float weights of a base by their names without ``bert.``; quantised ones made float.

    Raises:
        InputError: they can't be read.
    """
    if (base / _WEIGHTS).is_file():
        found = read(base / _WEIGHTS)
    else:
        # Loaded when needed: the onnx package takes 0.1 s, and is for building only.
        found = load("aegle.lm.dequantise:dequantised")(base / "model.onnx")
    return {name.removeprefix("bert."): value for name, value in found.items()}


def check_layers(layers: Sequence[int], known: Collection[int] | None = None) -> None:
    """Whether these layers of a base can be kept.

    Args:
        layers: their numbers.
        known: those that the base has; None where it is not at hand.

    Raises:
        InputError: none, out of order, one twice, or one that the base doesn't have.
    """
    if not _ascending(layers):
        raise InputError(
            f"layers are kept in ascending order, each once, at least one; got {list(layers)}"
        )
    if known is not None and (missing := sorted(set(layers) - set(known))):
        raise InputError(
            f"layers {missing} can't be kept: the base has "
            f"{', '.join(map(str, sorted(known))) or 'none'}"
        )


def _ascending(layers: Sequence[Any]) -> bool:
    whole = all(type(one) is int and one >= 0 for one in layers)
    return bool(layers) and whole and list(layers) == sorted(set(layers))


def merge(
    base: Mapping[str, Array], delta: Mapping[str, Array], layers: Sequence[int] | None = None
) -> dict[str, Array]:
    """Float32 weights of a base with a delta's changes.

    Args:
        base: name -> weight.
        delta: ``NAME.lora_a`` with ``NAME.lora_b`` are added to NAME as their product;
            ``NAME.levels`` (8 bits) with ``NAME.steps`` (a scale a row) replace it, as does NAME
            itself. Names are those after ``layers`` is applied.
        layers: which layers of the base are kept, ascending; None for all.

    Raises:
        InputError: a change does not fit the base, or the layers don't, `check_layers`.
    """
    weights = _kept(base, layers)
    for name, value in delta.items():
        stem = name
        for ending, other in _TWINS.items():
            if name.endswith(ending):
                stem = name.removesuffix(ending)
                if stem + other not in delta:
                    raise InputError(f"the delta has {name!r} without {stem + other!r}")
        if name.endswith(LEFT):
            right = delta[stem + RIGHT]
            if stem not in weights or not _fits(weights[stem], value, right):
                raise InputError(f"the delta's change of {stem!r} does not fit the base")
            product = value.astype(np.float32) @ right.astype(np.float32)
            weights[stem] = weights[stem].astype(np.float32) + product
        elif name.endswith(LEVELS):
            steps = delta[stem + STEPS]
            if steps.shape != (*value.shape[:1], 1) or value.ndim != 2:
                raise InputError(f"the delta's {stem!r} needs one step a row")
            _replace(weights, stem, value.astype(np.float32) * steps.astype(np.float32))
        elif not name.endswith((RIGHT, STEPS)):
            _replace(weights, name, value.astype(np.float32))
    return {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}


def _replace(weights: dict[str, Array], name: str, value: Array) -> None:
    if name in weights and weights[name].shape != value.shape:
        raise InputError(f"the delta's change of {name!r} does not fit the base")
    weights[name] = value


def quantised(name: str, value: Array) -> dict[str, Array]:
    """A weight (O, I) in 8 bits with a scale a row, as a delta holds it."""
    steps_O1 = np.maximum(np.abs(value).max(1, keepdims=True), 1e-12) / 127
    return {
        name + LEVELS: np.rint(value / steps_O1).astype(np.int8),
        name + STEPS: steps_O1.astype(np.float32),
    }


def read(path: Path) -> dict[str, Array]:
    """The tensors of a safetensors file.

    Raises:
        InputError: it is damaged.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path} can't be read ({type(error).__name__})") from error


def _kept(base: Mapping[str, Array], layers: Sequence[int] | None) -> dict[str, Array]:
    if layers is None:
        return {name: value for name, value in base.items() if value.dtype.kind == "f"}
    check_layers(layers, {int(match[1]) for name in base if (match := _LAYER.fullmatch(name))})
    place = {number: new for new, number in enumerate(layers)}
    kept = {}
    for name, value in base.items():
        match = _LAYER.fullmatch(name)
        if match is None:
            kept[name] = value
        elif int(match[1]) in place:
            kept[f"encoder.layer.{place[int(match[1])]}.{match[2]}"] = value
    return {name: value for name, value in kept.items() if value.dtype.kind == "f"}


def _fits(weight: Array, left: Array, right: Array) -> bool:
    return (
        left.ndim == right.ndim == 2
        and left.shape[1] == right.shape[0]
        and weight.shape == (left.shape[0], right.shape[1])
    )
