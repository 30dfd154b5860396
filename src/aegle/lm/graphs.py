"""INT8 graphs of encoders, built once for each content of their weights and kept in the cache."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Final

from aegle.core.artifacts import describe, write_bytes, write_manifest
from aegle.core.plugins import load
from aegle.lm.catalog import digest

VERSION: Final = 1
"""Raised when `aegle.lm.bert` builds another graph, so that cached ones are built anew."""


def graph_file(folder: Path, *, pooling: str, cache: Path) -> Path:
    """The INT8 graph of a folder's weights: built at the first call, then read from ``cache``.

    Raises:
        InputError: see `aegle.lm.bert.build`.
    """
    source = digest(folder / "model.safetensors")
    about = f"{source}:{digest(folder / 'config.json')}:{pooling}:int8:{VERSION}"
    place = cache / "graphs" / hashlib.sha256(about.encode()).hexdigest()[:16]
    target, manifest = place / "model.onnx", place / "manifest.json"
    if not (target.is_file() and manifest.is_file()):
        # Loaded when needed: the onnx package takes 0.1 s, and is for building only.
        model = load("aegle.lm.bert:build")(folder, pooling=pooling, int8=True)
        write_bytes(target, model.SerializeToString())
        artifact = replace(describe(target, made_from=(source,)), path=target.name)
        write_manifest(manifest, [artifact], builder=VERSION, pooling=pooling)
    return target
